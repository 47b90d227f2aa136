"""Allowed and blocked domains."""

from __future__ import annotations

import pytest

from fusion_tools.address import check_url
from fusion_tools.domains import DomainRules
from fusion_tools.errors import ToolError


def passes(rules: DomainRules, url: str) -> bool:
    try:
        rules.check(check_url(url))
    except ToolError as error:
        return {"url_not_allowed": False}[error.code]
    return True


@pytest.mark.parametrize(
    ("entry", "url", "covered"),
    [
        ("example.com", "https://example.com/", True),
        ("example.com", "http://example.com:8080/x", True),
        ("example.com", "https://docs.example.com/", True),
        ("Example.COM.", "https://example.com/", True),
        ("docs.example.com", "https://docs.example.com/", True),
        ("docs.example.com", "https://example.com/", False),
        ("example.com", "https://notexample.com/", False),
        ("example.com", "https://example.com.evil.example/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("8.8.8.8", "https://134744072/", True),
        ("[2606:4700::1]", "https://[2606:4700:0::1]/", True),
        ("example.com/blog", "https://example.com/blog", True),
        ("example.com/blog/", "https://example.com/blog", True),
        ("example.com/blog", "https://www.example.com/blog/post", True),
        ("example.com/blog", "https://example.com/%62log/post", True),
        ("example.com/blog", "https://example.com/blogger", False),
        ("example.com/blog", "https://example.com/", False),
        ("example.com/blog", "https://example.com/x?/blog", False),
        ("example.com/blog", "https://example.com/blog/../admin", False),
        ("example.com/blog", "https://example.com/blog/%2e%2e/admin", False),
        ("example.com/blog", "https://example.com/blog/..%2fadmin", False),
    ],
)
def test_an_entry_covers_its_site_below_its_path(entry: str, url: str, covered: bool) -> None:
    assert passes(DomainRules(allowed=[entry]), url) is covered
    assert passes(DomainRules(blocked=[entry]), url) is not covered


def test_without_rules_everything_passes() -> None:
    assert passes(DomainRules(), "https://example.com/")


def test_any_of_several_entries_will_do() -> None:
    rules = DomainRules(allowed=["a.example", "b.example/x"])
    assert passes(rules, "https://b.example/x/y")
    assert not passes(rules, "https://b.example/y")


def test_allowed_and_blocked_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="not both"):
        DomainRules(allowed=["a.example"], blocked=["b.example"])


@pytest.mark.parametrize(
    "entry", ["", "https://example.com", "*.example.com", "example.com/*", "example.com:80", "a b"]
)
def test_a_malformed_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"blocked_domains: '.*' is not a domain"):
        DomainRules(blocked=[entry])


def test_a_single_string_is_one_entry() -> None:
    assert not passes(DomainRules(blocked="example.com"), "https://example.com/")
