"""Claims in the answer's Markdown and on the page: where the marks stand, and what they show."""

from __future__ import annotations

import io
import re

import pytest
from pypdf import PdfReader

from fusion_graph import FusionReport
from fusion_graph.report.html._markdown import Claimed, markdown
from tests.claims import ANSWER, CLAIMS, claim
from tests.page.opening import NARROW, open_page, sideways


def marked(text: str, *sentences: str) -> str:
    """A text as HTML, `<0>…</span>` around its first claim's words and `<M0>` after it."""
    claimed = Claimed(sentences, lambda n: f"<{n}>", lambda n: f"<M{n}>")
    cite = lambda ids, _: f"<c{ids[0]}>"  # noqa: E731
    html = str(markdown(text, cite, known=[1, 2, 3], below=2, claimed=claimed))
    return re.sub(r' (?:dir|rel|target|title|tabindex|role|aria-label)="[^"]*"', "", html).strip()


PLACES = {
    ("Wet [1]. Dry.", "Wet."): "<p><0>Wet</span> <c1>.<M0> Dry.</p>",
    ("Wet. [1] [2] Dry.", "Wet."): "<p><0>Wet</span>. <c1> <c2><M0> Dry.</p>",
    ("As [1] says, wet. Dry", "As says, wet."): (
        "<p><0>As</span> <c1> <0>says, wet</span>.<M0> Dry</p>"
    ),
    ("**Wet [1].** Dry", "**Wet."): "<p><strong><0>Wet</span> <c1>.</strong><M0> Dry</p>",
    ("a `b c` d [1]", "a `b c` d"): (
        "<p><0>a</span> <0><code>b c</code></span> <0>d</span> <c1><M0></p>"
    ),
    ("[a. B](http://x.y) [1].", "[a."): '<p><a href="http://x.y"><0>a</span>. B</a> <c1>.<M0></p>',
    ("Cost 5 < 6 &amp; \\*7 [1].", "Cost 5 < 6 &amp; \\*7."): (
        "<p><0>Cost 5 &lt; 6 &amp; *7</span> <c1>.<M0></p>"
    ),
    ("12 % [1]", "12 %"): "<p><0>12</span> % <c1><M0></p>",
    ("Yesterday. Yes [1].", "Yes."): "<p>Yesterday. <0>Yes</span> <c1>.<M0></p>",
    ("水は濡れている [1]。", "水は濡れている。"): ("<p><0>水は濡れている</span> <c1>。<M0></p>"),
    ("Wet [1].", "Something else."): "<p>Wet <c1>.</p>",
    ("Wet [1].", "…"): "<p>Wet <c1>.</p>",
    ("Wet [1].", ""): "<p>Wet <c1>.</p>",
}


@pytest.mark.parametrize("written", PLACES, ids=lambda written: written[0])
def test_a_claim_is_marked_where_it_stands(written):
    assert marked(*written) == PLACES[written]


def test_the_same_sentence_twice_is_two_claims_and_each_has_its_own_mark():
    assert marked("Wet [1]. Wet [2].", "Wet.", "Wet.") == (
        "<p><0>Wet</span> <c1>.<M0> <1>Wet</span> <c2>.<M1></p>"
    )


def test_a_claim_over_several_cells_has_one_mark():
    html = marked("| a | b |\n|---|---|\n| wet | 12 % [1] |", "| wet | 12 % |")

    assert "<td><0>wet</span></td>" in html
    assert "<td><0>12</span> % <c1><M0></td>" in html


@pytest.mark.slow
def test_no_answer_takes_long():
    sentence = "Water is wet and so is rain."
    assert marked(f"{sentence} [1] " * 7000, *[sentence] * 300).count("<M") == 300


@pytest.fixture
def report(record) -> FusionReport:
    """A run with claims of every verdict."""
    record["answer"], record["claims"] = ANSWER, CLAIMS
    record["status"] = "degraded"
    record["degradations"] = [
        {"code": "claim_contradicted", "detail": "Judges see no names."},
        {"code": "miscounted", "detail": "3 of 3 is 2 of 3."},
    ]
    return FusionReport.model_validate(record)


async def test_a_mark_shows_verdict_passage_what_is_missing_and_who_checked(
    report, browser_page, tmp_path
):
    seen = await open_page(browser_page, report.to_html(), tmp_path)
    answer = browser_page.locator("#answer")
    signs = answer.locator(".sign")
    assert await signs.all_inner_texts() == ["✓", "!", "✗", "?", "✓"]
    mark = answer.get_by_role("button", name="Claim contradicted: what it cites")
    card = answer.locator(".card", has_text="contradicted")
    assert not await card.is_visible()

    await mark.hover()

    assert await card.is_visible()
    assert (await card.inner_text()).split("\n") == [
        "✗ contradicted: what it cites says something else",
        "Not there: no",
        "The page: Judges see the names of all.",
        "checked by a model",
        "In the list of claims",
    ]
    assert await mark.get_attribute("aria-describedby") == await card.get_attribute("id")
    claim = answer.locator("span.claim.contradicted")
    assert await claim.inner_text() == "Judges see no names"
    assert str(await claim.get_attribute("title")).startswith("contradicted: ")
    assert seen.nothing, seen


async def test_the_keyboard_opens_a_mark_and_leads_to_the_list(report, browser_page, tmp_path):
    await open_page(browser_page, report.to_html(), tmp_path)
    mark = browser_page.locator("#answer .sign.unsupported")
    for _ in range(40):
        await browser_page.keyboard.press("Tab")
        if await mark.evaluate("e => e === document.activeElement"):
            break
    assert await browser_page.locator("#claim-card-2").is_visible()

    await browser_page.keyboard.press("Tab")
    await browser_page.keyboard.press("Enter")

    assert await browser_page.evaluate("document.querySelector(':target').id") == "claim-2"


async def test_the_list_has_what_is_false_first_and_sources_say_what_they_bear_out(
    report, browser_page, tmp_path
):
    await open_page(browser_page, report.to_html(), tmp_path)

    summary = "5 claims checked: 2 supported, 1 contradicted, 1 unsupported, 1 not checkable"
    assert await browser_page.locator("#answer .checked").inner_text() == summary
    listed = await browser_page.locator("#claims li").all_inner_texts()
    assert [item.split("\n")[0] for item in listed] == [
        "Judges see no names.\xa0[2]",
        "It was invented in 1804, says the page.\xa0[1][2]",
        "Most people like it.\xa0[3]",
        "A panel costs 4 to 5 times a single completion.\xa0[1]",
        "| judge | 12 % |\xa0[2]",
    ]
    assert "1 of 3 claims found there" in await browser_page.locator("#source-2").inner_text()
    lost = await browser_page.locator(".lost").inner_text()
    assert "3 of 3 is 2 of 3." in lost
    assert "2 claims of the answer are not what the cited pages say." in lost
    assert "claim_contradicted" not in lost


async def test_claims_are_on_paper_and_fit_a_phone(report, browser_page, tmp_path):
    await browser_page.set_viewport_size(NARROW)
    await open_page(browser_page, report.to_html(), tmp_path)
    assert await sideways(browser_page) <= 0

    pdf = PdfReader(io.BytesIO(await browser_page.pdf()))
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())

    assert "contradicted: what it cites says something else" in text
    assert "Judges see the names of all." in text


async def test_a_run_whose_answer_was_not_checked_shows_no_claims(record, browser_page, tmp_path):
    record["claims"] = []
    await open_page(browser_page, FusionReport.model_validate(record).to_html(), tmp_path)

    assert await browser_page.locator("#claims, .sign, .checked").count() == 0


async def test_hostile_claims_only_show_what_they_say(record, browser_page, tmp_path):
    evil = "<img src=x onerror='window.pwned=1'> \"><script>window.pwned=1</script> is so"
    record["answer"] = f"{evil} [1]."
    record["claims"] = [claim(f"{evil}.", [1], "contradicted", missing=[evil], passage=evil)]

    seen = await open_page(browser_page, FusionReport.model_validate(record).to_html(), tmp_path)

    assert seen.nothing, seen
    assert await browser_page.evaluate("window.pwned") is None
    assert await browser_page.locator("#answer .sign").count() == 1
    assert await browser_page.locator("main img, main script").count() == 0
    assert "<img src=x" in await browser_page.locator("#claims").inner_text()
