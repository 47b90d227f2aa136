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

    async def unfinished(self, asked: str) -> Run | None:
        """The run of a request, by its digest, that is interrupted, or at work for nobody here."""
        run = await self._runs.left_off(asked, self.holder)
        return run if run is not None and run.status in ("interrupted", "running") else None

    def get(self, id: str) -> Run | None:
        """The run of that id, if it is remembered here, and seen."""
        run = self._runs.get(id)
        return run if run is not None and self.holder.sees(run.owner) else None

    async def find(self, id: str) -> Run | None:
        """The run of that id, wherever it is remembered, if it is seen."""
        run = await self._runs.find(id)
        return run if run is not None and self.holder.sees(run.owner) else None

    async def listed(self) -> list[Run]:
        """All runs that are remembered and seen, the newest first; see `Runs.listed`."""
        return await self._runs.listed(self.holder)

    async def cancel(self, id: str) -> bool:
        """Stop a run that is seen; see `Runs.cancel`."""
        return await self.find(id) is not None and await self._runs.cancel(id)

    async def forget(self, id: str) -> None:
        """Drop a run that is seen; see `Runs.forget`."""
        if await self.find(id) is not None:
            await self._runs.forget(id)

    async def kept(self) -> None:
        """Wait until what has happened so far is on the disk; see `Runs.kept`."""
        await self._runs.kept()
