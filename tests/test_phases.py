"""What a model at work with tools is asked next: every phase, and that there always is an end."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from fusion_graph.run.phases import AFTER_CAP, IN_A_ROW, Phase, Seen, after_tools, next_move

SEEN: tuple[Seen, ...] = get_args(Seen)


def asked_of(replies: tuple[Seen, ...], phase: Phase, *, may_call: bool) -> list[Phase]:
    """The phases in which a model with research behind it is asked, until something comes of it."""
    phases: list[Phase] = []
    for asked, seen in enumerate(replies, start=1):
        phases.append(phase)
        move = next_move(phase, seen, asked, may_call=may_call, has_found=True)
        if move in ("answer", "run", "fail"):
            return phases
        if move == "tell":
            phase = "told"
        if move == "flatten":
            phase = "flattened"
    raise AssertionError(f"no end after {phases}")


@pytest.mark.parametrize(
    ("replies", "phases"),
    [
        pytest.param(["calls"], ["research"], id="calls are run"),
        pytest.param(["text"], ["research"], id="text is the answer"),
        pytest.param(["blank", "text"], ["research"] * 2, id="blank: again as it was"),
        pytest.param(["blank"] * 3, ["research"] * 2 + ["told"], id="blank for ever"),
        pytest.param(["cut", "text"], ["research", "told"], id="cut: told at once"),
        pytest.param(["cut"] * 2, ["research", "told"], id="cut for ever"),
        pytest.param(
            ["malformed"] * 5, ["research"] * 3 + ["told", "flattened"], id="malformed for ever"
        ),
        pytest.param(["malformed", "calls"], ["research"] * 2, id="malformed once"),
        pytest.param(["refused", "text"], ["research", "flattened"], id="refused: flattened"),
        pytest.param(["refused"] * 2, ["research", "flattened"], id="refused for ever"),
        pytest.param(["blank", "blank", "calls"], ["research"] * 2 + ["told"], id="wakes up"),
    ],
)
def test_before_the_cap(replies, phases):
    assert asked_of((*replies, *["text"] * 5), "research", may_call=True)[: len(phases)] == phases


@pytest.mark.parametrize(
    ("replies", "phases"),
    [
        pytest.param(["text"], ["forbidden"], id="text is the answer"),
        pytest.param(["calls", "text"], ["forbidden", "told"], id="calls on"),
        pytest.param(["calls"] * 3, ["forbidden", "told", "flattened"], id="calls for ever"),
        pytest.param(["blank"] * 3, ["forbidden", "forbidden", "told"], id="blank for ever"),
        pytest.param(["cut"] * 2, ["forbidden", "told"], id="cut for ever"),
        pytest.param(
            ["malformed"] * 3, ["forbidden", "told", "flattened"], id="malformed for ever"
        ),
        pytest.param(["refused", "text"], ["forbidden", "flattened"], id="refused"),
        pytest.param(["calls", "refused", "text"], ["forbidden", "told", "flattened"], id="later"),
    ],
)
def test_after_the_cap(replies, phases):
    assert asked_of((*replies, "text"), "forbidden", may_call=False) == phases


@pytest.mark.parametrize("phase", ["research", "forbidden", "told"])
@pytest.mark.parametrize("may_call", [True, False])
def test_whatever_comes_there_are_few_calls_and_an_end(phase, may_call):
    most = IN_A_ROW if may_call else AFTER_CAP
    for replies in product(SEEN, repeat=most):
        assert len(asked_of(replies, phase, may_call=may_call)) <= most


def test_without_research_there_is_nothing_to_save():
    for seen in ("cut", "refused"):
        assert next_move("research", seen, 1, may_call=True, has_found=False) == "fail"


def test_a_history_that_only_code_made_is_told_as_text_before_research_is_given_up():
    move = next_move("research", "refused", 1, may_call=True, has_found=True, seeded_only=True)
    assert move == "tell_as_text"


@pytest.mark.parametrize(
    ("may_call", "takes_choice", "phase"),
    [(True, True, "research"), (False, True, "forbidden"), (False, False, "told")],
)
def test_after_a_round_of_tools(may_call, takes_choice, phase):
    assert after_tools(may_call, takes_choice) == phase
