"""Codex, Claude Code and opencode, from npm as they are, with a panel of ours as their model."""

from __future__ import annotations

import pytest

from tests.clients.as_model import STEPS, fails, loops
from tests.clients.scenes import House

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("name", ["codex", "claude-code", "opencode"])
def test_ten_steps_of_its_own_tools_take_one_panel(house: House, name: str) -> None:
    loop = loops(house, name)
    assert loop.answered, loop
    assert loop.results == STEPS
    assert loop.paid == {"a": 1, "b": 1, "c": 1, "j": 1, "w": STEPS + 1}
    assert loop.code == 0, loop


@pytest.mark.parametrize("name", ["codex", "claude-code", "opencode"])
def test_a_panel_of_which_nobody_answers_is_paid_once(house: House, name: str) -> None:
    code, paid = fails(house, name)
    assert code != 0
    assert paid == dict.fromkeys("abc", 3)  # a blank reply is asked for three times
