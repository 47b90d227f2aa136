"""Search providers, with the engines replaced by a local server and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ddgs.engines import ENGINES
from langchain_core.tools import BaseTool, Tool, ToolException, tool

from fusion_tools.errors import CorpusError, SearchNotSetUp, ToolError, UnknownSearch
from fusion_tools.foreign_search import community_search
from fusion_tools.results import SearchProvider, SearchResult
from fusion_tools.search import DdgsSearch, search_provider
from fusion_tools.tools import web_search_tool

IN_TIME = 10
"""Seconds after which a test that waits for a thread gives up."""


class Engine(ThreadingHTTPServer):
    """A search engine on this machine. Knows two pages about lakes, in each engine's format."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[dict[str, str]] = []
        self.statuses: list[int] = []
        """Answered first, one for each request; 200 after that."""
        self.is_empty = False
        self.together = threading.Barrier(1)
        self.at_once = self.most_at_once = 0
        self.released = threading.Event()
        self.released.set()
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: Engine

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/search":
            self._serve({"q": [json.loads(body)["query"]]}, json.dumps(TAVILY))
            return
        hits = "" if self.server.is_empty else DUCKDUCKGO_HITS
        self._serve(parse_qs(body), f"<html><body>{hits}</body></html>")

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        answer = {"/brave": BRAVE, "/searxng": SEARXNG}.get(path.path, WIKIPEDIA)
        self._serve(parse_qs(path.query), json.dumps(answer))

    def _serve(self, query: dict[str, list[str]], answer: str) -> None:
        engine = self.server
        with engine.lock:
            engine.requests.append({name: values[0] for name, values in query.items()})
            engine.at_once += 1
            engine.most_at_once = max(engine.most_at_once, engine.at_once)
            status = engine.statuses.pop(0) if engine.statuses else 200
        engine.together.wait(IN_TIME)
        engine.released.wait(IN_TIME)
        with engine.lock:
            engine.at_once -= 1
        data = answer.encode()
        with contextlib.suppress(ConnectionError):  # the caller did not wait
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""


DUCKDUCKGO_HITS = "".join(
    f"<div class='result__body'><h2>{title}</h2><a href='https://a.example/{path}'>{text}</a></div>"
    for title, path, text in (("Deep lakes", "deep", "Deep water."), ("Lakes", "all", "Water."))
)
SEARXNG = {
    "answers": [],
    "results": [
        {
            "url": "https://a.example/deep",
            "title": "Deep lakes",
            "content": "Deep water.",
            "engines": ["x"],
            "category": "general",
        }
    ],
}
TAVILY = {
    "query": "deep lakes",
    "images": ["https://a.example/picture.png"],
    "results": [
        {
            "url": "https://a.example/deep",
            "title": "Deep lakes",
            "content": "Deep water.",
            "score": 0.9,
            "raw_content": None,
        }
    ],
}
BRAVE = {
    "web": {
        "results": [
            {"url": "https://a.example/deep", "title": "Deep lakes", "description": "Deep water."}
        ]
    }
}
WIKIPEDIA = {
    "query": {
        "search": [{"title": "Deep lakes"}],
        "pages": {
            "1": {
                "pageid": 1,
                "title": "Deep lakes",
                "fullurl": "https://a.example/deep",
                "extract": "Deep water.",
                "revisions": [{"revid": 2, "parentid": 1}],
            }
        },
    }
}
DEEP: SearchResult = {
    "url": "https://a.example/deep",
    "title": "Deep lakes",
    "snippet": "Deep water.",
    "date": None,
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "DDGS_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    with Engine() as server:
        monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", f"{server.url}/")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


def ddgs(**settings: Any) -> DdgsSearch:
    return DdgsSearch(backends=("duckduckgo",), **{"backoff": 0, **settings})


async def test_ddgs_brings_the_engines_hits(engine: Engine) -> None:
    first, second = await ddgs().search("deep lakes", 5)
    assert first == DEEP
    assert second["url"] == "https://a.example/all"
    [request] = engine.requests
    assert request["q"] == "deep lakes"
    assert request["l"] == "us-en"
    assert "df" not in request  # no silent restriction to the past year


async def test_ddgs_keeps_to_the_limit(engine: Engine) -> None:
    assert await ddgs().search("deep lakes", 1) == [DEEP]


@pytest.mark.parametrize("refused", [True, False])
async def test_refused_and_empty_look_alike_and_are_told_as_both(
    engine: Engine, refused: bool
) -> None:
    engine.is_empty = not refused
    engine.statuses = [429, 429] if refused else []
    with pytest.raises(ToolError) as caught:
        await ddgs().search("deep lakes", 5)
    assert caught.value.code == "no_results"
    assert "Nothing was found" in caught.value.detail
    assert "refused" in caught.value.detail
    assert len(engine.requests) == 2


async def test_a_refusal_is_tried_once_more(engine: Engine) -> None:
    engine.statuses = [429]
    assert await ddgs().search("deep lakes", 1) == [DEEP]
    assert len(engine.requests) == 2


async def test_an_engine_that_never_answers_meets_the_deadline(engine: Engine) -> None:
    engine.released.clear()
    with pytest.raises(ToolError, match=r"did not answer within 0\.2 seconds") as caught:
        await ddgs(timeout=5, deadline=0.2).search("deep lakes", 5)
    assert caught.value.code == "unavailable"
    engine.released.set()
    assert await ddgs().search("deep lakes", 1) == [DEEP]


async def test_an_engine_that_is_slow_times_out(engine: Engine) -> None:
    engine.released.clear()
    with pytest.raises(ToolError, match="timed out") as caught:
        await ddgs(timeout=1, deadline=IN_TIME).search("deep lakes", 5)
    assert caught.value.code == "unavailable"


async def test_an_unreachable_engine_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ENGINES["text"]["duckduckgo"], "search_url", "http://127.0.0.1:1/")
    with pytest.raises(ToolError) as caught:
        await ddgs().search("deep lakes", 5)
    assert caught.value.code == "unavailable"


async def test_three_searches_at_a_time(engine: Engine) -> None:
    engine.together = threading.Barrier(3)  # nobody is answered before three have come
    search = ddgs()
    found = await asyncio.gather(*(search.search(f"lake {number}", 1) for number in range(9)))
    assert found == [[DEEP]] * 9
    assert engine.most_at_once == 3


def test_one_provider_serves_one_event_loop_after_another(engine: Engine) -> None:
    search = ddgs()

    async def main() -> None:
        await asyncio.gather(*(search.search(f"lake {number}", 1) for number in range(5)))

    asyncio.run(main())
    asyncio.run(main())
    assert len(engine.requests) == 10


async def test_a_panel_with_one_question_asks_once(engine: Engine) -> None:
    provider = search_provider(ddgs())
    queries = ["deep lakes", "Deep  Lakes", "DEEP LAKES "] * 3
    found = await asyncio.gather(*(provider.search(query, 1) for query in queries))
    assert found == [[DEEP]] * 9
    assert len(engine.requests) == 1


async def test_a_failed_search_is_text_for_the_model(engine: Engine) -> None:
    engine.is_empty = True
    text = await web_search_tool(search_provider(ddgs())).ainvoke({"query": "deep lakes"})
    assert text.startswith("no_results: Nothing was found, or the search engines refused")


async def test_a_folder_is_a_search(tmp_path: Path) -> None:
    (tmp_path / "lake.md").write_text("# Lakes")
    provider = search_provider("corpus", corpus_folder=tmp_path)
    assert provider.name == "corpus"
    [hit] = await provider.search("lake", 5)
    assert hit["url"] == "corpus:///lake.md"


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("TAVILY_API_KEY", "SEARX_HOST", "BRAVE_SEARCH_API_KEY"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UnknownSearch, match=r"search 'googol'\. Use ddgs, corpus, exa, tavily"):
        search_provider("googol")
    with pytest.raises(SearchNotSetUp, match="corpus_folder"):
        search_provider("corpus")
    with pytest.raises(CorpusError, match="does not exist"):
        search_provider("corpus", corpus_folder=tmp_path / "missing")
    with pytest.raises(SearchNotSetUp, match=r"pip install langchain-tavily|TAVILY_API_KEY"):
        search_provider("tavily")
    with pytest.raises(SearchNotSetUp, match=r"fusion-graph\[community\]|SEARX_HOST"):
        search_provider("searxng")
    with pytest.raises(SearchNotSetUp, match=r"fusion-graph\[community\]|BRAVE_SEARCH_API_KEY"):
        search_provider("brave")
    with pytest.raises(UnknownSearch, match="searxng, brave or wikipedia"):
        community_search("ddgs")


def test_ddgs_needs_no_setting_up() -> None:
    assert search_provider("ddgs").name == "ddgs"


HITS = [{"link": "https://a.example/deep", "title": "Deep lakes", "snippet": "Deep water."}]


@tool(response_format="content_and_artifact")
def with_artifact(query: str) -> tuple[str, list[dict[str, str]]]:
    """Find pages."""
    return "Found one.", HITS


@tool
def with_json(count: int, question: str) -> str:
    """Find pages."""
    return json.dumps({"results": HITS})


@tool
async def with_objects(query: str) -> list[dict[str, str]]:
    """Find pages."""
    return HITS


@tool
def silent(query: str) -> str:
    """Find nothing."""
    return "I am sorry."


@tool
def throttled(query: str) -> str:
    """Refuse."""
    raise RuntimeError("HTTP error 429: Too Many Requests")


@tool
def broken(query: str) -> str:
    """Fail."""
    raise ToolException("no key")


SIMPLE = Tool(name="simple", description="Find pages.", func=lambda query: json.dumps(HITS))


@pytest.mark.parametrize("foreign", [with_artifact, with_objects, SIMPLE], ids=lambda t: t.name)
async def test_any_search_tool_plugs_in(foreign: BaseTool) -> None:
    provider = search_provider(foreign)
    assert provider.name == foreign.name
    assert await provider.search("deep lakes", 5) == [DEEP]


@pytest.mark.parametrize(
    ("foreign", "code", "detail"),
    [
        (silent, "no_results", "I am sorry."),
        (broken, "unavailable", "no key"),
        (with_json, "unavailable", "count"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_a_tool_that_brings_nothing_says_why(
    foreign: BaseTool, code: str, detail: str
) -> None:
    provider = impatient(foreign)
    with pytest.raises(ToolError) as caught:
        await provider.search("deep lakes", 5)
    assert caught.value.code == code
    assert detail in caught.value.detail


async def test_a_tool_that_is_asked_too_often_is_told_apart() -> None:
    with pytest.raises(ToolError) as caught:
        await impatient(throttled).search("deep lakes", 5)
    assert caught.value.code == "too_many_requests"


def impatient(foreign: BaseTool) -> SearchProvider:
    """The tool as a provider that retries without waiting."""
    module = importlib.import_module("fusion_tools.foreign_search")
    return module.ToolSearch(foreign, backoff=0)  # type: ignore[no-any-return]


def test_a_tool_without_arguments_cannot_search() -> None:
    @tool
    def news() -> str:
        """Bring the news."""
        return ""

    with pytest.raises(SearchNotSetUp, match="'news' cannot search"):
        search_provider(news)


async def test_tavily_by_name(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_tavily")
    module = importlib.import_module("langchain_tavily._utilities")
    monkeypatch.setattr(module, "TAVILY_API_URL", engine.url)
    monkeypatch.setenv("TAVILY_API_KEY", "key")
    assert await search_provider("tavily").search("deep lakes", 5) == [DEEP]
    assert engine.requests == [{"q": "deep lakes"}]


@pytest.fixture
def community() -> None:
    pytest.importorskip("langchain_community", reason="needs the community extra")


@pytest.mark.usefixtures("community")
# langchain-community announces its own end on import.
@pytest.mark.filterwarnings("ignore:.*langchain-community.*:DeprecationWarning")
class TestWithCommunity:
    """langchain-community's searches, unchanged, on the local engine."""

    async def test_its_duckduckgo_tool(self, engine: Engine) -> None:
        tools = importlib.import_module("langchain_community.tools")
        utilities = importlib.import_module("langchain_community.utilities")
        wrapper = utilities.DuckDuckGoSearchAPIWrapper(backend="duckduckgo")
        provider = search_provider(tools.DuckDuckGoSearchResults(api_wrapper=wrapper))
        assert await provider.search("deep lakes", 1) == [DEEP]

    async def test_its_searxng_tool(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        tools = importlib.import_module("langchain_community.tools")
        utilities = importlib.import_module("langchain_community.utilities")
        wrapper = utilities.SearxSearchWrapper(searx_host=f"{engine.url}/searxng")
        provider = search_provider(tools.SearxSearchResults(wrapper=wrapper))
        assert await provider.search("deep lakes", 5) == [DEEP]

    async def test_its_wikipedia_tool(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("wikipedia")
        monkeypatch.setenv("http_proxy", engine.url)
        tools = importlib.import_module("langchain_community.tools")
        utilities = importlib.import_module("langchain_community.utilities")
        wrapper = utilities.WikipediaAPIWrapper(wiki_client=None)
        provider = search_provider(tools.WikipediaQueryRun(api_wrapper=wrapper))
        [hit] = await provider.search("deep lakes", 5)
        assert hit["url"] == "https://en.wikipedia.org/wiki/Deep_lakes"
        assert hit["snippet"] == "Deep water."

    async def test_searxng_by_name(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SEARX_HOST", f"{engine.url}/searxng")
        assert await search_provider("searxng").search("deep lakes", 5) == [DEEP]
        assert engine.requests[0]["q"] == "deep lakes"

    async def test_brave_by_name(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        module = importlib.import_module("langchain_community.utilities.brave_search")
        wrapper = functools.partial(module.BraveSearchWrapper, base_url=f"{engine.url}/brave")
        monkeypatch.setattr(module, "BraveSearchWrapper", wrapper)
        monkeypatch.setenv("BRAVE_SEARCH_API_KEY", "key")
        assert await search_provider("brave").search("deep lakes", 5) == [DEEP]
        assert engine.requests[0]["count"] == "5"

    async def test_wikipedia_by_name(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("wikipedia")
        monkeypatch.setenv("http_proxy", engine.url)
        assert await search_provider("wikipedia").search("deep lakes", 5) == [DEEP]

    async def test_an_engine_that_refuses(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine.statuses = [500, 500]
        monkeypatch.setenv("SEARX_HOST", f"{engine.url}/searxng")
        text = await web_search_tool(community_search("searxng")).ainvoke({"query": "deep lakes"})
        assert text.startswith("unavailable: searxng failed: ")
