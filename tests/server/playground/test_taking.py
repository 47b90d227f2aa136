"""What a reader takes away from the playground: costs, the answer, the report as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.server.conftest import Server
from tests.server.playground.visiting import Open

pytestmark = pytest.mark.slow

QUESTION = "How much more does a panel cost than one model?"


async def test_each_card_says_what_its_calls_cost(
    server: Server, models, offer: Callable[..., str], visit: Open
):
    preset = offer()
    models.script("a", {"text": "Dear.", "cost": 0.25})
    seen = await visit(server)
    await seen.ask("What does it cost?", preset)
    await seen.ended("ok")
    await expect(seen.panelist("a").locator("summary .line").first).to_contain_text("$0.2500")
    await expect(seen.panelist("b").locator("summary .line").first).to_contain_text("$0.0010")
    await expect(seen.judge.locator("summary .line").first).to_contain_text(" · $0.0")
    seen.assert_quiet()


async def test_the_answer_is_copied_as_markdown_with_its_sources(server: Server, visit: Open):
    seen = await visit(server, permissions=["clipboard-read", "clipboard-write"])
    run = await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    await expect(seen.panelist("keyword").locator("summary .line").first).to_contain_text("no cost")
    await seen.page.get_by_role("button", name="Copy the answer").click()
    await expect(seen.page.get_by_text("Copied as Markdown.")).to_be_visible()
    copied = await seen.page.evaluate("navigator.clipboard.readText()")
    report = server.request("GET", f"/api/runs/{run}").json()["report"]
    assert copied.startswith(report["answer"].strip())
    cited = [source for source in report["sources"] if f"[{source['id']}]" in report["answer"]]
    assert cited
    for source in cited:
        assert f"[{source['id']}]: <{source['url']}>" in copied
    seen.assert_quiet()


async def test_the_answer_is_copied_where_the_browser_has_no_clipboard_for_pages(
    server: Server, visit: Open
):
    seen = await visit(server)
    await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    # As on another machine's address without TLS.
    await seen.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await seen.page.get_by_role("button", name="Copy the answer").click()
    await expect(seen.page.get_by_text("Copied as Markdown.")).to_be_visible()
    await seen.page.get_by_role("link", name="New question").click()
    await seen.question.press("Control+V")
    await expect(seen.question).to_have_value(re.compile(r"4 to 5 times.*\n\[\d+\]: <", re.S))
    seen.assert_quiet()


async def test_the_report_is_saved_as_html_and_json(server: Server, visit: Open, tmp_path: Path):
    seen = await visit(server)
    run = await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    for kind in ("html", "json"):
        async with seen.page.expect_download() as started:
            await seen.page.get_by_role("button", name=f"Save as {kind.upper()}").click()
        download = await started.value
        assert download.suggested_filename == f"fusion-{run[:8]}.{kind}"
        await download.save_as(tmp_path / f"report.{kind}")
    report = server.request("GET", f"/api/runs/{run}").json()["report"]
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == report
    saved = (tmp_path / "report.html").read_text("utf-8")
    assert saved == server.request("GET", f"/api/runs/{run}/report").text
    seen.assert_quiet()


async def test_a_report_that_has_gone_is_told_and_not_saved(server: Server, visit: Open):
    seen = await visit(server)
    run = await seen.ask(QUESTION, "offline")
    await seen.ended("ok")
    server.request("DELETE", f"/api/runs/{run}?forget=true")
    await seen.page.get_by_role("button", name="Save as JSON").click()
    told = seen.page.get_by_text("It could not be saved: This server remembers no run of that id.")
    await expect(told).to_be_visible()
