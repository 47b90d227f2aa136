"""How a program ends: with its run, with this process, after its answer; and what it leaves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fusion_graph import create_fusion_graph
from tests.programs import said
from tests.programs.asking import (
    report_of,
    wait_until_gone,
)
from tests.programs.conftest import Fakes
from tests.test_panelist import QUESTION


async def test_a_cancelled_run_leaves_no_process_of_a_program_a_second_later(
    fakes: Fakes, panel_config
) -> None:
    lines = [said.claude_begins(), said.claude_result("never")]
    fakes.script("claude", {"lines": lines, "children": 2, "hang": True})
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    run = asyncio.ensure_future(graph.ainvoke(QUESTION))
    log = fakes.folder / "claude.log"
    while not log.exists() or not log.read_text().endswith("\n"):
        assert not run.done()
        await asyncio.sleep(0.02)
    [start] = fakes.starts("claude")
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await wait_until_gone(start["pid"], *start["children"])
    assert not Path(start["home"]).exists()


RUN_AND_WAIT = """
import asyncio, sys
from langchain_core.messages import HumanMessage
from fusion_graph.models.programs.installed import open_program
asyncio.run(open_program("claude:opus").complete([HumanMessage("How wet is water?")]))
"""


@pytest.mark.slow
async def test_nothing_of_a_program_outlives_a_process_that_is_killed(fakes: Fakes) -> None:
    lines = [said.claude_begins(), said.claude_result("never")]
    fakes.script("claude", {"lines": lines, "children": 2, "hang": True})
    process = subprocess.Popen([sys.executable, "-c", RUN_AND_WAIT])
    log = fakes.folder / "claude.log"
    while not log.exists() or not log.read_text().endswith("\n"):
        assert process.poll() is None
        await asyncio.sleep(0.02)
    [start] = fakes.starts("claude")
    process.send_signal(signal.SIGKILL)
    process.wait()
    await wait_until_gone(start["pid"], *start["children"])
    root = Path(start["work"]).parent
    async with asyncio.timeout(60):
        while root.exists():  # the watch removes it last
            await asyncio.sleep(0.02)


async def test_a_program_that_will_not_end_after_its_answer_is_ended(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet.") | {"hang": "after", "children": 2})
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert report.answers[0].content == "Water is wet."
    [start] = fakes.starts("claude")
    await wait_until_gone(start["pid"], *start["children"])


@pytest.mark.parametrize("how", ["through", "over"])
async def test_a_login_that_a_program_renews_is_renewed_for_its_user(
    fakes: Fakes, panel_config, how: str
) -> None:
    fakes.script("claude", said.claude("Water is wet.") | {"renew": how})
    await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    login = fakes.home / ".claude" / ".credentials.json"
    assert login.read_text() == "renewed"
    assert [p.name for p in login.parent.iterdir() if p.name != "CLAUDE.md"] == [login.name]
