"""Whom the playground trusts: nobody who writes into it, and who knows the key."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.async_api import expect

from tests.conftest import VERDICT
from tests.server.conftest import Server, running
from tests.server.playground.visiting import Open, searching

HOSTILE = (
    "<script>window.hacked = 1</script> <img src=x onerror='window.hacked = 2'>\n\n"
    "![pixel](https://tracker.example/pixel.png) [click](javascript:window.hacked=3) "
    "[data](data:text/html,<script>parent.hacked=4</script>)\n\n"
    "<iframe src='https://tracker.example/'></iframe>\n\n"
    "| <b>a</b> | b |\n|---|---|\n| <svg onload='window.hacked=5'> | `<style>*{display:none}` |"
)


async def test_what_models_write_stays_text(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    name = "<img src=x onerror='window.hacked=6'>"
    preset = offer(search="corpus")
    file = server.config / "presets" / f"{preset.removeprefix('fusion/')}.toml"
    a = f'{{ model = "scripted:a", name = {json.dumps(name)} }}'
    file.write_text(file.read_text("utf-8").replace('"scripted:a"', a, 1), "utf-8")
    models.script("a", searching(HOSTILE), HOSTILE)
    verdict = json.dumps(VERDICT).replace("Water is wet.", "<script>window.hacked = 7</script>")
    models.script("j", verdict)
    models.script("w", HOSTILE)
    seen = await visit(server)
    await seen.ask(HOSTILE, preset)
    await seen.ended("degraded")
    await expect(seen.panelist(name)).to_have_attribute("data-state", "done")
    await expect(seen.answer.locator(".prose")).to_contain_text(
        "<script>window.hacked = 1</script>"
    )
    await expect(seen.judge).to_contain_text("<script>window.hacked = 7</script>")
    await seen.page.get_by_role("button", name="Show the full report").click()
    await expect(
        seen.page.frame_locator("iframe").get_by_text("window.hacked = 7").first
    ).to_be_visible()
    run = seen.page.locator("article.run")
    assert await run.locator("script, img, svg, style, object, embed").count() == 0
    assert await run.locator("iframe").count() == 1
    addresses = await run.locator("a").evaluate_all("links => links.map(link => link.href)")
    assert all(address.startswith(seen.url) for address in addresses)
    assert await seen.page.evaluate("window.hacked") is None
    seen.assert_quiet()


async def test_the_key_is_asked_for_once_and_kept_in_the_tab(tmp_path, visit: Open):
    with running(tmp_path / "own", FUSION_API_KEY="open-sesame") as server:
        seen = await visit(server)
        dialog = seen.page.get_by_role("dialog", name="This server wants a key")
        await dialog.get_by_label("Key", exact=True).fill("wrong")
        await dialog.get_by_role("button", name="Use it").click()
        await expect(dialog).to_contain_text("The server refused that key.")
        await dialog.get_by_label("Key", exact=True).fill("open-sesame")
        await dialog.get_by_label("Key", exact=True).press("Enter")
        await expect(dialog).to_be_hidden()
        await seen.ask("What is DRACO?", "offline")
        await seen.ended("ok")
        await seen.page.get_by_role("button", name="Show the full report").click()
        report = seen.page.frame_locator("iframe")
        await expect(report.get_by_role("heading", name="What is DRACO?")).to_be_visible()
        await seen.page.reload()
        await seen.ended("ok")
        await expect(dialog).to_be_hidden()
        assert "open-sesame" not in await seen.page.content()
        assert "open-sesame" not in server.log
        stranger = await visit(server)
        await expect(stranger.page.get_by_role("dialog")).to_be_visible()


async def test_without_the_key_nothing_is_shown_and_why(tmp_path, visit: Open):
    with running(tmp_path / "own", FUSION_API_KEY="open-sesame") as server:
        seen = await visit(server)
        dialog = seen.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Cancel").click()
        await expect(seen.page.locator("#problem")).to_contain_text("API key is missing or wrong")


async def test_a_server_that_keeps_its_models_to_itself_offers_none(tmp_path, visit: Open):
    with running(tmp_path / "own", "--preset", "offline", "--no-models") as server:
        seen = await visit(server)
        await expect(seen.page.get_by_label("Preset")).to_have_value("offline")
        await expect(seen.page.get_by_text("Models", exact=True)).to_be_hidden()
        await seen.ask("What is DRACO?")
        await seen.ended("ok")
        seen.assert_quiet()
