"""Every kind of oddity of real providers, through the command that users type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.cases import Case
from tests.wire.kinds import KINDS, WHOLE
from tests.wire.outcomes import play
from tests.wire.server import Replay


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


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.name)
def test_a_stream_is_taken_as_it_is(case: Case, streamed: Replay, tmp_path: Path) -> None:
    check(case, streamed, tmp_path)


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_reply_in_one_piece_is_taken_as_it_is(case: Case, whole: Replay, tmp_path: Path) -> None:
    check(case, whole, tmp_path)
