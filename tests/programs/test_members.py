"""Programs as members: what they see, what they answer, what is left of them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.errors import MissingProgram
from fusion_graph.estimate import estimate
from fusion_graph.run.settings import GraphConfig
from fusion_graph.text.phrases import summary
from tests.programs import said
from tests.programs.conftest import Fakes, contents
from tests.test_panelist import QUESTION

SECRETS = {
    name: f"PLANTED-{name}"
    for name in (
        "OPENROUTER_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "DATABASE_URL",
        "MY_PASSWORD",
    )
}


@tool
async def lookup(query: str) -> list[dict[str, str]]:
    """Look something up."""
    url = f"https://example.org/{query}"
    return [{"url": url, "title": f"About {query}", "content": f"{query} is wet."}]


def call(query: str) -> dict:
    return {"name": "lookup", "args": {"query": query}}


async def report_of(config: dict, tools: list) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config, tools=tools).ainvoke(QUESTION))


def gone(pid: int) -> bool:
    """Whether a process is no more, or is but waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_until_gone(*pids: int) -> float:
    """Wait for the end of processes; how long that took, in seconds."""
    began = time.monotonic()
    while not all(map(gone, pids)):
        assert time.monotonic() - began < 30, "processes are left"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_claude_code_answers_beside_api_models_with_our_tools_and_sources(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet [1] [2].", call("water"), call("ice")))
    config = panel_config(panel=["claude:opus", "scripted:b", "scripted:c"])
    report = await report_of(config, [lookup])
    answer = report.answers[0]
    assert (answer.status, answer.content) == ("ok", "Water is wet [1] [2].")
    assert answer.served == ["claude-opus-4-8"]
    assert [(c.name, c.status, c.source_ids) for c in answer.tool_calls] == [
        ("lookup", "ok", [1]),
        ("lookup", "ok", [2]),
    ]
    assert report.sources[0].url == "https://example.org/water"
    assert report.sources[0].cited_by == [answer.name]
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 7)
    [start] = fakes.starts("claude")
    assert [t["name"] for t in start["tools"]] == ["lookup"]
    assert "water is wet." in start["results"][0]["content"][0]["text"]
    assert start["prompt"] == "How wet is water?"
    assert "at most 8 calls" in start["system"]


async def test_a_program_that_calls_beyond_the_cap_is_refused_and_still_answers(
    fakes: Fakes, panel_config
) -> None:
    calls = [call(f"page {n}") for n in range(5)]
    fakes.script("claude", said.claude("Water is wet [1].", *calls))
    config = panel_config(panel=["claude:opus", "scripted:b"], max_tool_calls=3)
    report = await report_of(config, [lookup])
    statuses = [c.status for c in report.answers[0].tool_calls]
    assert statuses == ["ok"] * 3 + ["max_uses_exceeded"] * 2
    assert [result["isError"] for result in fakes.starts("claude")[0]["results"]] == [
        *[False] * 3,
        *[True] * 2,
    ]


async def test_a_program_sees_no_secret_no_file_and_nothing_of_the_users_settings(
    fakes: Fakes, panel_config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    work = tmp_path / "work"
    work.mkdir()
    (work / "CLAUDE.md").write_text("PLANTED in the project")
    monkeypatch.chdir(work)
    fakes.script("claude", said.claude("Water is wet.", call("water")))
    before = contents(tmp_path / "home"), contents(work)
    await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [lookup])
    [start] = fakes.starts("claude")
    assert "PLANTED" not in str(start)
    assert start["there"] == []
    assert start["work"] != str(work)
    assert start["kept"] == [".credentials.json"]
    assert start["environment"]["FUSION_GRAPH_DEPTH"] == "1"
    assert (contents(tmp_path / "home"), contents(work)) == before
    assert not Path(start["home"]).exists()
    assert not Path(start["work"]).exists()


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


async def test_a_call_that_a_plan_pays_is_told_as_plan_and_as_no_dollars(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    config = panel_config(panel=["claude:opus", "scripted:b", "scripted:c"], max_cost_usd=1.0)
    report = await report_of(config, [])
    mine, total = report.answers[0], report.usage.total
    assert (mine.cost_usd, mine.usage.plan_calls) == (None, 1)
    assert (total.cost_usd, total.plan_calls, report.usage.cost_known) == (0.007, 1, True)
    assert report.degradations == []  # the budget was not blind
    assert "cost plan" in report.to_text()
    assert "$0.0070 + plan" in report.to_text()
    assert "<span>plan</span>" in report.to_html()
    assert "cost $0.0070 + plan" in summary(report.model_dump(), 1.0)[0]


async def test_a_call_that_a_key_of_the_programs_own_pays_is_told_in_dollars(
    fakes: Fakes, panel_config
) -> None:
    fakes.script("claude", said.claude("Water is wet.", source="/login managed key"))
    report = await report_of(panel_config(panel=["claude:opus", "scripted:b"]), [])
    assert (report.answers[0].cost_usd, report.usage.total.plan_calls) == (0.0123, 0)


def test_an_estimate_says_plan_for_what_a_plan_pays() -> None:
    config = {"panel": ["claude:opus", "offline:figures"], "judge": "claude:opus"}
    settings, _ = GraphConfig({**config, "synthesizer": "offline:writer"}).begin(None)
    found = estimate(settings, [HumanMessage("How wet is water?")])
    assert found["unknown"] == []
    assert found["models"]["claude:opus"]["likely"]["cost_usd"] is None
    assert found["total"]["likely"]["cost_usd"] == 0
    assert found["total"]["likely"]["plan_calls"] > 0


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


async def test_what_a_program_writes_is_told_as_it_writes(fakes: Fakes, panel_config) -> None:
    fakes.script("claude", said.claude("Water is wet."))
    graph = create_fusion_graph(panel_config(panel=["claude:opus", "scripted:b"]))
    told = [e async for e in graph.astream(QUESTION, stream_mode="custom")]
    mine = [e["text"] for e in told if e["type"] == "panel.delta" and e["name"] == "opus"]
    assert "".join(mine) == "Water is wet."


@pytest.mark.parametrize("name", ["claude"])
def test_a_program_that_is_not_installed_is_told_before_anything_is_paid(
    fakes: Fakes, panel_config, models, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fakes.remove(name)
    monkeypatch.setenv("PATH", str(fakes.folder))
    with pytest.raises(MissingProgram, match=f"`{name}` in PATH.*Install it") as told:
        create_fusion_graph(panel_config(panel=[f"{name}:default", "scripted:b"])).invoke(QUESTION)
    assert "log in" in told.value.remedy
    assert models.calls() == []


async def test_an_endpoint_of_the_users_goes_before_the_program_of_its_name(
    fakes: Fakes, panel_config, models
) -> None:
    config = panel_config(panel=["claude:a", "scripted:b"])
    config["providers"]["claude"] = {"base_url": models.base_url}
    report = await report_of(config, [])
    assert report.answers[0].content == "The answer of a."
    assert not (fakes.folder / "claude.log").exists()
