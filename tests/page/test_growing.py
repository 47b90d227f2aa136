"""A text that is shown while it is written: what it is made of, and what is drawn anew of it."""

from __future__ import annotations

import re

import pytest

from fusion_graph.report.html._growing import Change, GrowingText
from tests.page.hostile import PAYLOADS

ELEMENTS = {
    "One.\n\nTwo.": ["<p>One.</p>", "<p>Two.</p>"],
    "One\ntwo": ["<p>One<br>\ntwo</p>"],
    "# A **b**": ["<h4>A <strong>b</strong></h4>"],
    "###### Deep": ["<h6>Deep</h6>"],
    "Text\n## Head\nText": ["<p>Text</p>", "<h5>Head</h5>", "<p>Text</p>"],
    "*a* _b_ ~~c~~ `d*e*`": ["<p><em>a</em> <em>b</em> <s>c</s> <code>d*e*</code></p>"],
    "2 * 3 * 4, snake_case_name [1]": ["<p>2 * 3 * 4, snake_case_name [1]</p>"],
    "Points:\n- a\n- b": ["<p>Points:</p>", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"],
    "- a\n\n1. b": ["<ul>\n<li>a</li>\n</ul>", "<ol>\n<li>b</li>\n</ol>"],
    "> a\n> b\n\nc": ["<blockquote>\n<p>a<br>\nb</p>\n</blockquote>", "<p>c</p>"],
    "```py\n<b>\n```\nx": ['<pre tabindex="0"><code>&lt;b&gt;\n</code></pre>', "<p>x</p>"],
    "```\nstill open": ['<pre tabindex="0"><code>still open</code></pre>'],
    "a\n\n---\n\nb": ["<p>a</p>", "<hr />", "<p>b</p>"],
}

WHOLE = (
    "# H\n\nIt is **so** [1].\n#1 is no heading\n\n- a\n- b\n\n  more of b\n\n1. x\n\n```\ncode\n\n"
    "code\n```\n\n| a |\n|---|\n| b |\n\n> quoted\nlazily\n\nTitle\n===\n\nPoints\n-\n- one\n\n"
    "    indented\n\nשלום\r\n\r\nEnd."
)

BOMBS = (
    *("*", "_", "`", "[", "![", "[a](", "> ", "- ", "**a ", "| ", "~~", "\\", "*a**b_c"),
    *("&", "&lt;"),
)


def drawn(text: str) -> list[str]:
    """A text's elements, drawn at once; without the writing direction of each."""
    change = GrowingText().draw(text)
    assert change is not None
    return elements(re.sub(r' dir="\w+"', "", change.html))


def elements(html: str) -> list[str]:
    """The outermost elements of a piece of HTML."""
    found, depth, begin = [], 0, 0
    for tag in re.finditer(r"<(/?)([a-z0-9]+)[^>]*?(/?)>", html):
        if tag[2] != "br":
            depth += -1 if tag[1] else 0 if tag[3] else 1
        if depth == 0 and tag[2] != "br":
            found.append(html[begin : tag.end()])
            begin = tag.end()
    assert begin == len(html)
    return found


def put(shown: list[str], change: Change | None) -> list[str]:
    """What a page shows after a change."""
    return shown if change is None else [*shown[: change.keep], *elements(change.html)]


def test_what_answers_are_made_of():
    assert {text: drawn(text) for text in ELEMENTS} == ELEMENTS


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50])
def test_a_text_that_grows_looks_at_every_moment_as_if_it_were_drawn_at_once(step):
    growing, shown = GrowingText(), []

    for end in [*range(step, len(WHOLE), step), len(WHOLE)]:
        shown = put(shown, growing.draw(WHOLE[:end]))
        at_once = GrowingText().draw(WHOLE[:end])
        assert shown == (elements(at_once.html) if at_once else [])
        assert growing.html == "".join(shown)


def test_what_stands_is_not_sent_again():
    growing = GrowingText()
    growing.draw("One.\n\nTw")

    assert growing.draw("One.\n\nTwo.") == Change(1, '<p dir="auto">Two.</p>')
    assert growing.draw("One.\n\nTwo.") is None
    assert growing.draw("One.\n\nTwo.\n") is None


def test_a_long_answer_is_sent_little_more_than_once():
    text = "".join(
        f"Paragraph {n} says **this** and `that`.\n\n- so\n- so\n\n" for n in range(1500)
    )
    growing, sent = GrowingText(), 0

    for end in range(400, len(text) + 400, 400):
        change = growing.draw(text[:end])
        sent += len(change.html) if change else 0

    assert len(growing.html) > 100_000
    assert sent < 1.5 * len(growing.html)


def test_another_text_takes_the_place_of_the_one_before():
    growing = GrowingText()
    shown = put([], growing.draw("A draft.\n\nIt breaks off.\n\nHere"))

    shown = put(shown, growing.draw("A draft.\n\nThe real one."))
    assert shown == ['<p dir="auto">A draft.</p>', '<p dir="auto">The real one.</p>']
    assert put(shown, growing.draw("")) == []


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_texts_are_escaped_while_they_grow(payload):
    text = f"# {payload}\n\n{payload}\n\n- {payload}\n\n| {payload} |\n|---|\n| {payload} |"
    growing = GrowingText()

    for end in range(1, len(text) + 1):
        growing.draw(text[:end])
        tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", growing.html))
        assert tags <= {
            *("h4", "h5", "p", "ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td"),
            *("span", "em", "strong", "s", "code", "br", "hr"),
        }


@pytest.mark.parametrize("times", [200, pytest.param(1_000, marks=pytest.mark.slow)])
def test_no_text_is_too_odd_to_show(times):
    for bomb in BOMBS:
        for text in (bomb * 10 * times, "\n".join([bomb] * times), "\n\n".join([bomb] * times)):
            growing = GrowingText()
            for end in (len(text) // 3, len(text) // 2, len(text)):
                growing.draw(text[:end])
            assert growing.html
