"""Hostile texts on the page: shown, and nothing else."""

from __future__ import annotations

import pytest
import pytest_asyncio

from fusion_graph import FusionReport
from tests.claims import CLAIMS
from tests.depth import in_depth
from tests.page.hostile import PAYLOADS, harm
from tests.page.opening import NARROW, open_page, sideways

INVENTORY = """() => {
  const all = [...document.querySelectorAll('*')];
  const urls = name => all.filter(e => e.hasAttribute(name)).map(e => e.getAttribute(name));
  return {
    tags: [...new Set(all.map(e => e.localName))],
    handlers: all.flatMap(e => e.getAttributeNames()).filter(n => n.startsWith('on')),
    loads: [...urls('src'), ...urls('srcset'), ...urls('action'), ...urls('data')],
    links: urls('href'),
    styles: urls('style'),
    pwned: window.pwned,
  }
}"""

IN_EVERY_RUN = ("script", "out of an attribute", "address", "markdown picture")
"""One kind of payload for each way in: elements, attributes, links, and what models write."""

NEVER = {"script", "img", "svg", "iframe", "object", "embed", "link", "base", "form", "input"}


@pytest_asyncio.fixture(loop_scope="session")
async def lawless(chromium):
    """A browser that ignores the page's policy: what is left to hold is the escaping."""
    return await chromium.new_context(bypass_csp=True)


def check(inventory: dict[str, list[str]]) -> None:
    assert inventory.get("pwned") is None
    assert not NEVER & set(inventory["tags"])
    assert inventory["handlers"] == inventory["loads"] == []
    assert all(link.startswith(("#", "http://", "https://")) for link in inventory["links"])
    assert all("url" not in style and "red" not in style for style in inventory["styles"])


@pytest.mark.parametrize(
    "kind", [kind if kind in IN_EVERY_RUN else in_depth(kind) for kind in PAYLOADS]
)
async def test_a_report_full_of_it_only_shows_it(record, lawless, tmp_path, kind):
    record["claims"] = CLAIMS
    report = FusionReport.model_validate(harm(record, PAYLOADS[kind]))
    page = await lawless.new_page()

    seen = await open_page(page, report.to_html(), tmp_path)
    for mark in (await page.locator(".mark[tabindex]").all())[:3]:
        await mark.focus()

    assert seen.nothing, seen
    check(await page.evaluate(INVENTORY))
    assert await page.locator("h1").count() == 1


async def test_the_payloads_would_do_harm_if_they_were_not_escaped(lawless, tmp_path):
    page = await lawless.new_page()
    bare = "<!doctype html><body>" + PAYLOADS["script"] + PAYLOADS["image"]

    seen = await open_page(page, bare, tmp_path)
    await page.wait_for_function("window.pwned")

    assert seen.dialogs
    assert seen.requests


async def test_should_escaping_fail_the_policy_still_holds(record, browser_page, tmp_path):
    page = FusionReport.model_validate(record).to_html()
    broken = page.replace("<main", PAYLOADS["script"] + PAYLOADS["image"] + "<main", 1)
    assert broken != page

    seen = await open_page(browser_page, broken, tmp_path)

    assert await browser_page.evaluate("window.pwned") is None
    assert not seen.dialogs
    assert len(seen.complaints) == 3  # a script, a picture and its handler
    assert all("Content Security Policy" in complaint for complaint in seen.complaints)


async def test_hostile_models_and_tools_of_a_real_run(models, ran, browser_page, tmp_path):
    from langchain_core.tools import tool

    script, image = PAYLOADS["script"], PAYLOADS["image"]

    @tool
    def look_up(query: str) -> list[dict[str, str]]:
        """Look something up."""
        return [
            {"title": image, "url": f"https://water.example/{query}", "content": script},
            {"title": "click me", "url": "javascript:window.pwned=1", "content": image},
        ]

    arguments = {"query": image, image: script}
    models.script(
        "a", {"tool_calls": [{"name": "look_up", "args": arguments}]}, f"{script} [1] [2]"
    )
    models.script("b", {"status": 400, "error": {"message": script}})
    models.script("c", f'[1: "{image}"] [x](javascript:alert(1))')
    models.script("w", f"{script}\n\n# {image}\n\n[1] [2] [3]")
    panel = [
        {"model": "scripted:a", "name": script[:80]},
        {"model": "scripted:b", "name": image},
        "scripted:c",
    ]

    report = ran(f"Is {script} wet?", [look_up], panel=panel)
    seen = await open_page(browser_page, report.to_html(), tmp_path)

    assert seen.nothing, seen
    check(await browser_page.evaluate(INVENTORY))
    assert await browser_page.locator("h1").inner_text() == f"Is {script} wet?"


@pytest.mark.parametrize("size", [40_000, in_depth(200_000)])
async def test_long_answers_stay_inside_their_columns(record, browser_page, tmp_path, size):
    words = "All work and no play makes a long answer [1]. " * (size // 46)
    one_word = "x" * size
    record["answer"] = words + "\n\nThe end of the answer."
    for answer, text in zip(record["answers"], (words, one_word, "# " * (size // 2)), strict=True):
        answer["content"] = f"{text}\n\nThe end."
    record["question"] = "Why? " * (size // 5)
    await browser_page.set_viewport_size(NARROW)

    seen = await open_page(browser_page, FusionReport.model_validate(record).to_html(), tmp_path)

    assert seen.nothing, seen
    assert await sideways(browser_page) <= 0
    assert await browser_page.get_by_text("The end of the answer.").count() == 1
    assert await browser_page.get_by_text("The end.", exact=True).count() == 3
    assert len(await browser_page.locator("h1").inner_text()) < 300


async def test_a_report_without_anything_is_a_page_too(record, browser_page, tmp_path):
    empty = {
        **{"question": "", "answer": "", "answers": [], "sources": [], "timeline": []},
        **{"analysis": None, "config": {}, "versions": {}, "preset": None},
    }
    record["usage"]["stages"] = record["usage"]["models"] = {}

    seen = await open_page(
        browser_page, FusionReport.model_validate(record | empty).to_html(), tmp_path
    )

    assert seen.nothing, seen
    assert await browser_page.locator("h1").inner_text() == "No question"
