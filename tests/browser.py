"""A real browser for tests: the system's Chromium, headless; tests skip where there is none.

    async def test_…(browser_page): await browser_page.goto(…)

Browser and driver are started once in a test process. They work in the session's event loop, and
so does every test that uses one of the fixtures here (`pytest_itemcollected`); an asynchronous
fixture that uses them says `loop_scope="session"`.

A page is a tab of one window that stays open: a window of a test's own, with what Chromium puts
around it, takes as much of the processor as all that most tests look at. Nothing here is kept
where tabs would share it (cookies, local storage).

A test that needs a context of its own (dark, narrow, no scripts) takes `chromium` and calls
`new_context`.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

PATIENCE = 120_000
"""Milliseconds after which something counts as hanging, on a machine with much else to do."""

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    # A mouse, as Playwright gives to the browsers it starts: without one nothing can be hovered.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,"
    "availablePointerTypes=4",
    "--remote-debugging-port=0",
)
"""How the browser is started: nothing is asked of the network by itself."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """Where the system's Chromium is, if it has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a headless browser of this test process listens; starting one takes seconds."""
    path = chromium_path()
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)} is installed")
    profile = tmp_path_factory.mktemp("chromium")
    # Its complaints into a file: into a pipe that nobody reads it would write until it is full, and
    # then wait for ever; and what it has started would hold the other end longer than it lives.
    with (profile / "said").open("w") as said:
        process = subprocess.Popen(
            [path, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stderr=said,
        )
    try:
        yield _address(process, profile)
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], profile: Path) -> str:
    """Where a browser listens, which it writes into its folder.

    Raises:
        RuntimeError: It does not come up.
    """
    told, until = profile / "DevToolsActivePort", time.monotonic() + PATIENCE / 1000
    while process.poll() is None and time.monotonic() < until:
        lines = told.read_text().split() if told.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.02)  # between two looks into the folder
    raise RuntimeError(f"the browser does not listen:\n{(profile / 'said').read_text()[-2000:]}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _connected(chromium_address: str) -> AsyncIterator[Browser]:
    """The headless browser, through a driver: a process whose start takes most of a second."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(chromium_address, timeout=PATIENCE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _window(_connected: Browser) -> BrowserContext:
    """The window whose tabs the tests' pages are; its first tab keeps it open."""
    context = await _connected.new_context()
    await context.new_page()
    return context


@pytest_asyncio.fixture(loop_scope="session")
async def chromium(_connected: Browser, _window: BrowserContext) -> AsyncIterator[Browser]:
    """The headless browser; what a test opened is closed."""
    yield _connected
    for context in _connected.contexts[1:]:
        if context is not _window:
            await context.close()
    for page in _window.pages[1:]:
        await page.close()


@pytest.fixture
def window(chromium: Browser, _window: BrowserContext) -> BrowserContext:
    """The window that stays open; its tabs are closed after the test."""
    return _window


@pytest_asyncio.fixture(loop_scope="session")
async def browser_page(window: BrowserContext) -> Page:
    """A page of the test's own."""
    page = await window.new_page()
    page.set_default_timeout(PATIENCE)
    return page


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have what uses the browser run in its driver's loop, and with what is slow.

    A browser of each test process and its pages take a sixth of what all other tests take, and it
    is a package of the system, which the README's command does not ask for.
    """
    if isinstance(item, pytest.Function) and "chromium_address" in item.fixturenames:
        item.add_marker(pytest.mark.slow)
    if isinstance(item, pytest.Function) and "chromium" in item.fixturenames:
        assert iscoroutinefunction(item.function), item.nodeid
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
