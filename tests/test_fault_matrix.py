"""The fault matrix, cell by cell: nothing is lost, nothing hidden, and nobody else is touched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.fault_cells import COSTLY, JUDGE_CODES, PRICE, REASONS, SOLID, Row, play
from tests.fault_matrix import CELLS, FAULTS, PLACES, SAMPLE, Fault, Place
from tests.scripted_models import ModelServer

TRIES = 3
"""Of a call that is worth trying again, the first included."""

MENDED = {"empty_answer", "judge_not_valid_json", "judge_schema_mismatch"}
"""What a judge gets one more call for."""


@dataclass(frozen=True)
class Expected:
    """What has to become of a cell, by the rules and not by what was seen."""

    status: str
    answer: set[str]
    reason: str
    codes: list[str]
    http_status: int | None
    attempts: int
    struck: int
    calls: int
    paid: int


PARTS = [
    pytest.param(SAMPLE, id="a sample of all"),
    *(
        pytest.param(
            [cell for cell in CELLS if PLACES.index(cell[1]) // 3 == third],
            id=f"{PLACES[3 * third].name} and on",
            marks=pytest.mark.slow,
        )
        for third in range(len(PLACES) // 3)
    ),
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


def test_the_matrix_is_whole_and_its_sample_has_every_fault_and_place() -> None:
    assert sum(len(part.values[0]) for part in PARTS) == len(SAMPLE) + len(CELLS)
    assert {fault.name for fault, _ in SAMPLE} == {fault.name for fault in FAULTS}
    assert {place.name for _, place in SAMPLE} == {place.name for place in PLACES}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len({place.name for place in PLACES}) == len(PLACES)
    # Every reason that a model or its provider can give, at every place.
    # Those that have to do with tools only strike where tools are offered: test_panelist.py.
    with_tools = {"malformed_call", "tools_refused"}
    everything = set(REASONS) - {"internal_error", "over_budget"} - with_tools
    for place in PLACES:
        reasons = {fault.reason for fault, where in CELLS if where is place}
        assert reasons >= everything, place.name
        if place.stage == "judge":
            others = {"judge_empty_completion", "judge_upstream_error"}  # those reasons' codes
            assert reasons >= set(JUDGE_CODES) - others, place.name


def problems(row: Row) -> list[str]:
    """What is wrong with a row, one line each."""
    fault, place, report = row.fault, row.place, row.report
    wanted = expected(fault, place)
    found = [
        f"{name} is {getattr(row, name)!r}, not {getattr(wanted, name)!r}"
        for name in Expected.__dataclass_fields__
        if name not in ("answer", "codes") and getattr(row, name) != getattr(wanted, name)
    ]
    if row.answer not in wanted.answer:
        found.append(f"the answer is of {row.answer!r}, not of {wanted.answer}")
    if sorted(row.codes) != sorted(wanted.codes):
        found.append(f"the degradations are {row.codes}, not {wanted.codes}")
    hit = set(place.models)
    for answer in report.answers:
        name = answer.model.rpartition(":")[2]
        if name in hit and len(answer.tool_calls) != len(place.before):
            found.append(f"the research of {name} is lost")
        if name in set("abc") - hit and (answer.content, answer.usage.calls) != (SOLID[name], 1):
            found.append(f"{name} is touched: {answer}")
    if bool(report.analysis) != compared(fault, place):
        found.append("there is an analysis" if report.analysis else "there is no analysis")
    words = fault.step.get("error", {}).get("message", "")
    if words not in json.dumps(
        [report.model_dump()["failures"], report.model_dump()["degradations"]]
    ):
        found.append("the provider's own words are lost")
    if any(not loss.detail for loss in report.degradations):
        found.append("a degradation has no detail")
    spent = PRICE * wanted.paid + (COSTLY - PRICE if fault.limit == "budget" else 0)
    total = report.usage.total
    if total.known_usd != pytest.approx(spent):
        found.append(f"what is known of the cost is {total.known_usd}, not {spent}")
    if total.cost_usd != (None if cut_off(fault, place) else pytest.approx(spent)):
        found.append(f"the cost is {total.cost_usd}")
    return [f"{fault.name}, {place.name}: {problem}" for problem in found]


def cut_off(fault: Fault, place: Place) -> bool:
    """Whether a call had begun and did not end, so that nobody knows what it cost."""
    if fault.limit == "budget" or fault.answered or fault.name == "connection refused":
        return False
    half_read = fault.name in ("connection broken", "malformed body")
    return place.streaming or half_read or fault.limit is not None


def compared(fault: Fault, place: Place) -> bool:
    """Whether somebody compared the answers: two of them, and a judge or its fallback."""
    if fault.limit == "budget":
        return place.stage == "synthesis"
    if place.stage == "judge":
        return place.fallback and not fault.limit
    return len(place.models) == 1


def expected(fault: Fault, place: Place) -> Expected:
    """The rules: what is retried, who is asked instead, what is told."""
    if fault.limit == "budget":
        return expected_of_a_budget(place)
    tries = TRIES if fault.retried else 1
    rounds = rounds_of(fault, place)
    reached = 0 if fault.step == {} else tries * rounds
    struck = len(place.before) + reached
    hit = len(place.models)
    # Who is out of time, or left behind, is not replaced: there is none left for it.
    instead = place.fallback and not (fault.limit and place.stage != "synthesis")
    others = 0 if hit == 3 else 4
    calls = struck * hit + others + instead
    partial = place.streaming and fault.partial
    codes, answer, status = ["panelist_failed"] * hit, {"writer"}, "degraded"
    reason: str = fault.reason
    if partial:
        codes, reason = ["answer_truncated"], ""
        answer = {"writer, in part"} if place.stage == "synthesis" else {"writer"}
    elif place.stage == "judge":
        codes = [code_of_the_judge(fault)]
    elif place.stage == "synthesis":
        answer = {"fallback"} if instead else set("abc")
        codes = ["synthesis_upstream_error", *([] if instead else ["synthesis_failed"])]
    elif hit == 3:
        answer, status = {""}, "error"
    elif instead:
        codes = ["panelist_replaced"]
    return Expected(
        status=status,
        answer=answer,
        reason=reason,
        codes=codes,
        http_status=fault.http_status if place.stage == "panel" else None,
        attempts=(tries * rounds if place.stage == "panel" else tries) if reason else 0,
        struck=struck,
        calls=calls,
        paid=calls if fault.answered else calls - reached * hit,
    )


def rounds_of(fault: Fault, place: Place) -> int:
    """How often a model is asked that replies nothing, or whose provider refuses the request."""
    if place.streaming and fault.partial:
        return 1
    silent = fault.reason == "empty_answer"
    cut = fault.step.get("finish_reason") == "length"  # the same request would be cut again
    if place.stage == "judge":
        return 2 if fault.reason in MENDED and not place.before else 1
    if place.stage == "synthesis":
        return 2 if silent and not cut else 1
    if silent and not cut:
        return 3  # as it was, and then told to answer
    # After research: told to answer, or asked with a history that holds no calls.
    return 2 if place.before and (cut or fault.reason == "bad_request") else 1


def code_of_the_judge(fault: Fault) -> str:
    """What a judge's failure is told as."""
    if fault.reason in JUDGE_CODES:
        return fault.reason
    return "judge_empty_completion" if fault.reason == "empty_answer" else "judge_upstream_error"


def expected_of_a_budget(place: Place) -> Expected:
    """Once it is spent no call is made, and the best that is there is the answer."""
    lost = ["panelist_failed", "judge_upstream_error", "synthesis_upstream_error"]
    first = ["panel", "judge", "synthesis"].index(place.stage)
    calls = first + 2 + len(place.before)
    return Expected(
        status="degraded",
        answer=set("abc") - set(place.models),
        reason="over_budget",
        codes=[*lost[first:], "synthesis_failed"],
        http_status=None,
        attempts=0,
        struck=len(place.before),
        calls=calls,
        paid=calls,
    )
