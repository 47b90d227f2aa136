"""A contradiction that matters is asked again of those who differ, over HTTP and a real corpus."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.estimate import Estimate, estimate
from fusion_graph.run.settings import GraphConfig
from tests import commands
from tests.commands import start
from tests.scripted_models.client import Scope

QUESTION = {"messages": [("user", "When did the depot in Leuven open?")]}
THREAD: Any = {"configurable": {"thread_id": "t"}}
TOPIC = "The year in which the depot opened"

PAGES = {
    "archive": "# The depot\n\nThe depot in Leuven opened in 1953, says the city's archive.\n",
    "leaflet": "# A leaflet\n\nThe new hall of the depot in Leuven opened in 1955.\n",
}
SIDES = {"a": ("1953", "The depot opened in 1953"), "b": ("1955", "The depot opened in 1955")}

AGAIN = "Which position do the passages bear out"
"""Stands in the request that asks about one point, and in no other."""

Config = Callable[..., dict[str, Any]]


def reply(position: int, quote: str = "The depot in Leuven opened in 1953") -> dict[str, Any]:
    said = {"position": position, "why": "The archive speaks of the depot itself.", "quote": quote}
    return {"text": f"I looked again.\n```json\n{json.dumps(said)}\n```", "cost": 0.0005}


@pytest.fixture
def config(models: Scope, panel_config: Config, tmp_path: Path) -> Config:
    """`config(a=reply(1), …, **fields)`: a says 1953 and b 1955, each from a page of its own."""
    corpus = tmp_path / "docs"
    corpus.mkdir()
    for name, text in PAGES.items():
        (corpus / f"{name}.md").write_text(text, "utf-8")

    def make(again: dict[str, dict[str, Any]], **fields: Any) -> dict[str, Any]:
        given = panel_config(search="corpus", corpus=str(corpus), research="first", **fields)
        for name in "abc":
            year, page = ("1955", 2) if name == "b" else ("1953", 1)
            words = {"1953": "opened in 1953", "1955": "opened in 1955"}[year]
            answer = f'The depot in Leuven opened in {year} [{page}: "{words}"].'
            steps = {"when_contains": {AGAIN: again[name]}} if name in again else {}
            models.script(name, {"text": answer, "cost": 0.001, **steps})
        return given

    return make


LABELS = {"a": "B", "b": "C", "c": "A"}
"""With the seed of `panel_config`."""


def clash(*names: str, labels: dict[str, str] = LABELS) -> dict[str, Any]:
    """The judge's contradiction between members, each with its page."""
    stances = [
        {
            "label": labels[name],
            "stance": "The depot opened in 1955" if name == "b" else "The depot opened in 1953",
            "sources": [2 if name == "b" else 1],
        }
        for name in names
    ]
    return {"topic": TOPIC, "stances": stances}


def judged(models: Scope, *clashes: dict[str, Any], **more: Any) -> None:
    models.script("j", {"text": json.dumps({"contradictions": clashes, **more}), "cost": 0.002})


def asked(models: Scope) -> Counter[str]:
    """How often each model was called."""
    return Counter(call.model for call in models.calls())


def asked_again(models: Scope) -> list[str]:
    return sorted(c.model for c in models.calls() if AGAIN in json.dumps(c.body))


async def test_who_differs_is_asked_about_that_point_alone_with_both_passages(models, config):
    given = config({"a": reply(1), "b": reply(1)}, recheck="one")
    judged(models, clash("a", "b"))

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    assert asked_again(models) == ["a", "b"]
    (_, again) = models.calls("b")
    shown = again.body["messages"][-1]["content"]
    assert "says the city's archive" in shown
    assert "The new hall of the depot" in shown
    assert "Answer A" not in shown
    assert "The answer of" not in shown
    report = FusionReport.from_state(result)
    assert report.recheck is not None
    assert (report.recheck.topic, report.recheck.outcome) == (TOPIC, "settled")
    assert [(r.name, r.position, r.on_page) for r in report.recheck.replies] == [
        ("a", 1, True),
        ("b", 1, True),
    ]
    assert report.analysis is not None
    assert report.analysis.contradictions == []
    first = report.analysis.consensus[0]
    assert (first.point, first.models, first.sources) == (
        "The depot opened in 1953",
        ["a", "b"],
        [1],
    )
    assert first.rechecked is not None
    assert 'b said "The depot opened in 1955"' in first.rechecked
    assert report.status == "ok", "who changed its mind is no misreading of the judge"
    assert "asked again (settled)" in report.to_text()
    assert "Asked again about" in report.to_html()
    (written,) = models.calls("w")
    assert "Asked again about this point alone" in json.dumps(written.body)


async def test_what_it_took_is_counted_as_a_stage_of_its_own(models, config):
    given = config({"a": reply(1), "b": reply(2)}, recheck="one")
    judged(models, clash("a", "b"))

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    usage = result["fusion"]["usage"]
    assert usage["stages"]["recheck"]["calls"] == 2
    assert usage["stages"]["recheck"]["cost_usd"] == pytest.approx(0.001)
    assert usage["total"]["calls"] == len(models.calls())
    assert usage["total"]["cost_usd"] == pytest.approx(0.003 + 0.002 + 0.001 + 0.003)
    rows = [row for row in result["fusion"]["timeline"] if row["stage"] == "recheck"]
    assert sorted(row["name"] for row in rows) == ["a", "b"]


@pytest.mark.parametrize(
    ("again", "told"),
    [
        ({"a": reply(1), "b": reply(2, "The new hall of the depot")}, 'b holds "The depot opened'),
        ({"a": reply(1), "b": reply(0, "")}, "b finds that the passages do not decide"),
        (
            {"a": reply(1, "the mayor cut the ribbon"), "b": reply(1, "")},
            "nobody's words stand on a page",
        ),
        ({"a": reply(1), "b": {"text": "I stay with what I said."}}, "b did not reply"),
        ({"a": reply(1), "b": {"status": 401}}, "b did not reply"),
    ],
    ids=["they still differ", "undecided", "invented words", "no position", "an error"],
)
async def test_a_contradiction_that_is_not_settled_stands_and_says_so(models, config, again, told):
    given = config(again, recheck="one")
    judged(models, clash("a", "b"))

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    record = result["fusion"]
    (left,) = record["analysis"]["contradictions"]
    assert record["recheck"]["outcome"] == "stands"
    assert told in left["rechecked"]
    assert record["answer"] == "The final answer of the writer."
    failed = [loss["detail"] for loss in record["degradations"] if loss["code"] == "recheck_failed"]
    assert len(failed) == ("did not reply" in told)


@pytest.mark.parametrize(
    ("fields", "clashes"),
    [
        ({}, [clash("a", "b")]),
        ({"recheck": "off", "panel_policy": "adaptive"}, [clash("a", "b")]),
        ({"recheck": "one"}, []),
        ({"recheck": "one"}, [clash("a", "c")]),
        ({"recheck": "one"}, [{**clash("a", "b"), "stances": clash("a", "b")["stances"][:1]}]),
    ],
    ids=["off by default", "off", "no contradiction", "the same stance", "one side alone"],
)
async def test_nobody_is_asked_again_without_need(models, config, fields, clashes):
    given = config({"a": reply(1), "b": reply(1)}, **fields)
    judged(models, *clashes)

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    assert asked_again(models) == []
    assert result["fusion"]["recheck"] is None


async def test_an_adaptive_panel_asks_again_once_after_its_second_wave(models, config):
    given = config({"a": reply(1), "b": reply(1), "c": reply(1)}, panel_policy="adaptive")
    two = clash("a", "b", labels={"a": "A", "b": "B"})
    whole = clash("a", "b", "c")
    models.script("j", *[{"text": json.dumps({"contradictions": [one]})} for one in (two, whole)])

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    assert result["fusion"]["scouting"]["reason"] == "contradiction"
    assert asked_again(models) == ["a", "b", "c"]
    assert asked(models) == {"a": 2, "b": 2, "c": 2, "j": 2, "w": 1}
    assert result["fusion"]["recheck"]["outcome"] == "settled"


async def test_the_events_say_what_is_asked_again_and_how_it_ended(models, config):
    given = config({"a": reply(1), "b": reply(1)}, recheck="one")
    judged(models, clash("a", "b"))

    graph = create_fusion_graph(given)
    events = [event async for event in graph.astream(QUESTION, stream_mode="custom")]

    told = [event for event in events if event["type"].startswith("recheck.")]
    assert [event["type"] for event in told] == ["recheck.started", "recheck.completed"]
    assert (told[0]["topic"], told[0]["names"]) == (TOPIC, ["a", "b"])
    assert (told[1]["outcome"], told[1]["calls"]) == ("settled", 2)
    assert told[1]["cost_usd"] == pytest.approx(0.001)


async def test_a_run_stopped_in_its_midst_asks_nobody_twice(models, config):
    given = config({"a": reply(1), "b": {"hang": True}}, recheck="one")
    judged(models, clash("a", "b"))
    graph = create_fusion_graph(given, checkpointer=InMemorySaver())

    run = asyncio.create_task(graph.ainvoke(QUESTION, THREAD))
    await asyncio.to_thread(models.calls, "b", arrived=2)
    async with asyncio.timeout(60):
        while not any(task.result for task in (await graph.aget_state(THREAD)).tasks):
            await asyncio.to_thread(models.calls, "a", ended=2)
    run.cancel()
    await asyncio.wait([run])
    models.script("b", reply(1))
    result = await graph.ainvoke(None, THREAD)

    # b's reply had not come, so b is asked for it again; a is not, and nobody is for an answer.
    assert asked(models) == {"a": 2, "b": 3, "c": 1, "j": 1, "w": 1}
    assert result["fusion"]["recheck"]["outcome"] == "settled"
    assert result["fusion"]["usage"]["stages"]["recheck"]["calls"] == 2


async def replied(file: Path) -> set[str]:
    """Whose replies a thread's file holds."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        state = await create_fusion_graph("offline", checkpointer=saver).aget_state(THREAD)
    results = [dict(task.result) for task in state.tasks if task.result]
    return {reply["name"] for result in results for reply in result.get("rechecked", ())}


@pytest.mark.slow
def test_killed_in_its_midst_and_resumed_it_pays_nobody_twice(models, config, tmp_path):
    given = config({"a": reply(1), "b": {"hang": True}}, recheck="one")
    judged(models, clash("a", "b"))
    preset = tmp_path / "panel.toml"
    fields = {name: given[name] for name in given if name != "providers"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items()]
    url = given["providers"]["scripted"]["base_url"]
    preset.write_text("\n".join([*lines, "[providers.scripted]", f'base_url = "{url}"']), "utf-8")
    environment = {"FUSION_GRAPH_DATA_DIR": str(tmp_path / "data")}
    asked_for = ["ask", QUESTION["messages"][0][1], "--preset", str(preset), "--thread", "t"]

    process = start(*asked_for, "--json", "--quiet", environment=environment)
    models.calls("b", arrived=2)
    models.calls("a", ended=2)
    until = time.monotonic() + 60
    while not asyncio.run(replied(tmp_path / "data" / "threads.sqlite")):
        assert time.monotonic() < until, "a's reply was not written down"
    process.kill()
    process.wait()
    models.script("b", reply(1))
    done = commands.run("resume", "t", "--json", "--quiet", environment=environment)

    assert done.code == 0, done.err
    assert asked(models) == {"a": 2, "b": 3, "c": 1, "j": 1, "w": 1}
    assert json.loads(done.out)["recheck"]["outcome"] == "settled"


async def test_the_next_turn_of_a_conversation_has_a_point_of_its_own(models, config):
    given = config({"a": reply(1), "b": reply(1)}, recheck="one")
    judged(models, clash("a", "b"))
    graph = create_fusion_graph(given, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD)
    judged(models)

    second = await graph.ainvoke({"messages": [("user", "When did the depot open?")]}, THREAD)

    assert asked_again(models) == ["a", "b"]
    assert second["fusion"]["recheck"] is None


async def test_a_budget_that_is_used_up_asks_nobody_and_answers(models, config):
    given = config({"a": reply(1), "b": reply(1)}, recheck="one", max_cost_usd=0.0049)
    judged(models, clash("a", "b"))

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    assert asked_again(models) == []
    record = result["fusion"]
    assert record["answer"]
    assert [r["failure"]["reason"] for r in record["recheck"]["replies"]] == ["over_budget"] * 2
    assert len(record["analysis"]["contradictions"]) == 1


@pytest.mark.slow
async def test_a_member_that_does_not_reply_in_time_is_not_waited_for(models, config):
    given = config({"a": reply(1), "b": {"hang": True}}, recheck="one", panelist_timeout=15)
    judged(models, clash("a", "b"))

    result = await create_fusion_graph(given).ainvoke(QUESTION)

    replies = {r["name"]: r for r in result["fusion"]["recheck"]["replies"]}
    assert replies["a"]["position"] == 1
    assert replies["b"]["failure"]["reason"] == "timed_out"
    assert result["fusion"]["answer"]


async def test_an_edited_comparison_without_the_contradiction_stays_as_it_was_edited(
    models, config
):
    given = config({"a": reply(1), "b": reply(1)}, recheck="one")
    judged(models, clash("a", "b"))
    graph = create_fusion_graph(given, checkpointer=InMemorySaver())
    await graph.ainvoke(QUESTION, THREAD, interrupt_after=["judge"])
    point = {"point": "The depot is in Leuven.", "models": ["a", "b"], "sources": [1]}
    edited = {"analysis": {"consensus": [point]}}
    await graph.aupdate_state(THREAD, {"judgement": edited}, as_node="judge")

    result = await graph.ainvoke(None, THREAD)

    assert [p["point"] for p in result["fusion"]["analysis"]["consensus"]] == [point["point"]]


def test_an_estimate_counts_it_where_two_do_not_agree_and_at_most_for_everybody(models, config):
    messages = [HumanMessage("When did the depot in Leuven open?")]

    def found(**fields: Any) -> Estimate:
        settings, _ = GraphConfig(config({}, **fields)).begin(None)
        return estimate(settings, messages)

    adaptive, without = (
        found(panel_policy="adaptive"),
        found(panel_policy="adaptive", recheck="off"),
    )
    full = found(recheck="one")

    for estimated in (adaptive, full):
        calls = [
            estimated["stages"]["recheck"][case]["calls"] for case in ("low", "likely", "high")
        ]
        assert calls == [0, 0, 3]
    assert "recheck" not in without["stages"]
    assert adaptive["goes_on"]["calls"] == without["goes_on"]["calls"] + 2
