"""Every source of a researcher has one number and the text that quotes are checked in."""

from __future__ import annotations

import json

from fusion_tools.results import PageArtifact, SearchArtifact, SearchResult
from fusion_tools.sources import SourceBook


def hit(url: str, title: str = "Title", snippet: str = "Snippet") -> SearchResult:
    return {"url": url, "title": title, "snippet": snippet, "date": None}


def search(*results: SearchResult) -> SearchArtifact:
    return {
        "kind": "search",
        "query": "q",
        "provider": "p",
        "results": list(results),
        "failure": None,
    }


def page(url: str, final_url: str | None = None, text: str = "The whole page.") -> PageArtifact:
    return {
        "kind": "page",
        "url": url,
        "final_url": final_url or url,
        "title": "Page title",
        "date": None,
        "text": text,
        "content_type": "text/html",
        "retrieved_at": "2026-01-02T03:04:05+00:00",
        "links": [],
        "note": None,
        "offset": 0,
        "limit": 10,
        "failure": None,
    }


def test_numbers_follow_first_appearance_and_stay() -> None:
    book = SourceBook()
    assert book.note(search(hit("https://a.example/"), hit("https://b.example/"))) == [1, 2]
    assert book.note(search(hit("https://c.example/"), hit("https://A.example#x"))) == [3, 1]
    assert book.note(page("https://b.example/")) == [2]
    assert book.note_results([hit("https://d.example/")]) == [4]
    assert [entry["id"] for entry in book.entries()] == [1, 2, 3, 4]


def test_a_hit_can_be_quoted_from_its_title_and_snippets() -> None:
    book = SourceBook()
    book.note(search(hit("https://a.example/", "Lakes", "Deep water.")))
    book.note(search(hit("https://a.example/", "Lakes", "Cold water.")))
    book.note(search(hit("https://a.example/", "Lakes", "Cold water.")))
    [entry] = book.entries()
    assert entry["text"] == "Lakes\nDeep water.\nCold water."
    assert entry["fetched"] is False
    assert entry["retrieved_at"] is None


def test_a_fetched_page_replaces_the_snippet_and_no_snippet_replaces_it() -> None:
    book = SourceBook([search(hit("https://a.example/")), page("https://a.example/")])
    book.note(search(hit("https://a.example/", "Other", "Other snippet")))
    [entry] = book.entries()
    assert entry == {
        "id": 1,
        "url": "https://a.example/",
        "title": "Page title",
        "retrieved_at": "2026-01-02T03:04:05+00:00",
        "text": "The whole page.",
        "fetched": True,
    }


def test_where_a_redirect_ends_is_the_same_source() -> None:
    book = SourceBook()
    assert book.note(page("https://short.example/1", "https://long.example/1")) == [1]
    assert book.note(search(hit("https://long.example/1"), hit("https://short.example/1"))) == [
        1,
        1,
    ]
    assert book.note(page("https://other.example/", "https://long.example/1")) == [1]
    assert [entry["url"] for entry in book.entries()] == ["https://long.example/1"]


def test_two_hits_that_prove_to_be_one_page_can_both_be_quoted() -> None:
    book = SourceBook([search(hit("https://short.example/"), hit("https://long.example/"))])
    assert book.note(page("https://short.example/", "https://long.example/")) == [1]
    assert [entry["text"] for entry in book.entries()] == ["The whole page."] * 2


def test_failures_are_no_sources() -> None:
    failed: PageArtifact = {
        **page("https://a.example/"),
        "failure": {"code": "unavailable", "detail": "x"},
    }
    assert SourceBook().note(failed) == []


def test_the_same_artifacts_give_the_same_book_after_a_checkpoint() -> None:
    artifacts = [
        search(hit("https://b.example/"), hit("https://a.example/")),
        page("https://c.example/"),
    ]
    restored = json.loads(json.dumps(artifacts))
    assert SourceBook(restored).entries() == SourceBook(artifacts).entries()


def test_texts_are_what_the_model_could_see() -> None:
    book = SourceBook([page("https://a.example/", text="in\u200bvisible \u202ebidi\u202c")])
    assert book.entries()[0]["text"] == "invisible bidi"


def test_entries_cannot_be_changed_from_outside() -> None:
    book = SourceBook([page("https://a.example/")])
    book.entries()[0]["text"] = "forged"
    assert book.entries()[0]["text"] == "The whole page."
