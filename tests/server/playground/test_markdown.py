"""The playground's Markdown, in the browser that shows it: what answers hold, and what none may."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from fusion_graph.faces.server._citation_spans import spans
from tests.server.conftest import Server
from tests.server.playground.visiting import Open

SHOW = """async (texts) => {
  const { Markdown } = await import("./playground/markdown.js");
  const place = document.createElement("div");
  const cite = (n) => {
    if (n !== 1) return null;
    const mark = document.createElement("sup");
    mark.append("one");
    return mark;
  };
  const markdown = new Markdown(place);
  for (const [text, marks] of texts) markdown.show(text, cite, marks);
  return place.innerHTML;
}"""

ELEMENTS = {
    "One.\n\nTwo.": "<p>One.</p><p>Two.</p>",
    "One\ntwo": "<p>One<br>two</p>",
    "# A **b**": "<h4>A <strong>b</strong></h4>",
    "###### Deep": "<h6>Deep</h6>",
    "Text\n## Head\nText": "<p>Text</p><h5>Head</h5><p>Text</p>",
    "*a* _b_ ~~c~~ `d*e*`": "<p><em>a</em> <em>b</em> <del>c</del> <code>d*e*</code></p>",
    "2 * 3 * 4, snake_case_name": "<p>2 * 3 * 4, snake_case_name</p>",
    r"\*not\* \[1]": "<p>*not* [1]</p>",
    "- a\n- b\n  - c\n- d": "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>",
    "3. a\n\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "Points:\n- a\n- b": "<p>Points:</p><ul><li>a</li><li>b</li></ul>",
    "> a\n> b\n\nc": "<blockquote><p>a<br>b</p></blockquote><p>c</p>",
    "```py\n<b>\n\n# no\n```\nx": (
        '<pre tabindex="0"><code>&lt;b&gt;\n\n# no</code></pre><p>x</p>'
    ),
    "```\nstill open": '<pre tabindex="0"><code>still open</code></pre>',
    "a\n\n---\n\nb": "<p>a</p><hr><p>b</p>",
    "| a | b |\n|---|--:|\n| 1 | *2* |": (
        '<div class="table" tabindex="0"><table><thead><tr><th>a</th><th>b</th></tr></thead>'
        "<tbody><tr><td>1</td><td><em>2</em></td></tr></tbody></table></div>"
    ),
}

REFERENCES = {
    "&lt;b&gt; &amp; &#60;i&#x3C; &eacute;": "<p>&lt;b&gt; &amp; &lt;i&lt; é</p>",
    "&#42;a&#42; &#91;1&#93; &#96;b&#96;": "<p>*a* [1] `b`</p>",
    "&nosuch; &lt &amp;lt; &notit;": "<p>&amp;nosuch; &amp;lt &amp;lt; &amp;notit;</p>",
    "&#0; &#xd800; &#x110000; &#99999999;": "<p>\ufffd \ufffd \ufffd &amp;#99999999;</p>",
    "&#xe000;0&#xe001; [1]": "<p>\ue0000\ue001<sup>one</sup></p>",
    "`&lt;`": "<p><code>&amp;lt;</code></p>",
    "```\n&lt;\n```": '<pre tabindex="0"><code>&amp;lt;</code></pre>',
    "![a &lt;b&gt;](x&amp;y)": '<p><em title="x&amp;y">[image: a &lt;b&gt;]</em></p>',
    "[a &lt;](java&#115;cript:x)": '<p><span title="javascript:x">a &lt;</span></p>',
    "&lt;img src=x onerror=alert(1)>": "<p>&lt;img src=x onerror=alert(1)&gt;</p>",
    "| &lt; |\n|---|\n| &#124; |": (
        '<div class="table" tabindex="0"><table><thead><tr><th>&lt;</th></tr></thead>'
        "<tbody><tr><td>|</td></tr></tbody></table></div>"
    ),
}

CITATIONS = {
    "So it is [1].": "<p>So it is<sup>one</sup>.</p>",
    "So [1][1].": "<p>So<sup>one</sup><sup>one</sup>.</p>",
    'He said [1: "very wet"].': "<p>He said “very wet”<sup>one</sup>.</p>",
    "Unknown [7].": "<p>Unknown [7].</p>",
    "Known [1], [1, 7].": "<p>Known<sup>one</sup>,<sup>one</sup>[7].</p>",
    "\U0001f30a Waves [1: 'a *b* c'].": "<p>\U0001f30a Waves “a *b* c”<sup>one</sup>.</p>",
    "x[1] of [0, 1] and $[1]$": "<p>x[1] of [0, 1] and $[1]$</p>",
    "\ue0000\ue001 [1]": "<p>\ufffd0\ufffd<sup>one</sup></p>",
    "`[1]`": "<p><code>[1]</code></p>",
}

BOMBS = (
    *("*", "_", "`", "[", "![", "[a](", "> ", "- ", "**a ", "| ", "~~", "\\", "*a**b_c"),
    *("&", "&lt;"),
)


@pytest.fixture
async def page(server: Server, visit: Open) -> Page:
    """The playground's page."""
    return (await visit(server)).page


async def shown(page: Page, *texts: str) -> str:
    """The HTML of the last of several texts shown in one place, where only source 1 exists."""
    marked = [[text, spans(text, [1])] for text in texts]
    return str(await page.evaluate(SHOW, marked))


async def test_what_answers_are_made_of(page: Page):
    assert {text: await shown(page, text) for text in ELEMENTS} == ELEMENTS


async def test_character_references_are_the_text_that_they_stand_for(page: Page):
    assert {text: await shown(page, text) for text in REFERENCES} == REFERENCES


async def test_citations_become_marks(page: Page):
    assert {text: await shown(page, text) for text in CITATIONS} == CITATIONS


async def test_what_the_page_takes_for_code_or_a_link_shows_a_citation_as_it_was_written(
    page: Page,
):
    marked = [["So [1] is", [{"start": 3, "end": 6, "parts": [{"ids": [1], "words": None}]}]]]
    for around, shown in {
        "`%s`": "<p><code>So [1] is</code></p>",
        "```\n%s\n```": '<pre tabindex="0"><code>So [1] is</code></pre>',
    }.items():
        start = around.index("%")
        text, ((_, (mark,)),) = around % marked[0][0], marked
        moved = {**mark, "start": mark["start"] + start, "end": mark["end"] + start}
        assert await page.evaluate(SHOW, [[text, [moved]]]) == shown


async def test_links_lead_to_the_web_or_nowhere(page: Page):
    html = await shown(page, "[a](https://example.org/x) [b](javascript:alert(1)) [c](//d.example)")
    assert html.count("<a ") == 1
    assert 'rel="noopener noreferrer nofollow"' in html
    assert 'title="https://example.org/x"' in html


async def test_a_growing_text_ends_as_the_whole_one(page: Page):
    text = "# H\n\nIt is **so** [1].\n\n- a\n- b\n\n```\ncode\n```\n\n| a |\n|---|\n| b |\n\nEnd."
    pieces = [text[:end] for end in range(1, len(text) + 1)]
    assert await shown(page, *pieces) == await shown(page, text)


async def test_what_stands_is_left_alone_while_more_is_written(page: Page):
    same = await page.evaluate(
        """async () => {
          const { Markdown } = await import("./playground/markdown.js");
          const place = document.createElement("div");
          const markdown = new Markdown(place);
          markdown.show("One.\\n\\nTw");
          const first = place.firstChild;
          markdown.show("One.\\n\\nTwo.");
          return place.firstChild === first && place.textContent;
        }"""
    )
    assert same == "One.Two."


async def test_no_text_is_too_odd_to_show(page: Page):
    for bomb in BOMBS:
        await shown(page, bomb * 20_000, "\n".join([bomb] * 2_000), "\n\n".join([bomb] * 2_000))
