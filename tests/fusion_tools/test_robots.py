"""robots.txt rules as RFC 9309 has them."""

from __future__ import annotations

import pytest

from fusion_tools._robots import parse_robots


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /a", "/a/b", False),
        ("User-agent: *\nDisallow: /a", "/b", True),
        ("user-agent:*\ndisallow:/a#comment", "/a", False),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: fusion-graph\nDisallow: /", "/x", False),
        ("User-agent: Fusion-Graph/1.0\nDisallow: /", "/x", False),
        # The group that names the crawler counts, not the one for all.
        ("User-agent: *\nDisallow: /\n\nUser-agent: fusion-graph\nAllow: /", "/x", True),
        ("User-agent: *\nAllow: /\n\nUser-agent: fusion-graph\nDisallow: /x", "/x", False),
        # Several agents share a group, and groups of one agent add up.
        ("User-agent: a\nUser-agent: fusion-graph\nDisallow: /x", "/x", False),
        ("User-agent: *\nDisallow: /x\n\nUser-agent: *\nDisallow: /y", "/y", False),
        ("User-agent: *\nDisallow: /x\nUser-agent: b\nDisallow: /y", "/y", True),
        # The longest rule decides, and of two as long the one that allows.
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a/b\nDisallow: /a/b/c", "/a/b/c", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a", "/a", True),
        # Wildcards and ends.
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", True),
        ("User-agent: *\nDisallow: /*/private", "/x/private/y", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a-b-b-c-d", False),
        ("User-agent: *\nDisallow: /a*b*c", "/a-c-b", True),
        ("User-agent: *\nDisallow: /x$", "/x", False),
        ("User-agent: *\nDisallow: /x$", "/xy", True),
        ("User-agent: *\nDisallow: /a*a$", "/a", True),
        ("User-agent: *\nDisallow: *", "/x", False),
        # Rubbish.
        ("Disallow: /", "/x", True),
        ("<html>not found</html>", "/x", True),
        ("User-agent: *\nCrawl-delay: 10\nSitemap: http://h/x\nDisallow: /x", "/x", False),
    ],
)
def test_rules(text: str, path: str, allowed: bool) -> None:
    assert parse_robots(text, "fusion-graph").allow(path) is allowed


def test_patterns_made_to_stall_a_matcher() -> None:
    rules = parse_robots("User-agent: *\nDisallow: /" + "*a" * 5000 + "$", "fusion-graph")
    assert rules.allow("/" + "a" * 2000 + "b")
