"""The final answer is checked: what is false in it is told or mended, and never passes for true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.faces.follow import follow
from tests.depth import in_depth
from tests.fusion_tools.site import Site
from tests.test_evidence_run import JUDGES, PANELS, research, tools

FALSE = "A panel costs 97 times as much, as 3 of 3 experts agree [1]. Napoleon invented it [2]."
TRUE = "A panel of three models costs about 4 to 5 times a single completion [1]."
QUOTING = 'Waiting is noticed: "waiting for the slowest member is what they notice most" [1].'
OPINION = "Members share the burden of a bill that swells as their number does [1]."
BOTH = {"consensus": [{"point": "A panel costs 4 to 5 times a call.", "labels": ["A", "B"]}]}


@pytest.fixture
def site():
    with Site() as site:
        yield site


@pytest.fixture
def asking(models, panel_config, site):
    """A panel of two that has read two pages and agrees on one point."""
    panels, judges = site.page("/panels", PANELS), site.page("/judges", JUDGES)
    models.script("a", *research("A panel costs 4 to 5 times a call [1].", panels))
    models.script("b", *research("It costs 4 to 5 times; one judge does [1][2].", panels, judges))
    models.script("j", json.dumps(BOTH))

    def make(**fields: Any) -> Any:
        config = panel_config(panel=["scripted:a", "scripted:b"], **fields)
        return create_fusion_graph(config, tools=tools(site, "/panels", "/judges"))

    return make


QUESTION = {"messages": [("user", "What does a panel cost?")]}


async def report_of(graph: Any) -> FusionReport:
    return FusionReport.from_state(await graph.ainvoke(QUESTION))


def verdicts(report: FusionReport) -> list[tuple[str, str]]:
    return [(claim.verdict, claim.checked_by) for claim in report.claims]


# By code


async def test_an_answer_that_no_page_holds_is_told_sentence_by_sentence(models, asking):
    models.script("w", f"{FALSE} {TRUE}")

    report = await report_of(asking())

    assert report.status == "degraded"
    first, second, third = report.claims
    assert (first.verdict, first.sources) == ("contradicted", [1]) or "97" in first.missing
    assert first.verdict in ("contradicted", "unsupported")
    assert (second.verdict, second.missing) == ("unsupported", ["Napoleon"])
    assert third.verdict == "supported"
    assert "4 to 5 times" in third.passage
    codes = [loss.code for loss in report.degradations]
    assert "miscounted" in codes
    assert sum(code.startswith("claim_") for code in codes) == 2
    napoleon = next(loss for loss in report.degradations if "Napoleon" in loss.detail)
    assert "[2]" in napoleon.detail


async def test_true_sentences_and_new_quotes_of_the_writer_are_found(models, asking):
    models.script("w", f"{TRUE} {QUOTING}")

    result = await asking().ainvoke(QUESTION)

    report = FusionReport.from_state(result)
    assert report.status == "ok"
    assert verdicts(report) == [("supported", "code")] * 2
    assert "2 of 2 claims found there" in result["messages"][-1].content


async def test_a_point_that_a_member_does_not_make_is_told(models, asking):
    models.script("b", "It costs 40 times a call.")
    models.script("w", "Nobody knows.")

    report = await report_of(asking())

    (loss,) = [loss for loss in report.degradations if loss.code == "consensus_unfounded"]
    assert "b made this point" in loss.detail


async def test_nothing_is_checked_where_that_is_not_wanted(models, asking):
    models.script("w", FALSE)

    report = await report_of(asking(verify="off"))

    assert (report.status, report.claims) == ("ok", [])


async def test_the_answer_of_one_model_alone_is_checked_too(models, asking, site):
    models.script("w", *research("A panel costs 97 times a call [1].", site.url("/panels")))

    report = await report_of(asking(invocation="never"))

    assert [loss.code for loss in report.degradations] == [f"claim_{report.claims[0].verdict}"]


async def test_a_run_that_stopped_before_the_check_goes_on_without_asking_anybody(models, asking):
    models.script("w", TRUE)
    graph = asking()
    graph.checkpointer = InMemorySaver()
    thread: Any = {"configurable": {"thread_id": "1"}}
    await graph.ainvoke(QUESTION, thread, interrupt_before=["verify"])
    asked = len(models.calls())

    result = await graph.ainvoke(None, thread)

    assert len(models.calls()) == asked
    assert verdicts(FusionReport.from_state(result)) == [("supported", "code")]


# By a model


def verdict(claim: int, said: str, quote: str = "") -> dict[str, Any]:
    return {"claim": claim, "verdict": said, "quote": quote}


async def test_what_code_cannot_decide_a_verifier_decides_with_words_of_the_page(models, asking):
    models.script("w", f"{OPINION} {TRUE}")
    words = "The price grows with every member, since each one is billed."
    models.script("v", json.dumps({"verdicts": [verdict(1, "supported", words)]}))

    report = await report_of(asking(verify="model", verifier="scripted:v"))

    assert report.status == "ok"
    assert verdicts(report) == [("supported", "model"), ("supported", "code")]
    assert report.claims[0].passage == words
    assert report.usage.stages["verify"].calls == 1
    (request,) = models.calls("v")
    material = request.body["messages"][-1]["content"]
    assert OPINION.removesuffix(" [1].") in material
    assert words in material
    assert "Claim 2" not in material  # code had decided it


async def test_a_verifiers_contradiction_is_told(models, asking):
    models.script("w", OPINION)
    words = "The price grows with every member, since each one is billed."
    models.script("v", json.dumps({"verdicts": [verdict(1, "contradicted", words)]}))

    report = await report_of(asking(verify="model", verifier="scripted:v"))

    (loss,) = report.degradations
    assert (loss.code, words in loss.detail) == ("claim_contradicted", True)


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps({"verdicts": [verdict(1, "supported", "Members share every burden.")]}),
        json.dumps({"verdicts": [verdict(1, "supported")]}),
        in_depth(
            json.dumps({"verdicts": [verdict(1, "unsupported"), verdict(1, "supported", "bill")]})
        ),
        in_depth(json.dumps({"verdicts": [verdict(7, "supported", "The price grows")]})),
        in_depth(json.dumps({"verdicts": [{"claim": "first", "verdict": "fine"}]})),
        "All claims look good to me.",
        "",
        in_depth({"status": 500, "error": {"message": "no"}}),
        {"status": 401, "error": {"message": "no key"}},
    ],
)
async def test_a_verifier_that_errs_decides_nothing_and_costs_no_answer(models, asking, reply):
    models.script("w", OPINION)
    models.script("v", reply, reply, reply, reply)

    report = await report_of(asking(verify="model", verifier="scripted:v"))

    assert report.answer == OPINION
    assert verdicts(report) == [("not_checkable", "code")]
    assert [loss.code for loss in report.degradations] == ["verify_failed"]


async def test_the_judge_verifies_where_nobody_else_is_named(models, asking):
    models.script("w", OPINION)
    words = "The price grows with every member, since each one is billed."
    told = json.dumps({"verdicts": [verdict(1, "supported", words)]})
    models.script("j", json.dumps(BOTH), told)

    report = await report_of(asking(verify="model"))

    assert verdicts(report) == [("supported", "model")]


# Mended


async def test_a_writer_that_is_told_mends_its_answer(models, asking):
    models.script("w", f"{FALSE} {TRUE}", TRUE)

    events = [event async for event in follow(asking(verify="repair"), QUESTION["messages"])]

    report = FusionReport.model_validate(events[-1]["report"])
    assert (report.status, report.answer) == ("ok", TRUE)
    assert verdicts(report) == [("supported", "code")]
    assert report.usage.stages["synthesis"].calls == 2
    void = next(i for i, e in enumerate(events) if e["type"] == "synthesis.restarted")
    pieces = [(i, e) for i, e in enumerate(events) if e["type"] == "answer.delta"]
    before = {e["message_id"] for i, e in pieces if i < void}
    after = "".join(e["text"] for i, e in pieces if e["message_id"] not in before)
    assert after == events[-1]["message"].content
    assert after.startswith(TRUE)
    (done,) = [event for event in events if event["type"] == "verify.completed"]
    assert (done["repaired"], done["supported"]) == (True, 1)
    request = models.calls("w")[-1].body["messages"]
    assert request[-2]["content"] == f"{FALSE} {TRUE}"
    assert "Napoleon invented it" in request[-1]["content"]
    assert "4 to 5 times" in request[-1]["content"]


async def test_what_the_judge_finds_false_is_mended_too(models, asking):
    models.script("w", OPINION, TRUE)
    words = "The price grows with every member, since each one is billed."
    found = json.dumps({"verdicts": [verdict(1, "contradicted", words)]})
    models.script("j", json.dumps(BOTH), found)

    report = await report_of(asking(verify="repair"))

    assert (report.status, report.answer) == ("ok", TRUE)
    stages = report.usage.stages
    assert (stages["verify"].calls, stages["synthesis"].calls) == (1, 2)
    assert words in models.calls("w")[-1].body["messages"][-1]["content"]


async def test_mending_and_checking_again_spend_from_one_budget(models, asking):
    used = {"prompt_tokens": 29_000, "completion_tokens": 1_000, "total_tokens": 30_000}
    words = "The price grows with every member, since each one is billed."
    found = json.dumps({"verdicts": [verdict(1, "contradicted", words)]})
    models.script("w", OPINION, {"text": OPINION, "usage": used})
    models.script("j", json.dumps(BOTH), {"text": found, "usage": used}, found)

    report = await report_of(asking(verify="repair", max_tokens_total=50_000))

    failed = [loss for loss in report.degradations if loss.code == "verify_failed"]
    assert "max_tokens_total" in failed[0].detail  # at the second look, after both were paid
    assert report.usage.stages["verify"].calls == 1


async def test_an_answer_without_fault_is_written_once(models, asking):
    models.script("w", TRUE)

    report = await report_of(asking(verify="repair"))

    assert report.status == "ok"
    assert len(models.calls("w")) == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 401, "error": {"message": "no"}},
        {"text": "Half of an answer that breaks off", "chunks": 8, "close_after": 4},
    ],
)
async def test_an_answer_that_nobody_mends_stands_and_is_told(models, asking, broken):
    models.script("w", FALSE, *[broken] * 6)

    events = [event async for event in follow(asking(verify="repair"), QUESTION["messages"])]

    report = FusionReport.model_validate(events[-1]["report"])
    assert report.answer == FALSE
    codes = [loss.code for loss in report.degradations]
    assert "repair_failed" in codes
    assert any(code.startswith("claim_") for code in codes)
    last = [e for e in events if e["type"] == "answer.delta"][-1]["message_id"]
    said = [e["text"] for e in events if e.get("message_id") == last]
    assert "".join(said) == events[-1]["message"].content
