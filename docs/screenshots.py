"""Makes the pictures in the documentation, each from a real run: `python -m docs.screenshots`.

Needs Chromium, and nothing from the network: the runs are the keyless offline preset's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from fusion_graph import FusionReport, create_fusion_graph

HERE = Path(__file__).parent
QUESTION = "How much more does a panel cost than one model?"
FOLLOW_UP = "How many model calls does a run with three panelists make?"
SIZE = {"width": 1280, "height": 1200}
"""Pixels."""


def report(page: Page) -> None:
    """The report's first screen, with a citation open."""
    graph = create_fusion_graph({"preset": "offline", "seed": 7})
    run = FusionReport.from_state(graph.invoke({"messages": [("user", QUESTION)]}))
    page.set_content(run.to_html())
    cited = page.locator("#answer .cite", has=page.locator(".card .verified"))
    cited.first.locator(".mark").hover()


def playground(page: Page) -> None:
    """A question asked and answered in the playground of a real server."""
    with served(page):
        ask(page, QUESTION)


def thread(page: Page) -> None:
    """The end of a follow-up's run: who said what, and where the next question is asked."""
    with served(page):
        ask(page, QUESTION)
        page.get_by_role("heading", name="Ask a follow-up").wait_for()
        ask(page, FOLLOW_UP)
        page.get_by_role("heading", name="Ask a follow-up").wait_for()
        page.evaluate("scrollTo(0, document.body.scrollHeight)")


@contextmanager
def served(page: Page) -> Iterator[None]:
    """Open the playground of a server that keeps nothing of what it is asked."""
    command = [sys.executable, "-m", "fusion_graph", "serve", "--port", "0"]
    command += ["--preset", "offline", "--keep-runs", "none"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as server:  # noqa: S603
        assert server.stderr is not None
        page.goto(server.stderr.readline().split("(page: ")[1].rstrip(")\n"))
        try:
            yield
        finally:
            server.terminate()


def ask(page: Page, question: str) -> None:
    """Ask on the page, and wait for the answer."""
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Control+Enter")
    page.get_by_role("heading", name=question, level=1).wait_for()
    page.locator("article.run[data-status=ok]").wait_for()


PICTURES: dict[str, Callable[[Page], None]] = {
    "report": report,
    "playground": playground,
    "thread": thread,
}
"""What can be pictured: opens it on the page it is given, which is then photographed."""


def main(names: list[str]) -> None:
    """Make the pictures of these names, or all of them."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for name in names or PICTURES:
            page = browser.new_page(viewport=SIZE)
            PICTURES[name](page)
            page.screenshot(path=HERE / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
