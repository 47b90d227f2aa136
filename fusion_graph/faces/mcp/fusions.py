"""The server asks a panel, tells its progress, and hands out results and reports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.mcp import resources, result, tools
from fusion_graph.faces.mcp._sdk import Caller, Told
from fusion_graph.faces.mcp.cancellations import Cancellations
from fusion_graph.faces.mcp.handshake import PREPARING
from fusion_graph.faces.mcp.progress import Standing
from fusion_graph.faces.mcp.tasks import Task, Tasks
from fusion_graph.faces.server._api_errors import api_error
from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.limits import Limits
from fusion_graph.faces.server.offer import Offer
from fusion_graph.faces.server.run_request import RunRequest, run_request
from fusion_graph.faces.server.runs import Runs

LOOK_SECONDS = 0.5
"""How often a call looks what its run is doing: what changes is told as soon."""

TELL_SECONDS = 4.0
"""Longest a call says nothing. opencode's limit of 60 s begins anew with each word."""

_log = logging.getLogger("fusion_graph.server")


class Fusions:
    """The handlers of a client's requests: they ask panels and hand out what came of it.

    Args:
        runs: Where the runs are kept.
        limits: What requests may ask for.
        cancellations: Tells which calls were cut by the client's own limit.
    """

    def __init__(self, runs: Runs, limits: Limits, cancellations: Cancellations) -> None:
        self._limits = limits
        self._offer = Offer(limits.presets, elsewhere=limits.elsewhere)
        self._cancellations = cancellations
        self._tasks = Tasks(runs, cancellations)

    async def tools(self, holder: Holder) -> list[Told]:
        """List the tools, with the presets that can work here."""
        presets, chosen = await asyncio.to_thread(self._presets, holder)
        return tools.listed(presets, chosen)

    async def call(self, name: str, arguments: Mapping[str, Any], caller: Caller) -> Told:
        """Call a tool; what goes wrong in it is a result that says so.

        Raises:
            ApiError: There is no such tool.
        """
        if name not in tools.ARGUMENTS:
            known = ", ".join(tools.ARGUMENTS)
            said = f"There is no tool {name[:60]!r}. Tools: {known}."
            raise ApiError(404, said, "unknown_tool")
        try:
            given = tools.checked(name, arguments)
            row = _Row(caller)
            if name in ("fusion", "fusion_start"):
                asked = await self._prepared(given, row)
                return await (self._ask if name == "fusion" else self._start)(asked, row)
            task = await self._task(given["task"], caller.holder)
            if name == "fusion_cancel":
                return await self._cancel(task)
            return await self._fetch(task, given.get("wait_seconds", tools.WAIT_SECONDS), row)
        except Exception as error:
            told = api_error(error)
            if told.code == "internal_error":
                _log.error("%s: %s", name, type(error).__name__)
                _log.debug("%s", name, exc_info=error)
            return result.failed(told)

    async def resources(self, holder: Holder) -> list[Told]:
        """List the newest reports."""
        return resources.listed(self._tasks.latest(holder))

    async def templates(self) -> list[Told]:
        """List how reports' addresses are made."""
        return resources.templates()

    async def read(self, uri: str, holder: Holder) -> Told:
        """Read a report.

        Raises:
            ApiError: There is none at that address.
        """
        if (named := resources.parsed(uri)) is None:
            said = f"{uri[:200]!r} is no resource here. Reports are fusion://reports/TASK."
            raise ApiError(404, said, "resource_not_found")
        task = await self._tasks.find(named[0], holder)
        if task is None or task.run.report is None:
            how = "no task of that id is remembered" if task is None else task.run.status
            raise ApiError(404, f"{uri} holds no report: {how}.", "resource_not_found")
        return await resources.content(task, named[1], uri)

    async def _prepared(self, given: Mapping[str, Any], row: _Row) -> RunRequest:
        """Check what is asked for; the first time this waits for imports, and says so."""
        checking = asyncio.create_task(asyncio.to_thread(self._request, given, row.holder))
        while not (await asyncio.wait({checking}, timeout=TELL_SECONDS))[0]:
            await row.tell(0, PREPARING)
        return await checking

    async def _ask(self, asked: RunRequest, row: _Row) -> Told:
        task, joined = await self._tasks.begin(asked, row.holder)
        with task.attended():
            try:
                await row.follow(task)
            except asyncio.CancelledError:
                if not self._cancellations.was_cut(row.call):
                    task.give_up()
                raise
        self._tasks.note_read(task, row.call)
        return result.finished(task, joined)

    async def _start(self, asked: RunRequest, row: _Row) -> Told:
        task, joined = await self._tasks.begin(asked, row.holder)
        task.kept = True
        await self._tasks.written()  # who has its name finds it after a restart too
        with suppress(TimeoutError):
            # A run that cannot begin says so at once.
            async with asyncio.timeout(LOOK_SECONDS):
                await task.run.begun()
        if task.run.failure is not None:
            return result.failed(task.run.failure, task)
        return result.at_work(task, _line(task), joined)

    async def _fetch(self, task: Task, wait: float, row: _Row) -> Told:
        self._tasks.go_on(task, row.holder)
        if wait:
            with suppress(TimeoutError), task.attended():
                async with asyncio.timeout(wait):
                    await row.follow(task)
        if task.run.running:
            return result.at_work(task, _line(task))
        self._tasks.note_read(task, row.call)
        return result.finished(task)

    async def _cancel(self, task: Task) -> Told:
        was_running = await self._tasks.stop(task)
        return result.stopped(task, was_running)

    async def _task(self, id: str, holder: Holder) -> Task:
        if (task := await self._tasks.find(id, holder)) is None:
            said = f"No task {id[:60]!r} is remembered: it was never started, or is too old."
            raise ApiError(404, said, "task_not_found", param="task")
        return task

    def _request(self, given: Mapping[str, Any], holder: Holder) -> RunRequest:
        offer = self._offer.only(holder.presets)
        presets = offer.refs()
        if (preset := given.get("preset")) is not None and preset not in presets:
            said = f"{preset[:60]!r} is no preset on offer here. Presets: {', '.join(presets)}."
            raise ApiError(404, said, "preset_not_found", param="preset")
        import_graph()  # here and not in the loop, which would wait for it
        return run_request(given["question"], preset, {}, offer, holder.narrowed(self._limits))

    def _presets(self, holder: Holder) -> tuple[dict[str, str], str]:
        """Find the presets that can work here with their descriptions, and which is usual."""
        offer = self._offer.only(holder.presets)
        presets = offer.likely() or dict.fromkeys(offer.refs(), "cannot work here now")
        chosen = offer.chosen().name
        return presets, chosen if chosen in presets else next(iter(presets), chosen)


class _Row:
    """A row shows what a call is doing, in the client.

    Args:
        caller: Who waits for the call.
    """

    def __init__(self, caller: Caller) -> None:
        self.call, self.holder = caller.key, caller.holder
        self._tell = caller.tell
        self._progress = 0.0

    async def tell(self, seconds: float, words: str) -> None:
        """Send progress: the seconds so far, as a number that rises each time."""
        self._progress = round(max(self._progress + 0.001, seconds), 3)
        await self._tell(self._progress, words)

    async def follow(self, task: Task) -> None:
        """Tell what a task does, until it has ended."""
        loop = asyncio.get_running_loop()
        standing, seen, said, last = Standing(), 0, "", 0.0
        while task.run.running:
            for event in task.run.events[seen:]:
                standing.take(event)
                seen += 1
            words = standing.line(0, task.id)
            if words != said or loop.time() - last >= TELL_SECONDS:
                await self.tell(task.run.seconds, standing.line(task.run.seconds, task.id))
                said, last = words, loop.time()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await task.run.ended()


def import_graph() -> None:
    """Import what a run needs: two seconds of a processor, the first time."""
    import fusion_graph.graph
    import fusion_graph.models.openai_protocol  # noqa: F401


def _line(task: Task) -> str:
    standing = Standing()
    for event in list(task.run.events):
        standing.take(event)
    return standing.line(task.run.seconds, task.id)
