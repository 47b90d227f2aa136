"""One page has one key and one site, however its address is written."""

from __future__ import annotations

import pytest

from fusion_tools.sites import site_of, source_key

PAGE = "https://example.org/a/b?id=7"


@pytest.mark.parametrize(
    "spelled",
    [
        "http://example.org/a/b?id=7",
        "https://www.example.org/a/b?id=7",
        "https://EXAMPLE.org:443/a/b/?id=7#part",
        "http://example.org:80/%61/b?id=7&utm_source=x&utm_medium=mail",
        "https://example.org/a/b?fbclid=Iw-1&id=7&gclid=2&msclkid=3",
        "https://example.org/a/b?id=7&mc_cid=1&mc_eid=2&_ga=3&igshid=4&srsltid=5",
    ],
)
def test_spellings_of_one_address_have_one_key(spelled: str) -> None:
    assert source_key(spelled) == source_key(PAGE)


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/a/B?id=7",
        "https://example.org/a/b?id=8",
        "https://example.org/a/b",
        "https://docs.example.org/a/b?id=7",
        "https://example.org:8443/a/b?id=7",
        "https://example.org/a/b?id=7&ref=x",
        "https://someone@example.org/a/b?id=7",
    ],
)
def test_what_may_be_another_page_has_another_key(other: str) -> None:
    assert source_key(other) != source_key(PAGE)


def test_text_that_is_no_address_and_hosts_called_www_are_left_alone() -> None:
    assert source_key("not an address") == "not an address"
    assert source_key("corpus:///a.md") == "corpus:///a.md"
    assert source_key("https://www.com/") == "https://www.com"


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://www.example.org/x", "example.org"),
        ("http://a.b.example.org:8080", "example.org"),
        ("https://news.example.co.uk/", "example.co.uk"),
        ("https://example.com.au/", "example.com.au"),
        ("https://one.github.io/x", "one.github.io"),
        ("https://a.two.blogspot.com/", "two.blogspot.com"),
        ("http://127.0.0.1:80/x", "127.0.0.1"),
        ("http://[::1]/x", "::1"),
        ("http://localhost/", "localhost"),
        ("corpus:///a.md", "corpus:///a.md"),
    ],
)
def test_the_site_is_about_what_somebody_registered(url: str, site: str) -> None:
    assert site_of(url) == site
