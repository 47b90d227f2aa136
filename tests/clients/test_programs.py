"""The programs that people use, from npm as they are, ask our panel through our MCP server."""

from __future__ import annotations

import pytest

from tests.clients.programs import PROGRAMS
from tests.clients.scenes import House, asks, asks_at_length, interrupted, waits

pytestmark = [pytest.mark.clients, pytest.mark.parametrize("name", list(PROGRAMS))]

ONCE = {"a": 1, "b": 1, "c": 1, "j": 1, "w": 1}
"""What one panel pays."""

LIMITS = {"codex": 30.0, "opencode": 12.0}
"""Seconds after which a call is cut, lower than the programs' own (300 and 60), for haste."""


def test_its_first_turn_has_the_panel_and_its_model_reads_the_whole_answer(
    house: House, name: str
) -> None:
    row = asks(house, name)
    assert row.offered, row
    assert row.calls == ["fusion"]
    assert row.progress >= 2
    assert row.answered, row
    assert row.paid == ONCE
    assert row.code == 0, row


def test_an_answer_of_six_thousand_tokens_arrives_whole(house: House, name: str) -> None:
    row = asks_at_length(house, name)
    assert row.answered, row


def test_a_panel_of_twelve_minutes_answers_and_is_paid_once(house: House, name: str) -> None:
    limit = LIMITS.get(name)
    row = waits(house, name, limit, (limit or 5.0) + 1.0)
    assert row.answered, row
    assert row.paid == ONCE
    # Codex cuts however much progress it is told; the others wait.
    assert bool(row.cuts) == (name == "codex"), row
    assert (len(row.calls) > 1) == (name == "codex"), row


def test_an_interrupted_program_stops_the_panel_that_it_waits_for(house: House, name: str) -> None:
    row, ended = interrupted(house, name)
    assert ended
    assert (row.paid["j"], row.paid["w"]) == (0, 0)
