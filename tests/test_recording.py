"""Runs that are recorded: what was asked once is not asked again, wherever its nodes run."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fusion_graph import create_fusion_graph
from fusion_graph.models.recording import Asked, recorded
from tests.test_graph import ANSWER, QUESTION


class Place:
    same_run = False

    def __init__(self, steps: dict[str, Any], key: str) -> None:
        self._steps, self._key = steps, key
        self.kept = steps.get(key)

    def keep(self, value: dict[str, Any]) -> None:
        assert self._key not in self._steps
        self._steps[self._key] = json.loads(json.dumps(value))

    async def receive(self, value: dict[str, Any]) -> None:
        self.keep(value)

    def cut(self, calls: Any) -> None:
        pass


class InMemory:
    """A recording that knows a step by what is asked alone."""

    def __init__(self) -> None:
        self.steps: dict[str, Any] = {}
        self.values: dict[str, str] = {}

    def fixed(self, name: str, value: str) -> str:
        return self.values.setdefault(name, value)

    @asynccontextmanager
    async def step(self, asked: Asked) -> AsyncIterator[Place]:
        yield Place(self.steps, json.dumps([asked.kind, asked.of, asked.content]))


@pytest.mark.parametrize("face", ["invoke", "ainvoke", "stream"])
async def test_a_recorded_run_is_run_again_without_a_call(models, panel_config, face):
    graph, recording = create_fusion_graph(panel_config(seed=1)), InMemory()

    async def run() -> Any:
        with recorded(recording):
            if face == "ainvoke":
                return await graph.ainvoke(QUESTION)
            if face == "invoke":
                return graph.invoke(QUESTION)
            return list(graph.stream(QUESTION, stream_mode="values"))[-1]

    first, second = (await run())["fusion"], (await run())["fusion"]

    assert len(models.calls()) == 5
    assert len(recording.steps) == 5
    assert first["answer"] == second["answer"] == ANSWER
    assert second["analysis"] == first["analysis"]
    for key in ("calls", "input_tokens", "output_tokens", "cost_usd"):
        assert second["usage"]["total"][key] == first["usage"]["total"][key]


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test_a_run_that_searches_and_reads_is_run_again_from_what_was_kept(
    models, panel_config, tmp_path, face
):
    """Also what a tool could not bring: a model was told so, and asked on in these words."""
    (tmp_path / "water.md").write_text("# Water\n\nWater is wet.\n", "utf-8")
    calls = [
        {"name": "web_search", "args": {"query": "water wet"}, "id": "s"},
        {"name": "web_fetch", "args": {"url": "corpus:///water.md"}, "id": "p"},
        {"name": "web_fetch", "args": {"url": "corpus:///none.md"}, "id": "n"},
    ]
    rounds = [{"tool_calls": [call]} for call in calls]
    models.script("a", *rounds, {"text": "Water is wet [1]."})
    config = panel_config(seed=1, search="corpus", corpus=str(tmp_path))
    graph, recording = create_fusion_graph(config), InMemory()

    reports = []
    for _ in range(2):
        with recorded(recording):
            end = graph.invoke(QUESTION) if face == "invoke" else await graph.ainvoke(QUESTION)
        reports.append(end["fusion"])
        (tmp_path / "water.md").write_text("# Water\n\nWater is dry.\n", "utf-8")

    first, second = reports
    assert [call.model for call in models.calls()].count("a") == 4
    assert {json.loads(key)[0] for key in recording.steps} == {"call", "search", "page"}
    assert second["sources"] == first["sources"] != []
    tools = [[(c["name"], c["status"]) for c in r["answers"][0]["tool_calls"]] for r in reports]
    assert tools[0] == tools[1]


async def test_a_run_that_nobody_records_keeps_nothing(models, panel_config):
    graph, recording = create_fusion_graph(panel_config(seed=1)), InMemory()
    with recorded(recording):
        await graph.ainvoke(QUESTION)

    await graph.ainvoke(QUESTION)

    assert len(models.calls()) == 10


async def test_a_call_that_failed_fails_again_in_the_same_words(models, panel_config):
    models.script("a", {"status": 400, "error": {"message": "No such luck."}})
    graph, recording = create_fusion_graph(panel_config(seed=1)), InMemory()

    with recorded(recording):
        reports = [(await graph.ainvoke(QUESTION))["fusion"] for _ in range(2)]

    assert [call.model for call in models.calls()].count("a") == 1
    words = [report["failures"][0]["detail"] for report in reports]
    assert "No such luck." in words[0]
    assert words[1] == words[0]


async def test_a_budget_counts_calls_that_were_made_before(models, panel_config):
    """Each call costs: with no money there is no panel, though every reply of it is at hand."""
    recording = InMemory()
    with recorded(recording):
        await create_fusion_graph(panel_config(seed=1)).ainvoke(QUESTION)
        report = (
            await create_fusion_graph(panel_config(seed=1, max_cost_usd=0.0035)).ainvoke(QUESTION)
        )["fusion"]

    assert len(models.calls()) == 5
    assert "synthesis_failed" in [item["code"] for item in report["degradations"]]
