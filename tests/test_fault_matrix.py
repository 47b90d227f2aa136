"""The fault matrix, cell by cell: nothing is lost, nothing hidden, and nobody else is touched.

The README's command plays a sample, `.ci/run` every fourth and sixth cell; the whole is
`python -m tests.benchmarks.faults`, whose figures stand in `tests/benchmarks/faults.md`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.fault_cells import JUDGE_CODES, REASONS, play
from tests.fault_matrix import (
    CELLS,
    FAULTS,
    PLACES,
    SAMPLE,
    WAVE_CELLS,
    WAVE_SAMPLE,
    WAVES,
    Fault,
    Place,
)
from tests.fault_rules import problems
from tests.scripted_models import ModelServer

PARTS = [
    pytest.param(SAMPLE, id="a sample of all"),
    *(
        pytest.param(
            [cell for cell in CELLS[::4] if PLACES.index(cell[1]) // 9 == half],
            id=f"{PLACES[9 * half].name} and on",
            marks=pytest.mark.slow,
        )
        for half in range(len(PLACES) // 9)
    ),
    pytest.param(WAVE_SAMPLE, id="a sample of both waves"),
    pytest.param(WAVE_CELLS[::6], id="both waves", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("cells", PARTS)
def test_a_fault_is_called_what_it_is_and_costs_what_it_must(
    model_server: ModelServer, cells: Sequence[tuple[Fault, Place]]
) -> None:
    # Many cells in one test: they run side by side, so that their waits are one.
    rows = asyncio.run(play(model_server, cells))

    wrong = [problem for row in rows for problem in problems(row)]
    assert not wrong, "\n".join(wrong)
    assert [(row.fault, row.place) for row in rows] == list(cells)


def test_the_matrix_is_whole_and_its_samples_have_every_fault_and_place() -> None:
    played = [cell for part in PARTS for cell in part.values[0]]
    assert {fault.name for fault, _ in played} == {fault.name for fault in FAULTS}
    assert {place.name for _, place in played} == {place.name for place in (*PLACES, *WAVES)}
    assert {fault.name for fault, _ in SAMPLE} == {fault.name for fault in FAULTS}
    assert {place.name for _, place in SAMPLE} == {place.name for place in PLACES}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {place.name for _, place in WAVE_SAMPLE} == {place.name for place in WAVES}
    assert len({place.name for place in (*PLACES, *WAVES)}) == len(PLACES) + len(WAVES)
    # Every reason that a model or its provider can give, at every place.
    # Those that have to do with tools only strike where tools are offered: test_panelist.py.
    with_tools = {"malformed_call", "tools_refused"}
    everything = set(REASONS) - {"internal_error", "over_budget"} - with_tools
    for place in (*PLACES, *WAVES):
        reasons = {fault.reason for fault, where in (*CELLS, *WAVE_CELLS) if where is place}
        assert reasons >= everything, place.name
        if place.stage == "judge":
            others = {"judge_empty_completion", "judge_upstream_error"}  # those reasons' codes
            assert reasons >= set(JUDGE_CODES) - others, place.name
