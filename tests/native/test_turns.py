"""Turns that called tools go back as they came, through every integration, to the answer.

The servers refuse a request whose history lacks anything that their provider put into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph

from .client import Native

# google-genai subclasses aiohttp's ClientSession, which aiohttp would rather it did not.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

QUESTION = {"messages": [("user", "How wet is water?")]}


@tool
def lookup(query: str) -> str:
    """Look something up."""
    return f"{query}: very."


async def ask(config: dict[str, Any], **context: Any) -> FusionReport:
    graph = create_fusion_graph(config, tools=[lookup])
    return FusionReport.from_state(await graph.ainvoke(QUESTION, context=context or None))


def answered(report: FusionReport, native: Native, rounds: int) -> None:
    """Checks that the first member answered after so many turns, and nothing was refused."""
    first = report.answers[0]
    assert first.failure is None
    assert f"after {rounds} rounds" in first.content
    assert [call.status for call in first.tool_calls] == ["ok"] * (rounds + 1)
    assert {call["status"] for call in native.log()} == {200}
    assert len(native.log()) == rounds + 1


async def test_a_member_gets_back_what_its_provider_wants_back(
    native, chat: Callable[..., Any], panel_config, provider
):
    report = await ask(panel_config(panel=[chat(provider, native), "scripted:b"]))

    answered(report, native, 3)


async def test_nothing_is_lost_where_the_model_streams_by_itself_and_gives_ids_twice(
    native_server, chat: Callable[..., Any], panel_config, provider
):
    native = native_server.part(rounds=3, ids="same")
    streaming = {} if provider in ("gemini", "ollama") else {"streaming": True}
    model = chat(provider, native, disable_streaming=False, **streaming)

    answered(await ask(panel_config(panel=[model, "scripted:b"])), native, 3)


async def test_after_the_cap_a_member_answers_with_its_tools_forbidden_not_lost(
    native_server, chat: Callable[..., Any], panel_config, provider
):
    native = native_server.part(rounds=9)
    config = panel_config(panel=[chat(provider, native), "scripted:b"], max_tool_calls=3)

    report = await ask(config)

    assert report.answers[0].failure is None
    assert "after 2 rounds" in report.answers[0].content or provider == "ollama"
    assert {call["status"] for call in native.log()} == {200}
