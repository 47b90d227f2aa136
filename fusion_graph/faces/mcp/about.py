"""The server introduces itself, before anything heavy is imported."""

from __future__ import annotations

from typing import Any

from fusion_graph.version import own_version

NAME = "fusion-graph"
TITLE = "fusion-graph: ask a panel of models"

INSTRUCTIONS = """\
`fusion` asks a panel of independent models. Each researches the question by itself, a judge \
compares what they found, a writer answers with citations that were checked. Use it for research, \
comparisons, disputed or recent facts and decisions that matter; not for code, chat, rewriting or \
anything that one answer settles. It takes minutes and many model calls.

If your client cuts a call off, the run goes on: call `fusion` again with the same arguments, or \
`fusion_result` with the task that the progress named. Nothing is paid twice. Where calls are cut \
early, begin with `fusion_start` and fetch with `fusion_result`."""

CAPABILITIES: dict[str, Any] = {
    "tools": {"listChanged": False},
    "resources": {"subscribe": False, "listChanged": False},
}
"""What the SDK says of our handlers in both its majors; a test holds them against each other."""


def server_info() -> dict[str, str]:
    """Give the server's name, title and version, as MCP's `serverInfo`."""
    return {"name": NAME, "title": TITLE, "version": own_version()}
