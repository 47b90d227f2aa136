"""Progress in one line: who does what, whatever the panel's size and whatever models write."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph.faces.mcp.progress import LINE_CHARACTERS, Standing


def standing(*events: dict[str, Any]) -> Standing:
    made = Standing()
    for event in events:
        made.take({"at": 0.0, **event})
    return made


def started(*names: str) -> dict[str, Any]:
    return {"type": "fusion.started", "panel": list(names), "invoked": True}


SEARCH = {"type": "panel.tool", "tool": "web_search", "args": {"query": "wet water"}}


def test_each_member_is_told_with_what_it_does() -> None:
    made = standing(
        started("claude", "gpt", "gemini", "kimi"),
        {"name": "claude", **SEARCH},
        {"type": "panel.delta", "name": "gpt", "turn": 1, "text": "x" * 1_200},
        {"type": "panel.delta", "name": "gpt", "turn": 1, "text": "x" * 34},
        {"type": "panel.completed", "name": "gemini"},
        {"type": "panel.failed", "name": "kimi", "reason": "rate_limited"},
    )
    assert made.line(42.4, "f00d") == (
        '42 s: claude: searching "wet water"; gpt: writing, 1,234 characters; gemini: answered; '
        "kimi: failed (rate_limited) · task f00d"
    )


@pytest.mark.parametrize("size", [4, 8, 16])
def test_a_panel_of_any_size_fits_into_a_line(size: int) -> None:
    names = [f"a-model-with-a-long-name-{n}" for n in range(size)]
    query = {"query": "a \x1b[31mquery\n" * 50}
    made = standing(
        started(*names),
        {"type": "panel.completed", "name": names[0]},
        *({**SEARCH, "name": name, "args": query} for name in names[1:]),
    )
    line = made.line(100_000.0, "f" * 12)
    assert len(line) <= LINE_CHARACTERS
    assert f"1 of {size} answered" in line
    assert line.endswith(f"task {'f' * 12}")
    assert line.isprintable()
    assert (names[1] in line) == (size == 4)


def test_after_the_panel_the_stage_at_work_is_told() -> None:
    panel = (started("a", "b"), {"type": "panel.completed", "name": "a"})
    judging = {"type": "analysis.in_progress", "model": "m", "answers": 2}
    writing = {"type": "synthesis.in_progress", "model": "w"}
    piece = {"type": "answer.delta", "message_id": "1", "text": "word"}
    checking = {"type": "verify.in_progress", "claims": 3}
    proposed = {"type": "code.proposed", "tests": 3, "by": ["a", "b"]}
    tried = {"type": "code.tried", "candidates": [], "best": ["b"], "reason": ""}
    for events, words in (
        ((proposed,), "code: 3 tests proposed by a, b"),
        ((proposed, tried), "code: run, best: b"),
        ((judging,), "judge: comparing 2 answers"),
        ((judging, writing, piece), "writer: writing, 4 characters"),
        ((judging, writing, piece, checking), "check: checking 3 claims of the answer"),
    ):
        line = standing(*panel, *events).line(1.0, "t")
        assert line == f"1 s: {words}; 1 of 2 answered · task t"


def test_members_that_are_not_asked_are_told_so() -> None:
    stopped = {"type": "panel.stopped", "names": ["c"], "reason": "agreed", "detail": "They agree."}
    done = [{"type": "panel.completed", "name": name} for name in ("a", "b")]
    made = standing(started("a", "b", "c"), *done, stopped)
    assert made.line(3.0, "t") == "3 s: a: answered; b: answered; c: not asked · task t"
