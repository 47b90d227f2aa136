"""What has to become of a cell of the fault matrix, by the rules and not by what was seen."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from tests.fault_cells import COSTLY, JUDGE_CODES, PRICE, SOLID, Row
from tests.fault_matrix import Fault, Place

TRIES = 3
"""Of a call that is worth trying again, the first included."""

MENDED = {"empty_answer", "judge_not_valid_json", "judge_schema_mismatch"}
"""What a judge gets one more call for."""


@dataclass(frozen=True)
class Expected:
    """The row of a cell as it has to be; `answer` names everybody whose it may be."""

    status: str
    answer: set[str]
    reason: str
    codes: list[str]
    http_status: int | None
    attempts: int
    struck: int
    calls: int
    paid: int
    fallen: frozenset[str] = frozenset()
    scouting: str | None = None


def problems(row: Row) -> list[str]:
    """What is wrong with a row, one line each."""
    fault, place, report = row.fault, row.place, row.report
    wanted = (expected_in_waves if place.waves else expected)(fault, place)
    found = [
        f"{name} is {getattr(row, name)!r}, not {getattr(wanted, name)!r}"
        for name in Expected.__dataclass_fields__
        if name not in ("answer", "codes", "fallen", "scouting")
        and getattr(row, name) != getattr(wanted, name)
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
        others = set(place.crew) - hit - wanted.fallen
        if name in others and (answer.content, answer.usage.calls) != (SOLID[name], 1):
            found.append(f"{name} is touched: {answer}")
    if (report.scouting.reason if report.scouting else None) != wanted.scouting:
        found.append(f"the scouting is {report.scouting}, not {wanted.scouting}")
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
        return place.stage == "synthesis" or place.spends == "j"
    if place.stage == "judge":
        return place.fallback and not fault.limit
    return set(place.models) != set(place.crew)


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


def expected_in_waves(fault: Fault, place: Place) -> Expected:
    """The rules of a panel that asks two first: who is lost in a wave, and who is asked then."""
    if fault.limit == "budget":
        return expected_of_a_budget_in_waves(place)
    partial = place.streaming and fault.partial
    in_panel = place.stage == "panel"
    lost = set(place.models) if in_panel and not partial else set()
    # The rest of the panel stands in for a scout.
    instead = place.fallback and not fault.limit and place.model not in "ab"
    first = not lost & set("ab")
    second = len(set("abcd") - lost) > 1 and bool(set("cd") - lost or instead or not first)
    comparisons = first + second
    # An earlier comparison is no try at this one.
    rounds = rounds_of(fault, place if in_panel else replace(place, before=()))
    tries = TRIES if fault.retried else 1
    each = 0 if fault.step == {} else tries * rounds
    if in_panel:
        reached, others = each, 4 - len(place.models) + comparisons + 1
        paid_instead = int(instead)
    else:
        hits = comparisons - len(place.before)
        reached, others = each * hits, 4 + 1
        paid_instead = hits * instead
    struck = len(place.before) + reached
    hit = len(place.models)
    if lost == set("abcd"):
        others = 0
    calls = struck * hit + others + paid_instead
    codes, reason, attempts = ["panelist_failed"] * len(lost), str(fault.reason), tries * rounds
    if partial:
        codes, reason, attempts = ["answer_truncated"], "", 0
    elif not in_panel:
        # What was lost at the first comparison had everybody asked: it is no loss.
        codes = [code_of_the_judge(fault)]
        attempts = 1 if fault.answered else tries * (comparisons - len(place.before))
    elif instead:
        codes = ["panelist_replaced"]
    scouting = "contradiction" if first else "too_few_answers"
    if not (in_panel or place.before or instead):
        scouting = "not_compared"
    return Expected(
        status="error" if len(lost) == 4 else "degraded",
        answer={""} if len(lost) == 4 else {"writer"},
        reason=reason,
        codes=codes,
        http_status=fault.http_status if in_panel else None,
        attempts=attempts,
        struck=struck,
        calls=calls,
        paid=calls if fault.answered else calls - reached * hit,
        scouting=scouting,
    )


def expected_of_a_budget_in_waves(place: Place) -> Expected:
    """Once it is spent nobody is asked in either wave, and what is there is the answer."""
    second_comparison = place.model == "j" and bool(place.before)
    # Whoever is struck, and whoever would be asked after that.
    fallen = {"b": "bcd", "c": "cd", "d": "d", "j": "" if second_comparison else "cd"}[place.model]
    calls = {"b": 2, "c": 3, "d": 6, "j": 5 if second_comparison else 2}[place.model]
    codes = ["panelist_failed"] * len(fallen)
    if place.model == "b":
        codes += ["single_survivor"]
    else:
        # Where nobody came in the second wave, the scouts' comparison stands.
        codes += [] if place.model == "c" else ["judge_upstream_error"]
        codes += ["synthesis_upstream_error", "synthesis_failed"]
    scouting = {"b": "too_few_answers", "j": "not_compared"}.get(place.model, "contradiction")
    return Expected(
        status="degraded",
        answer=set(place.crew) - set(fallen),
        reason="over_budget",
        codes=codes,
        http_status=None,
        attempts=0,
        struck=len(place.before),
        calls=calls,
        paid=calls,
        fallen=frozenset(fallen),
        scouting="contradiction" if second_comparison else scouting,
    )
