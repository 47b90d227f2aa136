"""Following a run of a fleet: through streams that break off and workers that die, to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.follow import Event, event_of
from fusion_graph.faces.server.fleet._client import FleetClient
from fusion_graph.faces.server.fleet._failures import failure, lost, stopped
from fusion_graph.faces.server.fleet._place import Place
from fusion_graph.faces.server.fleet._threads import CANCELLED
from fusion_graph.faces.server.run import Run

LOOK_SECONDS = 0.5
"""How long a server waits between two looks at a run that nobody seems to be at."""

TIRED_SECONDS = 120.0
"""How long it goes on to look while the fleet does not answer at all: a fleet that is started anew
is back by then, and clients wait no longer."""


class Follower:
    """A follower reads the streams of a fleet's runs.

    Args:
        client: Asks the fleet.
    """

    def __init__(self, client: FleetClient) -> None:
        self._client = client

    async def until_ended(
        self, run: Run, thread: str, remote: str, go_on: Callable[[], Awaitable[str]]
    ) -> AsyncGenerator[Event, None]:
        """Follow a run from its beginning, as far as that is kept, to its end.

        Args:
            run: The run, as it is known here.
            thread: Its thread.
            remote: The run of the graph in that thread.
            go_on: Has the graph go on in that thread; gives that run of the graph.

        Yields:
            Its events, the last of them `fusion.result`.

        Raises:
            AllPanelistsFailed, ApiError: It failed, or was stopped.
        """
        place, newest = Place(), 0
        while True:
            place.join(time.time() * 1_000)
            parts = self._client.stream(thread, remote, place.after)
            async with aclosing(parts) as all_parts:
                async for part in all_parts:
                    new = place.take(part.id, part.data, time.time() * 1_000)
                    attempt = _attempt(part)
                    newest = max(newest, attempt)
                    # A worker that was given up for dead, and is not, writes on beside the next.
                    if not new or 0 < attempt < newest:
                        continue
                    if (event := event_of(part)) is not None:
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
                raise stopped()
            if status != "interrupted":
                raise failure(found.get("error"), run.events)
            cancelled = (found.get("metadata") or {}).get(CANCELLED) == "yes"
            if cancelled or not run.readers:
                raise stopped()
            # Who began it has left, but others asked the same and wait for it here.
            remote, place, newest = await go_on(), Place(), 0

    async def _status(self, thread: str, remote: str) -> str:
        found: Any = await self._patiently(lambda fleet: fleet.runs.get(thread, remote))
        return "interrupted" if found is None else str(found["status"])

    async def _result(self, thread: str) -> Event:
        from langchain_core.messages import convert_to_messages

        state: Any = await self._patiently(lambda fleet: fleet.threads.get_state(thread))
        values = {} if state is None else state["values"]
        if not values.get("messages") or not values.get("fusion"):
            raise lost()
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


def _attempt(part: Any) -> int:
    """The attempt at a run that a part of its stream is from; 0 where it does not say."""
    data = part.data
    if part.event == "metadata" and isinstance(data, Mapping):
        told = data.get("attempt")
    elif part.event == "messages" and isinstance(data, list) and len(data) > 1:
        told = data[1].get("run_attempt") if isinstance(data[1], Mapping) else None
    else:
        told = None
    return told if isinstance(told, int) else 0
