"""Exa as a search, against a local server that speaks its documented protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fusion_tools._exa import ExaSearch
from fusion_tools.errors import SearchNotSetUp, ToolError
from fusion_tools.search import search_provider
from fusion_tools.tools import web_search_tool

from .exa import KEY, Exa, exa_server


@pytest.fixture(scope="module")
def exa() -> Iterator[Exa]:
    with exa_server() as running:
        yield running


@pytest.fixture
def by_name(exa: Exa, monkeypatch: pytest.MonkeyPatch) -> Exa:
    monkeypatch.setenv("EXA_API_KEY", KEY)
    monkeypatch.setenv("EXA_BASE_URL", exa.url)
    return exa


async def test_exa_by_name_brings_pages_with_their_dates_and_passages(by_name: Exa) -> None:
    deep, untitled = await search_provider("exa").search("how deep are lakes", 2)
    assert deep == {
        "url": "https://a.example/deep",
        "title": "Deep lakes",
        "snippet": "The deepest lake is 1,642 m deep. … It holds a fifth of all fresh water.",
        "date": "2025-11-16",
    }
    assert untitled["title"] == untitled["url"] == "https://b.example/all"
    [asked] = by_name.asked("how deep are lakes")
    assert asked["numResults"] == 2
    assert asked["contents"]["highlights"]["maxCharacters"] > 0


async def test_no_hits_are_told_as_none(by_name: Exa) -> None:
    said = await web_search_tool(search_provider("exa")).ainvoke({"query": "nothing at all"})
    assert said.startswith("no_results")


@pytest.mark.parametrize(
    ("status", "tag", "remedy"),
    [
        (400, "INVALID_REQUEST_BODY", "other words"),
        (401, "INVALID_API_KEY", "EXA_API_KEY is not accepted"),
        (402, "NO_MORE_CREDITS", "credits"),
        (403, "FEATURE_DISABLED", "EXA_API_KEY may not do this"),
        (302, "", "go on without"),
    ],
)
async def test_what_asking_again_does_not_cure_is_asked_once_and_says_what_to_do(
    exa: Exa, status: int, tag: str, remedy: str
) -> None:
    with pytest.raises(ToolError, match=remedy) as caught:
        await ExaSearch(KEY, exa.url, backoff=0).search(f"status {status}", 3)
    assert caught.value.code == "unavailable"
    assert f"({status}" in caught.value.detail
    assert tag in caught.value.detail
    assert len(exa.asked(f"status {status}")) == 1


async def test_no_failure_shows_the_key_that_the_server_repeats(exa: Exa) -> None:
    with pytest.raises(ToolError) as caught:
        await ExaSearch("a-key-of-somebody-else", exa.url, backoff=0).search("whose key", 3)
    assert "401" in caught.value.detail
    assert "somebody-else" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "code"), [(429, "too_many_requests"), (500, "unavailable"), (504, "unavailable")]
)
async def test_what_may_pass_is_asked_twice_and_told_apart(
    exa: Exa, status: int, code: str
) -> None:
    search = ExaSearch(KEY, exa.url, backoff=0)
    assert await search.search(f"once {status}", 1)
    with pytest.raises(ToolError) as caught:
        await search.search(f"status {status}", 1)
    assert caught.value.code == code
    assert len(exa.asked(f"status {status}")) == 2


@pytest.mark.parametrize("odd", ["list", "words", "length"])
async def test_what_no_search_answers_is_a_failure_and_no_crash(exa: Exa, odd: str) -> None:
    with pytest.raises(ToolError) as caught:
        await ExaSearch(KEY, exa.url, backoff=0).search(f"odd {odd}", 3)
    assert caught.value.code == "unavailable"


async def test_an_address_where_nobody_is_is_named_without_its_login() -> None:
    with pytest.raises(ToolError, match=r"127\.0\.0\.1:9") as caught:
        await ExaSearch(KEY, "http://me:secret-word@127.0.0.1:9", backoff=0).search("lakes", 3)
    assert "secret-word" not in caught.value.detail


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"EXA_API_KEY": ""}, "needs the environment variable EXA_API_KEY"),
        ({"EXA_API_KEY": "schlüssel"}, "EXA_API_KEY holds what no key does"),
        ({"EXA_API_KEY": "k", "EXA_BASE_URL": "api.exa.ai"}, "EXA_BASE_URL is to be"),
    ],
)
def test_what_is_missing_or_wrong_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SearchNotSetUp, match=said):
        search_provider("exa")
