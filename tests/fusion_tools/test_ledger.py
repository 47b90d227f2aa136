"""Only URLs that somebody gave or found may be fetched."""

from __future__ import annotations

import json

import pytest

from fusion_tools.ledger import UrlLedger
from fusion_tools.results import PageArtifact, SearchArtifact, ToolError

PAGE: PageArtifact = {
    "kind": "page",
    "url": "https://short.example/x",
    "final_url": "https://long.example/article",
    "title": "",
    "date": None,
    "text": "",
    "content_type": "text/html",
    "retrieved_at": "",
    "links": ["https://linked.example/more"],
    "note": None,
    "offset": 0,
    "limit": 0,
    "failure": None,
}
SEARCH: SearchArtifact = {
    "kind": "search",
    "query": "q",
    "provider": "p",
    "results": [{"url": "https://found.example/a?b=c", "title": "", "snippet": "", "date": None}],
    "failure": None,
}


def test_a_url_in_the_conversation_may_be_fetched() -> None:
    ledger = UrlLedger.from_text("Sum up https://a.example/page.", "and (http://b.example/x?y=1)")
    assert ledger.allows("https://a.example/page")
    assert ledger.allows("http://b.example/x?y=1")
    assert not ledger.allows("https://a.example/other")
    assert not ledger.allows("https://a.example/page?leak=secret")
    assert not ledger.allows("http://b.example/x")


def test_an_address_without_a_scheme_counts() -> None:
    ledger = UrlLedger.from_text(
        "Compare docs.example.org/prices, www.example.com! Ask me@mail.example"
    )
    assert ledger.allows("https://docs.example.org/prices")
    assert ledger.allows("http://www.example.com/")
    assert not ledger.allows("https://mail.example/")


def test_other_spellings_of_an_allowed_url_are_allowed() -> None:
    ledger = UrlLedger(["http://A.example/path/"])
    for spelling in ("https://a.example/path", "http://a.example:80/path/#part"):
        assert ledger.allows(spelling)


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example@evil.example/",
        "https://evil.example/https://good.example/",
        "https://good.example.evil.example/",
        "https://evil.example\\@good.example/",
        "https://good.example:8443/",
        "ftp://good.example/",
        "",
        "good.example",
        "https://[",
    ],
)
def test_lookalikes_are_refused(url: str) -> None:
    ledger = UrlLedger(["https://good.example/"])
    assert not ledger.allows(url)
    with pytest.raises(ToolError, match="Search first") as caught:
        ledger.check(url)
    assert caught.value.code == "url_not_allowed"


def test_results_pages_and_their_links_may_be_fetched() -> None:
    ledger = UrlLedger.from_artifacts([SEARCH, PAGE])
    for url in (
        "https://found.example/a?b=c",
        "https://short.example/x",
        "https://long.example/article",
        "https://linked.example/more",
    ):
        assert ledger.allows(url)
        ledger.check(url)


def test_strict_leaves_out_what_pages_link_to() -> None:
    ledger = UrlLedger.from_artifacts([SEARCH, PAGE], strict=True)
    assert ledger.allows("https://found.example/a?b=c")
    assert ledger.allows("https://long.example/article")
    assert not ledger.allows("https://linked.example/more")


def test_failures_and_foreign_artifacts_allow_nothing() -> None:
    failed: PageArtifact = {**PAGE, "failure": {"code": "unavailable", "detail": "x"}}
    ledger = UrlLedger.from_artifacts([failed, None, [{"url": "https://a.example/"}], "x"])
    assert not ledger.allows("https://short.example/x")
    assert not ledger.allows("https://a.example/")


def test_it_is_rebuilt_from_what_a_checkpoint_holds() -> None:
    stored = json.loads(json.dumps([SEARCH, PAGE]))
    ledger = UrlLedger.from_artifacts(stored, "and https://given.example/")
    assert ledger.allows("https://found.example/a?b=c")
    assert ledger.allows("https://given.example/")
