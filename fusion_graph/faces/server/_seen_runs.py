"""The runs of a server as one key sees them: its own, and the owner's key all."""

from __future__ import annotations

from typing import Any

from fusion_graph.faces.server.holders import Holder
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.runs import Runs


class SeenRuns:
    """Runs that a key sees; those of others are as good as not there.

    Args:
        runs: The server's.
        holder: Who gave the key.
    """

    def __init__(self, runs: Runs, holder: Holder) -> None:
        self._runs = runs
        self.holder = holder

    def start(self, *args: Any, **fields: Any) -> Run:
        """Start a run of this key; see `Runs.start`."""
        return self._runs.start(*args, **fields, holder=self.holder)

    def resume(self, run: Run) -> None:
        """Have an interrupted run of this key go on; see `Runs.resume`."""
        self._runs.resume(run, self.holder)

    def interrupted(self, asked: str) -> Run | None:
        """The interrupted run of a request, by its digest, if there is one."""
        run = self._runs.left_off(asked)
        return run if run is not None and run.status == "interrupted" else None

    def get(self, id: str) -> Run | None:
        """The run of that id, if it is remembered, and seen."""
        run = self._runs.get(id)
        return run if run is not None and self.holder.sees(run.owner) else None

    def latest(self) -> list[Run]:
        """All runs that are remembered and seen, the newest first."""
        return [run for run in self._runs.latest() if self.holder.sees(run.owner)]

    async def cancel(self, id: str) -> bool:
        """Stop a run that is seen; see `Runs.cancel`."""
        return self.get(id) is not None and await self._runs.cancel(id)

    async def forget(self, id: str) -> None:
        """Drop a run that is seen; see `Runs.forget`."""
        if self.get(id) is not None:
            await self._runs.forget(id)

    async def kept(self) -> None:
        """Wait until what has happened so far is on the disk; see `Runs.kept`."""
        await self._runs.kept()
