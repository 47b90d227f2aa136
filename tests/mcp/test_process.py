"""The server's process: how fast it answers, what goes over its streams, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run
from tests.depth import in_depth
from tests.mcp.client import HANDSHAKE, PATIENCE, TIMED_OUT, Client, environment
from tests.scripted_models.client import Scope

Offer = Callable[..., str]

HEAVY = ("pydantic", "mcp", "anyio", "starlette", "langgraph", "langchain_core", "httpx2", "openai")


def test_nothing_heavy_is_imported_before_the_handshake_can_be_answered() -> None:
    script = (
        "import sys\n"
        "from fusion_graph.cli.app import command_line\n"
        "command_line()\n"
        "import fusion_graph.faces.mcp.cancellations, fusion_graph.faces.mcp.stdio\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.split())
    assert "fusion_graph.faces.mcp.handshake" in imported
    assert imported.isdisjoint(HEAVY)


def test_nothing_of_the_graph_is_imported_before_the_tools_can_be_listed() -> None:
    # Claude Code wants the list within 2 s, or its first turn goes without.
    script = "import sys\nimport fusion_graph.faces.mcp.serving\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.split())
    assert "fusion_graph.faces.mcp.fusions" in imported
    graph = {
        "langgraph",
        "langchain_core",
        "langsmith",
        "httpx2",
        "openai",
        "fusion_graph.evidence",
    }
    assert imported.isdisjoint(graph)


def test_what_a_library_prints_misses_the_wire() -> None:
    script = (
        "import os, subprocess, sys\n"
        "from fusion_graph.faces.mcp.stdio import Stdio\n"
        "stdio = Stdio(lambda message: None, lambda: os._exit(7))\n"
        "print('printed')\n"
        "subprocess.run([sys.executable, '-c', 'print(\"by a child\", input)'])\n"
        "assert sys.stdin.read() == ''\n"
        "stdio.start()\n"
        "import threading; threading.Event().wait()"
    )
    ping = {"jsonrpc": "2.0", "id": "p", "method": "ping"}
    done = subprocess.run(
        [sys.executable, "-u", "-c", script],
        input=json.dumps(ping).encode(),
        env={**os.environ, **environment()},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 7  # as its client left before it could begin
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"jsonrpc": "2.0", "id": "p", "result": {}}
    ]
    assert b"printed" in done.stderr
    assert b"by a child" in done.stderr


def test_the_handshake_is_answered_once_in_the_version_that_was_asked_for() -> None:
    with Client() as client:
        first = client.ask("initialize", {**HANDSHAKE, "protocolVersion": "2024-11-05"})
        result = client.result(first)
        client.notify("notifications/initialized")
        client.result(client.ask("ping"))
        tools = client.result(client.ask("tools/list"))["tools"]
        client.result(client.ask("ping"))
        answers = [m for m in client.messages if m.get("id") == first]
        assert client.leave() == 0
    assert result["protocolVersion"] == "2024-11-05"
    assert "Nothing is paid twice" in result["instructions"]
    assert [tool["name"] for tool in tools] == [
        "fusion",
        "fusion_start",
        "fusion_result",
        "fusion_cancel",
    ]
    assert len(answers) == 1


def test_a_call_that_comes_before_the_server_can_answer_it_is_told_progress_at_once(
    tmp_path: Path, offer: Offer
) -> None:
    script = (
        "import os, sys, threading\n"
        "from fusion_graph.faces.mcp.stdio import Stdio\n"
        "stdio = Stdio(lambda message: None, lambda: os._exit(7))\n"
        "stdio.start()\n"  # and nothing ever attaches: the imports take for ever
        "threading.Event().wait()"
    )
    calls = [
        {"name": "fusion", "arguments": {"question": "Why?"}, "_meta": {"progressToken": 5}},
        {"name": "fusion", "arguments": {"question": "Why?"}},
        {"name": "fusion_cancel", "arguments": {"task": "x"}, "_meta": {"progressToken": 6}},
    ]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
        for id, params in enumerate(calls)
    ]
    done = subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join(lines).encode(),
        env={**os.environ, **environment()},
        capture_output=True,
        timeout=PATIENCE,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["params"]["progressToken"] for message in told] == [5]
    assert told[0]["params"]["message"] == "preparing the panel"
    with Client(config=tmp_path) as client:
        client.open()
        id = client.call("fusion", question="How wet?", preset=offer(tmp_path))
        client.result(id)
        progress = [message["progress"] for message in client.progress(id)]
    assert progress[0] == 0
    assert progress == sorted(set(progress)), "it rises with each message, as MCP wants"


def test_a_handshake_of_the_future_gets_the_newest_version_and_half_a_one_an_error() -> None:
    with Client() as client:
        half = client.ask("initialize", {"protocolVersion": "2025-06-18"})
        assert "error" in client.response(half)
    with Client() as client:
        told = client.result(
            client.ask("initialize", {**HANDSHAKE, "protocolVersion": "2031-01-01"})
        )
        assert told["protocolVersion"] == "2025-11-25"


def test_a_client_of_the_era_without_a_handshake_is_served(tmp_path: Path, offer: Offer) -> None:
    from fusion_graph.faces.mcp._sdk import is_second

    if not is_second():
        pytest.skip("the installed mcp knows only protocols with a handshake")
    era = "io.modelcontextprotocol/"
    envelope = {
        f"{era}protocolVersion": "2026-07-28",
        f"{era}clientInfo": {"name": "tests", "version": "1"},
        f"{era}clientCapabilities": {},
    }
    asked = {"name": "fusion", "arguments": {"question": "How wet?", "preset": offer(tmp_path)}}
    with Client(config=tmp_path) as client:
        found = client.result(client.ask("server/discover", {"_meta": envelope}))
        tools = client.result(client.ask("tools/list", {"_meta": envelope}))["tools"]
        result = client.result(client.ask("tools/call", {**asked, "_meta": envelope}))
        assert client.leave() == 0
    assert found["supportedVersions"] == ["2026-07-28"]
    assert tools[0]["name"] == "fusion"
    assert result["structuredContent"]["answer"] == "The final answer of the writer."


def test_what_the_handshake_says_is_what_the_sdk_says() -> None:
    from fusion_graph.errors import FusionError  # noqa: F401
    from fusion_graph.faces.mcp._sdk import create_server
    from fusion_graph.faces.mcp.about import CAPABILITIES, INSTRUCTIONS, NAME

    options = create_server(None).create_initialization_options()  # type: ignore[arg-type]
    said = options.capabilities.model_dump(mode="json", by_alias=True, exclude_none=True)
    said.pop("experimental", None)
    said.pop("extensions", None)
    assert said == CAPABILITIES
    assert (options.server_name, options.instructions) == (NAME, INSTRUCTIONS)


@pytest.mark.parametrize("end", ["stdin", "SIGTERM"])
def test_its_runs_end_with_it(end: str, tmp_path: Path, offer: Offer, models: Scope) -> None:
    preset = offer(tmp_path)
    models.script("b", {"hang": True})
    with Client(config=tmp_path) as client:
        client.open()
        client.call("fusion", question="How wet?", preset=preset)
        kept = client.call("fusion_start", question="How dry?", preset=preset)
        client.result(kept)
        models.calls("b", arrived=2)
        if end == "stdin":
            code = client.leave()
        else:
            client.process.signal(signal.SIGTERM)
            code = client.process.wait().code
        assert code == 0
        assert "Traceback" not in client.err
    assert [call.disconnected for call in models.calls("b", ended=2)] == [True, True]
    assert models.calls("w") == []


def test_the_owner_says_which_presets_there_are_and_what_a_run_may_take(
    tmp_path: Path, offer: Offer
) -> None:
    preset = offer(tmp_path)
    options = ("--preset", f"{preset},offline", "--max-tool-calls", "0", "--max-cost", "0.5")
    with Client(*options, config=tmp_path) as client:
        client.open()
        fusion = client.result(client.ask("tools/list"))["tools"][0]
        taken = fusion["inputSchema"]["properties"]["preset"]
        refused = client.answer("fusion", question="Why?", preset="auto")
        data = client.answer("fusion", question="Why?", preset=preset)["structuredContent"]
        report = client.result(client.ask("resources/read", {"uri": data["resources"]["report"]}))
    assert taken["enum"] == [preset, "offline"]
    assert f"Presets: {preset}, offline" in refused["content"][0]["text"]
    config = json.loads(report["contents"][0]["text"])["config"]
    assert (config["max_tool_calls"], config["max_cost_usd"]) == (0, 0.5)


def test_a_key_in_the_environment_puts_the_presets_on_offer_that_it_opens(tmp_path: Path) -> None:
    with Client(config=tmp_path, ANTHROPIC_API_KEY="sk-ant-none") as client:
        client.open()
        fusion = client.result(client.ask("tools/list"))["tools"][0]
    assert {"auto", "offline"} <= set(fusion["inputSchema"]["properties"]["preset"]["enum"])


@pytest.mark.slow
def test_a_server_that_a_fusion_started_asks_no_panel(tmp_path: Path) -> None:
    # An interpreter of its own: the depth is read when the module is imported.
    with Client(config=tmp_path, FIRST_PATH="", FUSION_GRAPH_DEPTH="1") as client:
        client.open()
        result = client.answer("fusion", question="What is self-fusion?", preset="offline")
    assert result["isError"] is True
    assert result["structuredContent"]["failure_reason"] == "fusion_recursion"


def test_what_cannot_be_served_is_said_in_a_line() -> None:
    for args, words in (
        (("--http", "--host", "no.such.host.invalid"), "Cannot listen on no.such.host.invalid"),
        (("--http", "--host", "0.0.0.0", "--port", "0"), "FUSION_API_KEY"),
    ):
        ended = run("mcp", *args)
        assert ended.code == 2
        assert words in ended.err
        assert "Traceback" not in ended.err
    with Client("--preset", "nothing") as client:
        assert client.process.wait().code == 2
        assert "no preset 'nothing'" in client.err


@pytest.mark.parametrize("major", [in_depth("installed"), "other"])
async def test_the_official_client_is_served_by_both_majors(
    major: str, tmp_path: Path, offer: Offer, models: Scope
) -> None:
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client

    variables: dict[str, str] = {}
    if major == "other":
        if not (other := os.environ.get("FUSION_OTHER_MCP")):
            pytest.skip("FUSION_OTHER_MCP names no folder with mcp of another major")
        variables["FIRST_PATH"] = other
    preset = offer(tmp_path)
    models.script("c", {"text": "Late.", "delay": 1.0})
    told: list[str] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        told.append(message or "")

    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-W", "error", "-m", "fusion_graph", "mcp"],
        env={**os.environ, **environment(tmp_path, **variables)},
    )
    async with stdio_client(parameters) as streams, ClientSession(*streams) as session:
        await session.initialize()
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        asked: Any = {"question": "How wet?", "preset": preset}
        result = _wire(await session.call_tool("fusion", asked, progress_callback=progress))
        uri: Any = result["structuredContent"]["resources"]["answer"]
        read = _wire(await session.read_resource(uri))
    assert set(tools) == {"fusion", "fusion_start", "fusion_result", "fusion_cancel"}
    assert result["structuredContent"]["status"] == "ok"
    assert read["contents"][0]["text"] == "The final answer of the writer."
    assert any("c: asked" in words for words in told)


@pytest.mark.skipif("FUSION_OTHER_MCP" not in os.environ, reason="FUSION_OTHER_MCP is not set")
def test_the_other_major_cuts_cancels_and_joins_alike(
    tmp_path: Path, offer: Offer, models: Scope
) -> None:
    preset = offer(tmp_path)
    models.script("b", {"text": "Late.", "delay": 2.0, "cost": 0.001})
    with Client(config=tmp_path, FIRST_PATH=os.environ["FUSION_OTHER_MCP"]) as client:
        client.open()
        cut = client.call("fusion", question="How wet?", preset=preset)
        models.calls("b", arrived=1)
        client.give_up(cut, TIMED_OUT)
        joined = client.answer("fusion", question="How wet?", preset=preset)
        assert "was joined" in joined["content"][0]["text"]
        assert len(models.calls("a")) == 1
        models.script("b", {"hang": True})
        aborted = client.call("fusion", question="How dry?", preset=preset)
        models.calls("b", arrived=2)
        client.give_up(aborted, "User cancelled")
        assert models.calls("b", ended=2)[1].disconnected
        error = client.response(client.ask("resources/read", {"uri": "fusion://x"}))["error"]
        assert "fusion://x" in error["message"]
        assert client.answer("fusion", question="")["isError"] is True
        assert client.leave() == 0


def _wire(model: Any) -> Any:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
