"""The server serves one client over standard streams until it leaves."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from fusion_graph.faces.mcp._sdk import create_server, serve_stream
from fusion_graph.faces.mcp.cancellations import Cancellations
from fusion_graph.faces.mcp.fusions import Fusions, import_graph
from fusion_graph.faces.mcp.stdio import Stdio
from fusion_graph.faces.server.limits import Limits
from fusion_graph.faces.server.runs import Runs

LAST_WORDS_SECONDS = 1.0
"""How long answers that are ready may still go out when the client has closed its side."""

WARM_UP_SECONDS = 1.0
"""How long the graph's imports wait after the server is there: Claude Code wants the handshake and
the list of tools within 2 s, and imports would have half of the processor."""


async def serve_stdio(stdio: Stdio, limits: Limits, cancellations: Cancellations) -> None:
    """Serve the client on the standard streams until it leaves; its runs end with it.

    Args:
        stdio: The streams, being read already.
        limits: What requests may ask for.
        cancellations: Told of the client's messages.
    """
    runs = Runs(at_once=limits.max_runs)
    server = create_server(Fusions(runs, limits, cancellations))
    stdio.attach()
    serving = asyncio.create_task(serve_stream(server, stdio))
    gone = asyncio.create_task(stdio.ended.wait())
    warming = asyncio.create_task(_warm_up())
    try:
        await asyncio.wait({serving, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await runs.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            await asyncio.shield(serving)
    gone.cancel()
    warming.cancel()


async def _warm_up() -> None:
    """Import what the first question needs, once the client has had the time to look around."""
    await asyncio.sleep(WARM_UP_SECONDS)
    await asyncio.to_thread(import_graph)
