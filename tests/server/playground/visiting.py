"""Opening the playground as a visitor does, and watching for what a page should not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Dialog, Locator, Page, expect

from tests.server.conftest import PATIENCE

WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}

expect.set_options(timeout=PATIENCE * 1000)


@dataclass
class Visit:
    """A page of the playground in a browser.

    abroad: addresses it asked for that are not this server's.
    complaints: what stood in the console, and errors of scripts.
    dialogs: texts of `alert` and its kin.
    """

    page: Page
    url: str
    abroad: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def question(self) -> Locator:
        return self.page.get_by_label("Your question")

    @property
    def run(self) -> Locator:
        return self.page.locator("article.run")

    @property
    def answer(self) -> Locator:
        return self.page.locator("section.answer")

    @property
    def judge(self) -> Locator:
        return self.page.locator("details.judge")

    @property
    def progress(self) -> Locator:
        return self.page.locator("p.progress")

    @property
    def alarm(self) -> Locator:
        return self.page.locator("div[role=alert]:visible")

    @property
    def past(self) -> Locator:
        return self.page.get_by_role("navigation", name="Asked on this server").get_by_role("link")

    def panelist(self, name: str) -> Locator:
        """The card of a panelist."""
        heading = self.page.get_by_role("heading", name=name, exact=True, level=3)
        return self.page.locator("details.panelist").filter(has=heading)

    async def choose(self, preset: str) -> None:
        """Choose a preset: its name, or its id as a model."""
        await self.page.get_by_label("Preset").select_option(preset.removeprefix("fusion/"))

    async def ask(self, question: str, preset: str | None = None) -> str:
        """Ask, and wait until the run is on the page. Returns its id."""
        if preset is not None:
            await self.choose(preset)
        await self.question.fill(question)
        await self.question.press("Control+Enter")
        await expect(self.run).to_be_visible()
        return urlsplit(self.page.url).query.removeprefix("run=")

    async def ended(self, status: str) -> None:
        """Wait until the run on the page has ended so."""
        await expect(self.run).to_have_attribute("data-status", status)

    async def sideways(self) -> int:
        """By how many pixels the page is wider than its window."""
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(await self.page.evaluate(wider))

    def watch(self, page: Page) -> None:
        """Collect what a page does from now on."""
        origin = urlsplit(self.url).netloc

        async def dismiss(dialog: Dialog) -> None:
            self.dialogs.append(dialog.message)
            await dialog.dismiss()

        def note(request: Any) -> None:
            if urlsplit(request.url).netloc != origin:
                self.abroad.append(request.url)

        page.on("request", note)
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", dismiss)

    def assert_quiet(self) -> None:
        """It asked nobody else for anything, and nothing went wrong in it."""
        assert (self.abroad, self.complaints, self.dialogs) == ([], [], [])


def searching(query: str) -> dict[str, Any]:
    """A step of a scripted model: it searches."""
    return {"tool_calls": [{"name": "web_search", "args": {"query": query}}]}


def reading(document: str) -> dict[str, Any]:
    """A step of a scripted model: it reads a bundled document."""
    return {"tool_calls": [{"name": "web_fetch", "args": {"url": f"corpus:///{document}"}}]}


Open = Callable[..., Awaitable[Visit]]
"""`await visit(server, "?run=…", **of the browser's context)`."""
