"""A provider's own search (`search = "provider"`): its citations are the run's sources."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.models.recording import recorded
from tests.test_recording import InMemory

QUESTION = {"messages": [("user", "How deep is the deepest lake?")]}
BAIKAL = "https://lakes.example/baikal"
DEPTHS = "https://depths.example/list"
KEY = "sk-or-key-of-the-tests-31415"

OPENROUTER = {
    "text": "Lake Baikal is 1,642 m deep ([lakes.example](https://lakes.example/baikal)). "
    "See also the [list of depths](https://depths.example/list), and nothing else.",
    "searches": [{"query": "deepest lake"}, {"query": "lake depths"}],
    "annotations": [
        {"url": BAIKAL, "title": "Lake Baikal", "content": "Baikal is the deepest: 1,642 m."},
        {"url": DEPTHS, "title": "Depths", "content": "A list of depths."},
        {"url": "https://unused.example/", "title": "Unused", "content": "Not cited."},
    ],
    "cost": 0.012,
}
LINK = "([lakes.example](https://lakes.example/baikal?utm_source=openai))"
OPENAI = {
    "text": f"Lake Baikal is 1,642 m deep. {LINK}\n\nIt is in Siberia.",
    "reasoning": "I shall look.",
    "searches": [
        {"query": "deepest lake", "sources": [BAIKAL, DEPTHS]},
        {"url": BAIKAL},
    ],
    "annotations": [{"url": f"{BAIKAL}?utm_source=openai", "title": "Lake Baikal", "at": LINK}],
    "usage": {"input_tokens": 1000, "output_tokens": 100},
    "served": "gpt-5.5",
}


@pytest.fixture
def config(models, panel_config, monkeypatch: pytest.MonkeyPatch):
    """`config(provider, **fields)`: members a and b of a provider, all of them scripted."""
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def make(provider: str, **fields: Any) -> dict[str, Any]:
        own = {"base_url": models.base_url}
        return panel_config(
            **{
                "panel": [f"{provider}:a", f"{provider}:b"],
                "search": "provider",
                "providers": {provider: own, "scripted": own},
                **fields,
            }
        )

    return make


async def ask(config: dict[str, Any], **more: Any) -> FusionReport:
    graph = create_fusion_graph(config, **more)
    return FusionReport.from_state(await graph.ainvoke(QUESTION))


def codes(report: FusionReport) -> list[str]:
    return [loss.code for loss in report.degradations]


async def test_openrouters_search_becomes_sources_with_numbers(models, config):
    for name in "ab":
        models.script(name, OPENROUTER)

    report = await ask(config("openrouter"))

    first, second = report.answers
    assert first.content == second.content
    assert first.content == (
        "Lake Baikal is 1,642 m deep [1]. See also the list of depths [2], and nothing else."
    )
    assert [(s.id, s.url, s.title, s.cited_by) for s in report.sources] == [
        (1, BAIKAL, "Lake Baikal", ["a", "b"]),
        (2, DEPTHS, "Depths", ["a", "b"]),
    ]
    assert not any(source.fetched for source in report.sources)
    assert [(call.name, call.status, call.by) for call in first.tool_calls] == [
        ("web_search", "ok", "provider")
    ] * 2
    assert first.tool_calls[0].source_ids == [1, 2]
    assert "no_provider_search" not in codes(report)
    # What OpenRouter says that the call cost holds its searches.
    assert report.usage.models["openrouter:a"].cost_usd == pytest.approx(0.012)
    (call,) = models.calls("a")
    own = {"type": "openrouter:web_search", "parameters": {"max_uses": 8}}
    assert own in call.body["tools"]
    assert [t["function"]["name"] for t in call.body["tools"] if t["type"] == "function"] == [
        "web_fetch"
    ]


async def test_openais_search_becomes_sources_with_numbers_and_is_paid(models, config):
    for name in "ab":
        models.script(name, OPENAI)

    report = await ask(config("openai"))

    first = report.answers[0]
    assert first.content == "Lake Baikal is 1,642 m deep [1].\n\nIt is in Siberia."
    (source,) = report.sources
    assert (source.url, source.title, source.fetched) == (BAIKAL, "Lake Baikal", False)
    assert [(call.name, call.args, call.by) for call in first.tool_calls] == [
        ("web_search", {"query": "deepest lake"}, "provider"),
        ("web_fetch", {"url": BAIKAL}, "provider"),
    ]
    (call,) = models.calls("a")
    assert call.api == "responses"
    assert {"type": "web_search"} in call.body["tools"]
    assert call.body["max_tool_calls"] == 8
    assert "web_search_call.action.sources" in call.body["include"]
    # 1,000 and 100 tokens of GPT-5.5 at 5 and 30 dollars a million, one search at a cent; pages
    # that it opens are not billed.
    assert report.usage.models["openai:a"].cost_usd == pytest.approx(0.005 + 0.003 + 0.01)


async def test_openais_older_models_are_asked_where_the_search_is(models, config):
    for name in ("gpt-4.1", "gpt-4.1-mini"):
        models.script(name, {k: v for k, v in OPENAI.items() if k != "reasoning"})

    report = await ask(config("openai", panel=["openai:gpt-4.1", "openai:gpt-4.1-mini"]))

    assert [answer.content.partition(".")[0] for answer in report.answers] == [
        "Lake Baikal is 1,642 m deep [1]"
    ] * 2
    assert {call.api for call in models.calls() if call.model.startswith("gpt")} == {"responses"}


async def test_searches_items_go_back_with_the_turn_that_made_them(models, config):
    fetch = {"tool_calls": [{"name": "web_fetch", "args": {"url": "https://no.example/"}}]}
    for name in "ab":
        models.script(name, {**OPENAI, "text": "", "annotations": []} | fetch, OPENAI)

    report = await ask(config("openai", max_tool_calls=6))

    first = report.answers[0]
    assert first.failure is None
    assert first.content.startswith("Lake Baikal is 1,642 m deep [1].")
    begun, ended = models.calls("a")
    kinds = [item.get("type") for item in ended.body["input"]]
    assert kinds.count("web_search_call") == 2
    assert [begun.body["max_tool_calls"], ended.body["max_tool_calls"]] == [6, 3]


@pytest.mark.parametrize("provider", ["openrouter", "openai"])
async def test_at_the_cap_a_model_may_neither_search_nor_fetch(models, config, provider):
    fetch = {"tool_calls": [{"name": "web_fetch", "args": {"url": "https://no.example/"}}]}
    searching = {"reasoning": "So.", "searches": [{"query": "a"}, {"query": "b"}, {"query": "c"}]}
    for name in "ab":
        models.script(name, searching | fetch, "Nothing was found.")

    report = await ask(config(provider, max_tool_calls=2))

    first = report.answers[0]
    assert first.content == "Nothing was found."
    assert [(call.name, call.status) for call in first.tool_calls] == [
        *[("web_search", "ok")] * 3,  # the provider made one more than it was let
        ("web_fetch", "max_uses_exceeded"),
    ]
    last = models.calls("a")[-1]
    assert last.body["tool_choice"] == "none"


async def test_a_refused_search_gives_way_to_the_usual_one_and_that_is_told(
    models, config, tmp_path
):
    (tmp_path / "lake.md").write_text("# Baikal\n\nLake Baikal is 1,642 m deep.")
    refusal = {"status": 400, "error": {"message": "Invalid value: 'openrouter:web_search'"}}
    search = {"tool_calls": [{"name": "web_search", "args": {"query": "Baikal deep"}}]}
    read = {"tool_calls": [{"name": "web_fetch", "args": {"url": "corpus:///lake.md"}}]}
    said = 'It is deep [1: "Lake Baikal is 1,642 m deep."].'
    for name in "ab":
        models.script(
            name,
            {"when_contains": {"openrouter:web_search": refusal}, "text": "Never asked."},
            search,
            read,
            said,
        )

    report = await ask(config("openrouter", corpus=str(tmp_path)))

    first = report.answers[0]
    assert [call.name for call in first.tool_calls] == ["web_search", "web_fetch"]
    assert report.sources[0].quotes[0].verdict == "verified"
    told = [loss.detail for loss in report.degradations if loss.code == "no_provider_search"]
    assert told == [
        f"{name} searched with corpus: its provider (openrouter) refused its own search for it."
        for name in "ab"
    ]
    assert "parameter_refused" not in codes(report)


async def test_a_provider_without_a_search_gets_the_usual_tools_and_that_is_told(models, config):
    report = await ask(config("scripted", corpus="fusion_graph/offline/corpus"))

    (call,) = models.calls("a")
    assert [tool["function"]["name"] for tool in call.body["tools"]] == ["web_search", "web_fetch"]
    told = [loss.detail for loss in report.degradations if loss.code == "no_provider_search"]
    assert told == [
        f"{name} searched with corpus: its provider (scripted) has no search that can be used here."
        for name in "ab"
    ]


async def test_an_endpoint_without_responses_has_no_search_of_openais(models, config):
    for name in "ab":
        models.script(name, "From memory.", apis=["chat"])

    report = await ask(config("openai", corpus="fusion_graph/offline/corpus"))

    assert [answer.content for answer in report.answers] == ["From memory."] * 2
    last = models.calls("a")[-1]
    assert last.api == "chat"
    assert [tool["function"]["name"] for tool in last.body["tools"]] == ["web_fetch", "web_search"]
    assert "no_provider_search" in codes(report)


async def test_domains_hold_for_the_providers_search_too(models, config):
    for name in "ab":
        models.script(name, OPENROUTER)

    report = await ask(config("openrouter", blocked_domains=["depths.example"]))

    # OpenRouter passes over the list where OpenAI searches: what comes all the same is no source.
    assert [source.url for source in report.sources] == [BAIKAL]
    assert "the [list of depths](https://depths.example/list)" in report.answers[0].content
    (call,) = models.calls("a")
    (own,) = [t for t in call.body["tools"] if t["type"] == "openrouter:web_search"]
    assert own["parameters"]["excluded_domains"] == ["depths.example"]


async def test_a_number_that_a_model_made_up_points_at_nothing(models, config):
    made_up = {**OPENROUTER, "text": f"It is cold [2]. {OPENROUTER['text']}"}
    for name in "ab":
        models.script(name, made_up)

    report = await ask(config("openrouter"))

    assert report.answers[0].content.startswith("It is cold [?]. Lake Baikal is 1,642 m deep [1].")
    told = [loss.detail for loss in report.degradations if loss.code == "unknown_citation"]
    assert told == [f"{name} cited sources that no tool gave: [2] (shown as [?])." for name in "ab"]


async def test_words_quoted_before_a_citation_are_checked_in_what_the_provider_gave(models, config):
    held, other = "Baikal is the deepest: 1,642 m.", "Nothing is deeper than this lake."
    quoting = {
        **OPENROUTER,
        "text": f'"{held}" ([lakes.example]({BAIKAL})) and “{other}” [lakes.example]({BAIKAL}).',
    }
    for name in "ab":
        models.script(name, quoting)

    report = await ask(config("openrouter"))

    assert report.answers[0].content == f'[1: "{held}"] and [1: "{other}"].'
    # Nobody read the page: words that the excerpt does not hold are unchecked, not wrong.
    assert {q.text: q.verdict for q in report.sources[0].quotes} == {
        held: "verified",
        other: "unchecked",
    }
    assert not report.sources[0].fetched


async def test_searches_are_told_as_events_once_the_reply_is_there(models, config):
    for name in "ab":
        models.script(name, OPENAI)
    graph = create_fusion_graph(config("openai"))
    events = [
        event
        async for event in graph.astream(QUESTION, stream_mode="custom")
        if event.get("name") == "a" and event["type"].startswith("panel.tool")
    ]
    assert [(e["type"], e["tool"], e.get("by"), e.get("found")) for e in events] == [
        ("panel.tool", "web_search", "provider", None),
        ("panel.tool.completed", "web_search", None, 2),
        ("panel.tool", "web_fetch", "provider", None),
        ("panel.tool.completed", "web_fetch", None, 1),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {"annotations": [{"url": "javascript:alert(1)", "title": "x"}]},
        {"annotations": [{"url": "https://[::1", "title": ["x"]}, {"url": 3, "title": None}]},
        {"annotations": [{"url": f"https://a.example/{n}", "title": "x"} for n in range(500)]},
        {"usage": {"server_tool_use_details": {"web_search_requests": -3}}},
        {"usage": {"server_tool_use_details": {"web_search_requests": 10**9}}},
        {"usage": {"server_tool_use": "often"}},
    ],
    ids=["script", "shapes", "many", "negative", "huge", "words"],
)
async def test_odd_replies_cost_neither_the_answer_nor_the_run(models, config, odd):
    for name in "ab":
        models.script(name, {"text": "It is [deep](javascript:alert(1)).", **odd})

    report = await ask(config("openrouter"))

    assert [answer.content for answer in report.answers] == [
        "It is [deep](javascript:alert(1))."
    ] * 2
    assert report.sources == []
    assert len(report.answers[0].tool_calls) <= 1


async def test_graphs_with_tools_of_their_own_keep_to_them(models, config):
    @tool
    def lookup(query: str) -> str:
        """Look something up."""
        return query

    await ask(config("openrouter"), tools=[lookup])

    (call,) = models.calls("a")
    assert [tool["function"]["name"] for tool in call.body["tools"]] == ["lookup"]


async def test_no_key_is_in_the_report(models, config):
    refusal = {"status": 403, "error": {"message": f"web_search is not for the key {KEY}"}}
    for name in "ab":
        models.script(name, {"when_contains": {"openrouter:web_search": refusal}, "text": "So."})

    report = await ask(config("openrouter"))

    assert [answer.content for answer in report.answers] == ["So.", "So."]
    assert KEY not in report.model_dump_json()


async def test_a_recorded_run_has_its_searches_and_sources_again_without_a_call(models, config):
    fetch = {"tool_calls": [{"name": "web_fetch", "args": {"url": "https://no.example/"}}]}
    for name in "ab":
        models.script(name, {**OPENAI, "text": "", "annotations": []} | fetch, OPENAI)
    graph, recording = create_fusion_graph(config("openai")), InMemory()

    reports = []
    for _ in range(2):
        with recorded(recording):
            reports.append(FusionReport.from_state(await graph.ainvoke(QUESTION)))

    assert len(models.calls("a")) == 2
    first, second = reports
    assert first.sources == second.sources
    assert [a.content for a in first.answers] == [a.content for a in second.answers]
    calls = [[(c.name, c.args, c.status, c.by) for c in r.answers[0].tool_calls] for r in reports]
    assert calls[0] == calls[1]
    assert len(calls[0]) == 5


async def test_one_model_alone_searches_with_its_provider_too(models, config):
    models.script("w", OPENROUTER)
    alone = config("openrouter", invocation="never", synthesizer="openrouter:w", research="first")

    report = await ask(alone)

    assert report.answer.startswith("Lake Baikal is 1,642 m deep [1].")
    assert [source.url for source in report.sources] == [BAIKAL, DEPTHS]
    assert {call.by for call in report.answers[0].tool_calls} == {"provider"}
    assert len(models.calls()) == 1


async def test_where_nobody_tells_what_was_found_what_is_cited_stands_with_the_search(
    models, config
):
    untold = {**OPENAI, "searches": [{"query": "deepest lake"}]}
    for name in "ab":
        models.script(name, untold)

    report = await ask(config("openai"))

    (search,) = report.answers[0].tool_calls
    assert search.source_ids == [1]


SONAR = {
    "text": "Baikal is 1,642 m deep[1][2]. `list[1]` is code, and [7] is nobody's.",
    "annotations": [
        {"url": BAIKAL, "title": "Lake Baikal"},
        {"url": DEPTHS, "title": "Depths"},
        {"url": BAIKAL, "title": "Lake Baikal"},  # told again with later pieces of the stream
    ],
    "when_contains": {
        "web_fetch": {
            "status": 404,
            "error": {"message": "No endpoints found that support tool use."},
        }
    },
    "cost": 0.006,
}


@pytest.mark.parametrize("search", ["provider", "corpus"])
async def test_models_that_always_search_have_their_sources_with_any_search(models, config, search):
    models.script("perplexity/sonar-pro", SONAR)
    models.script("b:online", OPENROUTER)
    panel = ["openrouter:perplexity/sonar-pro", "openrouter:b:online"]

    report = await ask(config("openrouter", panel=panel, search=search, fallbacks=["scripted:c"]))

    sonar, online = report.answers
    assert "panelist_replaced" not in codes(report)
    assert sonar.content == (
        "Baikal is 1,642 m deep [1][2]. `list[1]` is code, and [7] is nobody's."
    )
    assert online.content.startswith("Lake Baikal is 1,642 m deep [1]. See also the list")
    assert [source.url for source in report.sources] == [BAIKAL, DEPTHS]
    assert {"no_provider_search", "tools_refused"}.isdisjoint(codes(report))
    sent = [call.body.get("tools") or [] for call in models.calls()]
    assert all("openrouter:web_search" not in str(tools) for tools in sent)
