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
    def __init__(self, steps: dict[str, Any], key: str) -> None:
        self._steps, self._key = steps, key
        self.kept = steps.get(key)

    def keep(self, value: dict[str, Any]) -> None:
        self._steps[self._key] = json.loads(json.dumps(value))

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
