"""Every kind of oddity of real providers, through the command that users type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.wire.kinds import KINDS
from tests.wire.outcomes import Outcome, play
from tests.wire.server import Replay


@pytest.fixture(scope="module", params=[True, False], ids=["streamed", "whole"])
def replay(request: pytest.FixtureRequest) -> Iterator[Replay]:
    with Replay(KINDS, streamed=request.param) as server:
        yield server


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.name)
def test_a_run_ends_as_it_must(case, replay: Replay, tmp_path: Path) -> None:
    outcome: Outcome = play(case, replay, tmp_path, run=commands.run)
    assert outcome.verdict == "ok", f"{outcome.verdict}\n{outcome.statuses}\n{outcome.words}"
