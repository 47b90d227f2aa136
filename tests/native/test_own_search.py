"""Claude's own search through langchain-anthropic: cited, counted, paid, and sent back whole."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph

from .searching import BAIKAL

QUESTION = {"messages": [("user", "How deep is the deepest lake?")]}


@pytest.fixture
def native(native_server):
    return native_server.part()


@pytest.fixture
def ask(native, chat, panel_config):
    """`await ask(model, **fields)`: the report of a panel with that Claude in it."""

    async def run(model: str, **fields: Any) -> FusionReport:
        claude = chat("anthropic", native, model=model, base_url=native.url("searching"))
        config = panel_config(panel=[claude, "scripted:b"], search="provider", **fields)
        graph = create_fusion_graph(config)
        return FusionReport.from_state(await graph.ainvoke(QUESTION))

    return run


async def test_claudes_citations_are_numbers_and_its_search_is_paid(ask, native):
    report = await ask("claude-cites-9")

    claude = report.answers[0]
    assert claude.content == (
        "The deepest lake is Baikal, with 1,642 metres [1]. It is in Siberia."
    )
    (source,) = report.sources
    assert (source.url, source.title, source.fetched) == (BAIKAL["url"], "Lake Baikal", False)
    (search,) = claude.tool_calls
    assert (search.name, search.args) == ("web_search", {"query": "deepest lake"})
    assert (search.status, search.by, search.source_ids) == ("ok", "provider", [1])
    # 1,000 and 100 tokens of Sonnet 4.5 at 3 and 15 dollars a million, and a search at a cent.
    (used,) = [m for name, m in report.usage.models.items() if "claude" in name]
    assert used.cost_usd == pytest.approx(0.003 + 0.0015 + 0.01)
    (call,) = native.log("claude-cites-9")
    tools = {tool["name"]: tool for tool in call["body"]["tools"]}
    assert tools["web_search"]["type"] == "web_search_20250305"
    assert tools["web_search"]["max_uses"] == 8
    assert "web_fetch" in tools
    assert len(call["body"]["tools"]) == 2


async def test_a_paused_turn_goes_back_whole_and_is_gone_on_with(ask, native):
    report = await ask("claude-pauses-9", max_tool_calls=3)

    claude = report.answers[0]
    assert claude.failure is None
    assert claude.content == (
        "The deepest lake is Baikal, with 1,642 metres [1]. It is in Siberia."
    )
    assert [(call.args, call.status) for call in claude.tool_calls] == [
        ({"query": "deepest lake"}, "ok"),
        ({"query": "lake depths"}, "too_many_requests"),
    ]
    first, second = native.log("claude-pauses-9")
    assert {call["status"] for call in (first, second)} == {200}
    left = [
        next(t["max_uses"] for t in call["body"]["tools"] if t["name"] == "web_search")
        for call in (first, second)
    ]
    assert left == [3, 2]


async def test_searches_and_tools_of_ours_go_side_by_side(ask, native):
    report = await ask("claude-reads-9")

    claude = report.answers[0]
    assert claude.failure is None
    assert claude.content.endswith("metres [1]. It is in Siberia.")
    assert [(call.name, call.status, call.by) for call in claude.tool_calls] == [
        ("web_search", "ok", "provider"),
        ("web_fetch", "url_not_allowed", "model"),  # nobody found that address
    ]
    assert {call["status"] for call in native.log("claude-reads-9")} == {200}


async def test_a_search_that_is_not_switched_on_gives_way_to_ours_and_that_is_told(ask, native):
    report = await ask("claude-unasked-9")

    assert report.answers[0].failure is None
    (told,) = [loss for loss in report.degradations if "refused its own search" in loss.detail]
    assert told.code == "no_provider_search"
    refused, answered = native.log("claude-unasked-9")
    assert [refused["status"], answered["status"]] == [400, 200]
    assert [tool["name"] for tool in answered["body"]["tools"]] == ["web_fetch", "web_search"]
    assert "type" not in answered["body"]["tools"][1]
