"""A program at work on one question: its lines as they come, and its end, which is sure."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fusion_graph.errors import ReplyTooLarge
from fusion_graph.models.programs._folder import Folder

MOST_BYTES = 32 * 1024 * 1024
"""Most that a program may write for one question; deltas take some hundred bytes a word."""

KEPT_COMPLAINTS = 8_000
"""How much of what it writes to standard error is kept: the end, where the reason stands."""

END_SECONDS = 10.0
"""How long the end of a program is waited for: its watch takes half a second, if it can. Where
/proc tells nothing (macOS), a process that left the program's group may live on."""

_CHUNK = 65_536


class Running:
    """A program at work.

    Args:
        process: What watches over it.
        prompt: Its standard input.
    """

    def __init__(self, process: asyncio.subprocess.Process, prompt: str) -> None:
        self._process = process
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._complaints = bytearray()
        self.too_large = False
        self._pumps = [
            asyncio.ensure_future(work)
            for work in (self._say(prompt), self._hear(), self._hear_complaints())
        ]

    async def lines(self) -> AsyncIterator[str]:
        """What it writes, line by line, until it has ended.

        Raises:
            ReplyTooLarge: It writes more than any answer takes.
        """
        while (line := await self._lines.get()) is not None:
            yield line.decode("utf-8", "replace")
        if self.too_large:
            limit = f"{MOST_BYTES // 1024 // 1024} MiB"
            raise ReplyTooLarge("output", limit)

    async def ended(self) -> tuple[int, str]:
        """Its exit code, and the end of what it complained of."""
        code = await self._process.wait()
        await asyncio.gather(*self._pumps)
        return code, bytes(self._complaints).decode("utf-8", "replace")

    async def ended_within(self, seconds: float) -> tuple[int, str]:
        """As `ended`, but for no longer than so many seconds; then 0, and no complaints."""
        ending = asyncio.ensure_future(self.ended())
        done, _ = await asyncio.wait([ending], timeout=seconds)
        return ending.result() if done else (0, "")

    async def over(self) -> None:
        """Wait for its end; let go of what still holds its outputs long after it."""
        ending = asyncio.ensure_future(self.ended())
        await asyncio.wait([ending], timeout=END_SECONDS)
        if not ending.done():
            with suppress(ProcessLookupError):
                self._process.kill()
            for pump in self._pumps:
                pump.cancel()
            ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)

    async def _say(self, prompt: str) -> None:
        into = self._process.stdin
        assert into is not None
        with suppress(ConnectionError):  # it has ended, and says elsewhere why
            into.write(prompt.encode("utf-8", "replace"))
            await into.drain()
        into.close()
        with suppress(ConnectionError):
            await into.wait_closed()

    async def _hear(self) -> None:
        out = self._process.stdout
        assert out is not None
        rest, heard = bytearray(), 0
        # Read to the end whatever happens: a pipe that is full keeps its writer from ending.
        while chunk := await out.read(_CHUNK):
            heard += len(chunk)
            if heard > MOST_BYTES:
                if not self.too_large:
                    self.too_large = True
                    self._lines.put_nowait(None)
                continue
            first, *others = chunk.split(b"\n")  # of the chunk alone: a line may have megabytes
            rest += first
            for part in others:
                self._lines.put_nowait(bytes(rest))
                rest = bytearray(part)
        if rest and not self.too_large:
            self._lines.put_nowait(bytes(rest))
        self._lines.put_nowait(None)

    async def _hear_complaints(self) -> None:
        err = self._process.stderr
        assert err is not None
        while chunk := await err.read(_CHUNK):
            self._complaints += chunk
            del self._complaints[:-KEPT_COMPLAINTS]


async def said_by(command: Sequence[str], folder: Folder, variables: Mapping[str, str]) -> str:
    """What a program writes at once, on either output; its folder is removed.

    Args:
        command: The program and its arguments.
        folder: Its folder.
        variables: Its whole environment.
    """
    async with running(command, folder, variables, "") as work:
        said = [line async for line in work.lines()]
        _, complaints = await work.ended()
    return "\n".join([*said, complaints])


@asynccontextmanager
async def running(
    command: Sequence[str], folder: Folder, variables: Mapping[str, str], prompt: str
) -> AsyncIterator[Running]:
    """Run a program for as long as the body does; afterwards nothing of it is left.

    Args:
        command: The program and its arguments.
        folder: Its folder, which is removed.
        variables: Its whole environment.
        prompt: Its standard input.
    """
    theirs, ours = os.pipe()
    told = json.dumps({"pipe": theirs, "folder": str(folder.root), "logins": folder.logins})
    watch = str(Path(__file__).with_name("watch.py"))
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", watch, told, *command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=str(folder.work),
            env=dict(variables),
            pass_fds=(theirs,),
            start_new_session=True,  # the terminal's interrupt is ours to handle
        )
    except BaseException:
        os.close(ours)
        await asyncio.to_thread(folder.remove)
        raise
    finally:
        os.close(theirs)
    program = Running(process, prompt)
    try:
        yield program
    finally:
        os.close(ours)
        await asyncio.shield(asyncio.ensure_future(program.over()))


def read_event(line: str) -> dict[str, Any] | None:
    """The JSON object of a line; None for anything else, such as a warning among the events."""
    line = line.strip()
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None
