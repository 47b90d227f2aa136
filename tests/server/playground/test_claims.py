"""The claims of an answer in the playground, in a real browser: marked, shown, listed."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from fusion_graph import FusionReport
from fusion_graph.report.html.cards import Cards
from tests.claims import ANSWER, CLAIMS, claim
from tests.server.conftest import Server
from tests.server.playground.visiting import PHONE, Open, Visit

SHOW = """async (html) => {
  const { parsed } = await import("./playground/morph.js");
  const run = document.getElementById("run"); // beside the form, which may still be loading
  run.hidden = false;
  run.replaceChildren(parsed(html));
}"""


def report(answer: str = ANSWER, claims: list[dict[str, Any]] = CLAIMS) -> dict[str, Any]:
    """A finished run's report, as far as the answer's card shows it."""
    sources = [
        {"id": n, "url": f"https://{n}.example/", "title": f"Page {n}", "fetched": True}
        for n in (1, 2, 3)
    ]
    total = {"calls": 5, "input_tokens": 9, "output_tokens": 9, "cost_usd": 0, "seconds": 1}
    losses = [{"code": "claim_contradicted", "detail": "x"}, {"code": "miscounted", "detail": "y"}]
    usage = {"stages": {}, "models": {}, "total": total, "cost_known": True}
    return {
        "status": "degraded",
        "question": "What does it cost?",
        "answer": answer,
        "claims": claims,
        "sources": [
            {**source, "quotes": [], "retrieved_at": None, "cited_by": []} for source in sources
        ],
        "degradations": losses,
        "usage": {**usage, "single_usd": None, "multiple": None},
        "invoked": True,
        "analysis": None,
        "answers": [],
        "failures": [],
        "timeline": [],
        "config": {},
        "versions": {},
        "seed": 0,
        **dict.fromkeys(("preset", "thread_id")),
        **dict.fromkeys(("invocation_reason", "preset_reason"), ""),
    }


async def show(page: Page, told: dict[str, Any]) -> None:
    """Show a finished run with this report."""
    cards = Cards(told["question"])
    (piece,) = cards.end(
        "degraded",
        report=FusionReport.model_validate(told),
        report_address="report/x",
        error="",
        seconds=1,
    )
    await page.evaluate(SHOW, piece["html"])


@pytest_asyncio.fixture(loop_scope="session")
async def seen(server: Server, visit: Open) -> Visit:
    """The playground, open."""
    return await visit(server)


async def test_each_claim_is_marked_where_it_stands_and_shows_what_was_found(seen: Visit):
    await show(seen.page, report())
    prose = seen.answer.locator(".prose")
    assert await prose.locator(".sign").all_inner_texts() == ["✓", "!", "✗", "?", "✓"]
    await expect(prose.locator("li").first).to_contain_text("Judges see no names2.✗")
    await expect(prose.locator("td").last).to_contain_text("12 %2✓")
    await expect(prose.locator(".claim.unsupported a")).to_have_count(0)
    await expect(prose.locator("a .claim.unsupported")).to_have_text("the page")
    mark = prose.get_by_label("Claim contradicted: what it cites says something else")
    card = prose.locator("#claim-card-3")
    await expect(card).to_be_hidden()
    await mark.hover()
    await expect(card).to_be_visible()
    for said in ("Not there: no", "The page: Judges see the names of all.", "checked by a model"):
        await expect(card).to_contain_text(said)
    await seen.page.mouse.move(0, 0)
    await expect(card).to_be_hidden()
    await mark.focus()
    await expect(card).to_be_visible()
    seen.assert_quiet()


async def test_claims_are_listed_the_false_ones_first_and_told_once(seen: Visit):
    await show(seen.page, report())
    listed = seen.answer.locator(".claims > li")
    assert [str(await item.get_attribute("id"))[-1] for item in await listed.all()] == [
        *("3", "2", "4", "1", "5")
    ]
    await expect(listed.first).to_contain_text("contradicted: what it cites says something else")
    await expect(listed.nth(1)).to_contain_text("It was invented in 1804, says the page.")
    await expect(seen.answer.locator(".summary")).to_have_text(
        "5 claims checked: 2 supported, 1 contradicted, 1 unsupported, 1 not checkable"
    )
    await expect(seen.answer.locator("#source-2")).to_contain_text("1 of 3 claims found there")
    losses = seen.answer.locator(".losses")
    await expect(losses).to_contain_text("miscounted")
    await expect(losses).not_to_contain_text("claim_contradicted")


async def test_an_answer_that_was_not_checked_shows_nothing_of_it(seen: Visit):
    await show(seen.page, {**report(claims=[]), "degradations": []})
    await expect(seen.answer.locator(".prose")).to_contain_text("Judges see no names")
    await expect(seen.answer.locator(".sign, .claims, .losses:visible")).to_have_count(0)


async def test_hostile_claims_stay_text_and_nothing_sticks_out(server: Server, visit: Open):
    seen = await visit(server, viewport=PHONE)
    evil = f"<img src=x onerror='window.hacked = 1'> {'long' * 200} is so"
    told = claim(f"{evil}.", [1], "contradicted", missing=[evil], passage=evil)
    await show(seen.page, report(f"{evil} [1].", [told]))
    await expect(seen.answer.locator(".sign")).to_have_count(1)
    await seen.answer.locator(".sign").hover()
    assert await seen.answer.locator("img").count() == 0
    assert await seen.page.evaluate("window.hacked") is None
    assert await seen.sideways() == 0
    seen.assert_quiet()


@pytest.mark.slow
async def test_no_answer_takes_long(seen: Visit):
    sentence = "Water is wet and so is rain"
    claims = [claim(f"{sentence}.", [1], "supported")] * 300
    await show(seen.page, report(f"{sentence} [1]. " * 5000, claims))
    await expect(seen.answer.locator(".sign")).to_have_count(300)


async def test_who_said_what_stands_below_the_answer(seen: Visit):
    answers = [
        {
            "name": name,
            "model": f"scripted:{name}",
            "label": None,
            "status": "ok",
            "content": "",
            "failure": None,
            "tool_calls": [],
            "usage": {"calls": 0, "input_tokens": 0, "output_tokens": 0},
            "cost_usd": None,
            "seconds": 1,
        }
        for name in "ab"
    ]
    point = {"point": "Judges never see any names", "models": ["b"], "sources": []}
    analysis = {"consensus": [point]}
    told = {**report(), "answers": answers, "analysis": analysis}
    await show(seen.page, told)
    region = seen.page.get_by_role("region", name="Table of who said what")
    row = region.get_by_role("row").filter(has_text="Judges never see any names")
    await expect(row.locator("td").nth(0)).to_have_text("says nothing of it")
    await expect(row.locator("td").nth(1)).to_contain_text("●")
    only = region.get_by_role("rowheader", name="Only in the answer")
    await expect(only).to_be_visible()
    await region.get_by_role("link", name="contradicted").click()
    assert await seen.page.locator("#claim-3").evaluate("e => e.matches(':target')")
    seen.assert_quiet()
