"""Makes the pictures in the README, each from a real run: `python -m docs.screenshots report`.

Needs Chromium, and nothing from the network: the runs are the keyless offline preset's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from fusion_graph import FusionReport, create_fusion_graph

HERE = Path(__file__).parent
QUESTION = "How much more does a panel cost than one model?"
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
    command = [sys.executable, "-m", "fusion_graph", "serve", "--port", "0", "--preset", "offline"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as server:  # noqa: S603
        assert server.stderr is not None
        page.goto(server.stderr.readline().split("(page: ")[1].rstrip(")\n"))
        page.get_by_label("Your question").fill(QUESTION)
        page.get_by_label("Your question").press("Control+Enter")
        page.locator("article.run[data-status=ok]").wait_for()
        server.terminate()


PICTURES: dict[str, Callable[[Page], None]] = {"report": report, "playground": playground}
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
