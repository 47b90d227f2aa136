"""Models' Markdown: what it may look like, and what it may not do."""

from __future__ import annotations

import re

import pytest

from fusion_graph.report.html._markdown import markdown
from tests.depth import in_depth


def cite(ids: list[int], words: str | None) -> str:
    return f"<cite>{ids}{words or ''}</cite>"


def html(text: str, below: int = 2) -> str:
    return str(markdown(text, cite, known=range(1, 10), below=below))


def test_headings_go_below_the_heading_they_stand_under():
    assert re.findall(r"<(h\d)", html("# One\n\n### Three\n\n###### Six")) == ["h3", "h5", "h6"]


def test_tables_lists_code_and_emphasis_are_shown():
    page = html("| a | b |\n|--|--|\n| **1** | ~~2~~ |\n\n- x\n- y\n\n```py\nif a < b:\n```")

    assert "<strong>1</strong>" in page
    assert "<s>2</s>" in page
    assert page.count("<li") == 2
    assert "if a &lt; b:" in page


@pytest.mark.parametrize(
    "text",
    [
        "<script>window.pwned=1</script>",
        "<img src=x onerror=alert(1)>",
        "<div onmouseover='x'>\n\nhi\n\n</div>",
        "[x](javascript:alert(1))",
        "[x](JAVASCRIPT:alert(1))",
        "[x](java&#10;script:alert(1))",
        "[x](<javascript:alert(1)>)",
        "<javascript:alert(1)>",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](//example.org)",
        "[x](#top)",
        "[x]: https://example.org\n\n[x]",
        "![x](https://example.org/pixel.png)",
        "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
        "```<script>\nx\n```",
        "`<script>`",
    ],
)
def test_there_is_no_html_no_picture_and_no_link_but_to_the_web(text):
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", html(text)))

    assert tags <= {"p", "span", "pre", "code"}


def test_a_link_shows_its_address_and_tells_the_site_nothing():
    page = html("[my bank](https://example.org/?a=1&b=2)")

    assert 'href="https://example.org/?a=1&amp;b=2"' in page
    assert 'title="https://example.org/?a=1&amp;b=2"' in page
    assert 'rel="noopener noreferrer nofollow"' in page
    assert 'target="_blank"' in page


def test_a_picture_is_told_in_words():
    assert "image: a <b>map</b>".replace("<", "&lt;").replace(">", "&gt;") in html(
        "![a <b>map</b>](https://example.org/map.png)"
    )


REFERENCES = {
    "&lt;b&gt; &amp; &#60;i&#x3C; &eacute;": "&lt;b&gt; &amp; &lt;i&lt; é",
    "&#42;a&#42; &#91;1&#93;": "*a* [1]",
    "&nosuch; &lt &amp;lt;": "&amp;nosuch; &amp;lt &amp;lt;",
    "`&lt;`": "<code>&amp;lt;</code>",
    "![a &lt; *b*](https://e.org/x)": '<span class="image">image: a &lt; b</span>',
    "![see [1] `x`](https://e.org/x)": '<span class="image">image: see [1] x</span>',
}


def test_character_references_are_the_text_that_they_stand_for():
    assert {text: html(text) for text in REFERENCES} == {
        text: f'<p dir="auto">{shown}</p>\n' for text, shown in REFERENCES.items()
    }


def test_citations_are_made_wherever_text_is():
    page = html('# Title [1]\n\n- wet [2, 3]\n- **dry [4: "very dry"]**\n\n|a [5]|\n|--|\n|b [5]|')

    assert re.findall("<cite>(.*?)</cite>", page) == [
        "[1]",
        "[2, 3]",
        "[4]very dry",
        "[5]",
        "[5]",
    ]


def test_code_and_links_hold_no_citations():
    page = html("`a[1]`\n\n```\nb[2]\n```\n\n[see [3]](https://example.org) and [4](https://e.org)")

    assert "<cite>" not in page
    assert page.count("<a href") == 2


def test_a_models_link_definition_cannot_give_a_citation_an_address():
    page = html("Water is wet [1].\n\n[1]: https://evil.example")

    assert "href" not in page
    assert page.count("<cite>[1]</cite>") == 1


def test_words_of_a_citation_are_words_and_not_markdown():
    assert "<cite>[1]a *b* <c></cite>" in html('x [1: "a *b* <c>"]')


def test_every_block_has_the_direction_of_its_own_text():
    page = html("שלום\n\n- אחת\n- שתיים\n\nhello\n\n> שלום\n\n1. one")

    assert page.count('<p dir="auto">') == 3
    assert '<ul dir="rtl">' in page
    assert '<blockquote dir="rtl">' in page
    assert '<ol dir="ltr">' in page


@pytest.mark.parametrize(
    "piece", ["[", "> ", "*_", "&", *map(in_depth, ("![", "- ", "[a](", "|a", "`a``"))]
)
def test_no_text_exhausts_it(piece):
    assert html(piece * 20_000)


def test_deep_nesting_ends():
    assert html(">" * 5000 + "x")
    assert html("\n".join("  " * n + "- x" for n in range(500)))
