"""The parent's side of one process of the sandbox: start it, feed it, watch it, end it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from fusion_graph.errors import SandboxUnavailable
from fusion_graph.sandbox._bubblewrap import FOLDER, PYTHON, command, environment, wall
from fusion_graph.sandbox._limits import Limits

WATCHED_EVERY = 0.1
"""Seconds between two looks at how much a sandbox has written and holds in memory."""

ANSWER_FILE = "answer.py"

LAST_WORDS = 10.0
"""Seconds until the output of a killed process is given up: unconfined, something that it started
may still hold the other end."""


@contextmanager
def folder_with(code: str) -> Iterator[Path]:
    """A folder with an answer's code in it, removed with all that is there at the end."""
    with tempfile.TemporaryDirectory(prefix="fusion-graph-", ignore_cleanup_errors=True) as name:
        path = Path(name) / ANSWER_FILE
        path.write_text(code, encoding="utf-8", errors="replace")
        path.chmod(0o644)  # whatever the umask: its reader may be another user
        yield Path(name)


class Child:
    """A process of the sandbox.

    Args:
        process: The process, or the bubblewrap around it.
        limits: What it may use.
    """

    def __init__(self, process: asyncio.subprocess.Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits

    @classmethod
    async def start(cls, module: str, folder: Path, limits: Limits) -> Self:
        """Start a process.

        Args:
            module: Module of this package whose `main` it runs.
            folder: Of the answer's file.
            limits: What it may use.

        Raises:
            SandboxUnavailable: It cannot be confined here, and is to be; or not even limited.
        """
        if sys.platform == "win32" or not PYTHON or getattr(sys, "frozen", False):
            raise SandboxUnavailable(
                "Answers in code are run with the limits of a Unix system, which this is not. "
                "Grade code sets on Linux, with bubblewrap installed."
            )
        here = await asyncio.to_thread(wall) if limits.confined else None
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *command(module, limits, folder, here),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=environment(),
            )
        )
        try:
            return cls(await asyncio.shield(starting), limits)
        except asyncio.CancelledError:
            # asyncio would kill bubblewrap alone, and wait for ever for the pipes that what it
            # has started just then holds.
            started = asyncio.ensure_future(_end_once_started(starting, limits))
            await asyncio.shield(started)
            raise

    async def ready(self) -> None:
        """Wait until its limits hold; only then it looks at foreign code.

        Raises:
            SandboxUnavailable: It ended instead.
        """
        line = await self.line()
        if not object_in(line).get("ready"):
            words = (line + await self.output(2000)).decode(errors="replace")
            raise SandboxUnavailable(f"A process of the sandbox could not start: {words}")

    async def feed(self, data: bytes) -> None:
        """Write its standard input and close it; a process that does not read is no error."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        self._process.stdin.close()

    async def line(self) -> bytes:
        """The next line of its output; empty at the end."""
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:  # longer than asyncio's buffer
            return b""

    async def output(self, most: int) -> bytes:
        """Its output up to `most` bytes and a little more, or until it ends."""
        assert self._process.stdout is not None
        parts, size = [], 0
        while size <= most and (part := await self._process.stdout.read(65536)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    async def discard(self) -> None:
        """Read its output away until it ends, so that printing does not stop it."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(65536):
            pass

    async def overdone(self) -> str:
        """Wait until its sandbox holds too much, and say what; waits for ever otherwise."""
        while True:
            await asyncio.sleep(WATCHED_EVERY)
            family = _family(self._process.pid)
            if (held := sum(one.memory for one in family)) > self._limits.memory_bytes:
                return f"{held} bytes of memory in {len(family)} processes"
            # Each has a limit of its own; many that follow one another have none together.
            if sum(one.seconds for one in family) > self._limits.cpu_seconds + 1:
                return f"more than {self._limits.cpu_seconds} s of processor time"
            if (
                self._limits.confined
                and family
                and (count := _files(family[-1])) > self._limits.files
            ):
                return f"{count} files written"

    async def end(self) -> int:
        """Kill whatever is left of it and wait for that.

        Returns:
            Its exit status, negative for a signal.
        """
        # Not `Process.kill`: it polls first, and takes the exit status from asyncio's own watcher.
        if self._process.returncode is None:
            # The first process of a sandbox takes the rest along, and bubblewrap waits for it;
            # killed itself, it would leave what nobody waits for in a container without an init.
            with suppress(ProcessLookupError, PermissionError):
                if self._limits.confined:
                    self._end_first_inside()
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.discard()
        status = await self._process.wait()
        return 128 - status if self._limits.confined and status > 128 else status

    def _end_first_inside(self) -> None:
        bubblewrap = self._process.pid
        # Stopped, it starts nobody between the look and the kill: a first process that has left
        # its group, and does not yet ask to die with it, would live on and hold the output.
        os.kill(bubblewrap, signal.SIGSTOP)
        with suppress(ChildProcessError):  # it had ended, and asyncio has taken its status
            os.waitid(os.P_PID, bubblewrap, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        inside = _family(bubblewrap)[1:2]
        if inside:
            os.kill(inside[0].pid, signal.SIGKILL)
            os.kill(bubblewrap, signal.SIGCONT)
        else:
            os.killpg(bubblewrap, signal.SIGKILL)


async def _end_once_started(
    starting: asyncio.Future[asyncio.subprocess.Process], limits: Limits
) -> None:
    with suppress(OSError):  # it could not be started
        await Child(await starting, limits).end()


@dataclass(frozen=True)
class _Process:
    """A process as `/proc/PID/stat` tells of it (`proc_pid_stat(5)`).

    Attributes:
        parent: Whose child it is.
        seconds: Processor time, of its own and of its children that have ended.
        memory: Bytes that it has in memory, those of shared libraries included.
    """

    pid: int
    parent: int
    seconds: float
    memory: int


def _processes() -> Iterator[_Process]:
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        with suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything, brackets too.
            told = Path(f"/proc/{int(entry)}/stat").read_text(errors="replace").rpartition(")")[2]
            fields = told.split()
            seconds = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
            memory = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
            yield _Process(int(entry), int(fields[1]), seconds, memory)


def _family(pid: int) -> list[_Process]:
    """A process and all that came of it, as far as their parents live."""
    everybody = list(_processes())
    found = [one for one in everybody if one.pid == pid]
    for above in found:
        found += [one for one in everybody if one.parent == above.pid]
    return found


def _files(one: _Process) -> int:
    """Files in the folder of a process's sandbox, as its memory file system counts them."""
    root = f"/proc/{one.pid}/root"
    with suppress(OSError):
        if os.path.samestat(os.stat(root), os.stat("/")):
            return 0  # it is on its way in, and that folder is the machine's
        found = os.statvfs(f"{root}{FOLDER}")
        return found.f_files - found.f_ffree
    return 0


def object_in(line: bytes) -> dict[str, Any]:
    """A line of JSON as a dict; empty if it is none."""
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
