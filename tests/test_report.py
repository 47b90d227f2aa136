"""The report: everything a run did, as data that is always complete."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph

QUESTION = {"messages": [("user", "How wet is water?")]}
KEYS = {
    "status",
    "degradations",
    "question",
    "answer",
    "invoked",
    "invocation_reason",
    "code",
    "spared",
    "scouting",
    "recheck",
    "preset",
    "preset_reason",
    "config",
    "analysis",
    "answers",
    "sources",
    "claims",
    "failures",
    "usage",
    "timeline",
    "seed",
    "versions",
    "thread_id",
}


@tool
def look_up(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://water.example/{query}"


def ran(config: dict[str, Any], **options: Any) -> dict[str, Any]:
    record: dict[str, Any] = create_fusion_graph(config, **options).invoke(QUESTION)["fusion"]
    return record


def check_shape(record: dict[str, Any]) -> FusionReport:
    """All keys are there, and it survives being written down."""
    assert record.keys() == KEYS
    assert json.loads(json.dumps(record)) == record
    report = FusionReport.from_state({"fusion": record})
    assert report.model_dump(mode="json") == record
    assert len(report.failures) == sum(a.failure is not None for a in report.answers)
    return report


RUNS = {
    "ok": ({}, {}),
    "one failed": ({}, {"b": {"status": 401}}),
    "one left": ({}, {"a": {"status": 401}, "b": {"status": 402}}),
    "no judge": ({}, {"j": {"status": 401}}),
    "a judge of few words": ({}, {"j": "No."}),
    "no writer": ({}, {"w": {"status": 401}}),
    "one model": ({"invocation": "never"}, {}),
    "undecided": ({"invocation": "auto"}, {"w": "Perhaps."}),
    "a panel of one": ({"panel": ["scripted:a"]}, {}),
}


@pytest.mark.parametrize(("fields", "scripts"), RUNS.values(), ids=RUNS)
def test_every_run_reports_every_key(models, panel_config, fields, scripts):
    config = panel_config(**fields)
    for model, step in scripts.items():
        models.script(model, step)

    report = check_shape(ran(config))

    assert report.question == "How wet is water?"
    assert report.answer
    assert (report.status == "degraded") == bool(report.degradations)
    assert report.usage.total.calls == len(models.calls())


def test_a_whole_run_reports_what_happened(panel_config):
    report = check_shape(ran(panel_config()))

    assert report.status == "ok"
    assert report.degradations == report.failures == []
    assert report.seed == 7
    assert report.thread_id is None
    assert report.analysis is not None
    assert {m for point in report.analysis.consensus for m in point.models} < {"a", "b", "c"}
    assert [(a.name, a.model, a.status) for a in report.answers] == [
        ("a", "scripted:a", "ok"),
        ("b", "scripted:b", "ok"),
        ("c", "scripted:c", "ok"),
    ]
    assert sorted(str(a.label) for a in report.answers) == ["A", "B", "C"]
    assert report.versions.keys() >= {"fusion-graph", "langgraph", "langchain-core"}
    assert "unknown" not in report.versions.values()
    assert report.config["judge"] == "scripted:j"
    assert report.config["search"] == "none"


def test_answers_stand_in_panel_order_failed_ones_included(models, panel_config):
    models.script("a", {"text": "Late.", "delay": 0.1})
    models.script("b", {"status": 402})

    report = check_shape(ran(panel_config()))

    assert [a.name for a in report.answers] == ["a", "b", "c"]
    failed = report.answers[1]
    assert (failed.status, failed.content, failed.label) == ("failed", "", None)
    assert failed.failure is not None
    assert (failed.failure.reason, failed.failure.http_status) == ("insufficient_credits", 402)
    assert failed.failure.attempts == 1
    assert [(f.name, f.reason) for f in report.failures] == [("b", "insufficient_credits")]
    assert "panelist_failed" in [d.code for d in report.degradations]


def test_tool_calls_and_sources_are_reported(models, panel_config):
    research = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    models.script("a", research, "Water is wet [1].")
    models.script("b", {"tool_calls": [{"name": "no_such_tool", "args": {}}]}, "No idea.")
    models.script("w", "Water is wet [1].")

    report = check_shape(ran(panel_config(), tools=[look_up]))

    (call,) = report.answers[0].tool_calls
    assert (call.name, call.args, call.status, call.source_ids) == (
        "look_up",
        {"query": "wet"},
        "ok",
        [1],
    )
    assert report.answers[1].tool_calls[0].status == "invalid_input"
    (source,) = report.sources
    assert (source.id, source.url, source.cited_by) == (1, "https://water.example/wet", ["a"])
    assert report.answer == "Water is wet [1]."


def test_usage_adds_up_by_stage_by_model_and_in_total(models, panel_config):
    for name in "abcjw":
        step = {"text": '{"consensus": []}', "cost": 0.001}
        models.script(name, {**step, "usage": {"prompt_tokens": 100, "completion_tokens": 10}})

    usage = check_shape(ran(panel_config())).usage

    assert {name: stage.calls for name, stage in usage.stages.items()} == {
        "panel": 3,
        "judge": 1,
        "synthesis": 1,
    }
    assert {name: model.calls for name, model in usage.models.items()} == {
        f"scripted:{name}": 1 for name in "abcjw"
    }
    assert (usage.total.input_tokens, usage.total.output_tokens) == (500, 50)
    assert usage.total.cost_usd == pytest.approx(0.005)
    assert usage.cost_known
    for key in ("calls", "input_tokens", "output_tokens", "cost_usd"):
        whole = getattr(usage.total, key)
        assert sum(getattr(s, key) for s in usage.stages.values()) == pytest.approx(whole)
        assert sum(getattr(m, key) for m in usage.models.values()) == pytest.approx(whole)


def test_calls_that_failed_are_in_the_count_and_in_the_timeline(models, panel_config):
    models.script("a", {"refuse": ["temperature"], "text": "Yes."})

    report = check_shape(ran(panel_config(temperature=0.5)))

    assert report.usage.models["scripted:a"].calls == 2
    outcomes = [row.outcome for row in report.timeline if row.what == "scripted:a"]
    assert outcomes == ["bad_request", "ok"]


def test_the_timeline_tells_the_stages_in_their_order(models, panel_config):
    research = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    models.script("a", research, "Water is wet [1].")

    rows = check_shape(ran(panel_config(), tools=[look_up])).timeline

    assert [row.start for row in rows] == sorted(row.start for row in rows)
    assert all(0 <= row.start <= row.end for row in rows)
    assert [row.stage for row in rows] == ["panel"] * 5 + ["judge", "synthesis"]
    assert [row.what for row in rows if row.name == "a"] == ["scripted:a", "look_up", "scripted:a"]


def test_no_key_and_no_header_is_reported(models, panel_config, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", "sk-4a-very-secret-9z")
    provider = {
        "base_url": models.base_url,
        "api_key_env": "SCRIPTED_KEY",
        "headers": {"x-pass": "hush-hush"},
    }
    models.script("b", {"status": 401, "error": {"message": "Wrong key: sk-4a-very-secret-9z."}})

    text = json.dumps(ran(panel_config(providers={"scripted": provider})))
    assert "very-secret" not in text
    assert "hush-hush" not in text


def test_a_failed_run_brings_its_report_along(models, panel_config):
    for name, status in zip("abc", (401, 402, 404), strict=True):
        models.script(name, {"status": status})

    with pytest.raises(AllPanelistsFailed) as caught:
        ran(panel_config())
    assert caught.value.report is not None
    report = check_shape(caught.value.report)
    assert (report.status, report.answer, report.analysis) == ("error", "", None)
    assert [f.reason for f in report.failures] == ["auth", "insufficient_credits", "invalid_model"]
    assert report.usage.total.calls == 3
    assert all(f"{f.name}: {f.reason}" in str(caught.value) for f in report.failures)
    assert "\n" not in str(caught.value)


def test_a_drawn_seed_is_reported_and_repeats_the_order(panel_config):
    first = ran(panel_config(seed=None))
    second = ran(panel_config(seed=first["seed"]))

    labels = [[answer["label"] for answer in record["answers"]] for record in (first, second)]
    assert labels[0] == labels[1]


def test_a_state_without_a_fusion_has_no_report():
    with pytest.raises(KeyError):
        FusionReport.from_state({"messages": []})


def test_a_field_that_the_report_does_not_know_is_refused(panel_config):
    record = ran(panel_config())

    with pytest.raises(ValueError, match="surprise"):
        FusionReport.model_validate({**record, "surprise": 1})
