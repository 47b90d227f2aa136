"""The playground in a real browser, on a real `fusion-graph serve`: asked, watched, read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.conftest import VERDICT
from tests.depth import in_depth
from tests.server.conftest import Server
from tests.server.playground.gate import gate
from tests.server.playground.visiting import PHONE, Open, reading, searching

QUESTION = "How much more does a panel cost than one model?"


async def test_a_question_is_asked_answered_and_read(server: Server, visit: Open):
    seen = await visit(server)
    await expect(seen.question).to_be_focused()
    await expect(seen.page.get_by_label("Preset")).to_have_value("offline")
    await seen.question.fill(QUESTION)
    await seen.question.press("Control+Enter")
    heading = seen.page.get_by_role("heading", name=QUESTION, level=1)
    await expect(heading).to_be_focused()
    await seen.ended("ok")
    for name in ("keyword", "figures", "central"):
        await expect(seen.panelist(name)).to_have_attribute("data-state", "done")
        await expect(seen.panelist(name)).to_contain_text("answered in")
    await expect(seen.judge).to_contain_text("Agreed")
    await expect(seen.answer).to_contain_text("4 to 5 times a single completion")
    await expect(seen.answer.locator("ol.sources > li").first).to_be_visible()
    table = seen.page.get_by_role("region", name="Table of who said what")
    await expect(table.get_by_role("columnheader", name="figures")).to_be_visible()
    await expect(seen.progress).to_contain_text("Answered in")
    await expect(seen.page).to_have_title(f"{QUESTION} – fusion-graph")

    await seen.page.get_by_role("button", name="Show the full report").click()
    report = seen.page.frame_locator("iframe")
    await expect(report.get_by_role("heading", name=QUESTION)).to_be_visible()
    seen.assert_quiet()


async def test_a_report_opens_in_a_tab_of_its_own(server: Server, visit: Open):
    seen = await visit(server)
    await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    async with seen.page.context.expect_page() as opened:
        await seen.page.get_by_role("link", name="Open it in a new tab").click()
    await expect((await opened.value).get_by_role("heading", name=QUESTION)).to_be_visible()


async def test_citations_lead_to_their_sources(server: Server, visit: Open):
    seen = await visit(server)
    run = await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    mark = seen.answer.locator(".prose .cite a").first
    number = await mark.inner_text()
    await mark.click()
    source = seen.page.locator(f"#source-{number}")
    await expect(source).to_be_in_viewport()
    assert await source.evaluate("element => element.matches(':target')")
    # The address still names the run, and so does going back.
    assert urlsplit(seen.page.url).query == f"run={run}"
    await expect(seen.run).to_have_attribute("data-status", "ok")


async def test_the_work_is_seen_while_it_is_done(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url}, search="corpus")
        models.script(
            "a", searching("panel cost"), reading("cost-of-a-panel.md"), "It is **dear**."
        )
        models.script("b", searching("price of a panel"), "About the same.")
        models.script("w", "The first words. PAUSE And the last words.")
        c_may_answer = door.hold_calls("c")
        judge_may_answer = door.hold_calls("j")
        writer_may_go_on = door.hold_replies("PAUSE")
        seen = await visit(server)
        await seen.ask("Is it dear?", preset)

        a, c = seen.panelist("a"), seen.panelist("c")
        await expect(a).to_have_attribute("data-state", "done")
        await expect(a.locator("summary").first).to_contain_text("1 search, 1 page")
        await expect(a.locator(".steps")).to_contain_text("Searched “panel cost”")
        await expect(a.locator(".steps")).to_contain_text("Read cost-of-a-panel.md")
        await expect(a.locator(".prose strong")).to_have_text("dear")
        await expect(c).to_have_attribute("data-state", "working")
        await expect(c).to_contain_text("thinking")
        await expect(seen.progress).to_have_text("2 of 3 panelists answered")
        await expect(seen.judge).to_contain_text("waits for the panel")
        await expect(seen.answer).to_contain_text("waits for the judge")

        c_may_answer.set()
        await expect(seen.judge).to_have_attribute("data-state", "working")
        await expect(seen.progress).to_have_text("The judge compares 3 answers")
        judge_may_answer.set()
        await expect(seen.judge).to_have_attribute("data-state", "done")
        await expect(seen.judge).to_contain_text("1 contradiction")
        await expect(seen.judge).to_contain_text("Salt water")

        await expect(seen.answer.locator(".prose")).to_contain_text("The first words.")
        await expect(seen.answer).to_have_attribute("aria-busy", "true")
        await expect(seen.progress).to_have_text("The answer is being written")
        assert "last words" not in await seen.answer.inner_text()
        writer_may_go_on.set()
        await seen.ended("degraded")
        await expect(seen.answer).to_contain_text("And the last words.")
        await expect(seen.answer).to_have_attribute("aria-busy", "false")
    seen.assert_quiet()


async def test_what_a_panelist_writes_appears_before_it_is_done(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url})
        models.script("a", "Early words. PAUSE Late words.")
        a_may_go_on = door.hold_replies("PAUSE")
        seen = await visit(server)
        await seen.ask("What do you write?", preset)
        card = seen.panelist("a")
        await expect(card.locator(".prose")).to_contain_text("Early")
        await expect(card).to_have_attribute("data-state", "working")
        await expect(card).to_contain_text("writing")
        a_may_go_on.set()
        await seen.ended("ok")
        await expect(card.locator(".prose")).to_contain_text("Late words.")


async def test_what_changes_leaves_the_reader_alone(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url}, search="corpus")
        models.script("a", searching("panel cost"), "\n\n".join(["The answer of a."] * 40))
        models.script("b", "\n\n".join(["Early words."] * 40) + " PAUSE Late words.")
        b_may_go_on = door.hold_replies("PAUSE")
        judge_may_answer = door.hold_calls("j")
        seen = await visit(server)
        await seen.ask("Where was I?", preset)
        a, b = seen.panelist("a"), seen.panelist("b")
        await expect(a).to_have_attribute("data-state", "done")
        await expect(seen.progress).to_have_text("2 of 3 panelists answered")
        await a.get_by_text("1 step", exact=True).click()
        body = a.locator(".body")
        await body.focus()
        await body.evaluate("element => { element.scrollTop = 100; element.mark = 'the same'; }")
        await expect(b.locator(".prose p")).to_have_count(40)
        await b.locator(".prose p").first.evaluate("element => { element.mark = 'the same'; }")
        await b.locator(".body").evaluate("element => { element.scrollTop = 0; }")
        b_may_go_on.set()
        await expect(seen.progress).to_have_text("The judge compares 3 answers")
        await expect(a.locator(".steps")).to_be_visible()
        await expect(body).to_be_focused()
        assert await body.evaluate("element => [element.scrollTop, element.mark]") == [
            100,
            "the same",
        ]
        assert await b.locator(".prose p").first.evaluate("element => element.mark") == "the same"
        judge_may_answer.set()
        await seen.ended("degraded")
        await expect(a).to_have_attribute("open", "")
        await expect(b).not_to_have_attribute("open", "")
    seen.assert_quiet()


async def test_a_second_tab_shows_the_same_run(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url})
        models.script("w", "# Title\n\nThe first words. PAUSE And the last words.")
        writer_may_go_on = door.hold_replies("PAUSE")
        seen = await visit(server)
        run = await seen.ask("For two?", preset)
        await expect(seen.answer).to_contain_text("The first words.")
        other = await visit(server, f"?run={run}")
        await expect(other.answer.locator("h4")).to_have_text("Title")
        await expect(other.answer).to_contain_text("The first words.")
        writer_may_go_on.set()
        for tab in (seen, other):
            await tab.ended("ok")
            await expect(tab.answer).to_contain_text("And the last words.")
            tab.assert_quiet()


async def test_a_reload_in_the_middle_of_a_run_loses_nothing(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url}, search="corpus")
        models.script("a", searching("panel cost"), "The answer of a.")
        models.script("w", "The first words. PAUSE And the last words.")
        c_may_answer = door.hold_calls("c")
        writer_may_go_on = door.hold_replies("PAUSE")
        seen = await visit(server)
        await seen.ask("Does it survive?", preset)
        await expect(seen.panelist("a")).to_have_attribute("data-state", "done")

        await seen.page.reload()
        await expect(seen.page.get_by_role("heading", level=1)).to_have_text("Does it survive?")
        await expect(seen.panelist("a")).to_have_attribute("data-state", "done")
        await expect(seen.panelist("a").locator(".steps")).to_contain_text("panel cost")
        await expect(seen.panelist("c")).to_have_attribute("data-state", "working")

        c_may_answer.set()
        await expect(seen.answer).to_contain_text("The first words.")
        await seen.page.reload()
        await expect(seen.answer).to_contain_text("The first words.")
        await expect(seen.answer).to_have_attribute("aria-busy", "true")
        writer_may_go_on.set()
        await seen.ended("degraded")
        await expect(seen.answer).to_contain_text("And the last words.")
        assert len(await asyncio.to_thread(models.calls, "w")) == 1
    seen.assert_quiet()


async def test_past_runs_are_listed_and_opened_again(server: Server, visit: Open):
    seen = await visit(server)
    first = await seen.ask("What is DRACO?", "offline")
    await seen.ended("ok")
    await seen.page.get_by_role("link", name="New question").click()
    await expect(seen.question).to_be_focused()
    await expect(seen.question).to_have_value("")
    second = await seen.ask("What is self-fusion?", "offline")
    await seen.ended("ok")
    await expect(seen.past.nth(0)).to_contain_text("What is self-fusion?")
    await expect(seen.past.nth(0)).to_have_attribute("aria-current", "page")
    await expect(seen.past.nth(0)).to_contain_text("answered")

    await seen.page.locator(f"[data-run='{first}']").click()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("What is DRACO?")
    await seen.ended("ok")
    await expect(seen.answer).to_contain_text("DRACO")
    await expect(seen.panelist("keyword")).to_contain_text("answered in")
    await seen.page.go_back()
    await expect(seen.page.get_by_role("heading", level=1)).to_have_text("What is self-fusion?")
    assert second in seen.page.url

    another = await visit(server, f"?run={first}")
    await another.ended("ok")
    await expect(another.answer).to_contain_text("DRACO")
    seen.assert_quiet()


async def test_asking_again_brings_the_question_back(
    server: Server, offer: Callable[..., str], visit: Open
):
    preset = offer()
    seen = await visit(server)
    await seen.ask("Is it so?", preset)
    await seen.ended("ok")
    await seen.page.get_by_role("button", name="Ask again").click()
    await expect(seen.question).to_have_value("Is it so?")
    await expect(seen.page.get_by_label("Preset")).to_have_value(preset.removeprefix("fusion/"))


async def test_cancelling_stops_the_models(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("c", {"hang": True})
    seen = await visit(server)
    await seen.ask("Will it stop?", preset)
    await asyncio.to_thread(models.calls, "c", arrived=1)
    await expect(seen.progress).to_have_text("2 of 3 panelists answered")
    await seen.page.get_by_role("button", name="Cancel").click()
    await seen.ended("cancelled")
    (call,) = await asyncio.to_thread(models.calls, "c", ended=1)
    assert call.disconnected
    assert models.calls("j") == []
    await expect(seen.progress).to_have_text("Cancelled")
    await expect(seen.panelist("c")).to_contain_text("cancelled")
    await expect(seen.panelist("a")).to_contain_text("The answer of a.")
    await expect(seen.past.first).to_contain_text("cancelled")
    await expect(seen.page.get_by_role("button", name="Ask again")).to_be_visible()
    seen.assert_quiet()


async def test_the_panel_may_be_changed_for_one_question(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("other", "The answer of another.")
    models.script("j", json.dumps(VERDICT).replace('"C"', '"B"'))
    seen = await visit(server)
    await seen.choose(preset)
    await expect(seen.page.locator("#hint")).to_contain_text("At least 5 model calls")
    await seen.page.get_by_text("Models", exact=True).click()
    await seen.page.get_by_role("button", name="Remove panelist 3").click()
    await seen.page.get_by_role("combobox", name="Panelist 2").fill("scripted:other")
    await expect(seen.page.locator("#hint")).to_contain_text("At least 4 model calls")
    await seen.ask("Who answers?")
    await seen.ended("ok")
    await expect(seen.page.locator("details.panelist h3")).to_have_text(["a", "other"])
    assert [len(models.calls(name)) for name in ("a", "b", "c", "other")] == [1, 0, 0, 1]


LONG = "\n\n".join(
    [
        f"{'unbroken' * 60} and `{'code' * 60}`",
        f"```\n{'x' * 400}\n```",
        f"| {'a |' * 30}\n|{'-|' * 30}\n| {'b |' * 30}",
    ]
)


@pytest.mark.parametrize("scheme", ["light", in_depth("dark")])
async def test_nothing_sticks_out_on_a_phone(
    server: Server, models, offer: Callable[..., str], visit: Open, scheme: str
):
    preset = offer(search="corpus", panel=["scripted:a", f"scripted:{'long-name-' * 8}"])
    models.script("a", searching("word" * 60), LONG)
    models.script("long-name-" * 8, {"status": 500, "error": {"message": "why" * 120}})
    models.script("w", LONG)
    seen = await visit(server, viewport=PHONE, color_scheme=scheme, is_mobile=True)
    await seen.choose(preset)
    await seen.page.get_by_text("Models", exact=True).click()
    assert await seen.sideways() == 0
    await seen.ask(f"Is it narrow? {'question' * 40}", preset)
    await seen.ended("degraded")
    for card in await seen.page.locator("details.panelist > summary").all():
        await card.click()
    assert await seen.sideways() == 0
    await seen.page.get_by_role("link", name="New question").click()
    await expect(seen.question).to_be_visible()
    assert await seen.sideways() == 0
    seen.assert_quiet()


async def test_one_model_alone_is_shown_without_a_judge(
    server: Server, offer: Callable[..., str], visit: Open
):
    fusion = {"preset": offer().removeprefix("fusion/"), "invocation": "never"}
    begun = server.request("POST", "/api/runs", json={"question": "Alone?", "fusion": fusion})
    seen = await visit(server, f"?run={begun.json()['id']}")
    await seen.ended("ok")
    await expect(seen.page.get_by_role("heading", name="One model")).to_be_visible()
    await expect(seen.page.locator("details.panelist")).to_have_count(1)
    await expect(seen.judge).to_be_hidden()
    await expect(seen.answer).to_contain_text("The final answer of the writer.")
    seen.assert_quiet()


async def test_a_run_left_behind_is_listed_as_ended_when_it_has(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door:
        preset = offer(provider={"base_url": door.base_url})
        writer_may_write = door.hold_calls("w")
        seen = await visit(server)
        run = await seen.ask("Will you come back?", preset)
        await seen.page.get_by_role("link", name="New question").click()
        listed = seen.page.locator(f"[data-run='{run}']")
        await expect(listed).to_contain_text("at work")
        writer_may_write.set()
        await expect(listed).to_contain_text("answered")
