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
from .talk import BOOK

# google-genai subclasses aiohttp's ClientSession, which aiohttp would rather it did not.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

WANTED: dict[str, Callable[[Any], Any]] = {
    "anthropic": lambda body: body["tool_choice"]["type"],
    "gemini": lambda body: body["toolConfig"]["functionCallingConfig"]["mode"],
    **dict.fromkeys(
        ("deepseek", "mistral", "openrouter"),
        lambda body: (
            body["tool_choice"]
            if isinstance(body["tool_choice"], str)
            else body["tool_choice"]["function"]["name"]
        ),
    ),
}
"""Where a request says whether tools must be called."""

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


ADDRESSES = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "anthropic:claude-opus-4-8"),
    "gemini": ("GOOGLE_API_KEY", "GOOGLE_GEMINI_BASE_URL", "google_genai:gemini-3-pro-preview"),
    "deepseek": ("DEEPSEEK_API_KEY", "DEEPSEEK_API_BASE", "deepseek:deepseek-reasoner"),
    "mistral": ("MISTRAL_API_KEY", "MISTRAL_BASE_URL", "mistralai:magistral-medium-latest"),
}
"""How a `provider:model` string reaches them; openrouter and ollama speak OpenAI's protocol."""


@pytest.mark.parametrize("provider", ADDRESSES)
async def test_a_model_by_its_name_loses_nothing_either(
    native, panel_config, monkeypatch, provider
):
    key, address, ref = ADDRESSES[provider]
    monkeypatch.setenv(key, "no-key")
    monkeypatch.setenv(address, native.url(provider))

    config = panel_config(panel=[ref, "scripted:b"], temperature=0.7, reasoning_effort="low")
    report = await ask(config)

    assert report.answers[0].failure is None
    assert "after 3 rounds" in report.answers[0].content
    assert {call["status"] for call in native.log()[-4:]} == {200}


async def test_a_writer_streams_its_answer_and_its_thoughts_stay_out(
    native_server, chat: Callable[..., Any], panel_config, provider
):
    native = native_server.part(rounds=0)
    graph = create_fusion_graph(panel_config(synthesizer=chat(provider, native)))

    pieces = [
        part.text async for part, _ in graph.astream(QUESTION, stream_mode="messages") if part.text
    ]

    assert len(pieces) > 1
    assert "".join(pieces).endswith("after 0 rounds.")
    assert "Thought" not in "".join(pieces)
    assert {call["status"] for call in native.log()} == {200}


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "book"}}])
async def test_a_call_can_be_demanded_of_a_writer_in_any_integration(
    native, chat: Callable[..., Any], panel_config, provider, choice
):
    plain = {"thinking": None} if provider == "anthropic" else {}
    config = panel_config(synthesizer=chat(provider, native, **plain), invocation="never")

    report = await create_fusion_graph(config).ainvoke(
        QUESTION, context={"writer_tools": [BOOK], "writer_tool_choice": choice}
    )

    assert [call["name"] for call in report["messages"][-1].tool_calls] == ["book", "book"]
    assert report["fusion"]["degradations"] == []
    (call,) = native.log()
    assert call["status"] == 200
    if provider != "ollama":  # has no such thing
        assert WANTED[provider](call["body"]) in ("any", "required", "ANY", "book", "tool")
