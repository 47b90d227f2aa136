"""What members of one panel share, however LangGraph runs them: side by side or one by one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command, interrupt

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.run import panel
from fusion_graph.run.deadlines import covered
from fusion_graph.run.settings import GraphConfig
from fusion_graph.state import Run

QUESTION = {"messages": [("user", "How wet is water?")]}
ONE_BY_ONE = {"max_concurrency": 1}


@pytest.fixture(params=["invoke", "ainvoke"])
def one_by_one(request):
    """`one_by_one(config)`: the report of a run whose members LangGraph runs in turn."""

    async def run(config: dict[str, Any]) -> FusionReport:
        graph = create_fusion_graph(config)
        if request.param == "ainvoke":
            return FusionReport.from_state(await graph.ainvoke(QUESTION, ONE_BY_ONE))
        return FusionReport.from_state(await asyncio.to_thread(graph.invoke, QUESTION, ONE_BY_ONE))

    return run


async def events_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    stream = create_fusion_graph(config).astream(QUESTION, stream_mode="custom")
    return [event async for event in stream]


# One after the other, and one panel all the same


async def test_a_quorum_holds_for_members_that_come_one_by_one(models, panel_config, one_by_one):
    report = await one_by_one(panel_config(quorum=1, grace=0))

    assert [answer.status for answer in report.answers] == ["ok", "failed", "failed"]
    assert [(f.name, f.reason) for f in report.failures] == [("b", "timed_out"), ("c", "timed_out")]
    assert all("Left behind" in failure.detail for failure in report.failures)
    assert models.calls("b") == models.calls("c") == []
    assert report.usage.total.cost_usd == 0.001


async def test_a_fallback_is_asked_for_members_that_come_one_by_one(
    models, panel_config, one_by_one
):
    models.script("a", {"status": 401})
    models.script("b", {"status": 401})
    models.script("f", "The answer of f.")

    report = await one_by_one(panel_config(fallbacks=["scripted:f"]))

    assert [a.model for a in report.answers if a.status == "ok"] == ["scripted:f", "scripted:c"]
    assert report.analysis is not None


async def test_members_that_come_one_by_one_spend_from_one_purse(models, panel_config, one_by_one):
    report = await one_by_one(panel_config(max_cost_usd=0.002))

    assert [answer.status for answer in report.answers] == ["ok", "ok", "failed"]
    assert report.failures[0].reason == "over_budget"
    assert models.calls("c") == []


# A panel belongs to its run


async def test_nothing_of_a_panel_is_left_when_its_run_is_over(models, panel_config, one_by_one):
    await one_by_one(panel_config())

    assert not panel._open


async def test_nothing_of_a_panel_is_left_when_one_model_answers_alone(models, panel_config):
    await create_fusion_graph(panel_config(invocation="never")).ainvoke(QUESTION)

    assert not panel._open


async def test_nothing_of_a_panel_is_left_when_its_run_is_cancelled(models, panel_config):
    models.script("a", {"hang": True})
    run = asyncio.create_task(create_fusion_graph(panel_config()).ainvoke(QUESTION))
    await asyncio.to_thread(models.calls, arrived=3)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert not panel._open


async def test_panels_of_runs_that_were_given_up_do_not_pile_up(panel_config):
    settings, _ = GraphConfig(panel_config()).begin(None)

    for number in range(panel.MOST_PANELS + 20):
        with panel.take_part(Run(id=f"run {number}", calls=[]), settings):  # type: ignore[typeddict-item]
            pass

    assert len(panel._open) == panel.MOST_PANELS
    panel._open.clear()


# Seconds


async def test_seconds_of_a_member_do_not_count_the_line_for_a_slot(models, panel_config):
    for name in "abc":
        models.script(name, {"text": f"The answer of {name}.", "delay": 0.3})

    events = await events_of(panel_config(max_concurrency=1))

    done = {e["name"]: e for e in events if e["type"] == "panel.completed"}
    began = {name: event["at"] - event["seconds"] for name, event in done.items()}
    calls = {name: models.calls(name)[0] for name in "abc"}
    assert began["c"] - began["a"] > calls["b"].ended - calls["a"].started - 0.1


async def test_seconds_of_a_member_do_not_count_the_line_for_its_provider(models, panel_config):
    for name in "abc":
        models.script(name, {"text": f"The answer of {name}.", "delay": 1.0})

    events = await events_of(panel_config(provider_concurrency=1))

    done = [e for e in events if e["type"] == "panel.completed"]
    busy = sum(event["seconds"] for event in done)
    calls = models.calls("a") + models.calls("b") + models.calls("c")
    # With the line counted it would be twice the time from the first call to the last one's end.
    assert busy < 1.5 * (max(c.ended for c in calls) - min(c.started for c in calls))


async def test_who_stands_in_line_for_its_provider_loses_no_time_of_its_own(models, panel_config):
    for name in "ab":
        models.script(name, {"text": f"The answer of {name}.", "delay": 1.2})

    report = FusionReport.from_state(
        await create_fusion_graph(
            panel_config(
                panel=["scripted:a", "scripted:b"], provider_concurrency=1, panelist_timeout=2
            )
        ).ainvoke(QUESTION)
    )

    assert [answer.status for answer in report.answers] == ["ok", "ok"]


# Side by side


@pytest.mark.parametrize("config", [None, {"tags": ["mine"]}])
async def test_a_synchronous_run_asks_all_sixteen_members_at_once(models, panel_config, config):
    names = [f"m{number}" for number in range(16)]
    for name in names:
        models.script(name, {"text": f"The answer of {name}.", "delay": 2})
    members = [f"scripted:{name}" for name in names]
    graph = create_fusion_graph(panel_config(panel=members, provider_concurrency=16))

    await asyncio.to_thread(graph.invoke, QUESTION, config)

    calls = [models.calls(name)[0] for name in names]
    assert max(call.started for call in calls) < min(call.ended for call in calls)


async def test_a_synchronous_run_keeps_to_its_callers_width(models, panel_config):
    graph = create_fusion_graph(panel_config()).with_config(max_concurrency=1)
    for name in "abc":
        models.script(name, {"text": f"The answer of {name}.", "delay": 0.1})

    await asyncio.to_thread(graph.invoke, QUESTION)

    calls = [models.calls(name)[0] for name in "abc"]
    assert calls[0].ended <= calls[1].started
    assert calls[1].ended <= calls[2].started


# Work that is kept


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://water.example/{query}"


SEARCH = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}


async def test_a_stand_in_keeps_what_the_model_before_it_found(models, panel_config):
    models.script("a", SEARCH, {"status": 401})
    other = {"tool_calls": [{"name": "look_up", "args": {"query": "dry"}}]}
    models.script("f", other, "Wet [1], and dry [2].")

    graph = create_fusion_graph(panel_config(quorum=3, fallbacks=["scripted:f"]), tools=[look_up])
    report = FusionReport.from_state(await graph.ainvoke(QUESTION))

    first = report.answers[0]
    assert (first.model, first.content) == ("scripted:f", "Wet [1], and dry [2].")
    assert [call.args["query"] for call in first.tool_calls] == ["wet", "dry"]
    assert [call.source_ids for call in first.tool_calls] == [[1], [2]]
    assert [source.url.rpartition("/")[2] for source in report.sources] == ["wet", "dry"]
    assert [row.what for row in report.timeline if row.what == "look_up"] == ["look_up"] * 2


LATE = "Water is very wet indeed, and nobody has said so before. " * 400


async def partial(panel_config, models, **fields: Any) -> FusionReport:
    """A run whose member `a` writes too slowly for its limits, at a known price."""
    models.script("a", {"text": LATE, "rate": 40})
    config = panel_config(**fields)
    config["providers"]["scripted"]["prices"] = {"a": {"input": 1000, "output": 1000}}
    return FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param({"quorum": 2, "grace": 2}, id="left behind"),
        pytest.param({"panelist_timeout": 3}, id="out of time"),
        pytest.param({"run_timeout": 5}, id="out of the run's time"),
    ],
)
async def test_what_a_member_had_written_when_its_time_was_up_is_kept_as_partial(
    models, panel_config, limits
):
    report = await partial(panel_config, models, **limits)

    late = report.answers[0]
    assert (late.status, late.label, late.failure.reason) == ("failed", None, "timed_out")
    assert late.content.startswith("Water is very wet")
    assert LATE.startswith(late.content)
    assert f"{len(late.content)} characters" in late.failure.detail
    assert late.cost_usd is None
    assert report.usage.total.cost_usd is None
    assert report.usage.cost_known is False
    for reader in "jw":
        assert "Water is very wet" not in str(models.calls(reader)[0].body)
    assert "which was not used" in report.to_text()
    assert "which was not used" in report.to_html()


async def test_what_was_said_beside_a_call_of_a_tool_is_no_part_of_an_answer(models, panel_config):
    models.script("a", {"text": "Let me look.", **SEARCH}, {"hang": True})

    graph = create_fusion_graph(panel_config(quorum=2, grace=2), tools=[look_up])
    report = FusionReport.from_state(await graph.ainvoke(QUESTION))

    assert report.answers[0].content == ""
    assert len(report.answers[0].tool_calls) == 1


# Interrupts


@tool
def ask_somebody(question: str) -> str:
    """Ask a human."""
    return f"Somebody says: {interrupt({'asks': question})}"


def asking(question: str) -> dict[str, Any]:
    return {"tool_calls": [{"name": "ask_somebody", "args": {"question": question}}], "cost": 0.01}


@pytest.fixture(params=["invoke", "ainvoke"])
def go_on(request, panel_config):
    """`go_on(input)`: a graph with a checkpointer and the tool, run until it ends or is stopped."""
    graph = create_fusion_graph(panel_config(), tools=[ask_somebody], checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "t"}}

    async def run(given: Any) -> dict[str, Any]:
        if request.param == "ainvoke":
            return await graph.ainvoke(given, config)
        return await asyncio.to_thread(graph.invoke, given, config)

    return run


async def test_a_tool_that_interrupts_stops_the_run_and_gets_the_answer(models, go_on):
    wet = {"when_contains": {"Somebody says: very": {"text": "Very wet.", "cost": 0.01}}}
    models.script("a", {**asking("How wet?"), **wet})

    stopped = await go_on(QUESTION)
    (question,) = stopped["__interrupt__"]
    assert question.value == {"asks": "How wet?"}
    assert "fusion" not in stopped

    report = FusionReport.from_state(await go_on(Command(resume="very")))

    assert report.status == "ok"
    assert report.answers[0].content == "Very wet."
    assert [call.status for call in report.answers[0].tool_calls] == ["ok"]
    # Nobody is asked again what had been answered; what the stopped member had paid is paid once.
    assert len(models.calls("b")) == len(models.calls("c")) == 1
    assert report.answers[0].usage.calls == len(models.calls("a")) == 2
    assert report.answers[0].cost_usd == pytest.approx(0.02)
    assert not panel._open


async def test_two_members_that_ask_each_get_their_own_answer(models, go_on):
    for name in "ab":
        models.script(
            name,
            {
                **asking(f"For {name}?"),
                "when_contains": {"Somebody says: ": f"The answer of {name}: {{marker}}"},
            },
        )

    stopped = await go_on(QUESTION)
    asked = {item.value["asks"]: item.id for item in stopped["__interrupt__"]}
    assert set(asked) == {"For a?", "For b?"}

    answers = {asked["For a?"]: "MARK-one", asked["For b?"]: "MARK-two"}
    report = FusionReport.from_state(await go_on(Command(resume=answers)))

    assert [answer.content for answer in report.answers[:2]] == [
        "The answer of a: MARK-one",
        "The answer of b: MARK-two",
    ]


async def test_a_tool_may_ask_twice(models, go_on):
    # A conversation that holds the second answer holds the first one too.
    models.script(
        "a",
        {
            **asking("How wet?"),
            "when_contains": {
                "Somebody says: wetter": "Wetter.",
                "Somebody says: very": asking("And now?"),
            },
        },
    )

    await go_on(QUESTION)
    stopped = await go_on(Command(resume="very"))
    assert [item.value for item in stopped["__interrupt__"]] == [{"asks": "And now?"}]
    report = FusionReport.from_state(await go_on(Command(resume="wetter")))

    assert report.answers[0].content == "Wetter."


def test_a_panel_takes_the_time_in_which_anybody_worked():
    assert covered([]) == 0
    assert covered([(0, 2), (1, 3)]) == 3
    assert covered([(1, 2), (0, 4)]) == 4
    assert covered([(0, 1), (1, 2), (2, 3)]) == 3
    assert covered([(0, 1), (86_400, 86_402)]) == 3
