"""Tools were there and nobody used a source: the run says so."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph

SOURCED = "It is wet [1]."


async def run_of(panel_config, tmp_path, **fields: Any) -> FusionReport:
    (tmp_path / "wet.md").write_text("# Water\n\nWater is wet.\n")
    config = panel_config(**{"search": "corpus", "corpus": str(tmp_path), **fields})
    graph = create_fusion_graph(config)
    return FusionReport.from_state(await graph.ainvoke({"messages": [("user", "Is it wet?")]}))


def told_of(report: FusionReport) -> list[str]:
    return [loss.detail for loss in report.degradations if loss.code == "no_sources"]


SEARCH = {"tool_calls": [{"name": "web_search", "args": {"query": "water"}}]}


async def test_a_panel_that_could_search_and_never_did_is_told(models, panel_config, tmp_path):
    report = await run_of(panel_config, tmp_path)

    assert report.status == "degraded"
    (detail,) = told_of(report)
    assert detail.startswith("No panelist searched")


async def test_a_panel_that_searched_and_cited_nothing_is_told(models, panel_config, tmp_path):
    models.script("a", SEARCH, "It is wet.")

    (detail,) = told_of(await run_of(panel_config, tmp_path))

    assert detail.startswith("Panelists searched, and no answer cites a source")


async def test_a_panel_whose_searches_all_failed_is_told(models, panel_config, tmp_path):
    failing = {"tool_calls": [{"name": "web_search", "args": {"words": "water"}}]}
    models.script("a", failing, "It is wet.")

    (detail,) = told_of(await run_of(panel_config, tmp_path))

    assert detail.startswith("Panelists searched in vain")


async def test_a_made_up_citation_is_no_source(models, panel_config, tmp_path):
    models.script("a", "It is wet [3].")

    assert len(told_of(await run_of(panel_config, tmp_path))) == 1


async def test_one_answer_with_a_source_is_enough(models, panel_config, tmp_path):
    models.script("a", SEARCH, SOURCED)

    report = await run_of(panel_config, tmp_path)

    assert report.status == "ok"
    assert told_of(report) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"search": "none", "corpus": None},
        {"max_tool_calls": 0},
        {"panel": [{"model": f"scripted:{name}", "tools": False} for name in "abc"]},
        {"invocation": "never"},
    ],
)
async def test_where_nobody_could_search_nothing_is_told(models, panel_config, tmp_path, fields):
    report = await run_of(panel_config, tmp_path, **fields)

    assert report.status == "ok"
    assert told_of(report) == []


async def test_tools_that_search_nothing_promise_no_source(models, panel_config):
    @tool
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    graph = create_fusion_graph(panel_config(), tools=[add])
    state = await graph.ainvoke({"messages": [("user", "Is it wet?")]})

    assert FusionReport.from_state(state).status == "ok"
