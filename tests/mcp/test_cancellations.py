"""Why a call was given up: the client's own limit, or its user."""

from __future__ import annotations

import pytest

from fusion_graph.faces.mcp.cancellations import is_time_limit

CODEX = "MCP request cancelled by caller"


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("McpError: MCP error -32001: Request timed out", 61.3),
        ("request timeout", None),
        (CODEX, 300.007),
        (CODEX, 1_799.9),
        (CODEX, 30.1),
        ("", 60.0),
    ],
)
def test_a_client_whose_time_is_up_leaves_the_run_at_work(
    reason: str, seconds: float | None
) -> None:
    assert is_time_limit(reason, seconds)


@pytest.mark.parametrize(
    ("reason", "seconds"),
    [
        ("", None),
        ("", 0.0),
        (CODEX, None),
        (CODEX, 0.1),
        (CODEX, 29.0),
        (CODEX, 47.3),
        (CODEX, 301.0),
        ("AbortError: The operation was aborted.", 60.0),
        ("User pressed escape", 300.0),
    ],
)
def test_a_user_who_cancels_ends_the_run(reason: str, seconds: float | None) -> None:
    assert not is_time_limit(reason, seconds)
