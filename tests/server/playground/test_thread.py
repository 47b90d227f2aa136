"""Follow-up questions: asked below an answer, with all that went before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.server.conftest import Server
from tests.server.playground.visiting import PHONE, Open, Visit, reading, searching

FOLLOW_UP = {"name": "Ask a follow-up", "level": 2}


async def follow_up(seen: Visit, question: str) -> str:
    """Ask below the answer, and wait until the new run is on the page. Returns its id."""
    before = seen.page.url
    await expect(seen.page.get_by_role("heading", **FOLLOW_UP)).to_be_visible()
    await seen.question.fill(question)
    await seen.question.press("Control+Enter")
    await seen.page.wait_for_url(lambda url: url != before)
    heading = seen.page.get_by_role("heading", name=question, level=1, exact=True)
    await expect(heading).to_be_focused()
    return urlsplit(seen.page.url).query.removeprefix("run=")


def asked(server: Server, question: str, preset: str, **fields: Any) -> str:
    """A question asked and answered over the page's interface; its run's id."""
    fusion = {"preset": preset.removeprefix("fusion/")}
    body = {"question": question, "fusion": fusion, **fields}
    started = server.request("POST", "/api/runs", json=body)
    assert started.status_code == 201, started.text
    run = started.json()["id"]
    server.request("GET", f"/api/runs/{run}/events")
    return str(run)


def told(models: Any, model: str) -> list[tuple[str, str]]:
    """What a model was told last, but for its instructions: role and text of each message."""
    messages = models.calls(model)[-1].body["messages"]
    return [(one["role"], one["content"]) for one in messages if one["role"] != "system"]


@pytest.mark.slow
async def test_a_follow_up_is_asked_below_the_answer_and_the_thread_stays(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("w", "It is **wet**.", "Less wet.", "Not at all.")
    seen = await visit(server)
    first = await seen.ask("How wet is water?", preset)
    await seen.ended("ok")
    second = await follow_up(seen, "And ice?")
    await seen.ended("ok")
    assert second != first
    turns = seen.page.get_by_role("region", name="Earlier in this thread").get_by_role("article")
    await expect(turns).to_have_count(1)
    await expect(turns.get_by_role("heading", name="How wet is water?")).to_be_visible()
    await expect(turns.locator("strong")).to_have_text("wet")
    for panelist in "abc":
        conversation = told(models, panelist)
        assert conversation[0] == ("user", "How wet is water?")
        assert conversation[1] == ("assistant", "It is **wet**.")
        assert conversation[2][1].startswith("And ice?")

    await follow_up(seen, "And steam?")
    await seen.ended("ok")
    await expect(turns).to_have_count(2)
    await expect(turns.nth(1)).to_contain_text("Less wet.")
    assert [text for _, text in told(models, "a")][:4] == [
        "How wet is water?",
        "It is **wet**.",
        "And ice?",
        "Less wet.",
    ]
    # The preset of the thread is kept; an earlier turn opens with its panel, and it can be left.
    await expect(seen.page.get_by_label("Preset")).to_have_value(preset.removeprefix("fusion/"))
    await expect(seen.past.first).to_contain_text("follow-up · answered")
    await turns.nth(0).get_by_role("link", name="Open its panel and sources").click()
    await expect(
        seen.page.get_by_role("heading", name="How wet is water?", level=1)
    ).to_be_focused()
    await expect(turns).to_have_count(0)

    await seen.page.get_by_role("link", name="New question").click()
    await expect(seen.page.get_by_role("heading", name="Ask the panel", level=1)).to_be_visible()
    await seen.ask("How wet is fire?")
    await seen.ended("ok")
    await expect(turns).to_have_count(0)
    assert "How wet is water?" not in str(told(models, "a"))
    seen.assert_quiet()


@pytest.mark.slow
async def test_a_thread_opens_whole_after_a_reload_and_after_its_first_question_is_deleted(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("w", "Very.", "Less.")
    first = asked(server, "How wet is a lake?", preset)
    second = asked(server, "And a pond?", preset, follows=first)
    seen = await visit(server, f"?run={second}")
    await seen.ended("ok")
    turn = seen.page.get_by_role("region", name="Earlier in this thread").get_by_role("article")
    await expect(turn.get_by_role("heading", name="How wet is a lake?")).to_be_visible()

    await seen.page.get_by_role("button", name="Delete “How wet is a lake?”").click()
    dialog = seen.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("The follow-ups to it still hold it in their threads")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog).to_be_hidden()
    await seen.page.reload()
    await seen.ended("ok")
    await expect(turn).to_contain_text("Very.")
    await expect(turn.get_by_role("link")).to_have_count(0)
    await follow_up(seen, "And a puddle?")
    await seen.ended("ok")
    await expect(turn).to_have_count(2)
    assert told(models, "b")[0] == ("user", "How wet is a lake?")
    seen.assert_quiet()


@pytest.mark.slow
async def test_what_is_being_written_stays_with_its_thread(server: Server, visit: Open):
    seen = await visit(server)
    await seen.question.fill("A question half written")
    run = asked(server, "What is self-fusion?", "offline")
    await seen.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await seen.past.filter(has_text="What is self-fusion?").first.click()
    await seen.ended("ok")
    await expect(seen.question).to_have_value("")
    await seen.question.fill("A follow-up half written")
    await seen.page.go_back()
    await expect(seen.question).to_have_value("A question half written")
    await seen.page.go_forward()
    assert seen.page.url.endswith(run)
    await expect(seen.question).to_have_value("A follow-up half written")
    seen.assert_quiet()


@pytest.mark.slow
async def test_a_question_of_a_thread_is_asked_again_in_its_place(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("w", "Salty.", "Muddy.", "Murky.")
    first = asked(server, "How is the sea?", preset)
    second = asked(server, "And the river?", preset, follows=first)
    seen = await visit(server, f"?run={second}")
    await seen.ended("ok")
    await seen.page.get_by_role("button", name="Ask again").click()
    await expect(seen.question).to_have_value("And the river?")
    rather = seen.page.get_by_role("button", name="Ask a follow-up instead")
    await rather.click()
    await expect(seen.page.get_by_role("heading", **FOLLOW_UP)).to_be_visible()
    await expect(seen.question).to_have_value("")
    await seen.page.get_by_role("button", name="Ask again").click()
    await seen.question.press("Control+Enter")
    await expect(seen.answer.locator(".prose")).to_have_text("Murky.")
    assert [text for _, text in told(models, "a")][:2] == ["How is the sea?", "Salty."]
    assert "Muddy" not in str(told(models, "a"))
    seen.assert_quiet()


@pytest.mark.slow
async def test_a_follow_up_to_what_the_server_forgot_is_told_and_not_lost(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    seen = await visit(server)
    run = await seen.ask("Who remembers?", preset)
    await seen.ended("ok")
    server.request("DELETE", f"/api/runs/{run}?forget=true")
    await seen.question.fill("Do you?")
    await seen.question.press("Control+Enter")
    await expect(seen.page.get_by_role("alert")).to_contain_text("ask it as a new question")
    await expect(seen.question).to_have_value("Do you?")
    assert seen.page.url.endswith(run)


@pytest.mark.slow
async def test_what_models_wrote_earlier_stays_text_and_its_citations_lead_to_the_pages(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    hostile = "<img src=x onerror='window.hacked=1'> [click](javascript:window.hacked=2) Dear [1]."
    preset = offer(search="corpus")
    models.script("a", searching("panel cost"), reading("cost-of-a-panel.md"), "Dear [1].")
    models.script("w", hostile)
    first = asked(server, f"Is it dear? {hostile}", preset)
    second = asked(server, "Why?", preset, follows=first)
    seen = await visit(server, f"?run={second}")
    await expect(seen.run).not_to_have_attribute("data-status", "running")
    thread = seen.page.get_by_role("region", name="Earlier in this thread")
    await expect(thread.locator(".prose")).to_contain_text("<img src=x")
    await expect(thread.locator("h2")).to_contain_text("<img src=x")
    await expect(thread.locator("sup.cite")).to_have_text("1")
    assert await thread.locator("img, script, iframe").count() == 0
    assert await seen.page.evaluate("window.hacked") is None
    # The panel is told what the number stood for.
    answer = told(models, "b")[1][1]
    assert "\nSources:\n[1] corpus:///" in answer
    assert "numbers its sources anew" in answer
    seen.assert_quiet()


@pytest.mark.slow
def test_what_cannot_be_followed_is_refused_and_says_why(
    server: Server, models, offer: Callable[..., str]
):
    preset = offer()
    models.script("c", {"hang": True})
    fusion = {"preset": preset.removeprefix("fusion/")}
    at_work = server.request("POST", "/api/runs", json={"question": "?", "fusion": fusion}).json()
    program = server.post(
        {"model": "fusion/offline", "messages": [{"role": "user", "content": "What is DRACO?"}]}
    ).headers["x-fusion-run"]
    for thread, status, code in (
        ({"follows": "nobody"}, 404, "run_not_found"),
        ({"follows": 7}, 400, "invalid_value"),
        ({"follows": at_work["id"]}, 409, "running"),
        ({"follows": program}, 409, "not_of_the_page"),
        ({"follows": "a", "instead_of": "b"}, 400, "invalid_value"),
    ):
        body = {"question": "And then?", "fusion": fusion, **thread}
        refused = server.request("POST", "/api/runs", json=body)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (status, code)
        assert error["param"] in thread
    stopped = server.request("DELETE", f"/api/runs/{at_work['id']}").json()
    assert stopped["status"] == "cancelled"
    body = {"question": "And then?", "fusion": fusion, "follows": at_work["id"]}
    refused = server.request("POST", "/api/runs", json=body)
    assert refused.json()["error"]["code"] == "no_answer"


@pytest.mark.slow
async def test_on_a_phone_a_thread_its_table_and_its_form_fit(server: Server, visit: Open):
    first = asked(server, "What is self-fusion?", "offline")
    second = asked(server, "How much does a panel cost?", "offline", follows=first)
    seen = await visit(server, f"?run={second}", viewport=PHONE)
    await seen.ended("ok")
    await expect(seen.page.get_by_role("heading", **FOLLOW_UP)).to_be_visible()
    assert await seen.sideways() == 0
    card = seen.page.locator("#card-matrix")
    await expect(card.get_by_role("table")).to_be_hidden()  # below the answer, folded
    await card.locator("summary").click()
    await expect(card.get_by_role("table")).to_be_visible()
    assert await seen.sideways() == 0
    seen.assert_quiet()
