"""Prompts that a provider can keep: what is marked, what is repeated, what that is worth."""

from __future__ import annotations

import copy
import json
from itertools import pairwise
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.models._caching import wants_marks, with_marks
from tests.prefixes import marks_in, read, repeated_share

QUESTION = {"messages": [("user", "How wet is water? Please look it up with care.")]}
CLAUDE = "~anthropic/claude-opus-latest"
PAGE = "Water is wet, as the table of wetness says, and wetter than most. " * 360
"""About 24,000 characters: a page as web_fetch returns it."""
ROUNDS = 8


@pytest.mark.parametrize(
    ("provider", "model", "url", "wanted"),
    [
        ("openrouter", CLAUDE, None, True),
        ("openrouter", "anthropic/claude-opus-4.8", "http://127.0.0.1:9/v1", True),
        ("openrouter", "qwen/qwen3-max", None, True),
        ("openrouter", "openai/gpt-5.5", None, False),
        ("openrouter", "google/gemini-3-flash-preview", None, False),
        ("openrouter", "deepseek/deepseek-v4-pro", None, False),
        ("mine", "anthropic/claude-opus-4.8", "https://openrouter.ai/api/v1", True),
        ("mine", "anthropic/claude-opus-4.8", "http://127.0.0.1:4000/v1", False),
        ("ali", "qwen3-max", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", True),
        ("ali", "deepseek-v3.2", "https://dashscope.aliyuncs.com/compatible-mode/v1", False),
        ("openai", "gpt-5.5", None, False),
        ("ollama", "qwen3", "http://127.0.0.1:11434/v1", False),
    ],
)
def test_marks_are_for_those_who_cache_only_what_is_marked(provider, model, url, wanted):
    assert wants_marks(provider, model, url) is wanted


SYSTEM = {"role": "system", "content": "Answer."}
USER = {"role": "user", "content": "How wet?"}


def turn(n: int, results: int = 1) -> list[dict[str, Any]]:
    """A turn that calls tools, with what they bring."""
    calls = [{"id": f"c{n}{k}", "type": "function"} for k in range(results)]
    said = {"role": "assistant", "content": "I look.", "tool_calls": calls}
    found = [{"role": "tool", "tool_call_id": call["id"], "content": "A page."} for call in calls]
    return [said, *found]


def marked_at(messages: list[dict[str, Any]]) -> list[int]:
    return [n for n, message in enumerate(messages) if "cache_control" in json.dumps(message)]


@pytest.mark.parametrize(
    ("messages", "goes_on", "places"),
    [
        ([SYSTEM, USER], True, [0, 1]),
        ([USER], True, [0]),
        ([SYSTEM, USER, *turn(1)], True, [0, 1, 3]),
        ([SYSTEM, USER, *turn(1), *turn(2, 3)], True, [0, 3, 7]),
        ([SYSTEM, USER, *turn(1), *turn(2)], False, [0, 3]),
        ([SYSTEM, USER, *turn(1)[:1]], True, [0, 1]),  # a turn of the model's own is left alone
        ([], True, []),
    ],
)
def test_the_instructions_the_end_and_the_end_before_are_marked(messages, goes_on, places):
    before = copy.deepcopy(messages)

    marked = with_marks(messages, goes_on=goes_on)

    assert marked_at(marked) == places
    assert messages == before
    assert [m.get("role") for m in marked] == [m["role"] for m in messages]
    assert all(m == n for m, n in zip(marked, messages, strict=True) if n["role"] == "assistant")
    # Nothing beside a tool message's content: OpenRouter hangs on that.
    assert all("cache_control" not in message for message in marked)


def test_a_picture_goes_along_and_the_text_before_it_is_marked():
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {}}]

    (marked,) = with_marks([{"role": "user", "content": parts}], goes_on=True)

    assert [part.get("cache_control") for part in marked["content"]] == [
        {"type": "ephemeral"},
        None,
    ]


@pytest.mark.parametrize("message", [{"role": "user", "content": ""}, {"role": "user"}])
def test_what_holds_no_text_is_not_marked(message):
    assert with_marks([message], goes_on=True) == [message]


# Whole runs


@tool
def lookup(query: str) -> str:
    """Find out about something."""
    return f"{query}: {PAGE}"


def call(n: int) -> dict[str, Any]:
    return {"tool_calls": [{"name": "lookup", "args": {"query": f"wetness, part {n}"}}]}


ANSWER = {"text": "Very wet.", "cost": 0.001}


@pytest.fixture
def researching(models, panel_config):
    """`researching(name, *steps)`: a panel of which one member, behind openrouter, uses a tool."""

    def make(name: str, *steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
        models.script(name, *(steps or [*map(call, range(ROUNDS)), ANSWER]))
        config = panel_config(panel=[f"openrouter:{name}", "scripted:b", "scripted:c"], **fields)
        config["providers"]["openrouter"] = {"base_url": models.base_url}
        return config

    return make


async def report_of(config: dict[str, Any]) -> FusionReport:
    graph = create_fusion_graph(config, tools=[lookup])
    return FusionReport.from_state(await graph.ainvoke(QUESTION))


@pytest.mark.parametrize("name", [CLAUDE, "openai/gpt-5.5", "google/gemini-3-flash-preview"])
async def test_most_of_what_a_member_reads_repeats_its_request_before(models, researching, name):
    report = await report_of(researching(name))

    assert report.answers[0].status == "ok"
    requests = [made.body for made in models.calls(name)]
    assert len(requests) == ROUNDS + 1
    assert repeated_share(requests) >= 0.7
    # Each request begins with all of the one before: tools, and messages whole.
    for before, after in pairwise(requests):
        assert read(after).startswith(read(before))
        assert after["tools"] == before["tools"]


async def test_a_model_that_caches_on_demand_gets_its_marks(models, researching):
    await report_of(researching(CLAUDE))

    requests = [made.body for made in models.calls(CLAUDE)]
    assert all(2 <= len(marks_in(request)) <= 4 for request in requests)
    for before, after in pairwise(requests):
        # What the request before ended with, and put into the cache, is looked for.
        assert marks_in(before)[-1] in marks_in(after)
    assert all(made.body.get("cache_control") is None for made in models.calls())
    assert not any(marks_in(made.body) for name in "bcjw" for made in models.calls(name))


async def test_who_caches_by_itself_gets_no_marks(models, researching):
    await report_of(researching("openai/gpt-5.5"))

    assert not any("cache_control" in json.dumps(made.body) for made in models.calls())


@pytest.mark.parametrize(
    "error",
    [
        {"message": "messages.0.content.0.cache_control: Extra inputs are not permitted"},
        {"message": "Invalid request", "param": "messages.0.content.0.cache_control"},
        {"message": "Unknown field: cache_control"},
    ],
)
async def test_marks_that_are_refused_are_left_out_from_then_on(models, researching, error):
    refusal = {"status": 400, "error": error}
    config = researching(CLAUDE, refusal, call(1), ANSWER)

    report = await report_of(config)

    assert report.answers[0].status == "ok"
    assert report.status == "ok"  # it costs more, and the answer is none the worse
    first, *others = [made.body for made in models.calls(CLAUDE)]
    assert marks_in(first)
    assert len(others) == 2
    assert not any(marks_in(request) for request in others)


async def test_members_of_one_model_share_all_but_what_they_found(models, panel_config):
    models.script("a", call(1), ANSWER)
    panel = ["scripted:a", "scripted:a", "scripted:b"]

    graph = create_fusion_graph(panel_config(panel=panel), tools=[lookup])
    await graph.ainvoke(QUESTION)

    first, second, *_ = [made.body for made in models.calls("a")]
    assert first["messages"][:2] == second["messages"][:2]
    assert first["tools"] == second["tools"]
