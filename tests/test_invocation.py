"""Panel or not: always, never, or decided by one short call."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.estimate import estimate
from fusion_graph.nodes.router import ROUTER_CHARACTERS, read_decision
from fusion_graph.run.settings import GraphConfig
from tests.benchmarks.invocation import decisions, requests, router_of

QUESTION = {"messages": [("user", "How wet is water?")]}
PANEL = json.dumps({"use": "panel", "reason": "disputed facts"})
ONE = json.dumps({"use": "one", "reason": "a chore"})


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://water.example/{query}"


async def run(config: dict[str, Any], **options: Any) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config, **options).ainvoke(QUESTION))


def asked(models) -> list[str]:
    return [call.model for call in models.calls()]


# always


async def test_always_is_the_default_and_asks_nobody_whether(models, panel_config):
    report = await run(panel_config())

    assert report.invoked
    assert report.invocation_reason == "invocation is 'always'"
    assert sorted(asked(models)) == ["a", "b", "c", "j", "w"]
    assert "route" not in report.usage.stages


# What it saved


async def test_a_panel_that_auto_did_not_ask_is_told_with_what_it_would_have_taken(
    models, panel_config
):
    prices = {name: {"input": 1.0, "output": 5.0} for name in "abcjw"}
    config = panel_config(invocation="auto")
    config["providers"]["scripted"]["prices"] = prices
    models.script("w", ONE, "Wet.")

    report = await run(config)

    assert not report.invoked
    assert report.spared is not None
    settings, _ = GraphConfig(config | {"invocation": "always"}).begin(None)
    likely = estimate(settings, [HumanMessage("How wet is water?")])["total"]["likely"]
    assert likely.items() >= report.spared.model_dump().items()
    assert report.spared.cost_usd > 0.01
    assert "spared: the panel would likely have taken 5 calls, $" in report.to_text()
    assert "It would likely have taken 5 calls" in report.to_html()


@pytest.mark.parametrize("fields", [{"invocation": "never"}, {"invocation": "auto"}])
async def test_nothing_is_spared_where_auto_did_not_decide_for_one_model(
    models, panel_config, fields
):
    models.script("w", PANEL, "Wet.")

    report = await run(panel_config(**fields))

    assert report.spared is None


async def test_what_is_spared_at_unknown_prices_is_unknown(models, panel_config):
    models.script("w", ONE, "Wet.")

    report = await run(panel_config(invocation="auto"))

    assert report.spared is not None
    assert (report.spared.calls, report.spared.cost_usd) == (5, None)


# never


async def test_never_makes_one_model_answer(models, panel_config):
    report = await run(panel_config(invocation="never"))

    assert asked(models) == ["w"]
    assert not report.invoked
    assert report.invocation_reason == "invocation is 'never'"
    assert report.status == "ok"
    assert report.answer == "The final answer of the writer."
    assert report.analysis is None
    assert [(a.name, a.model) for a in report.answers] == [("w", "scripted:w")]
    assert report.usage.stages.keys() == {"direct"}
    assert report.usage.total.cost_usd == 0.003


async def test_the_one_model_researches_with_the_panels_tools(models, panel_config):
    models.script(
        "w",
        {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]},
        "Water is wet [1].",
    )

    report = await run(panel_config(invocation="never"), tools=[look_up])

    assert asked(models) == ["w", "w"]
    assert [c.name for c in report.answers[0].tool_calls] == ["look_up"]
    assert [source.url for source in report.sources] == ["https://water.example/wet"]
    assert report.answer == "Water is wet [1]."


async def test_the_one_model_keeps_to_the_cap(models, panel_config):
    call = {"name": "look_up", "args": {"query": "wet"}}
    models.script("w", {"tool_calls": [call], "when_tool_choice_none": "Enough."})

    report = await run(panel_config(invocation="never", max_tool_calls=2), tools=[look_up])

    assert report.answer == "Enough."
    assert [c.status for c in report.answers[0].tool_calls] == ["ok", "ok"]


async def test_the_one_models_failure_is_the_runs(models, panel_config):
    models.script("w", {"status": 401})

    with pytest.raises(AllPanelistsFailed) as caught:
        await run(panel_config(invocation="never"))
    assert [failure["reason"] for _, failure in caught.value.members] == ["auth"]


async def test_the_one_model_hears_the_conversation_and_its_answer_joins_it(models, panel_config):
    graph = create_fusion_graph(panel_config(invocation="never"))
    history = [SystemMessage("Be brief."), *[HumanMessage("How wet is water?")]]

    result = await graph.ainvoke({"messages": history})

    (system, question) = models.calls("w")[0].body["messages"]
    assert "Be brief." in system["content"]
    assert question["content"] == "How wet is water?"
    assert result["messages"][-1].content == "The final answer of the writer."
    assert len(result["messages"]) == 3


async def test_one_answer_is_streamed_under_the_id_of_its_message(panel_config):
    graph = create_fusion_graph(panel_config(invocation="never"))
    chunks, last = [], None
    async for mode, item in graph.astream(QUESTION, stream_mode=["messages", "values"]):
        if mode == "messages":
            chunks.append(item[0])
        else:
            last = item["messages"][-1]

    assert last is not None
    assert {chunk.id for chunk in chunks} == {last.id}
    assert "".join(chunk.content for chunk in chunks) == last.content


async def test_a_quorum_of_the_panel_does_not_concern_the_one_model(panel_config):
    report = await run(panel_config(invocation="never", quorum=3))

    assert report.status == "ok"


# auto


async def test_auto_asks_the_panel_when_the_decision_says_so(models, panel_config):
    models.script("w", PANEL, {"text": "The final answer of the writer.", "cost": 0.003})

    report = await run(panel_config(invocation="auto"))

    assert report.invoked
    assert report.invocation_reason == "disputed facts"
    assert report.status == "ok"
    assert asked(models)[0] == "w"
    assert sorted(asked(models)) == ["a", "b", "c", "j", "w", "w"]
    assert report.usage.stages["route"].calls == 1
    assert report.usage.total.calls == 6


async def test_auto_asks_one_model_when_the_decision_says_so(models, panel_config):
    models.script("w", ONE, "Just so.")

    report = await run(panel_config(invocation="auto"))

    assert not report.invoked
    assert report.invocation_reason == "a chore"
    assert report.answer == "Just so."
    assert asked(models) == ["w", "w"]
    assert report.usage.stages.keys() == {"route", "direct"}


async def test_the_decision_is_one_plain_short_call(models, panel_config):
    models.script("w", ONE, "Just so.")
    graph = create_fusion_graph(panel_config(invocation="auto"), tools=[look_up])
    text = "A long story. " * 5000 + "How wet is water?"

    # Not even `messages` mode turns it into a streamed one.
    said = [
        c.content
        async for c, _ in graph.astream({"messages": [HumanMessage(text)]}, stream_mode="messages")
    ]

    assert "".join(said) == "Just so."
    decision = models.calls("w")[0]
    assert not decision.stream
    assert "tools" not in decision.body
    assert decision.body["temperature"] == 0
    # A server of one's own holds a small model to it by grammar.
    schema = decision.body["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["use"]["enum"] == ["panel", "one"]
    assert schema["properties"]["reason"]["maxLength"] == 160
    told = decision.body["messages"][-1]["content"]
    assert "How wet is water?" in told
    assert len(told) < ROUTER_CHARACTERS + 1000


async def test_a_server_that_takes_no_schema_is_asked_for_plain_json(models, panel_config):
    refusal = "response_format.type must be json_object"
    models.script(
        "w",
        {"status": 400, "error": {"message": f"'{refusal}'", "param": "response_format"}},
        ONE,
        "Just so.",
    )

    report = await run(panel_config(invocation="auto"))

    first, second, _ = models.calls("w")
    assert first.body["response_format"]["type"] == "json_schema"
    assert second.body.get("response_format") != first.body["response_format"]
    assert (report.invoked, report.status) == (False, "ok")


UNDECIDED = {
    "garbage": "I would rather not say.",
    "blank": "",
    "another word": '{"use": "both", "reason": "why not"}',
    "not an object": '["panel"]',
    "a broken object": '{"use": "one", "reason',
    "an error": {"status": 401},
    "an error in a 200": {"error": {"message": "overloaded", "code": 400}},
}


@pytest.mark.parametrize("reply", UNDECIDED.values(), ids=UNDECIDED)
async def test_without_a_decision_the_panel_is_asked_and_the_report_says_so(
    models, panel_config, reply
):
    models.script("w", reply, "The final answer.")

    report = await run(panel_config(invocation="auto"))

    assert report.invoked
    assert report.status == "degraded"
    assert [item.code for item in report.degradations] == ["route_undecided"]
    assert "decision failed" in report.invocation_reason
    assert report.answer == "The final answer."
    assert report.usage.stages["route"].calls == 1


async def test_a_router_that_refuses_json_mode_and_temperature_is_asked_without(
    models, panel_config
):
    refusal = {"refuse": ["response_format", "temperature"]}
    models.script("w", {**refusal, "text": ONE}, "Just so.")

    report = await run(panel_config(invocation="auto"))

    assert not report.invoked
    assert report.answer == "Just so."
    # With a schema, in JSON mode, without either, and at no temperature.
    assert report.usage.stages["route"].calls == 4


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        (PANEL, (True, "disputed facts")),
        (f"```json\n{ONE}\n```", (False, "a chore")),
        (f"<think>PANEL or ONE?</think>{ONE}", (False, "a chore")),
        ('Sure: {"use": "PANEL"}', (True, "no reason given")),
        ('{"use": "one", "reason": "line\nbreak"}', (False, "line break")),
    ],
)
def test_a_decision_is_read_from_whatever_surrounds_it(text, decision):
    assert read_decision(text) == decision


def test_the_reason_is_kept_short():
    _, reason = read_decision(json.dumps({"use": "one", "reason": "because " * 500}))

    assert len(reason) <= 200


async def undecided(config: dict[str, Any]) -> FusionReport:
    report = await run(config)

    assert report.invoked
    (lost,) = [item for item in report.degradations if item.code == "route_undecided"]
    assert "it was used" in lost.detail
    return report


async def test_a_router_that_hangs_is_given_up_and_the_panel_asked(models, panel_config):
    models.script("w", {"hang": True}, "The final answer.")

    report = await undecided(panel_config(invocation="auto", synthesis_timeout=4))

    assert report.answer == "The final answer."
    (lost,) = report.degradations
    assert "took more than synthesis_timeout (4 s)" in lost.detail
    assert report.usage.stages["route"].calls == 1
    assert report.usage.total.cost_usd is None


async def test_a_router_that_hangs_leaves_the_run_the_most_of_its_time(models, panel_config):
    models.script("w", {"hang": True}, "The final answer.")

    report = await undecided(panel_config(invocation="auto", run_timeout=8))

    assert report.answer == "The final answer."
    assert "a quarter of run_timeout (2 s)" in report.degradations[0].detail


@pytest.mark.parametrize("limit", ["max_cost_usd", "max_tokens_total"])
async def test_the_decision_is_not_paid_for_where_nothing_may_be_spent(models, panel_config, limit):
    with pytest.raises(AllPanelistsFailed) as caught:
        await run(panel_config(invocation="auto", **{limit: 0}))

    assert models.calls() == []
    assert {failure["reason"] for _, failure in caught.value.members} == {"over_budget"}
    report = FusionReport.model_validate(caught.value.report)
    (lost,) = [item for item in report.degradations if item.code == "route_undecided"]
    assert f"{limit} (0) is reached" in lost.detail


# Measured on labelled requests: tests/benchmarks/invocation.md


def test_the_labelled_requests_are_as_many_for_a_panel_as_for_one_model():
    labels = Counter(request.use for request in requests())
    assert labels == {"panel": 30, "one": 30}
    assert len({request.request for request in requests()}) == 60


async def test_the_keyless_router_denies_no_request_a_panel_that_wants_one():
    wanting = [request for request in requests() if request.use == "panel"]

    decided = [d async for d in decisions(router_of("offline:writer"), wanting)]

    assert [d.request.id for d in decided if not d.right or d.undecided] == []
