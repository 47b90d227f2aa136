"""Whatever a search tool answers, its pages are found in it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document

from fusion_tools.normalise import MAX_RESULTS, normalise, normalise_url, urls_in


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("HTTP://Example.ORG", "http://example.org/"),
        ("https://example.org:443/a", "https://example.org/a"),
        ("https://example.org:8443/a", "https://example.org:8443/a"),
        ("https://example.org/A?q=B#part", "https://example.org/A?q=B"),
        ("  https://example.org/a ", "https://example.org/a"),
        ("https://example.org/%7Euser/%c3%a9", "https://example.org/~user/%C3%A9"),
        ("https://example.org/é", "https://example.org/%C3%A9"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://example.org/a?b=%26c", "https://example.org/a?b=%26c"),
        ("http://[::1]:80/", "http://[::1]/"),
        ("corpus:///Sub/a%20b.md#part", "corpus:///Sub/a%20b.md"),
        ("http://[", "http://["),
        ("http://host:port/", "http://host:port/"),
        ("no url at all", "no url at all"),
    ],
)
def test_one_spelling_for_each_url(url: str, same: str) -> None:
    assert normalise_url(url) == same
    assert normalise_url(same) == same


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/?q=1", "https://example.org/?q=2"),
        ("https://example.org/a%2Fb", "https://example.org/a/b"),
        ("https://good.example@evil.example/", "https://evil.example/"),
        ("https://example.org/a", "https://example.org:8443/a"),
    ],
)
def test_different_pages_stay_different(one: str, other: str) -> None:
    assert normalise_url(one) != normalise_url(other)


def test_urls_in_prose_lose_the_prose() -> None:
    text = (
        'See https://en.example/wiki/Foo_(bar), (https://a.example/x). "https://b.example/y"; '
        "[link](https://c.example/z) <https://d.example> https:// and corpus:///a%20b.md!"
    )
    assert urls_in(text) == [
        "https://en.example/wiki/Foo_(bar)",
        "https://a.example/x",
        "https://b.example/y",
        "https://c.example/z",
        "https://d.example",
        "corpus:///a%20b.md",
    ]


HIT = {"url": "https://a.example/", "title": "A", "snippet": "about a", "date": None}


@pytest.mark.parametrize(
    "artifact",
    [
        [{"url": "https://a.example/", "title": "A", "snippet": "about a"}],
        [{"link": "https://a.example/", "name": "A", "body": "about a"}],
        [{"href": "https://a.example/", "title": "A", "content": "about a", "url": None}],
        {"results": [{"url": "https://a.example/", "title": "A", "description": "about a"}]},
        {
            "web": {
                "results": [{"url": "https://a.example/", "name": "<b>A</b>", "text": "about a"}]
            }
        },
        {
            "link": "https://self.example/",
            "organic": [{"link": "https://a.example/", "title": "A", "snippet": "about a"}],
        },
        [[{"url": "https://a.example/", "title": " A\n", "snippet": "about\n <em>a</em> "}]],
        [Document("about a", metadata={"source": "https://a.example/", "title": "A"})],
        {"kind": "search", "query": "q", "provider": "p", "results": [HIT], "failure": None},
    ],
)
def test_artifacts_of_every_shape(artifact: object) -> None:
    assert normalise("ignored https://other.example/", artifact) == [HIT]


def test_json_or_python_in_the_content() -> None:
    hits = [{"title": "A", "link": "https://a.example/", "snippet": "about a"}]
    assert normalise(json.dumps(hits), None) == [HIT]
    assert normalise(json.dumps({"query": "q", "items": hits}), []) == [HIT]
    assert normalise(str(hits), None) == [HIT]
    assert normalise([{"type": "text", "text": json.dumps(hits)}], None) == [HIT]
    assert normalise(hits, None) == [HIT]


def test_urls_in_text_when_there_is_nothing_better() -> None:
    text = "Before. " * 50 + "The lake (https://a.example/lake) is deep." + " After." * 100
    [hit] = normalise(text, None)
    assert hit["url"] == hit["title"] == "https://a.example/lake"
    assert "The lake" in hit["snippet"]
    assert "is deep." in hit["snippet"]
    assert len(hit["snippet"]) <= 300


def test_wikipedia_text_names_its_pages() -> None:
    turing = "Page: Alan Turing\nSummary: A mathematician.\nBorn 1912."
    text = f"{turing}\n\nPage: Enigma\nSummary: A machine."
    first, second = normalise(text, None)
    assert first["url"] == "https://en.wikipedia.org/wiki/Alan_Turing"
    assert first["snippet"] == "A mathematician. Born 1912."
    assert second["title"] == "Enigma"


def test_one_hit_for_each_page() -> None:
    urls = ["https://A.example", "https://a.example/#top", "https://a.example:443/"]
    hits = normalise(None, [{"url": url, "title": url} for url in urls])
    assert [hit["url"] for hit in hits] == urls[:1]


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("2024-05-06T07:08:09Z", "2024-05-06"),
        ("2024-05-06", "2024-05-06"),
        ("Mon, 06 May 2024 07:08:09 GMT", "2024-05-06"),
        ("3 days ago", None),
        ("", None),
    ],
)
def test_dates_are_iso_or_nothing(written: str, date: str | None) -> None:
    [hit] = normalise(None, [{"url": "https://a.example/", "published_date": written}])
    assert hit["date"] == date


class Broken:
    """A result object of another package that fails when looked at."""

    @property
    def page_content(self) -> str:
        raise RuntimeError("not loaded")


@pytest.mark.parametrize(
    ("content", "artifact"),
    [
        (None, None),
        ("", {}),
        (17, object()),
        ("[" * 100_000, None),
        ("[{'a':" + "-" * 100_000 + "1}]", None),
        ('{"results": [{"url": 5}, {"url": ["x"]}, null]}', None),
        ("", [{"url": "javascript:alert(1)"}, {"url": "https://a b.example/"}, {"url": "/a"}]),
        (b"https://", {"results": {"results": {"results": {}}}}),
        ("x", Broken()),
    ],
)
def test_what_holds_no_page_gives_no_result(content: object, artifact: object) -> None:
    assert normalise(content, artifact) == []


def test_a_flood_of_hits_is_cut() -> None:
    text = " ".join(f"https://a.example/{number}" for number in range(1000))
    assert len(normalise(text, None)) == MAX_RESULTS
    assert normalise("https://a.example/" + ")" * 300_000, None) != []


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["url", "link", "title", "results", "date", "text", "x"]), inner
        )
    ),
)


@pytest.mark.slow
@given(json_like, json_like)
def test_nothing_makes_it_raise(content: object, artifact: object) -> None:
    for hit in normalise(content, artifact):
        assert normalise_url(normalise_url(hit["url"])) == normalise_url(hit["url"])


@given(st.text() | st.from_regex(r"https?://[^ ]{0,40}"))
def test_normalising_a_url_twice_changes_nothing(url: str) -> None:
    assert normalise_url(normalise_url(url)) == normalise_url(url)
