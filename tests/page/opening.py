"""Opening a page as a reader does: from a file, watching for anything it should not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Page

NARROW = {"width": 390, "height": 844}
"""A phone."""


@dataclass
class Seen:
    """What a page did while it was open.

    Attributes:
        requests: Addresses it asked for besides its own.
        complaints: What stood in the console, and errors of scripts.
        dialogs: Texts of `alert` and its kin.
    """

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    @property
    def nothing(self) -> bool:
        """Whether it did none of that."""
        return not (self.requests or self.complaints or self.dialogs)


async def open_page(page: Page, html: str, folder: Path) -> Seen:
    """Open a page's HTML from a file; what it does is collected from then on."""
    file = folder / "page.html"
    file.write_text(html, "utf-8")
    address = file.as_uri()
    seen = Seen()

    async def dismiss(dialog: object) -> None:
        seen.dialogs.append(dialog.message)  # type: ignore[attr-defined]
        await dialog.dismiss()  # type: ignore[attr-defined]

    page.on(
        "request",
        lambda request: (
            None if request.url.partition("#")[0] == address else seen.requests.append(request.url)
        ),
    )
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("dialog", dismiss)
    await page.goto(address)
    return seen


async def sideways(page: Page) -> float:
    """How many pixels the page is wider than its window."""
    return float(
        await page.evaluate("document.documentElement.scrollWidth - document.body.clientWidth")
    )
