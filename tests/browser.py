"""A real browser for tests: the system's Chromium, headless; tests skip where there is none.

    from tests.browser import browser_page  # noqa: F401  (in a conftest.py)

    async def test_…(browser_page): await browser_page.goto(…)

A test that needs more than one page, or a context of its own (dark, narrow, no scripts), takes
`chromium` and calls `new_context`.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

PATIENCE = 120_000
"""Milliseconds after which something counts as hanging, on a machine with much else to do."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser of the test's own."""
    path = chromium_path()
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"], timeout=PATIENCE
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
async def browser_page(chromium: Browser) -> Page:
    """A page of the test's own browser."""
    page = await chromium.new_page()
    page.set_default_timeout(PATIENCE)
    return page
