"""Reading documents, as the worker does it, without the process around it."""

from __future__ import annotations

import pytest

from fusion_tools._readers import Document, Extracted, read_document, read_plainly
from fusion_tools.errors import ToolError
from tests.fusion_tools.bodies import article

FILLER = "<p>" + "Enough words for an article to be recognised as one. " * 8 + "</p>"


def read(html: str, url: str = "https://example.com/dir/page") -> Extracted:
    return read_document(Document(body=html.encode(), kind="html", url=url))


def page(content: str, head: str = "<title>T</title>") -> str:
    return (
        f"<html><head>{head}</head><body><article>{FILLER}{content}{FILLER}</article></body></html>"
    )


def test_structure_survives_as_markdown() -> None:
    extracted = read(
        page(
            "<h2>Heading</h2><ul><li>one</li><li>two</li></ul>"
            "<table><tr><th>Name</th><th>Price</th></tr><tr><td>Tea</td><td>2.50</td></tr></table>"
            "<pre><code>x = 1\ny = 2</code></pre><p>Some <b>bold</b> words.</p>"
        )
    )
    for expected in ("## Heading", "- one", "| Tea | 2.50 |", "x = 1\ny = 2", "**bold**"):
        assert expected in extracted.text


@pytest.mark.parametrize(
    ("href", "link"),
    [
        ("other", "https://example.com/dir/other"),
        ("/root?q=1", "https://example.com/root?q=1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("../up#part", "https://example.com/up"),
        ("  https://a.example/b  ", "https://a.example/b"),
        ("", "https://example.com/dir/page"),
        ("javascript:alert(1)", None),
        ("mailto:a@b.example", None),
        ("data:text/html,x", None),
        ("http://[broken", None),
        ("/" + "x" * 3000, None),
    ],
)
def test_links_are_absolute_or_absent(href: str, link: str | None) -> None:
    extracted = read(page(f'<p>See <a href="{href}">this very page</a> for more.</p>'))
    assert extracted.links == ([link] if link else [])
    assert "this very page" in extracted.text
    assert "javascript:" not in extracted.text


def test_a_base_element_is_respected() -> None:
    html = page('<p>See <a href="x">this</a>.</p>', '<base href="/other/"><title>T</title>')
    assert read(html).links == ["https://example.com/other/x"]


def test_links_are_unique_and_few() -> None:
    links = "".join(f'<p>Link <a href="/{n % 700}">{n}</a> here.</p>' for n in range(1400))
    extracted = read(page(links))
    assert len(extracted.links) == len(set(extracted.links)) == 500


def test_a_page_hidden_until_its_scripts_run_is_read() -> None:
    html = page("<p>Visible in the end.</p>").replace(
        "<body>", '<body style="display:none" hidden>'
    )
    assert "Visible in the end." in read(html).text


def test_text_beside_a_hidden_element_stays() -> None:
    extracted = read(page("<p>before <span hidden>secret</span>after</p>"))
    assert "before after" in extracted.text


def test_an_article_in_json_ld_behind_an_empty_page() -> None:
    body = "The article is in the script, not in the page. " * 10
    script = (
        f'<script type="application/ld+json">{{"@type":"Article","articleBody":"{body}"}}</script>'
    )
    html = f"<html><head><title>T</title>{script}</head><body><div id=app></div></body></html>"
    assert "The article is in the script" in read(html).text


@pytest.mark.parametrize(
    ("html", "title"),
    [
        (
            "<html><head><title> Two\n words </title></head><body><p>x</p></body></html>",
            "Two words",
        ),
        ("<p>x</p>", "page"),
        ("<title>" + "long " * 200 + "</title><p>x</p>", ("long " * 60).strip()),
    ],
)
def test_every_page_has_a_title(html: str, title: str) -> None:
    assert read(html).title == title


def test_the_host_is_the_last_resort_for_a_title() -> None:
    assert read("<p>x</p>", "https://example.com/").title == "example.com"


def test_a_fragment_is_read_in_full() -> None:
    extracted = read("<p>Just one.</p>")
    assert extracted.text == "Just one."


def test_invisible_characters_are_removed_and_joiners_kept() -> None:
    body = "a\u200bb\u202ec\u2066d\ufeffe\U000e0041f\x07g می\u200cخواهم 👩\u200d🔬"
    document = Document(body=body.encode(), kind="text", url="https://h.example/x")
    assert read_document(document).text == "abcdefg می\u200cخواهم 👩\u200d🔬"


def test_plain_reading_keeps_lines_and_drops_what_is_no_text() -> None:
    html = (
        "<html><head><title>T</title><style>p{}</style></head><body><script>go()</script>"
        "<h1>Head</h1><p>One <b>bold</b>\n word.</p><ul><li>a<li>b</ul><svg><text>s</text></svg>"
        "<noscript>n</noscript><p hidden>h</p>tail</body></html>"
    )
    document = Document(body=html.encode(), kind="html", url="https://h.example/x")
    extracted = read_plainly(document, " (because)")
    assert extracted.text == "Head\nOne bold word.\na\nb\ntail"
    assert extracted.title == "T"
    assert extracted.notes == [
        "Main-content extraction failed (because); this is the page's plain text, menus included."
    ]


def test_plain_reading_of_nothing_is_a_clear_failure() -> None:
    for body in (b"", b"<!-- -->", b"<p></p>"):
        document = Document(body=body, kind="html", url="https://h.example/x")
        with pytest.raises(ToolError, match=r"h\.example holds no text"):
            read_plainly(document, "")


def test_both_ways_of_reading_agree_on_title_and_links() -> None:
    document = Document(body=article().encode(), kind="html", url="https://h.example/x")
    heavy, light = read_document(document), read_plainly(document, "")
    assert heavy.title == light.title
    assert set(heavy.links) == set(light.links)
    assert "Imprint" in light.text
    assert "Imprint" not in heavy.text
