"""The example of docs/how-to/server.md, run against a server as it is shown."""

from __future__ import annotations

from tests.examples import run_page


def test_the_example_watches_the_panel_and_gets_the_answer(server):
    printed = run_page("docs/how-to/server.md", port_8484=server.url).splitlines()

    assert {"fusion.started", "panel.completed", "fusion.completed"} <= set(printed)
    assert any("self-fusion" in line and "[1]" in line for line in printed)
