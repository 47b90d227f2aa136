"""Tasks name runs for clients, and know who waits for each.

A request that is asked again while its run is at work, or before anybody has read its result,
joins that run: nothing is paid twice. Who asks again after reading wants a new answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fusion_graph.faces.mcp.cancellations import CallKey, Cancellations
from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.run_request import RunRequest
from fusion_graph.faces.server.runs import Runs

ID_CHARACTERS = 12
"""Of a run's id, what names its task: models copy it by hand, and nobody guesses 48 bits."""


_ID = re.compile(rf"[0-9a-f]{{{ID_CHARACTERS}}}")


@dataclass
class Task:
    """A task is a run, and what is known of those who asked for it.

    Attributes:
        id: Names it in tools and addresses.
        run: The fusion.
        request: What was asked for.
        kept: Whether it goes on when nobody waits for it: somebody means to fetch it.
        stopped: Whether it was told to stop; it may take a moment to end.
    """

    id: str
    run: Run
    request: RunRequest
    kept: bool = False
    stopped: bool = False
    _read: bool = False
    _callers: int = 0
    _readers: set[CallKey] = field(default_factory=set)

    @contextmanager
    def attended(self) -> Iterator[None]:
        """Count a caller that waits for it."""
        run = self.run
        self._callers += 1
        run.readers += 1
        try:
            yield
        finally:
            self._callers -= 1
            run.readers -= 1

    def give_up(self) -> None:
        """Stop the run, now that a caller does not want it, unless others do."""
        if self._callers <= 1 and not self.kept:
            self.stop()

    def stop(self) -> None:
        """Stop the run; who asks the same from now on does not join it."""
        self.stopped = True
        self.run.stop()

    def read_by(self, call: CallKey) -> None:
        """Note that a call is given its result."""
        self._readers.add(call)

    def was_read(self, cancellations: Cancellations) -> bool:
        """Tell whether its result has reached somebody: a call cut meanwhile got nothing."""
        return self._read or any(not cancellations.was_cut(call) for call in self._readers)


class Tasks:
    """Tasks start runs, join them, and find them again.

    Args:
        runs: Where the runs are kept, and forgotten.
        cancellations: Tells which calls were cut.
    """

    def __init__(self, runs: Runs, cancellations: Cancellations) -> None:
        self._runs = runs
        self._cancellations = cancellations
        self._tasks: dict[str, Task] = {}

    async def find(self, id: str, holder: Holder) -> Task | None:
        """The task of that id, if its run is remembered anywhere, and seen by who asks."""
        run = await self._runs.find_task(id) if _ID.fullmatch(id) else None
        self._look_through()
        task = self._tasks.get(id)
        if run is None or task is None or not holder.sees(run.owner):
            return None
        task.run = run
        return task

    def latest(self, holder: Holder) -> list[Task]:
        """All tasks that somebody sees, the newest first."""
        self._look_through()
        return [task for task in reversed(self._tasks.values()) if holder.sees(task.run.owner)]

    def go_on(self, task: Task, holder: Holder) -> None:
        """Have a task go on that a restart of the server has interrupted; others are left alone.

        Raises:
            TooManyRuns: No more may be at work.
        """
        if task.run.status == "interrupted":
            self._runs.resume(task.run, holder)
            task.kept = True

    async def stop(self, task: Task) -> bool:
        """Stop a task, and wait until it has stopped.

        Returns:
            Whether it was at work, or could have gone on.
        """
        task.stopped = True
        return await self._runs.cancel(task.run.id)

    async def written(self) -> None:
        """Wait until the tasks would still be known after a restart."""
        await self._runs.kept()

    async def begin(self, request: RunRequest, holder: Holder) -> tuple[Task, bool]:
        """Start a run, or join the one that does this already.

        Args:
            request: What is asked for.
            holder: Who asks; only a run of the same key is joined.

        Returns:
            The task, and whether it was there.

        Raises:
            TooManyRuns: No more may be at work.
        """
        shared = self._runs.shared is not None
        for task in self.latest(holder):
            same = task.request == request and task.run.owner == holder.name
            # Whether somebody has read an answer elsewhere is not known here.
            if same and self._joinable(task) and (task.run.running or not shared):
                self.go_on(task, holder)
                return task, True
        asked = _digest(request, holder) if shared else ""
        if shared and (there := await self._shared(asked, holder)) is not None:
            self.go_on(there, holder)
            return there, True
        run = self._runs.start(
            [("user", request.question)],
            request.context,
            model=request.model,
            question=request.question,
            asked=asked,
            holder=holder,
            max_cost=request.max_cost,
        )
        task = Task(run.id[:ID_CHARACTERS], run, request)
        self._tasks[task.id] = task
        return task, False

    def note_read(self, task: Task, call: CallKey) -> None:
        """Note that a call is given a task's result, also for other servers."""
        task.read_by(call)
        if self._runs.shared is not None:
            self._runs.note_told(task.run)

    async def _shared(self, asked: str, holder: Holder) -> Task | None:
        """The task of a request that is at work, or not read yet, at any server."""
        run = await self._runs.left_off(asked, holder)
        self._look_through()
        task = None if run is None else self._tasks.get(run.id[:ID_CHARACTERS])
        if task is not None and run is not None:
            task.run = run
        return task

    def _joinable(self, task: Task) -> bool:
        if task.run.running:
            return not task.stopped
        if task.run.status == "interrupted":
            return True
        answered = task.run.status in ("ok", "degraded")
        return answered and not task.was_read(self._cancellations)

    def _look_through(self) -> None:
        """Take in the runs that a server before has kept, and forget those that are gone."""
        for run in reversed(self._runs.latest()):
            id = run.id[:ID_CHARACTERS]
            if run.restored and id not in self._tasks:
                request = RunRequest(run.question, run.model, run.context)
                # Whether somebody has read it is not known any more: asked again, it is asked anew.
                read = run.told if run.mirror else run.status != "interrupted"
                self._tasks[id] = Task(id, run, request, kept=True, _read=read)
        gone = [id for id, task in self._tasks.items() if self._runs.get(task.run.id) is None]
        for id in gone:
            del self._tasks[id]


def _digest(request: RunRequest, holder: Holder) -> str:
    told = ["mcp", holder.name, request.model, request.question, request.context]
    return hashlib.sha256(json.dumps(told, default=str).encode("utf-8", "replace")).hexdigest()
