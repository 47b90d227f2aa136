"""A whole run as OpenTelemetry's spans, read back from a collector in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest

from tests.children import end
from tests.commands import run

QUESTION = "How wet is water, planted-question?"


@pytest.fixture
def collector() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.collector"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.kill()
    end(process)


@pytest.fixture
def preset(models, panel_config, tmp_path) -> str:
    """A preset of a panel over a folder: `a` searches, `b` fails."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "water.md").write_text("# Water\n\nWater is very wet.\n")
    search = {"name": "web_search", "args": {"query": "planted-argument water"}}
    models.script("a", {"tool_calls": [search]}, {"text": "The planted-answer of a."})
    models.script("b", {"status": 401})
    config = panel_config(search="corpus", corpus=str(tmp_path / "notes"), max_tool_calls=2)
    server = config.pop("providers")["scripted"]
    lines = [f"{name} = {json.dumps(value)}" for name, value in config.items()]
    lines += ["[providers.scripted]", *(f"{k} = {json.dumps(v)}" for k, v in server.items())]
    (tmp_path / "p.toml").write_text("\n".join(lines))
    return str(tmp_path / "p.toml")


def traced(preset: str, collector: str, **environment: str) -> tuple[dict[str, Any], list[Any]]:
    """The report of a run on the command line, and the spans that came."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, **environment}
    done = run("ask", "--json", "--quiet", "-p", preset, QUESTION, environment=environment)
    assert (done.code, done.err) == (0, "")
    with urlopen(f"{collector}/spans") as answer:
        return json.loads(done.out), json.load(answer)


def test_a_run_is_one_tree_with_the_reports_tokens_and_nobodys_words(collector, preset):
    report, spans = traced(preset, collector)

    by_id = {span["id"]: span for span in spans}
    (root,) = [span for span in spans if not span["parent"]]
    assert root["name"] == "invoke_workflow fusion"
    assert {span["trace"] for span in spans} == {root["trace"]}
    parents = {(span["name"], by_id.get(span["parent"], root)["name"]) for span in spans}
    assert {
        ("invoke_agent a", "invoke_workflow fusion"),
        ("invoke_agent judge", "invoke_workflow fusion"),
        ("invoke_agent writer", "invoke_workflow fusion"),
        ("chat a", "invoke_agent a"),
        ("execute_tool web_search", "invoke_agent a"),
        ("chat b", "invoke_agent b"),
        ("chat j", "invoke_agent judge"),
        ("chat w", "invoke_agent writer"),
    } <= parents
    for span in spans:
        parent = by_id.get(span["parent"], root)
        assert parent["start"] <= span["start"] <= span["end"] <= parent["end"]
    total = report["usage"]["total"]
    for kind in ("input", "output"):
        counted = [int(s["attributes"].get(f"gen_ai.usage.{kind}_tokens", 0)) for s in spans]
        chats = [n for n, s in zip(counted, spans, strict=True) if s["name"].startswith("chat ")]
        assert sum(chats) == total[f"{kind}_tokens"]
        assert int(root["attributes"][f"gen_ai.usage.{kind}_tokens"]) == total[f"{kind}_tokens"]
    failed = next(span for span in spans if span["name"] == "invoke_agent b")
    assert failed["error"]
    assert failed["attributes"]["error.type"] == "auth"
    chat = next(span for span in spans if span["name"] == "chat a")["attributes"]
    assert chat["gen_ai.operation.name"] == "chat"
    assert chat["gen_ai.provider.name"] == "scripted"
    assert "planted" not in json.dumps(spans)


def test_words_stand_in_spans_where_they_are_asked_for(collector, preset):
    asked = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
    _, spans = traced(preset, collector, **asked)

    said = json.dumps(spans)
    for planted in ("planted-question", "planted-argument", "planted-answer"):
        assert planted in said


def test_a_collector_that_is_down_costs_no_answer(preset):
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    done = run("ask", "--quiet", "-p", preset, QUESTION, environment=nowhere)

    assert (done.code, done.out, done.err) == (0, "The final answer of the writer.\n", "")


@pytest.mark.slow
def test_the_spans_stand_below_the_callers_own(models, panel_config):
    code = f"""
import asyncio, json
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from fusion_graph import create_fusion_graph

kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
graph = create_fusion_graph(json.loads({json.dumps(json.dumps(panel_config()))}))
asked = {{"messages": [("user", "How wet?")]}}
with trace.get_tracer("app").start_as_current_span("app"):
    asyncio.run(graph.ainvoke(asked))
    graph.invoke(asked)
spans = kept.get_finished_spans()
app = next(span for span in spans if span.name == "app")
runs = [span for span in spans if span.name == "invoke_workflow fusion"]
print([span.parent.span_id == app.context.span_id for span in runs])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[True, True]"
