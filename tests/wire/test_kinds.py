"""Every kind of oddity of real providers, through the command that users type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.depth import in_depth
from tests.wire.cases import Case
from tests.wire.kinds import KINDS, WHOLE
from tests.wire.outcomes import play
from tests.wire.server import Replay

FAMILIES = ("a-call-as-text-", "a-verdict-with-")
"""Kinds of which there are many; tests/test_written_calls.py and test_analysis.py read them all."""


def sampled(cases: Sequence[Case], few: Sequence[Case]) -> list[Any]:
    """The cases; those not among the few in depth."""
    return [case if case in few else in_depth(case) for case in cases]


def two_of_each(cases: Sequence[Case]) -> list[Case]:
    """The cases without the third and further ones of a family."""
    counted: Counter[str] = Counter()
    kept = []
    for case in cases:
        family = next((f for f in FAMILIES if case.name.startswith(f)), case.name)
        counted[family] += 1
        if counted[family] <= 2:
            kept.append(case)
    return kept


@pytest.fixture(scope="module")
def streamed() -> Iterator[Replay]:
    with Replay(KINDS) as server:
        yield server


@pytest.fixture(scope="module")
def whole() -> Iterator[Replay]:
    with Replay(WHOLE, streamed=False) as server:
        yield server


def check(case: Case, replay: Replay, folder: Path) -> None:
    outcome = play(case, replay, folder)
    assert outcome.verdict == "ok", f"{outcome.verdict}\n{outcome.statuses}\n{outcome.words}"


@pytest.mark.parametrize("case", sampled(KINDS, two_of_each(KINDS)), ids=lambda case: case.name)
def test_a_stream_is_taken_as_it_is(case: Case, streamed: Replay, tmp_path: Path) -> None:
    check(case, streamed, tmp_path)


@pytest.mark.parametrize("case", sampled(WHOLE, WHOLE[::4]), ids=lambda case: case.name)
def test_a_reply_in_one_piece_is_taken_as_it_is(case: Case, whole: Replay, tmp_path: Path) -> None:
    check(case, whole, tmp_path)
