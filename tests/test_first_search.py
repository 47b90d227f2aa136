"""`research = "first"`: code searches and reads before a panelist is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.prompts import ANSWER_NOW
from fusion_graph.run.first_search import QUERY_CHARACTERS, search_query

QUESTION = {"messages": [("user", "How wet is rain?")]}
ANSWER = {"text": 'Rain is wet [1: "Rain is wet all through"].', "cost": 0.001}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Three pages about rain, the first of them the most."""
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "wet.md").write_text("# Rain\n\nHow wet is rain? Rain is wet all through.\n")
    (pages / "rain.md").write_text("# More rain\n\nRain falls. It is wet, they say.\n")
    (pages / "dry.md").write_text("# Deserts\n\nThere rain is rare.\n")
    return str(pages)


@pytest.fixture
def first_config(panel_config, folder):
    def make(**fields: Any) -> dict[str, Any]:
        given = {"search": "corpus", "corpus": folder, "research": "first", **fields}
        return panel_config(panel=["scripted:a"], **given)

    return make


async def ask(config: dict[str, Any], tools: list[Any] | None = None) -> FusionReport:
    graph = create_fusion_graph(config, tools=tools)
    return FusionReport.from_state(await graph.ainvoke(QUESTION))


def roles_of(call: Any) -> list[str]:
    return [message["role"] for message in call.body["messages"]]


def made(report: FusionReport) -> list[tuple[str, str, str]]:
    return [(call.name, call.status, call.by) for call in report.answers[0].tool_calls]


async def test_a_model_that_never_calls_a_tool_answers_from_what_code_found(models, first_config):
    models.script("a", ANSWER)

    report = await ask(first_config())

    (call,) = models.calls("a")
    assert roles_of(call) == ["system", "user", "assistant", "tool", "assistant", "tool", "tool"]
    searched = call.body["messages"][2]["tool_calls"][0]["function"]
    assert json.loads(searched["arguments"]) == {"query": "How wet is rain?"}
    assert "Rain is wet all through." in call.body["messages"][-2]["content"]
    assert all(tool["function"]["name"].startswith("web_") for tool in call.body["tools"])
    assert made(report) == [
        ("web_search", "ok", "code"),
        ("web_fetch", "ok", "code"),
        ("web_fetch", "ok", "code"),
    ]
    (source,) = [source for source in report.sources if source.cited_by]
    assert source.fetched
    assert [quote.verdict for quote in source.quotes] == ["verified"]
    assert report.status == "ok"


async def test_what_code_did_counts_against_the_cap(models, first_config):
    again = {"tool_calls": [{"name": "web_search", "args": {"query": "rain"}}] * 3}
    models.script("a", again | {"when_tool_choice_none": ANSWER})

    report = await ask(first_config(max_tool_calls=5))

    by_model = [status for _, status, by in made(report) if by == "model"]
    assert by_model == ["ok", "ok", "max_uses_exceeded"]
    assert len(models.calls("a")) == 2


@pytest.mark.parametrize(("cap", "pages"), [(1, 0), (2, 1), (3, 2)])
async def test_a_cap_that_code_used_up_leaves_the_model_to_answer(models, first_config, cap, pages):
    models.script("a", ANSWER)

    report = await ask(first_config(max_tool_calls=cap))

    assert [name for name, _, _ in made(report)] == ["web_search", *["web_fetch"] * pages]
    (call,) = models.calls("a")
    assert call.body["tool_choice"] == "none"


@pytest.mark.parametrize(
    "off",
    [{"search": "none", "corpus": None}, {"max_tool_calls": 0}, {"research": "model"}],
)
async def test_where_nobody_may_search_nothing_is_searched(models, first_config, off):
    models.script("a", ANSWER)

    report = await ask(first_config(**off))

    assert made(report) == []
    assert roles_of(models.calls("a")[0]) == ["system", "user"]


async def test_a_search_that_finds_nothing_is_told_and_the_model_is_asked(
    models, first_config, tmp_path
):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "other.md").write_text("Nothing about it.\n")
    models.script("a", ANSWER | {"text": "I do not know."})

    report = await ask(first_config(corpus=str(empty)))

    ((name, _, by),) = made(report)
    assert (name, by) == ("web_search", "code")
    assert models.calls("a")[0].body["messages"][-1]["content"].startswith("no_results")
    assert report.answers[0].status == "ok"


async def test_a_model_that_takes_no_history_with_calls_is_told_in_the_users_message(
    models, first_config
):
    models.script("a", {"status": 400, "error": {"message": "no such turn of mine"}}, ANSWER)

    report = await ask(first_config())

    refused, call = models.calls("a")
    assert "tool" in roles_of(refused)
    assert roles_of(call) == ["system", "user"]
    said = call.body["messages"][-1]["content"]
    assert said.startswith("How wet is rain?")
    assert "Rain is wet all through." in said
    assert "<untrusted" in said
    assert call.body["tools"]
    assert report.sources[0].quotes[0].verdict == "verified"


async def test_research_goes_on_after_it_was_told_in_the_users_message(models, first_config):
    more = {"tool_calls": [{"name": "web_search", "args": {"query": "deserts"}}]}
    models.script("a", {"status": 400, "error": {"message": "no"}}, more, ANSWER)

    report = await ask(first_config())

    assert [by for _, _, by in made(report)] == ["code"] * 3 + ["model"]
    assert roles_of(models.calls("a")[-1]) == ["system", "user", "assistant", "tool"]


async def test_a_model_that_ignores_all_tells_what_code_found_at_the_end(models, first_config):
    more = {"tool_calls": [{"name": "web_search", "args": {"query": "deserts"}}]}
    models.script("a", more | {"when_no_tools": ANSWER})

    report = await ask(first_config(max_tool_calls=4))

    said = models.calls("a")[-1].body["messages"][-1]["content"]
    assert "Rain is wet all through." in said
    assert said.endswith(ANSWER_NOW)
    assert report.answers[0].status == "ok"


async def test_a_tool_of_your_own_that_searches_is_used(models, first_config):
    asked = []

    @tool
    async def site_search(text: str) -> str:
        """Search the site."""
        asked.append(text)
        return "Rain is wet: https://rain.example/wet"

    models.script("a", "Wet [1].")

    report = await ask(first_config(), [site_search])

    assert asked == ["How wet is rain?"]
    assert made(report) == [("site_search", "ok", "code")]
    assert report.sources[0].cited_by == ["a"]


async def test_tools_of_your_own_that_search_nothing_are_left_to_the_model(models, first_config):
    @tool
    async def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    models.script("a", "Three.")

    assert made(await ask(first_config(), [add])) == []


async def test_the_search_is_told_as_it_goes(models, first_config):
    models.script("a", ANSWER)
    events = []

    async for event in create_fusion_graph(first_config()).astream(QUESTION, stream_mode="custom"):
        if event["type"] == "panel.tool":
            events.append((event["tool"], event["by"]))

    assert events == [("web_search", "code"), ("web_fetch", "code"), ("web_fetch", "code")]


LONG = "word " * 300


@pytest.mark.parametrize(
    ("question", "query"),
    [
        pytest.param("How  wet\nis rain?", "How wet is rain?", id="short: as it is"),
        pytest.param(
            f"Here is a text. {LONG}. What does it say of rain 3.5 mm deep? Be brief.",
            "What does it say of rain 3.5 mm deep?",
            id="long: what it asks",
        ),
        pytest.param(
            f"Summarise this report on rain.\n\n{LONG}",
            "Summarise this report on rain.",
            id="long, nothing asked: its beginning",
        ),
        pytest.param(
            f"Why does this fail?\n```\n{LONG}\nis_wet = rain ? 1 : 0\n```",
            "Why does this fail?",
            id="code is not the question",
        ),
    ],
)
def test_a_question_becomes_a_query(question, query):
    assert search_query(question) == query


@pytest.mark.parametrize(
    "text", [LONG, "x" * 5000, "?" * 5000, "```" * 2000, "\n" * 5000, "。" * 900]
)
def test_no_query_is_longer_than_what_engines_read(text):
    assert len(search_query(text)) <= QUERY_CHARACTERS
