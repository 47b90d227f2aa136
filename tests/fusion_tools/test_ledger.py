"""Only URLs that somebody gave or found may be fetched."""

from __future__ import annotations

import json

import pytest

from fusion_tools.errors import ToolError
from fusion_tools.ledger import Followed, UrlLedger
from fusion_tools.results import PageArtifact, SearchArtifact

PAGE: PageArtifact = {
    "kind": "page",
    "url": "https://short.example/x",
    "final_url": "https://long.example/article",
    "title": "",
    "date": None,
    "text": "See [more](https://linked.example/more) and [part](https://www.long.example/part).",
    "content_type": "text/html",
    "retrieved_at": "",
    "links": [
        "https://linked.example/more",
        "https://www.long.example/part",
        "https://long.example/hidden",
    ],
    "note": None,
    "offset": 0,
    "limit": 1000,
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


@pytest.mark.parametrize(
    "written",
    [
        "https://a.example/path",
        "http://a.example:80/path/#leaked",
        "HTTP://A.EXAMPLE/p%61th",
        "http://a.example/%70a%74h///",
        "https://www.a.example/path/?utm_source=leaked&fbclid=leaked#leaked",
        "<http://A.example/path/>.",
        "(http://A.example/path/),",
    ],
)
def test_however_a_model_spells_it_the_ledgers_own_spelling_is_fetched(written: str) -> None:
    assert UrlLedger(["http://A.example/path/"]).check(written) == "http://A.example/path/"


def test_the_spelling_of_a_search_hit_counts_before_that_of_a_link() -> None:
    ledger = UrlLedger()
    ledger.add_page(
        {
            **PAGE,
            "text": "[x](https://long.example/a?utm_id=marked)",
            "links": ["https://long.example/a?utm_id=marked"],
        }
    )
    assert ledger.check("https://long.example/a") == "https://long.example/a?utm_id=marked"
    ledger.add_urls(["https://long.example/a"])
    assert ledger.check("https://long.example/a?utm_id=marked") == "https://long.example/a"


def test_where_a_redirect_ended_is_asked_for_by_its_first_address() -> None:
    ledger = UrlLedger.from_artifacts([PAGE])
    assert ledger.check("https://long.example/article") == "https://short.example/x"


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example@evil.example/",
        "https://evil.example/https://good.example/",
        "https://good.example.evil.example/",
        "https://evil.example\\@good.example/",
        "https://good.example:8443/",
        "https://leaked@good.example/",
        "https://good.example/leaked",
        "https://good.example/?leaked",
        "https://leaked.good.example/",
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


def test_results_and_pages_may_be_fetched_and_links_to_the_same_site_that_were_shown() -> None:
    ledger = UrlLedger.from_artifacts([SEARCH, PAGE])
    for url in (
        "https://found.example/a?b=c",
        "https://short.example/x",
        "https://long.example/article",
        "https://www.long.example/part",
    ):
        assert ledger.allows(url)
        ledger.check(url)
    assert not ledger.allows("https://linked.example/more"), "another site"
    assert not ledger.allows("https://long.example/hidden"), "nobody saw it"


def test_links_that_stand_beyond_the_part_that_was_shown_are_not_allowed() -> None:
    part: PageArtifact = {**PAGE, "limit": 44}
    ledger = UrlLedger.from_artifacts([part], follow_links="any")
    assert ledger.allows("https://linked.example/more")
    assert not ledger.allows("https://www.long.example/part")
    ledger.add_artifact({**PAGE, "offset": 44, "limit": 1000})
    assert ledger.allows("https://www.long.example/part")


def test_any_link_or_none_may_be_followed_if_so_configured() -> None:
    anywhere = UrlLedger.from_artifacts([PAGE], follow_links="any")
    nowhere = UrlLedger.from_artifacts([SEARCH, PAGE], follow_links="none")
    assert anywhere.allows("https://linked.example/more")
    assert not anywhere.allows("https://long.example/hidden")
    assert nowhere.allows("https://found.example/a?b=c")
    assert nowhere.allows("https://long.example/article")
    assert not nowhere.allows("https://www.long.example/part")


def test_two_links_of_a_site_are_followed_in_a_run_whoever_follows_them() -> None:
    links = [f"https://s{n}.long.example/{n}" for n in range(4)]
    page: PageArtifact = {**PAGE, "text": " ".join(links), "links": links}
    followed = Followed()
    first, second = (UrlLedger(followed=followed) for _ in range(2))
    for ledger in (first, second):
        ledger.add_page(page)
    assert first.check(links[0]) == first.check(links[0]) == links[0], "once, however often"
    assert second.check(links[1]) == links[1]
    for ledger in (first, second):
        with pytest.raises(ToolError, match=r"As many links of long\.example"):
            ledger.check(links[2])
    assert second.check(links[0]) == links[0], "what was read is no news to its author"
    second.add_urls([links[2]])
    assert second.check(links[2]) == links[2], "a search hit is no followed link"


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
