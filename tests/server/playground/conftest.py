"""A browser, and the playground open in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.server.conftest import PATIENCE, Server
from tests.server.playground.visiting import WIDE, Open, Visit


@pytest_asyncio.fixture(loop_scope="session")
async def visit(chromium: Browser) -> AsyncIterator[Open]:
    """`await visit(server, path, **options of the browser's context)`: a `Visit`."""
    contexts: list[BrowserContext] = []

    async def visiting(server: Server, path: str = "", **options: Any) -> Visit:
        context = await chromium.new_context(**{"viewport": WIDE, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = await context.new_page()
        seen = Visit(page, f"{server.url}/")
        seen.watch(page)
        await page.goto(seen.url + path)
        return seen

    yield visiting
    for context in contexts:
        await context.close()
