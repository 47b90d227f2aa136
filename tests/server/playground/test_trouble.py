"""What the playground says when something goes wrong: what happened, to whom, what to do."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace

from playwright.async_api import expect

from tests.server.conftest import Server, running
from tests.server.playground.gate import gate
from tests.server.playground.visiting import Open, searching


async def test_an_empty_question_is_pointed_out(server: Server, visit: Open):
    seen = await visit(server)
    await seen.question.fill("  \n ")
    await seen.page.get_by_role("button", name="Ask", exact=True).click()
    await expect(seen.alarm.or_(seen.page.get_by_role("alert"))).to_have_text(
        "Write a question first."
    )
    await expect(seen.question).to_be_focused()
    await expect(seen.question).to_have_attribute("aria-invalid", "true")
    seen.assert_quiet()


async def test_a_preset_without_its_key_says_which(server: Server, visit: Open):
    seen = await visit(server)
    await seen.choose("quality")
    await expect(seen.page.locator("#missing")).to_contain_text("OPENROUTER_API_KEY is not set")
    await seen.question.fill("May I?")
    await seen.question.press("Control+Enter")
    await expect(seen.page.locator("#problem")).to_contain_text("OPENROUTER_API_KEY is not set")
    await expect(seen.question).to_have_value("May I?")
    assert "run=" not in seen.page.url


async def test_when_nobody_answers_every_reason_and_its_remedy_is_told(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("a", {"status": 401})
    models.script("b", {"status": 402})
    models.script("c", {"status": 404, "error": {"message": "The model `c` does not exist"}})
    seen = await visit(server)
    await seen.ask("Anybody there?", preset)
    await seen.ended("error")
    await expect(seen.alarm).to_contain_text("No panelist answered")
    members = seen.alarm.get_by_role("listitem")
    await expect(members).to_have_count(3)
    await expect(members.nth(0)).to_contain_text("scripted:a")
    await expect(members.nth(0)).to_contain_text("Incorrect API key provided.")
    await expect(members.nth(0)).to_contain_text("Check the API key")
    await expect(members.nth(1)).to_contain_text("Add credits at the provider")
    await expect(members.nth(2)).to_contain_text("Check the model's name")
    for name in "abc":
        await expect(seen.panelist(name)).to_have_attribute("data-state", "failed")
    await seen.page.get_by_role("button", name="Show the full report").click()
    await expect(
        seen.page.frame_locator("iframe").get_by_text("No answer", exact=True)
    ).to_be_visible()
    await seen.page.reload()
    await expect(seen.alarm).to_contain_text("No panelist answered")
    seen.assert_quiet()


async def test_what_an_answer_had_to_do_without_stands_above_it(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("b", {"status": 402})
    models.script("j", "no JSON at all")
    seen = await visit(server)
    await seen.ask("Is it whole?", preset)
    await seen.ended("degraded")
    await expect(seen.panelist("b")).to_contain_text("no credit left")
    await expect(seen.judge).to_contain_text("could not compare")
    losses = seen.answer.locator(".losses")
    await expect(losses).to_contain_text("Insufficient credits")
    await expect(losses).to_contain_text("judge_not_valid_json")
    await expect(seen.answer).to_contain_text("The final answer of the writer.")


async def test_a_draft_that_broke_off_is_taken_back(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("w", {"text": "A draft that breaks off.", "close_after": 4}, "The real answer.")
    seen = await visit(server)
    await seen.ask("Which counts?", preset)
    await seen.ended("ok")
    await expect(seen.answer.locator(".prose")).to_have_text("The real answer.")


async def test_a_run_that_is_gone_is_told(server: Server, visit: Open):
    seen = await visit(server, "?run=0123456789abcdef")
    await expect(seen.alarm).to_contain_text("not on this server any more")
    await seen.page.get_by_role("link", name="New question").click()
    await expect(seen.question).to_be_focused()


async def test_a_server_that_goes_away_is_told(tmp_path, models, offer, visit: Open):
    with running(tmp_path / "own") as server:
        preset = offer(tmp_path / "own")
        models.script("c", {"hang": True})
        seen = await visit(server)
        await seen.ask("Still there?", preset)
        await expect(seen.progress).to_have_text("2 of 3 panelists answered")
        await asyncio.to_thread(server.stop, signal.SIGKILL)
        await expect(seen.page.locator("p.lost")).to_contain_text(
            "The connection to the server is lost"
        )


async def test_a_connection_that_breaks_off_is_taken_up_again_and_the_reader_left_alone(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    async with gate(models.base_url) as door, gate(server.url) as way:
        preset = offer(provider={"base_url": door.base_url}, search="corpus")
        models.script("a", searching("panel cost"), "The answer of a.")
        c_may_answer = door.hold_calls("c")
        seen = await visit(replace(server, url=way.base_url))
        await seen.ask("Still there?", preset)
        await expect(seen.progress).to_have_text("2 of 3 panelists answered")
        a = seen.panelist("a")
        await a.get_by_text("1 step", exact=True).click()
        await a.locator(".body").focus()
        async with seen.page.expect_request("**/cards"):
            way.drop()
        c_may_answer.set()
        await expect(seen.page.locator("p.lost")).to_be_empty()
        await seen.ended("degraded")
        await expect(a.locator(".steps")).to_be_visible()
        await expect(a.locator(".body")).to_be_focused()
        await expect(seen.answer).to_contain_text("The final answer of the writer.")


async def test_a_model_that_stands_in_for_another_is_told(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer(fallbacks=["scripted:spare"], quorum=3)
    models.script("a", {"status": 402})
    models.script("spare", "The answer of the spare.")
    seen = await visit(server)
    await seen.ask("Who steps in?", preset)
    await seen.ended("degraded")
    card = seen.panelist("a")
    await card.locator("summary").first.click()
    await expect(card.locator(".model")).to_have_text("scripted:spare")
    await card.get_by_text("1 step", exact=True).click()
    await expect(card).to_contain_text("scripted:a No credit left: Insufficient credits")
    await expect(card).to_contain_text("The answer of the spare.")
