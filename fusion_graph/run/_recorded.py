"""What a search, a fetch or a tool of a server brings, kept where a run's steps are kept."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from fusion_graph.models.recording import Asked, Recording
from fusion_tools.errors import ToolError


async def found(recording: Recording, asked: Asked, make: Callable[[], Awaitable[Any]]) -> Any:
    """Keep what a search or a fetch brings, errors too: a model has been told of them.

    Args:
        recording: Where it is kept.
        asked: What is asked.
        make: Asks it.

    Raises:
        ToolError: It brings nothing.
    """
    async with recording.step(asked) as step:
        kept = step.kept
        if kept is None:
            began = time.monotonic()
            try:
                kept = {"found": await make()}
            except ToolError as error:
                kept = {"error": [error.code, error.detail]}
            step.keep({**kept, "seconds": round(time.monotonic() - began, 4)})
    if failed := kept.get("error"):
        raise ToolError(*failed)
    return kept["found"]
