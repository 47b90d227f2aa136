"""Claude Code, Codex and Gemini CLI from npm, as they are, seated in our panel.

Each in a home of its own with a login of its own kind, which the scripted vendor takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import create_fusion_graph
from tests.clients.scenes import House
from tests.clients.vendor import VendorScope
from tests.conftest import VERDICT
from tests.programs.asking import SECRETS, report_of, wait_until_gone
from tests.programs.conftest import contents
from tests.test_panelist import QUESTION

pytestmark = pytest.mark.clients

STARTS = {"claude": "claude-code", "codex": "codex", "gemini": "gemini"}

MODELS = {"claude": "claude-sonnet-4-5", "codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}

OWN_TOOLS = {
    *("list_mcp_resources", "list_mcp_resource_templates", "read_mcp_resource"),
    "request_user_input",
}
"""What Codex keeps whatever it is told: of our server's, which has none, and of nobody's."""

PLANTED = "PLANTED in a file of the user's"


@tool
async def lookup(query: str) -> list[dict[str, str]]:
    """Look something up."""
    url = f"https://example.org/{query}"
    return [{"url": url, "title": f"About {query}", "content": f"{query} is wet."}]


@dataclass(frozen=True)
class Seats:
    """The three programs in PATH, logged in to, each with a part of the vendor.

    home: the user's home.
    vendors: what each is told, by name.
    """

    home: Path
    vendors: dict[str, VendorScope]

    def script(self, name: str, *turns: dict[str, Any]) -> None:
        """Set what a program's model says."""
        self.vendors[name].script(*turns)

    def asked(self, name: str) -> list[dict[str, Any]]:
        """What a program's vendor was asked of its model, helpers aside."""
        return self.vendors[name].log()

    def processes(self) -> list[int]:
        """Every process of this home's that is alive, but for this one's own."""
        found = []
        mark = f"\0HOME={self.home}\0".encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != os.getpid():
                try:
                    if mark in b"\0" + (folder / "environ").read_bytes():
                        found.append(int(folder.name))
                except OSError:
                    continue
        return found


@pytest.fixture
def seats(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seats:
    binaries, home = tmp_path / "bin", tmp_path / "home"
    binaries.mkdir()
    vendors = {}
    for name, start in STARTS.items():
        command = shlex.join(house.programs.start(start))
        (binaries / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (binaries / name).chmod(0o755)
        vendors[name] = VendorScope(house.vendor, f"{tmp_path.name}-{name}")
        (home / f".{name}").mkdir(parents=True)
        for file in ("CLAUDE.md", "AGENTS.md", "GEMINI.md"):
            (home / f".{name}" / file).write_text(PLANTED)
    login = {
        "accessToken": "sk-ant-oat01-scripted",
        "refreshToken": "sk-ant-ort01-scripted",
        "expiresAt": int(time.time() * 1_000) + 86_400_000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": "max",
    }
    (home / ".claude/.credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    hooks = {"PreToolUse": [{"hooks": [{"type": "command", "command": f"echo > {home}/hooked"}]}]}
    (home / ".claude/settings.json").write_text(json.dumps({"hooks": hooks}))
    (home / ".codex/auth.json").write_text(json.dumps({"OPENAI_API_KEY": "sk-scripted"}))
    (home / ".codex/config.toml").write_text(f'openai_base_url = "{vendors["codex"].url}/v1"\n')
    (home / ".gemini/.env").write_text("GEMINI_API_KEY=scripted\n")
    selected = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home / ".gemini/settings.json").write_text(json.dumps(selected))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", vendors["claude"].url)
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", vendors["gemini"].url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    return Seats(home, vendors)


async def test_three_programs_and_an_api_model_are_one_panel_and_leave_nothing(
    seats: Seats, panel_config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    work = tmp_path / "work"
    work.mkdir()
    for file in ("CLAUDE.md", "AGENTS.md", "GEMINI.md", "notes.md"):
        (work / file).write_text(PLANTED)
    monkeypatch.chdir(work)
    for name in STARTS:
        asks = {"tool": "lookup", "args": {"query": name}, "search": "look something up"}
        seats.script(name, asks, {"text": "Water is wet [1]."})
    before = contents(seats.home), contents(work)
    refs = [f"{name}:{model}" for name, model in MODELS.items()]
    mention = f"How wet is water? @{work}/notes.md @notes.md"
    graph = create_fusion_graph(panel_config(panel=[*refs, "scripted:b"]), tools=[lookup])
    result = await graph.ainvoke({"messages": [("user", mention)]})
    report = result["fusion"]
    assert [answer["failure"] for answer in report["answers"]] == [None] * 4
    for name, answer in zip(STARTS, report["answers"], strict=False):
        assert [(c["name"], c["status"]) for c in answer["tool_calls"]] == [("lookup", "ok")]
        [source] = [s for s in report["sources"] if answer["name"] in s["cited_by"]]
        assert source["url"] == f"https://example.org/{name}"
        assert answer["served"] == [MODELS[name]]
    assert [a["usage"]["plan_calls"] for a in report["answers"]] == [1, 0, 0, 0]
    assert (contents(seats.home), contents(work)) == before
    for name in STARTS:
        first = json.dumps(seats.asked(name)[0]["body"])
        assert "at most 8 calls in all" in first  # our instructions, in place of its own
        assert len(first) < 12_000
        tools = {tool for asked in seats.asked(name) for _, tool in asked["tools"]}
        assert tools - OWN_TOOLS <= {"lookup", "mcp__fusion__lookup", "mcp_fusion_lookup"}
        assert "PLANTED" not in json.dumps(seats.asked(name))
    await wait_until_gone(*seats.processes())


@pytest.mark.parametrize("name", ["claude", "codex"])
async def test_a_program_judges_by_the_schema_and_writes(
    seats: Seats, panel_config, name: str
) -> None:
    judged = {"tool": "StructuredOutput", "args": VERDICT, "own": True}
    if name == "codex":
        judged = {"text": json.dumps(VERDICT)}
    seats.script(name, judged, {"text": "It is done."})
    ref = f"{name}:{MODELS[name]}"
    report = await report_of(panel_config(judge=ref), [])
    assert report.analysis is not None, report.degradations
    assert report.analysis.consensus[0].point == "Water is wet."
    report = await report_of(panel_config(synthesizer=ref), [])
    assert report.answer
    assert report.usage.stages["synthesis"].calls == 1


@pytest.mark.parametrize("name", list(STARTS))
async def test_a_cancelled_run_leaves_no_process_of_a_real_program(
    seats: Seats, panel_config, name: str
) -> None:
    reached = asyncio.Event()

    @tool
    async def lookup(query: str) -> str:
        """Look something up."""
        reached.set()
        await asyncio.sleep(3_600)
        return query

    seats.script(name, {"tool": "lookup", "args": {"query": "x"}, "search": "look something up"})
    config = panel_config(panel=[f"{name}:{MODELS[name]}", "scripted:b"])
    run = asyncio.ensure_future(create_fusion_graph(config, tools=[lookup]).ainvoke(QUESTION))
    await reached.wait()
    assert seats.processes()
    began = time.monotonic()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await wait_until_gone(*seats.processes())
    print(f"{name}: nothing left {time.monotonic() - began:.2f} s after the cancellation")


@pytest.mark.parametrize("name", ["claude", "gemini"])  # Codex leaves it to its vendor to say so
async def test_a_real_program_that_is_logged_out_says_how_to_log_in(
    seats: Seats, panel_config, name: str
) -> None:
    logins = {"claude": ".claude/.credentials.json", "gemini": ".gemini/.env"}
    (seats.home / logins[name]).unlink()
    report = await report_of(
        panel_config(panel=[f"{name}:{MODELS[name]}", "scripted:b", "scripted:c"]), []
    )
    [failure] = report.failures
    assert failure.reason == "auth", failure
    assert "log in: " in failure.detail
