"""The tools as a model and a graph use them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_tools.corpus import Corpus, open_corpus
from fusion_tools.ledger import UrlLedger
from fusion_tools.results import Page, SearchResult, is_artifact
from fusion_tools.sources import SourceBook
from fusion_tools.tools import web_fetch_tool, web_search_tool

LAKE = "corpus:///lake.md"


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    paragraphs = "\n\n".join(f"Paragraph {n} about the deep lake." for n in range(100))
    (tmp_path / "lake.md").write_text(f"# Deep lakes\n\n{paragraphs}\n")
    (tmp_path / "river.md").write_text("# Rivers\n\nA river feeds the lake.\n")
    return open_corpus(tmp_path)


def call(tool: BaseTool, **args: Any) -> ToolMessage:
    """The tool as a graph calls it, artifact included."""
    message = tool.invoke({"type": "tool_call", "id": "1", "name": tool.name, "args": args})
    assert isinstance(message, ToolMessage)
    return message


async def test_a_search_gives_text_and_its_results(corpus: Corpus) -> None:
    message = call(web_search_tool(corpus, nonce="n0nce"), query="deep lake")
    assert message.status == "success"
    assert "- Deep lakes\ncorpus:///lake.md (" in message.content
    assert '<untrusted n0nce kind="search">' in message.content
    artifact = message.artifact
    assert is_artifact(artifact)
    assert artifact["provider"] == "corpus"
    assert [hit["url"] for hit in artifact["results"]] == [LAKE, "corpus:///river.md"]
    assert json.loads(json.dumps(artifact)) == artifact


async def test_results_stop_at_max_results(corpus: Corpus) -> None:
    message = call(web_search_tool(corpus, max_results=1), query="lake")
    assert len(message.artifact["results"]) == 1


async def test_a_long_page_is_read_in_parts(corpus: Corpus) -> None:
    tool = web_fetch_tool(corpus, max_content_tokens=250)
    whole = (await corpus.fetch(LAKE))["text"]
    offset, read = 0, ""
    while offset < len(whole):
        message = call(tool, url=LAKE, offset=offset)
        artifact = message.artifact
        assert artifact["text"] == whole
        assert 0 < artifact["limit"] <= 1000
        read += whole[artifact["offset"] : artifact["offset"] + artifact["limit"]]
        offset += artifact["limit"]
        at_end = offset == len(whole)
        assert message.content.endswith("the end." if at_end else f"with offset={offset}.")
    assert read == whole


async def test_every_way_to_call_gives_the_same(corpus: Corpus) -> None:
    search, fetch = web_search_tool(corpus, nonce="n"), web_fetch_tool(corpus, nonce="n")
    assert search.invoke({"query": "lake"}) == await search.ainvoke({"query": "lake"})
    in_thread = await asyncio.to_thread(fetch.invoke, {"url": LAKE})
    assert in_thread == fetch.invoke({"url": LAKE}) == await fetch.ainvoke({"url": LAKE})


def test_it_works_without_an_event_loop_and_in_one_after_another(corpus: Corpus) -> None:
    tool = web_search_tool(corpus, nonce="n")
    texts = [tool.invoke({"query": "lake"}), tool.invoke({"query": "lake"})]
    texts += [asyncio.run(tool.ainvoke({"query": "lake"})) for _ in range(2)]
    assert len(set(texts)) == 1


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"url": "corpus:///nowhere.md"}, "url_not_accessible"),
        ({"url": "https://example.org/"}, "url_not_allowed"),
        ({"url": " "}, "invalid_input"),
        ({"url": LAKE, "offset": -1}, "invalid_input"),
        ({"url": LAKE, "offset": 10**9}, "invalid_input"),
    ],
)
async def test_a_failed_fetch_is_text_and_data(
    corpus: Corpus, args: dict[str, Any], code: str
) -> None:
    message = call(web_fetch_tool(corpus), **args)
    assert message.content.startswith(f"{code}: ")
    assert "\n" not in message.content
    assert message.artifact["failure"]["code"] == code
    assert message.artifact["text"] == ""


@pytest.mark.parametrize(
    ("query", "code"), [("  ", "invalid_input"), ("x" * 5000, "invalid_input")]
)
async def test_a_useless_query_is_text_and_data(corpus: Corpus, query: str, code: str) -> None:
    message = call(web_search_tool(corpus), query=query)
    assert message.content.startswith(f"{code}: ")
    assert message.artifact["failure"]["code"] == code


@pytest.mark.parametrize("args", [{}, {"query": ["a"]}, {"query": None}, {"q": "lake"}])
async def test_arguments_of_the_wrong_kind_come_back_as_text(
    corpus: Corpus, args: dict[str, Any]
) -> None:
    for message in (call(web_search_tool(corpus), **args), call(web_fetch_tool(corpus), **args)):
        assert message.content.startswith("invalid_input: ")
        assert "\n" not in message.content


async def test_a_number_as_text_is_taken_for_the_number(corpus: Corpus) -> None:
    assert call(web_fetch_tool(corpus), url=LAKE, offset="16").artifact["offset"] == 16


class Faulty:
    """A provider and fetcher with a fault of its own."""

    name = "faulty"

    async def search(self, query: str, limit: int) -> list[SearchResult]:
        raise KeyError("organic")

    async def fetch(self, url: str) -> Page:
        raise ZeroDivisionError("division by zero")


async def test_a_providers_own_fault_is_text_too() -> None:
    message = call(web_search_tool(Faulty()), query="lake")
    assert message.content == "unavailable: The search failed (KeyError): 'organic'"
    message = call(web_fetch_tool(Faulty()), url="https://a.example/")
    assert message.artifact["failure"]["code"] == "unavailable"


async def test_only_what_the_ledger_holds_is_fetched(corpus: Corpus) -> None:
    ledger = UrlLedger()
    search = web_search_tool(corpus, ledger=ledger)
    fetch = web_fetch_tool(corpus, ledger=ledger)
    assert call(fetch, url=LAKE).artifact["failure"]["code"] == "url_not_allowed"
    call(search, query="deep lake")
    assert call(fetch, url=LAKE).artifact["failure"] is None


class Redirecting:
    """A fetcher whose page lies and links elsewhere."""

    async def fetch(self, url: str) -> Page:
        return {
            "url": url,
            "final_url": "https://final.example/",
            "title": "T",
            "date": None,
            "text": "Some text, and [a link](https://final.example/linked).",
            "content_type": "text/html",
            "retrieved_at": "2026-01-02T03:04:05+00:00",
            "links": ["https://final.example/linked"],
        }


async def test_a_fetched_page_opens_the_way_to_its_links() -> None:
    ledger = UrlLedger.from_text("Read https://start.example/")
    fetch = web_fetch_tool(Redirecting(), ledger=ledger)
    assert call(fetch, url="https://final.example/linked").artifact["failure"] is not None
    assert call(fetch, url="https://start.example/").artifact["failure"] is None
    assert call(fetch, url="https://final.example/linked").artifact["failure"] is None


async def test_what_a_model_writes_never_reaches_the_fetcher() -> None:
    asked: list[str] = []

    class Wire(Redirecting):
        async def fetch(self, url: str) -> Page:
            asked.append(url)
            return await super().fetch(url)

    link = "http://start.example/" + "a" * 600
    fetch = web_fetch_tool(Wire(), ledger=UrlLedger([link]))
    secret = "".join(f"{byte:08b}" for byte in b"My PIN is 4711.")
    spelled = "".join("%61" if bit == "1" else "a" for bit in secret) + "a" * (600 - len(secret))
    for url in (
        f"http://start.example/{spelled}",
        f"{link}{'/' * 37}",
        f"{link}?q=4711",
        f"{link}#4711",
        f"http://4711@start.example/{'a' * 600}",
        f"https://www.start.example/{'a' * 600}?utm_id=4711",
    ):
        call(fetch, url=url)
    assert set(asked) == {link}
    assert len(asked) == 4, "what is no spelling of it is refused"


async def test_a_source_is_read_by_its_number(corpus: Corpus) -> None:
    book = SourceBook()
    fetch = web_fetch_tool(corpus, ledger=UrlLedger([LAKE]), book=book)
    assert "There are none yet" in call(fetch, url="1").content
    book.note_results([{"url": LAKE, "title": "Lakes", "snippet": "", "date": None}])
    for written in ("1", "[1]", 1, "Source [1]"):
        assert call(fetch, url=written).artifact["url"] == LAKE
    refused = call(fetch, url="[2]").artifact["failure"]
    assert refused == {
        "code": "invalid_input",
        "detail": "There is no source [2]. There are [1] to [1].",
    }


def test_models_are_told_the_arguments_and_no_more(corpus: Corpus) -> None:
    search = convert_to_openai_tool(web_search_tool(corpus))["function"]
    assert search["name"] == "web_search"
    assert list(search["parameters"]["properties"]) == ["query"]
    fetch = convert_to_openai_tool(web_fetch_tool(corpus))["function"]
    assert fetch["name"] == "web_fetch"
    assert list(fetch["parameters"]["properties"]) == ["url", "offset"]
    assert fetch["parameters"]["required"] == ["url"]
    assert "earlier results" in fetch["description"]


async def test_each_tool_has_its_own_secret(corpus: Corpus) -> None:
    texts = [call(web_search_tool(corpus), query="lake").content for _ in range(2)]
    assert texts[0] != texts[1]
