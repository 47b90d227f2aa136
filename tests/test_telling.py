"""What is said of events and of a run's end."""

from __future__ import annotations

import pytest

from fusion_graph.telling import clean, counted, doing, place, shortened, tell


def test_somebody_elses_text_becomes_one_printable_line():
    assert clean("a\x1b]0;title\x07\n\tb\u202ec\x9b1m") == "a]0;title bc1m"
    assert clean("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://en.wikipedia.org/wiki/Water", "en.wikipedia.org/wiki/Water"),
        ("http://example.org/", "example.org"),
        ("corpus:///sub/green%20tea.md", "sub/green tea.md"),
        ("no address", "no address"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_a_page_is_called_by_host_and_path(url, said):
    assert place(url) == said


def test_a_tool_call_is_said_as_work():
    assert doing("web_search", {"query": "wet water"}) == 'searching "wet water"'
    assert doing("calculator", {"a": 1}) == "using calculator"
    assert doing("web_fetch", {}) == "reading "


def test_counts_agree_with_their_nouns():
    assert [counted(n, "search") for n in (0, 1, 1200)] == [
        "0 searches",
        "1 search",
        "1,200 searches",
    ]


def test_an_unknown_event_says_nothing():
    assert tell({"type": "something.new", "value": 1}) == []


def test_a_long_failure_is_cut_in_its_words_and_never_in_its_advice():
    detail = f"{'The server said this. ' * 50}→ turn the server off and on again."

    assert shortened("Short → do this.") == "Short → do this."
    assert shortened("x" * 1000, 20) == "x" * 19 + "…"
    assert shortened(detail, 200).endswith("… → turn the server off and on again.")
    assert len(shortened(detail, 200)) == 200
