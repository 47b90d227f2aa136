"""The list of what was asked, in a real browser: searched, and runs in it deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.async_api import expect

from tests.server.conftest import Server, running
from tests.server.playground.visiting import Open

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose list holds nothing but what these tests ask; its owner names two presets."""
    config = tmp_path_factory.mktemp("history")
    with running(config, "--preset", "quality", "--preset", "offline") as server:
        yield server


async def test_the_first_preset_that_the_owner_names_is_chosen(own: Server, visit: Open):
    seen = await visit(own)
    await expect(seen.page.get_by_label("Preset")).to_have_value("quality")
    seen.assert_quiet()


async def test_the_list_is_searched_by_words_of_questions_and_answers(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("w", "Quixotic marmalade.", "Something else.")
    seen = await visit(server)
    await seen.ask("What is for breakfast, zephyr?", preset)
    await seen.ended("ok")
    await seen.page.get_by_role("link", name="New question").click()
    await seen.ask("What is for supper, zephyr?", preset)
    await seen.ended("ok")
    search = seen.page.get_by_role("searchbox", name="Search questions and answers")
    found = seen.page.get_by_role("navigation").get_by_role("status")

    await search.fill("ZEPHYR what")
    await expect(found).to_have_text("2 found")
    await search.fill("zephyr supper")
    await expect(found).to_have_text("1 found")
    await expect(seen.past).to_have_count(1)
    await expect(seen.past).to_contain_text("supper")
    await search.fill("marmalade quixotic")
    await expect(seen.past).to_contain_text("breakfast")
    await search.fill("<b>nowhere</b>")
    await expect(found).to_contain_text("Nothing found")
    await expect(seen.past).to_have_count(0)
    await search.fill("")
    await expect(seen.past.first).to_contain_text("supper")
    await expect(seen.past.nth(1)).to_contain_text("breakfast")
    seen.assert_quiet()


async def test_a_run_is_deleted_once_its_reader_says_so_twice(own: Server, visit: Open):
    seen = await visit(own)
    kept = await seen.ask("What is self-fusion?", "offline")
    await seen.ended("ok")
    await seen.page.get_by_role("link", name="New question").click()
    gone = await seen.ask("What is DRACO?", "offline")
    await seen.ended("ok")
    delete = seen.page.get_by_role("button", name="Delete “What is DRACO?”")
    dialog = seen.page.get_by_role("dialog", name="Delete this question and its answer?")

    await delete.click()
    await expect(dialog).to_contain_text("What is DRACO?")
    await expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    await seen.page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert own.request("GET", f"/api/runs/{gone}").status_code == 200

    await delete.click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(seen.question).to_be_focused()  # what was open is gone: a new question
    await expect(delete).to_have_count(0)
    assert own.request("GET", f"/api/runs/{gone}").status_code == 404
    assert own.request("GET", f"/api/runs/{kept}").status_code == 200
    seen.assert_quiet()


async def test_a_run_that_is_deleted_at_work_stops(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("c", {"hang": True})
    seen = await visit(server)
    run = await seen.ask("Who stops this?", preset)
    delete = seen.page.get_by_role("button", name="Delete “Who stops this?”")
    await delete.click()
    dialog = seen.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("It is still at work and will be stopped.")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(delete).to_have_count(0)
    assert server.request("GET", f"/api/runs/{run}").status_code == 404
    seen.assert_quiet()


def test_a_word_that_is_no_yes_or_no_deletes_nothing(own: Server):
    body = {"question": "Still here?", "fusion": {"preset": "offline"}}
    run = own.request("POST", "/api/runs", json=body).json()["id"]
    refused = own.request("DELETE", f"/api/runs/{run}?forget=perhaps")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "forget")
    assert own.request("GET", f"/api/runs/{run}").status_code == 200
