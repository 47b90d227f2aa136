"""A fleet at work for a server: it begins runs there, follows them, and finds others' runs.

The walk of one request: a thread is made whose id is the run's, with owner, preset and digest of
the request in its metadata; in it a run of the graph, whose stream is kept by the fleet. Whoever
follows it reads that stream from its beginning, and again from the last part that is known when it
breaks off, for as long as the fleet says that the run is at work: another worker may have to take
it up first. The answer is read of the thread's state.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from typing import Any

from fusion_graph.errors import ApiError, ConfigurationError
from fusion_graph.faces.follow import Event, event_of
from fusion_graph.faces.server.fleet._client import FleetClient
from fusion_graph.faces.server.fleet._failures import failure
from fusion_graph.faces.server.fleet._messages import sent_messages
from fusion_graph.faces.server.fleet._place import Place
from fusion_graph.faces.server.fleet._store import FleetStore
from fusion_graph.faces.server.fleet._threads import (
    ASKED,
    CANCELLED,
    KIND,
    OWNER,
    QUESTION_CHARACTERS,
    RUN,
    TASK,
    TOLD,
    metadata_of,
    run_of,
    thread_of,
)
from fusion_graph.faces.server.fleet.address import KEY_VARIABLE, FleetAddress
from fusion_graph.faces.server.run import Run

LOOK_SECONDS = 0.5
"""How long a server waits between two looks at a run that nobody seems to be at."""

TIRED_SECONDS = 120.0
"""How long it goes on to look while the fleet does not answer at all: a fleet that is started anew
is back by then, and clients wait no longer."""

MODES = ["custom", "messages-tuple"]

LISTED = 200
"""Runs that are listed, the newest."""

BESIDE = "runs"
"""Where the store keeps what is too large for a thread's metadata."""


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
        async with aclosing(self._at_work(run, begun)) as events:  # type: ignore[type-var]
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
        async with aclosing(self._at_work(run, self._create(run, None))) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def attach(self, run: Run) -> AsyncIterator[Event]:
        """Follow a run that another server has begun, from its beginning as far as that is kept.

        Yields:
            Its events.

        Raises:
            AllPanelistsFailed, ApiError: It failed, or was stopped.
        """
        async with aclosing(self._at_work(run, self._there(run))) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def find(self, id: str) -> Run | None:
        """Find a run of any server's; None if there is none of that id."""
        if (thread := thread_of(id)) is None:
            return None
        found: Any = await self._client.ask(lambda fleet: fleet.threads.get(thread))
        run = None if found is None else run_of(found)
        if run is not None and (beside := await self.store.get(BESIDE, run.id)) is not None:
            run.question = str(beside.get("question") or run.question)
            run.turns = list(beside.get("turns") or run.turns)
            run.files = list(beside.get("files") or ())
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

    async def _at_work(self, run: Run, begun: Coroutine[Any, Any, str]) -> AsyncIterator[Event]:
        """Follow a run, once it is begun; who leaves before its end stops it."""
        beginning = asyncio.create_task(begun)
        ended = False
        try:
            remote = await asyncio.shield(beginning)
            async with aclosing(self._until_ended(run, remote)) as events:  # type: ignore[type-var]
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
            raise _lost()
        return remote

    async def _create(
        self, run: Run, given: Mapping[str, Any] | None, placed: asyncio.Event | None = None
    ) -> str:
        """Have the graph run in a run's thread, which is made if need be; gives that run's id."""
        thread = _thread(run.id)
        if given is not None:
            if run.turns or run.files or len(run.question) > QUESTION_CHARACTERS:
                beside = {"question": run.question, "turns": run.turns, "files": run.files}
                await self.store.put(BESIDE, run.id, beside)
            await self._client.ask(
                lambda fleet: fleet.threads.create(
                    thread_id=thread, metadata=metadata_of(run), if_exists="do_nothing"
                )
            )
        before = await self._latest(run.id)
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
            raise _lost()
        if placed is not None:
            placed.set()
        return str(created["run_id"])

    async def _until_ended(self, run: Run, remote: str) -> AsyncIterator[Event]:
        thread, place = _thread(run.id), Place()
        while True:
            place.join(time.time() * 1_000)
            parts = self._client.stream(thread, remote, place.after)
            async with aclosing(parts) as all_parts:  # type: ignore[type-var]
                async for part in all_parts:
                    new = place.take(part.id, part.data, time.time() * 1_000)
                    if new and (event := event_of(part)) is not None:
                        yield event
            status = await self._status(thread, remote)
            if status in ("pending", "running"):
                await asyncio.sleep(LOOK_SECONDS)
                continue
            if status == "success":
                yield await self._result(thread)
                return
            found: Any = await self._patiently(lambda fleet: fleet.threads.get(thread))
            if found is None:
                raise _stopped()
            if status != "interrupted":
                raise failure(found.get("error"), run.events)
            cancelled = (found.get("metadata") or {}).get(CANCELLED) == "yes"
            if cancelled or not run.readers:
                raise _stopped()
            # Who began it has left, but others asked the same and wait for it here.
            remote, place = await self._create(run, None), Place()

    async def _status(self, thread: str, remote: str) -> str:
        found: Any = await self._patiently(lambda fleet: fleet.runs.get(thread, remote))
        return "interrupted" if found is None else str(found["status"])

    async def _result(self, thread: str) -> Event:
        from langchain_core.messages import convert_to_messages

        state: Any = await self._patiently(lambda fleet: fleet.threads.get_state(thread))
        values = {} if state is None else state["values"]
        if not values.get("messages") or not values.get("fusion"):
            raise _lost()
        (message,) = convert_to_messages(values["messages"][-1:])
        return {"type": "fusion.result", "message": message, "report": values["fusion"]}

    async def _patiently(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        """Ask, for as long as a fleet may take that is started anew."""
        clock = asyncio.get_running_loop().time
        end = clock() + TIRED_SECONDS
        while True:
            try:
                return await self._client.ask(call)
            except ApiError as error:
                if error.code != "fleet_unreachable" or clock() > end:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _latest(self, id: str) -> str | None:
        """The latest run of the graph in a run's thread."""
        found: Any = await self._client.ask(lambda fleet: fleet.runs.list(_thread(id), limit=1))
        return str(found[0]["run_id"]) if found else None

    async def _stop(self, id: str) -> None:
        remote = await self._latest(id)
        if remote is not None:
            with suppress(ApiError):  # it has ended meanwhile
                await self._client.ask(lambda fleet: fleet.runs.cancel(_thread(id), remote))

    async def _note(self, id: str, metadata: Mapping[str, str]) -> None:
        await self._client.ask(
            lambda fleet: fleet.threads.update(_thread(id), metadata=dict(metadata))
        )


def _thread(id: str) -> str:
    thread = thread_of(id)
    assert thread is not None
    return thread


def _stopped() -> ApiError:
    return ApiError(503, "The run was cancelled.", "cancelled", type="server_error", retry=False)


def _lost() -> ApiError:
    said = "The fleet no longer holds this run. Ask anew."
    return ApiError(503, said, "run_lost", type="server_error", retry=False)
