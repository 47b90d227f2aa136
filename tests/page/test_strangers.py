"""Addresses a reader may be sent to, and characters a page may hold."""

from __future__ import annotations

import pytest

from fusion_graph.report.html.strangers import readable, web_address


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://example.org:8080/a/b?c=d&e=[f]#g",
        "HTTPS://EXAMPLE.ORG/",
        "https://münchen.example/straße",
        "https://user@example.org/",
    ],
)
def test_web_addresses_become_links(url):
    assert web_address(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        " https://example.org",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "corpus:///notes.md",
        "ftp://example.org/",
        "//example.org/",
        "/path",
        "https:",
        "https:///path",
        "https:example.org",
        "http://[::1",
        'https://example.org/" onmouseover="alert(1)',
        "https://example.org/<b>",
        "https://example.org/\ud800",
    ],
)
def test_everything_else_stays_text(url):
    assert web_address(url) is None


def test_what_no_page_can_hold_is_replaced_and_lines_stay():
    assert readable("a\x00b\x1bc\x9bd\ud800e\uffff\r\nf\tg\rh") == "a�b�c�d�e�\nf\tg\nh"
    readable("\ud83d").encode("utf-8")
