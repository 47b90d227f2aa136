"""Who said what: the comparison and the answer's claims as a table, member by member."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from fusion_graph import FusionReport
from fusion_graph.evidence import matched
from tests.claims import claim
from tests.page.opening import NARROW, open_page, sideways

BOX = "Table of who said what"

POINT = "A lake of this size holds about 40 million litres of water."


@pytest.mark.parametrize(
    "sentence",
    [
        "A lake of this size holds about 40 million litres of water.",
        "Such a lake holds 40 million litres of water.",
        "About 40 million litres of water, is what a lake of this size holds.",
    ],
)
def test_a_point_is_found_again_in_the_writers_words(sentence: str):
    assert matched([sentence], ["Rivers flow to the sea in every season.", POINT]) == [1]


@pytest.mark.parametrize(
    "sentence",
    [
        "A lake of this size holds about 70 million litres of water.",
        "A lake of this size does not hold about 40 million litres of water.",
        "A lake of this size freezes in most winters.",
        "Yes.",
    ],
)
def test_what_differs_in_a_figure_a_denial_or_its_matter_is_another_point(sentence: str):
    assert matched([sentence], [POINT]) == [None]


def compared(record: dict[str, Any]) -> FusionReport:
    """A run whose members differ, one of whom failed, and whose answer says more than they do."""
    record["answers"][2] |= {
        "status": "failed",
        "content": "",
        "failure": {"reason": "timed_out", "detail": "", "http_status": None, "attempts": 1},
    }
    record["sources"][0]["cited_by"] = ["figures"]
    number = record["sources"][0]["id"]
    record["analysis"] = {
        "consensus": [{"point": POINT, "models": ["keyword", "figures"], "sources": []}],
        "contradictions": [
            {
                "topic": "How deep the lake is",
                "stances": [
                    {"model": "keyword", "stance": "twelve metres", "sources": []},
                    {"model": "figures", "stance": "nine metres", "sources": []},
                ],
            }
        ],
        "partial_coverage": [],
        "unique_insights": [
            {"insight": "<b>Trout</b> live there.", "model": "figures", "sources": []}
        ],
        "blind_spots": [],
    }
    record["claims"] = [
        claim("Such a lake holds 40 million litres of water.", [number], "contradicted"),
        claim("It was dug by hand in two long summers.", [number], "supported"),
    ]
    return FusionReport.model_validate(record)


def cells(table: Locator, row: str) -> Locator:
    """The cells of a row by what its header holds."""
    return (
        table.get_by_role("row")
        .filter(has=table.page.get_by_role("rowheader", name=row))
        .locator("td")
    )


@pytest.mark.slow
async def test_the_report_shows_who_said_what_and_what_became_of_it_in_the_answer(
    browser_page: Page, record, tmp_path
):
    await open_page(browser_page, compared(record).to_html(), tmp_path)
    await browser_page.get_by_role("link", name="Who said what").click()
    table = browser_page.get_by_role("region", name=BOX).get_by_role("table")
    columns = table.get_by_role("columnheader")
    await expect(columns).to_have_text(["keyword", "figures", "central no answer", "In the answer"])
    says, silent, absent = "●says so", "says nothing of it", "–did not answer"
    none = "–no checked sentence says this"
    await expect(cells(table, "A lake of this size")).to_have_text(
        [says, says, absent, "✗ contradicted"]
    )
    await expect(cells(table, "How deep")).to_have_text(
        ["Atakes side A", "Btakes side B", absent, none]
    )
    await expect(table.get_by_role("rowheader", name="How deep")).to_contain_text("A twelve metres")
    await expect(cells(table, "<b>Trout</b>")).to_have_text([silent, says, absent, none])
    await expect(cells(table, "It was dug")).to_have_text(
        [silent, "○cites a page that this rests on", absent, "✓ supported"]
    )
    await table.get_by_role("link", name="contradicted").click()
    assert await browser_page.locator("#claim-1").evaluate("e => e.matches(':target')")


@pytest.mark.slow
async def test_a_wide_table_scrolls_inside_its_own_box(browser_page: Page, record, tmp_path):
    report = compared(record)
    member = report.answers[0]
    report.answers += [
        member.model_copy(update={"name": f"member-{n}-{'long' * 40}"}) for n in range(13)
    ]
    await browser_page.set_viewport_size(NARROW)
    await open_page(browser_page, report.to_html(), tmp_path)
    assert await sideways(browser_page) == 0
    box = browser_page.get_by_role("region", name=BOX)
    assert await box.evaluate("e => e.scrollWidth > 2 * e.clientWidth")
    header = box.get_by_role("rowheader", name="A lake of this size")
    await header.evaluate("e => e.scrollIntoView({ block: 'center', behavior: 'instant' })")
    await box.evaluate("e => e.scrollTo(e.scrollWidth, 0)")
    await expect(header).to_be_in_viewport()  # what a row is about stays beside its cells
    await expect(box.get_by_role("link", name="contradicted")).to_be_in_viewport()


def test_one_model_by_itself_has_no_table(record):
    record["invoked"] = False
    assert BOX not in FusionReport.model_validate(record).to_html()
    assert BOX in compared(record | {"invoked": True}).to_html()


def test_a_comparison_without_end_is_cut_and_says_so(record):
    record["analysis"]["unique_insights"] = [
        {"insight": f"Point number {n} of many.", "model": "figures", "sources": []}
        for n in range(200)
    ]
    record["claims"] = []
    html = FusionReport.model_validate(record).to_html()
    table = html[html.index('<table class="matrix">') :]
    assert table.count('<th scope="row">', 0, table.index("</table>")) == 60
    assert "rows more are not shown" in html


@pytest.mark.slow
def test_no_comparison_and_no_answer_takes_long_to_be_matched():
    points = [f"Point number {n} of many that speak of the lake in winter." for n in range(5_000)]
    points[1] = "water lake winter " * 200_000
    sentences = [f"Sentence {n} says that the lake is deep." for n in range(5_000)]
    assert matched(sentences, points) == [None] * 5_000
