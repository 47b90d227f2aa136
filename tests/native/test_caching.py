"""Claude over its own API: over eight calls of tools its input comes from the cache."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph

from .anthropic import blocks_of

PAGE = "Water wets whatever it touches. " * 60
DOLLARS = {"input": 5.0, "cache_read": 0.5, "cache_write": 6.25, "output": 25.0}
"""Opus 4.8 by its list, a million tokens."""


@tool
def lookup(query: str) -> str:
    """Look something up."""
    return f"{query}: {PAGE}"


async def run(model: Any, panel_config: Any, **fields: Any) -> FusionReport:
    config = panel_config(panel=[model, "scripted:b"], **fields)
    graph = create_fusion_graph(config, tools=[lookup])
    return FusionReport.from_state(
        await graph.ainvoke({"messages": [("user", "How wet is water?")]})
    )


@pytest.fixture
async def opus(native_server, chat, panel_config):
    """The requests of an Opus that made eight calls in seven rounds, and its answer."""
    native = native_server.part(rounds=7)
    model = chat("anthropic", native, model="claude-opus-4-8", thinking={"type": "adaptive"})
    report = await run(model, panel_config)
    assert report.answers[0].failure is None
    assert len(report.answers[0].tool_calls) == 8
    assert {call["status"] for call in native.log()} == {200}
    return native.log(), report.answers[0]


@pytest.mark.slow
async def test_every_request_repeats_the_one_before_and_reads_it_from_the_cache(opus):
    calls, answer = opus

    bodies = [[without_mark(b) for b in blocks_of(call["body"])] for call in calls]
    for before, after in pairwise(bodies):
        assert after[: len(before)] == before
    for call in calls:
        assert 2 <= sum("cache_control" in b for b in blocks_of(call["body"])) <= 4
    read = sum(call["usage"]["cache_read_input_tokens"] for call in calls)
    assert read >= 0.7 * answer.usage.input_tokens


async def test_the_money_is_that_of_cached_tokens(opus):
    calls, answer = opus

    used = [call["usage"] for call in calls]
    dollars = sum(
        DOLLARS["input"] * u["input_tokens"]
        + DOLLARS["cache_read"] * u["cache_read_input_tokens"]
        + DOLLARS["cache_write"] * u["cache_creation_input_tokens"]
        + DOLLARS["output"] * u["output_tokens"]
        for u in used
    )
    assert answer.cost_usd == pytest.approx(dollars / 1e6, rel=1e-9)


async def test_marks_of_the_applications_own_stay_alone(native, chat, panel_config):
    marked = {"type": "text", "text": "How wet?", "cache_control": {"type": "ephemeral"}}
    config = panel_config(panel=[chat("anthropic", native), "scripted:b"])
    graph = create_fusion_graph(config, tools=[lookup])

    await graph.ainvoke({"messages": [{"role": "user", "content": [marked]}]})

    for call in native.log():
        assert [b for b in blocks_of(call["body"]) if "cache_control" in b] == [marked]


def without_mark(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "cache_control"}
