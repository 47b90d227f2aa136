"""A fleet at work for a server: it begins runs there, follows them, and finds others' runs.

The walk of one request: a thread is made whose id is the run's, with owner, preset and digest of
the request in its metadata; in it a run of the graph, whose stream is kept by the fleet. Whoever
follows it reads that stream from its beginning, and again from the last part that is known when it
breaks off, for as long as the fleet says that the run is at work: another worker may have to take
it up first. The answer is read of the thread's state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any

from fusion_graph.errors import ApiError, ConfigurationError
from fusion_graph.faces.follow import Event
from fusion_graph.faces.server.fleet._client import FleetClient
from fusion_graph.faces.server.fleet._failures import lost
from fusion_graph.faces.server.fleet._following import Follower
from fusion_graph.faces.server.fleet._messages import sent_messages
from fusion_graph.faces.server.fleet._store import FleetStore
from fusion_graph.faces.server.fleet._threads import (
    ABOUT,
    ASKED,
    CANCELLED,
    KIND,
    OWNER,
    RUN,
    TASK,
    TOLD,
    about,
    complete,
    metadata_of,
    run_of,
    thread_of,
    whole,
)
from fusion_graph.faces.server.fleet.address import KEY_VARIABLE, FleetAddress
from fusion_graph.faces.server.run import Run

MODES = ["custom", "messages-tuple"]

LISTED = 200
"""Runs that are listed, the newest."""

BESIDE = "runs"
"""Where the store keeps of runs what is too large for a thread's metadata."""


class Fleet:
    """A fleet has the runs of all servers in front of it.

    Args:
        address: Where it is.

    Attributes:
        store: What servers keep for each other.
        leaving: Whether this server is being stopped: its runs go on.
    """

    def __init__(self, address: FleetAddress) -> None:
        self._address = address
        self._client = FleetClient(address)
        self._follower = Follower(self._client)
        self.store = FleetStore(self._client)
        self.leaving = False

    async def check(self) -> None:
        """Ask the fleet for its graph.

        Raises:
            ApiError: 503, it does not answer.
            ConfigurationError: It has no such graph, or refuses the key.
        """
        graph = self._address.graph
        try:
            found: Any = await self._client.ask(
                lambda fleet: fleet.assistants.search(graph_id=graph, limit=1)
            )
        except ApiError as error:
            if error.code == "fleet_unreachable":
                raise
            raise ConfigurationError(
                "The fleet does not let this server in.", f"Set {KEY_VARIABLE} to its key."
            ) from None
        if not found:
            raise ConfigurationError(
                f"The fleet has no graph called {graph!r}.",
                "Set FUSION_FLEET_GRAPH to its name in the workers' langgraph.json.",
            )

    async def begin(self, run: Run, placed: asyncio.Event) -> AsyncIterator[Event]:
        """Begin a run.

        Args:
            run: The run.
            placed: Is set once other servers find it.

        Yields:
            Its events, as `follow` does.

        Raises:
            AllPanelistsFailed, ApiError: It failed, or was stopped.
        """
        given = {"messages": sent_messages(run.messages)}
        begun = self._create(run, given, placed)
        async with aclosing(self._at_work(run, begun)) as events:
            async for event in events:
                yield event

    async def go_on(self, run: Run) -> AsyncIterator[Event]:
        """Go on with a run that was interrupted; what was answered is not asked again.

        Yields:
            The events from there on.

        Raises:
            AllPanelistsFailed, ApiError: It failed, or was stopped.
        """
        await self._note(run.id, {CANCELLED: "no"})
        async with aclosing(self._at_work(run, self._create(run, None))) as events:
            async for event in events:
                yield event

    async def attach(self, run: Run) -> AsyncIterator[Event]:
        """Follow a run that another server has begun, from its beginning as far as that is kept.

        Yields:
            Its events.

        Raises:
            AllPanelistsFailed, ApiError: It failed, or was stopped.
        """
        async with aclosing(self._at_work(run, self._there(run))) as events:
            async for event in events:
                yield event

    async def find(self, id: str) -> Run | None:
        """Find a run of any server's; None if there is none of that id."""
        if (thread := thread_of(id)) is None:
            return None
        found: Any = await self._client.ask(lambda fleet: fleet.threads.get(thread))
        run = None if found is None else run_of(found)
        kept = None if run is None else await self.store.get(BESIDE, id)
        if run is None or kept is None:
            return None
        complete(run, kept)
        return run

    async def search(
        self,
        *,
        owner: str | None = None,
        asked: str | None = None,
        untold: bool = False,
        task: str | None = None,
        limit: int = LISTED,
    ) -> list[Run]:
        """Find runs of any server's, the newest first; without events, reports and files.

        Args:
            owner: Whose key they were asked with; None for all.
            asked: What was asked, as a digest; None for whatever.
            untold: Whether only those are wanted whose answer has not gone out.
            task: The first characters of the id; None for any.
            limit: How many.
        """
        wanted = {KIND: RUN}
        wanted |= {} if owner is None else {OWNER: owner}
        wanted |= {} if asked is None else {ASKED: asked}
        wanted |= {} if task is None else {TASK: task}
        wanted |= {TOLD: "no"} if untold else {}
        found: Any = await self._client.ask(
            lambda fleet: fleet.threads.search(
                metadata=wanted,
                limit=limit,
                sort_by="created_at",
                sort_order="desc",
                select=["thread_id", "metadata", "status"],
            )
        )
        runs = (run_of(thread) for thread in found or ())
        return [run for run in runs if run is not None]

    async def note_told(self, id: str) -> None:
        """Note that a run's answer has gone out: who asks the same again wants another."""
        await self._note(id, {TOLD: "yes"})

    async def cancel(self, id: str) -> None:
        """Stop a run for good: nobody who waits for it goes on with it."""
        await self._note(id, {CANCELLED: "yes"})
        await self._stop(id)

    async def forget(self, id: str) -> None:
        """Remove all that the fleet holds of a run."""
        if (thread := thread_of(id)) is not None:
            await self._client.ask(lambda fleet: fleet.threads.delete(thread))
            await self.store.drop(BESIDE, id)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _at_work(
        self, run: Run, begun: Coroutine[Any, Any, str]
    ) -> AsyncGenerator[Event, None]:
        """Follow a run, once it is begun; who leaves before its end stops it."""
        beginning = asyncio.create_task(begun)
        ended = False
        try:
            remote = await asyncio.shield(beginning)
            told = self._follower.until_ended(
                run, _thread(run.id), remote, lambda: self._create(run, None)
            )
            async with aclosing(told) as events:
                async for event in events:
                    yield event
            ended = True
        except RuntimeError:  # ours all are
            ended = True
            raise
        finally:
            if not ended:
                with suppress(ApiError):  # what was not begun need not be stopped
                    await beginning
                    if not self.leaving:
                        await self._stop(run.id)

    async def _there(self, run: Run) -> str:
        remote = await self._latest(run.id)
        if remote is None:
            raise lost()
        return remote

    async def _create(
        self, run: Run, given: Mapping[str, Any] | None, placed: asyncio.Event | None = None
    ) -> str:
        """Have the graph run in a run's thread, which is made if need be; gives that run's id."""
        thread = _thread(run.id)
        if given is not None:
            await self.store.put(BESIDE, run.id, whole(run))
            await self._client.ask(
                lambda fleet: fleet.threads.create(
                    thread_id=thread, metadata=metadata_of(run), if_exists="do_nothing"
                )
            )
        before = await self._latest(run.id) if given is None else None
        tried = False

        async def create(fleet: Any) -> Any:
            # Asked again by another address: the one before may have taken it.
            nonlocal tried
            if tried and (there := await self._latest(run.id)) not in (None, before):
                return {"run_id": there}
            tried = True
            return await fleet.runs.create(
                thread,
                self._address.graph,
                input=given,
                context=run.whole_context,
                stream_mode=MODES,
                stream_resumable=True,
                durability="sync",
                multitask_strategy="enqueue",
            )

        created: Any = await self._client.ask(create)
        if created is None:
            raise lost()
        if placed is not None:
            placed.set()
        if given is not None:
            with suppress(ApiError):  # it is found without
                await self._note(run.id, {ABOUT: about(run)})
        return str(created["run_id"])

    async def _latest(self, id: str) -> str | None:
        """The latest run of the graph in a run's thread."""
        found: Any = await self._client.ask(lambda fleet: fleet.runs.list(_thread(id), limit=1))
        return str(found[0]["run_id"]) if found else None

    async def _stop(self, id: str) -> None:
        remote = await self._latest(id)
        if remote is not None:
            with suppress(ApiError):  # it has ended meanwhile
                await self._client.ask(lambda fleet: fleet.runs.cancel(_thread(id), remote))

    async def _note(self, id: str, metadata: Mapping[str, Any]) -> None:
        await self._client.ask(
            lambda fleet: fleet.threads.update(_thread(id), metadata=dict(metadata))
        )


def _thread(id: str) -> str:
    thread = thread_of(id)
    assert thread is not None
    return thread
