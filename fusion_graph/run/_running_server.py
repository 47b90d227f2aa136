"""One MCP server of a run, kept by a task of its own from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from fusion_graph.config import ToolServer
from fusion_graph.errors import ToolServerGone
from fusion_graph.models.secrets import scrub
from fusion_graph.run._mcp_client import Session, connected
from fusion_tools.errors import ToolError
from fusion_tools.render import without_invisibles

logger = logging.getLogger(__name__)

MOST_TOOLS = 64
"""Tools of one server that a panel gets: each is in every prompt."""


@dataclass(frozen=True)
class OfferedTool:
    """A tool that a server offers.

    Attributes:
        server: The server, which is asked for it.
        told: The tool as it goes over the wire.
    """

    server: RunningServer
    told: Mapping[str, Any]


class RunningServer:
    """One server of a run, and the task that keeps it.

    Args:
        name: Its name.
        given: How it is started or reached.
        idle: Seconds after which it ends if nobody asks for it.

    Attributes:
        name: Its name.
        digest: What tells it from another of its name.
        loss: What the run has to do without, in a sentence; empty while nothing is wrong.
    """

    def __init__(self, name: str, given: ToolServer, idle: float) -> None:
        self.name, self.loss, self.digest = name, "", given.digest
        self._given, self._idle = given, idle
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[Any] = loop.create_future()
        self._stop = asyncio.Event()
        self._session: Session | None = None
        self._tools: list[dict[str, Any]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.touch()
        self.task = loop.create_task(self._keep())

    async def ready(self) -> None:
        """Wait until it has named its tools, or cannot."""
        await asyncio.wait([self._ready])

    @property
    def tools(self) -> list[OfferedTool]:
        """Its tools; none once it has ended."""
        return [] if self._over.done() else [OfferedTool(self, told) for told in self._tools]

    def touch(self) -> None:
        """Note that somebody has use for it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._idle, self._stop.set)

    @property
    def was_stopped(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Have it end; its task sees to that."""
        self._stop.set()

    async def call(self, tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
        """Call one of its tools; the result as it goes over the wire.

        Args:
            tool: As the server calls it.
            args: Its arguments.

        Raises:
            ToolError: There is no result; the run has to do without.
            ToolServerError: The server answers with an error.
        """
        self.touch()
        if self._session is None or self._over.done():
            raise ToolError("unavailable", f"The server {self.name} has ended; do without it.")
        asking = asyncio.ensure_future(self._session.call(tool, args))
        waited_for: set[asyncio.Future[Any]] = {asking, self._over}
        try:
            await asyncio.wait(
                waited_for,
                timeout=self._given.timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if asking.done():
                return asking.result()
        except ToolServerGone as gone:
            self._lose(f"does not answer any more: {_words(str(gone))}")
            raise ToolError("unavailable", f"The server {self.name} has ended.") from None
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait([asking])
        if self._over.done():
            raise ToolError("unavailable", f"The server {self.name} has ended.")
        seconds = f"{self._given.timeout:g} s"
        self._lose(f"did not answer a call of {tool} within {seconds} (timeout)")
        raise ToolError("unavailable", f"{self.name} did not answer within {seconds}.")

    async def _keep(self) -> None:
        started = False
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
            try:
                async with (
                    asyncio.timeout(self._given.start_timeout) as limit,
                    connected(self._given, complaints) as session,
                ):
                    self._tools = self._offered(await session.tools())
                    limit.reschedule(None)
                    self._session, started = session, True
                    self._ready.set_result(None)
                    await self._stop.wait()
            except Exception as error:  # whatever a stranger's server does, the run goes on
                logger.info("MCP server %s", self.name, exc_info=error)
                if started:
                    self._lose("ended while the panel was at work")
                else:
                    self._lose(f"did not start: {self._why(error, complaints)}")
            finally:
                if self._timer is not None:
                    self._timer.cancel()
                self._over.set_result(None)
                if not self._ready.done():
                    self._ready.set_result(None)

    def _why(self, error: BaseException, complaints: TextIO) -> str:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, TimeoutError):
            why = f"it named no tools within {self._given.start_timeout:g} s (start_timeout)"
        elif isinstance(error, FileNotFoundError):
            why = "there is no such program"
        else:
            why = _words(str(error)) or type(error).__name__
        complaints.seek(0, 2)
        complaints.seek(max(0, complaints.tell() - 4000))
        lines = [line for line in complaints.read().splitlines() if line.strip()]
        return f"{why} ({_words(lines[-1])})" if lines else why

    def _offered(self, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The tools of those it lists that the panel is to get."""
        only = self._given.only
        if only is None:
            offered = [tool for tool in listed if not _changes_something(tool)]
        else:
            offered = [tool for tool in listed if tool.get("name") in only]
            if missing := sorted({*only} - {tool["name"] for tool in offered}):
                self._lose(f"has no tool {', '.join(missing)}")
        if len(offered) > MOST_TOOLS:
            self._lose(
                f"has {len(offered)} tools, of which the panel got the first {MOST_TOOLS}: "
                "name those you want in `only`"
            )
        return offered[:MOST_TOOLS]

    def _lose(self, what: str) -> None:
        self.loss = self.loss or what


def _changes_something(tool: Mapping[str, Any]) -> bool:
    # A page that a panelist reads may tell it to call a tool: what bounds the harm is the tools.
    hints = tool.get("annotations") or {}
    return hints.get("readOnlyHint") is False and hints.get("destructiveHint") is not False


def _words(text: str) -> str:
    """A stranger's words in one short line, without secrets of ours."""
    line = " ".join(without_invisibles(scrub(text)).split())
    return line if len(line) <= 200 else f"{line[:199]}…"
