"""Programs as members: what they answer, with our tools and sources."""

from __future__ import annotations

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.errors import MissingProgram
from fusion_graph.judgement.scouts import family
from fusion_graph.models.recording import recorded
from tests.programs import said
from tests.programs.asking import (
    MODELS,
    SERVED,
    call,
    lookup,
    report_of,
)
from tests.programs.conftest import NAMES, Fakes
from tests.test_panelist import QUESTION
from tests.test_recording import InMemory


async def test_all_three_programs_answer_beside_an_api_model_with_our_tools_and_sources(
    fakes: Fakes, panel_config
) -> None:
    for name in NAMES:
        answers = said.ANSWERS[name]("Water is wet [1] [2].", call(f"{name}-1"), call(f"{name}-2"))
        fakes.script(name, answers)
    refs = [f"{name}:{MODELS[name]}" for name in NAMES]
    report = await report_of(panel_config(panel=[*refs, "scripted:b"]), [lookup])
    assert [answer.status for answer in report.answers] == ["ok"] * 4
    urls = {source.id: source.url for source in report.sources}
    for name, answer in zip(NAMES, report.answers, strict=False):
        assert answer.served == [SERVED[name]]
        found = [(c.name, c.status, [urls[n] for n in c.source_ids]) for c in answer.tool_calls]
        assert found == [("lookup", "ok", [f"https://example.org/{name}-{n}"]) for n in (1, 2)]
        cited = [source.url for source in report.sources if answer.name in source.cited_by]
        assert cited == [f"https://example.org/{name}-{n}" for n in (1, 2)]
        assert answer.content.startswith("Water is wet [")
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 7)
        assert answer.usage.cached_tokens == 60
        assert (answer.cost_usd, answer.usage.plan_calls) == (None, 1)
        [start] = fakes.starts(name)
        assert [t["name"] for t in start["tools"]] == ["lookup"]
        assert f"{name}-1 is wet." in start["results"][0]["content"][0]["text"]
        assert start["prompt"] == "How wet is water?"
        assert "at most 8 calls" in start["system"]


async def test_a_program_that_calls_beyond_the_cap_is_refused_and_still_answers(
    fakes: Fakes, panel_config
) -> None:
    calls = [call(f"page {n}") for n in range(5)]
    fakes.script("claude", said.claude("Water is wet [1].", *calls))
    config = panel_config(panel=["claude:opus", "scripted:b"], max_tool_calls=3)
    report = await report_of(config, [lookup])
    statuses = [c.status for c in report.answers[0].tool_calls]
    assert statuses == ["ok"] * 3 + ["max_uses_exceeded"] * 2
    assert [result["isError"] for result in fakes.starts("claude")[0]["results"]] == [
        *[False] * 3,
        *[True] * 2,
    ]


async def test_an_earlier_turn_reaches_a_program_as_a_turn(fakes: Fakes, panel_config) -> None:
    fakes.script("claude", said.claude("Very."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    turns = [("user", "Is water wet?"), ("assistant", "It is."), ("user", "How much so?")]
    await graph.ainvoke({"messages": turns})
    prompt = fakes.starts("claude")[0]["prompt"]
    assert "<turn by=assistant>\nIt is.\n</turn>" in prompt
    assert prompt.index("Is water wet?") < prompt.index("It is.") < prompt.index("How much so?")


async def test_a_recorded_run_gives_a_programs_sources_again_without_starting_it(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet [2].", call("ice"), call("water")))
    config = panel_config(panel=["claude:opus", "scripted:b"], seed=1)
    graph, recording = create_fusion_graph(config, tools=[lookup]), InMemory()
    reports = []
    for _ in range(2):
        with recorded(recording):
            reports.append(FusionReport.from_state(await graph.ainvoke(QUESTION)))
    first, second = reports
    assert len(fakes.starts("claude")) == 1
    assert [s.url for s in second.sources] == [s.url for s in first.sources]
    assert second.answers[0].content == first.answers[0].content
    assert [c.args for c in second.answers[0].tool_calls] == [{"query": "ice"}, {"query": "water"}]


async def test_another_model_than_was_asked_for_is_told(fakes: Fakes, panel_config) -> None:
    message = {"model": "claude-sonnet-5", "content": [{"type": "text", "text": "Wet."}]}
    turn = {"type": "assistant", "message": message, "parent_tool_use_id": None}
    step = said.claude("Wet.")
    step["lines"].insert(-1, turn)
    fakes.script("claude", step)
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert "opus was asked as claude:opus; claude-sonnet-5 answered." in [
        item.detail for item in report.degradations
    ]


def test_a_program_is_of_its_makers_family() -> None:
    refs = ("claude:opus", "codex:default", "gemini:default")
    assert [family(ref) for ref in refs] == ["anthropic", "openai", "google"]


async def test_what_a_program_writes_is_told_as_it_writes(fakes: Fakes, panel_config) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    told = [e async for e in graph.astream(QUESTION, stream_mode="custom")]
    mine = [e["text"] for e in told if e["type"] == "panel.delta" and e["name"] == "opus"]
    assert "".join(mine) == "Water is wet."


@pytest.mark.parametrize("name", NAMES)
def test_a_program_that_is_not_installed_is_told_before_anything_is_paid(
    fakes: Fakes, panel_config, models, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fakes.remove(name)
    monkeypatch.setenv("PATH", str(fakes.folder))
    with pytest.raises(MissingProgram, match=f"`{name}` in PATH.*Install it") as told:
        create_fusion_graph(panel_config(panel=[f"{name}:default", "scripted:b"])).invoke(QUESTION)
    assert "log in" in told.value.remedy
    assert models.calls() == []


async def test_an_endpoint_of_the_users_goes_before_the_program_of_its_name(
    fakes: Fakes, panel_config, models
) -> None:
    config = panel_config(panel=["claude:a", "scripted:b"])
    config["providers"]["claude"] = {"base_url": models.base_url}
    report = await report_of(config, [])
    assert report.answers[0].content == "The answer of a."
    assert not (fakes.folder / "claude.log").exists()
