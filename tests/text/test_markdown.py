"""Strangers' text in Markdown: titles and addresses are text, and nothing loads by being shown."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from fusion_graph.text.markdown import as_address, as_text, loading_nothing

LEAK = "http://leak.example/p.png?q=secret"
SOURCE = "https://source.example/figure.png"


def rendered(text: str) -> str:
    """As a reader's own renderer has it, HTML and bare addresses included."""
    return MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Look: ![chart]({LEAK}).",
        f"![a](<{LEAK}> 'title') and ![b][ref]\n\n[ref]: {LEAK}",
        f"Great![1] Really.\n\n[1]: {LEAK}",
        f"[![button]({LEAK})](https://elsewhere.example)",
        f"> - ![in a list]({LEAK})",
        f"| a |\n|---|\n| ![cell]({LEAK}) |",
        f"An open ` and ![x]({LEAK})",
        f"- ```\n  code\n\noutside ![x]({LEAK})",
        f"<img src='{LEAK}'>",
        f"text <IMG src='{LEAK}'> text",
        f"<picture><source srcset={LEAK}></picture>",
        f"<p style='background:url({LEAK})'>x</p>",
        f"<svg><image href={LEAK} /></svg>",
        f"<div>\n![x]({LEAK})\n</div>",
        f"line\r![x]({LEAK})\r\n![y]({LEAK})",
        f"![x]({SOURCE}?q=secret)",
        f"![x]({SOURCE.replace('f', '%66')})",
    ],
)
def test_what_would_load_from_elsewhere_becomes_text(text):
    shown = loading_nothing(text, [SOURCE])
    html = rendered(shown)
    assert "<img" not in html.lower()
    for loads in ("<source", "<svg", "<image", "<p style"):
        assert loads not in html
    assert shown != text
    assert shown.replace("\\", "").replace("&lt;", "<") == text, "and nothing of it is lost"


@pytest.mark.parametrize(
    "text",
    [
        f"A figure of a source: ![figure]({SOURCE})",
        f"In code: `![x]({LEAK})` and\n\n```md\n![x]({LEAK})\n<img src={LEAK}>\n```\n",
        f"    indented ![x]({LEAK})",
        "Links [stay](http://elsewhere.example/x), [mail](mailto:a@b.example), [here](#part).",
        "x[1], [0, 1], f(x)[i](j), a![1] b, <b>bold</b>, 3 < 4 > 2, $a_{1}$, <https://a.example>",
        f"\\![not a picture]({LEAK[:4]}",
    ],
)
def test_everything_else_stays_as_it_is(text):
    assert loading_nothing(text, [SOURCE]) == text


@pytest.mark.parametrize(
    "harmful",
    [
        f"![x]({LEAK})",
        "![x][late]",
        "- item\n\n  ![x][late]",
        "| a |\n|---|\n| ![cell][late] |",
        "<div>\n![x][late]\n</div>",
    ],
)
def test_a_long_text_loads_nothing_wherever_its_definitions_and_fences_stand(harmful):
    filler = "Some words.\n\n- an item\n- another\n\n" * 300
    fence = f"```\n{filler}![kept]({LEAK})\n```\n\n"
    text = f"{filler}{fence}{harmful}\n\n{filler}[late]: {LEAK}\n"
    shown = loading_nothing(text, [SOURCE])
    assert "<img" not in rendered(shown).lower()
    assert fence in shown, "code stays as it is"
    assert shown.replace("\\", "") == text, "and nothing is lost"


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x]( <vbscript:x>)",
        "<javascript:alert(1)>",
        "[x]\n\n[x]: data:text/html,hello",
        "[x](file:///etc/passwd)",
    ],
)
def test_links_go_to_the_web_and_to_mail(text):
    shown = loading_nothing(text, [])
    parser = MarkdownIt()
    parser.validateLink = bool
    assert "<a" not in parser.render(shown)


@pytest.mark.parametrize("times", [1_500, pytest.param(15_000, marks=pytest.mark.slow)])
def test_a_long_text_of_brackets_and_quotes_is_read_to_its_end(times):
    image = f"![x]({LEAK})"
    for text in ("![" * times, "[a\n" * times + image, "`" * 2 * times + image):
        loading_nothing(text, [])


@pytest.mark.parametrize(
    "title",
    [
        f"![x]({LEAK})",
        "[log in](https://leak.example)",
        "`code` *bold* _em_ ~~gone~~ <b>b</b> &lt;",
        "https://leak.example www.leak.example",
        "two\nlines\u202e \x1b[2J",
    ],
)
def test_a_title_is_text(title):
    html = rendered(f"[1] {as_text(title)} - end")
    for tag in ("<img", "<a", "<code", "<em", "<strong", "<s>", "<b>"):
        assert tag not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\n" not in as_text(title)
    assert "://" not in as_text(title), "nobody makes a link of it"


def test_ordinary_titles_and_addresses_look_as_they_are():
    for title in ("Panels and their price (2026)", "C# 12 & F#: what_is_new?", "50 % – 1,000!"):
        assert as_text(title) == title
    for url in ("https://a.example/x_y(z)?q=a&b=%20#p", "corpus:///a-b.md"):
        assert as_address(url) == url


def test_an_address_is_no_markdown():
    url = f"https://a.example/![x]({LEAK})*b*`c`<i>"
    html = MarkdownIt("commonmark").render(f"x {as_address(url)} y")
    assert html.count("<") == 2, "the paragraph alone"
