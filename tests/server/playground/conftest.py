"""A browser, and the playground open in it."""

from __future__ import annotations

from typing import Any

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.server.conftest import PATIENCE, Server
from tests.server.playground.visiting import WIDE, Open, Visit


@pytest_asyncio.fixture(loop_scope="session")
async def visit(chromium: Browser, window: BrowserContext) -> Open:
    """`await visit(server, path, **options of a browser's context)`: a `Visit`."""

    async def visiting(server: Server, path: str = "", **options: Any) -> Visit:
        context = await chromium.new_context(**options) if options else window
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.set_viewport_size(options.get("viewport", WIDE))
        seen = Visit(page, f"{server.url}/")
        seen.watch(page)
        await page.goto(seen.url + path)
        return seen

    return visiting
