"""A program judges and writes for a panel of API models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, SystemMessage

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.config.presets import load
from fusion_graph.judgement import wire_schema
from fusion_graph.models.programs.installed import open_program
from tests.conftest import VERDICT
from tests.programs import said
from tests.programs.asking import call, lookup, report_of
from tests.programs.conftest import Fakes
from tests.test_panelist import QUESTION

JUDGED = {
    "claude": said.claude("I have compared them.", structured_output=VERDICT),
    "codex": said.codex(json.dumps(VERDICT)),
}


@pytest.mark.parametrize("name", ["claude", "codex"])
async def test_a_leaders_preset_is_answered_end_to_end(fakes: Fakes, models, name: str) -> None:
    panel = [member.model for member in load(f"{name}-leads").stack()["panel"]]
    for ref in panel:
        models.script(ref.removeprefix("openrouter:"), {"text": "Water is wet.", "cost": 0.001})
    fakes.script(name, JUDGED[name], said.ANSWERS[name]("Water is wet, all say."))
    endpoint = {"openrouter": {"base_url": models.base_url}}
    config = {"preset": f"{name}-leads", "search": "none", "providers": endpoint}
    graph = create_fusion_graph(config)
    events: list[dict[str, Any]] = []
    streamed, result = "", {}
    async for mode, told in graph.astream(QUESTION, stream_mode=["custom", "messages", "values"]):
        if mode == "custom":
            events.append(told)
        elif mode == "messages":
            streamed += told[0].text
        else:
            result = told
    report = FusionReport.from_state(result)
    assert (report.status, report.answer) == ("ok", "Water is wet, all say.")
    assert streamed == report.answer
    assert report.analysis is not None
    assert report.analysis.consensus[0].point == "Water is wet."
    usage = report.usage
    assert (usage.total.cost_usd, usage.total.plan_calls) == (0.003, 2)
    assert usage.stages["judge"].plan_calls == usage.stages["synthesis"].plan_calls == 1
    assert events[-1]["plan_calls"] == 2
    judged, written = fakes.starts(name)
    assert judged["schema"] == wire_schema()
    assert written["schema"] == {}
    assert "Water is wet." in judged["prompt"]
    assert judged["tools"] == written["tools"] == []


@pytest.mark.parametrize("name", ["claude", "codex"])
async def test_a_judge_with_tools_searches_through_ours(
    fakes: Fakes, panel_config, name: str
) -> None:
    fakes.script(name, JUDGED[name] | {"calls": [call("ice")]})
    config = panel_config(judge=f"{name}:default", judge_tools=True)
    report = await report_of(config, [lookup])
    assert report.analysis is not None
    [start] = fakes.starts(name)
    assert [t["name"] for t in start["tools"]] == ["lookup"]
    assert "ice is wet." in start["results"][0]["content"][0]["text"]


async def test_gemini_judges_in_words_and_mends_what_is_no_json(fakes: Fakes, panel_config) -> None:
    fenced = f"Here it is:\n```json\n{json.dumps(VERDICT)}\n```"
    fakes.script("gemini", said.gemini("I would rather not."), said.gemini(fenced))
    report = await report_of(panel_config(judge="gemini:default"), [])
    assert report.analysis is not None
    first, second = fakes.starts("gemini")
    assert "<turn by=assistant>\nI would rather not.\n</turn>" in second["prompt"]
    assert "--model" not in first["arguments"]


async def test_a_leader_that_is_logged_out_gives_way_to_the_fallback(
    fakes: Fakes, panel_config, models
) -> None:
    fakes.script("claude", said.claude_refused("Not logged in · Please run /login", "x"))
    models.script("f", {"text": json.dumps(VERDICT)}, {"text": "The fallback's answer."})
    config = panel_config(judge="claude:opus", synthesizer="claude:opus", fallbacks=["scripted:f"])
    report = await report_of(config, [])
    assert report.answer.endswith("The fallback's answer.")
    assert report.status == "degraded"
    told = " ".join(item.detail for item in report.degradations)
    assert "Claude Code: Not logged in" in told


async def test_a_writer_that_is_a_program_takes_no_tools_of_the_application(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    config = panel_config(
        synthesizer="claude:opus",
        writer_tools=[{"type": "function", "function": {"name": "act", "parameters": {}}}],
    )
    report = await report_of(config, [])
    assert report.answer == "Water is wet."
    assert "parameter_refused" in [item.code for item in report.degradations]


async def test_how_much_to_reason_reaches_the_programs_that_take_it(fakes: Fakes) -> None:
    messages = [SystemMessage("Be brief."), HumanMessage("How wet is water?")]
    for name, flag in (
        ("claude", "--effort xhigh"),
        ("codex", '-c model_reasoning_effort="xhigh"'),
    ):
        fakes.script(name, said.ANSWERS[name]("Very."))
        chat = open_program(f"{name}:default").model_copy(update={"reasoning_effort": "xhigh"})
        assert (await chat.ainvoke(messages)).text == "Very."
        [start] = fakes.starts(name)
        assert flag in " ".join(start["arguments"])
        assert start["system"] == "Be brief."


async def test_what_a_program_does_not_take_is_told(fakes: Fakes, panel_config) -> None:
    fakes.script("gemini", said.gemini("Water is wet."))
    member = {"model": "gemini:default", "temperature": 0.5, "reasoning_effort": "high"}
    report = await report_of(panel_config(panel=[member, "scripted:b", "scripted:c"]), [])
    told = [item.detail for item in report.degradations if item.code == "parameter_refused"]
    assert len(told) == 2
    assert "temperature" in " ".join(told)
    assert "reasoning_effort" in " ".join(told)


def test_a_program_answers_synchronous_code_too(fakes: Fakes) -> None:
    fakes.script("codex", said.codex("Very."))
    assert open_program("codex:gpt-5.5").invoke("How wet is water?").text == "Very."
