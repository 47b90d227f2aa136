"""The server over streamable HTTP: who gets in, and that a call there fares as over stdio."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from fusion_graph.faces.server.keys import entry, new_key
from tests.commands import COMMAND, start
from tests.mcp.client import HANDSHAKE, PATIENCE, TIMED_OUT, environment
from tests.scripted_models.client import Scope

Offer = Callable[..., str]

ACCEPTED = {"accept": "application/json, text/event-stream"}


@contextmanager
def serving_other_major(config: Path, folder: str) -> Iterator[str]:
    """A server on the other major of the SDK, which wants an interpreter of its own."""
    process = subprocess.Popen(
        [*COMMAND, "mcp", "--http", "--port", "0"],
        env={
            **os.environ,
            **environment(config, FIRST_PATH=folder, FUSION_GRAPH_DATA_DIR=str(config)),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as said:
        try:
            yield next(line for line in said if " listens on " in line).split()[3]
        finally:
            process.terminate()
            rest = said.read()
            process.wait(PATIENCE)
    assert "Traceback" not in rest


@contextmanager
def serving(config: Path, *options: str, **environment: str) -> Iterator[str]:
    """A server on a free port; yields its URL."""
    folders = ("FUSION_GRAPH_CONFIG_DIR", "FUSION_GRAPH_DATA_DIR")
    variables = {**dict.fromkeys(folders, str(config)), **environment}
    process = start("mcp", "--http", "--port", "0", *options, environment=variables)
    try:
        said = process.says("Ctrl-C stops it")
        assert " listens on " in said, said
        yield said.split(" listens on ")[1].split(" ")[0]
        assert "Traceback" not in process.err
    finally:
        process.kill()


def post(http: httpx2.Client, url: str, message: Any, **headers: str) -> httpx2.Response:
    return http.post(url, json=message, headers={**ACCEPTED, **headers})


def message_in(response: httpx2.Response) -> Any:
    """The last message of a reply, which may be a stream."""
    if response.headers["content-type"].startswith("application/json"):
        return response.json()
    lines = [line for line in response.text.splitlines() if line.startswith("data: {")]
    return json.loads(lines[-1].removeprefix("data: "))


class Session:
    """A session, opened."""

    def __init__(self, http: httpx2.Client, url: str, key: str = "") -> None:
        self._http, self._url = http, url
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        opened = self.send({"id": 0, "method": "initialize", "params": HANDSHAKE})
        self._headers |= {"mcp-session-id": opened.headers["mcp-session-id"]}
        self.send({"method": "notifications/initialized"})

    def send(self, message: dict[str, Any]) -> httpx2.Response:
        return post(self._http, self._url, {"jsonrpc": "2.0", **message}, **self._headers)

    def fusion(self, id: int, **arguments: str) -> httpx2.Response:
        params = {"name": "fusion", "arguments": arguments, "_meta": {"progressToken": id}}
        return self.send({"id": id, "method": "tools/call", "params": params})

    def data(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool gives back as data."""
        params = {"name": tool, "arguments": arguments}
        reply = message_in(self.send({"id": tool, "method": "tools/call", "params": params}))
        found: dict[str, Any] = reply["result"]["structuredContent"]
        return found


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client:
        yield client


@pytest.mark.parametrize("major", ["installed", "other"])
async def test_the_official_client_asks_a_panel(major: str, tmp_path: Path, offer: Offer) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    other = os.environ.get("FUSION_OTHER_MCP", "")
    if major == "other" and not other:
        pytest.skip("FUSION_OTHER_MCP names no folder with mcp of another major")
    preset = offer(tmp_path)
    told: list[str] = []

    async def progress(_done: float, _total: float | None, message: str | None) -> None:
        told.append(message or "")

    server = serving_other_major(tmp_path, other) if major == "other" else serving(tmp_path)
    with server as url:
        async with (
            streamable_http_client(url) as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            await session.initialize()
            tools = await session.list_tools()
            asked: Any = {"question": "How wet?", "preset": preset}
            result = await session.call_tool("fusion", asked, progress_callback=progress)
    data = result.model_dump(mode="json", by_alias=True)["structuredContent"]
    assert tools.tools[0].name == "fusion"
    assert data["answer"] == "The final answer of the writer."
    assert any("task" in words for words in told)


@pytest.mark.parametrize("major", ["installed", "other"])
def test_a_cut_call_is_joined_from_another_session_and_a_cancelled_one_stops(
    major: str, tmp_path: Path, offer: Offer, models: Scope, http: httpx2.Client
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    other = os.environ.get("FUSION_OTHER_MCP", "")
    if major == "other" and not other:
        pytest.skip("FUSION_OTHER_MCP names no folder with mcp of another major")
    server = serving_other_major(tmp_path, other) if major == "other" else serving(tmp_path)
    preset = offer(tmp_path)
    models.script("b", {"text": "Late.", "delay": 2.0, "cost": 0.001})
    with server as url, ThreadPoolExecutor() as threads:
        session = Session(http, url)
        cut = threads.submit(session.fusion, 1, question="How wet?", preset=preset)
        models.calls("b", arrived=1)
        given_up = {"requestId": 1, "reason": TIMED_OUT}
        session.send({"method": "notifications/cancelled", "params": given_up})
        cut.result()
        joined = message_in(Session(http, url).fusion(1, question="How wet?", preset=preset))
        assert "was joined" in joined["result"]["content"][0]["text"]
        assert len(models.calls("b")) == 1

        models.script("b", {"hang": True})
        aborted = threads.submit(session.fusion, 2, question="How dry?", preset=preset)
        models.calls("b", arrived=2)
        session.send({"method": "notifications/cancelled", "params": {"requestId": 2}})
        assert models.calls("b", ended=2)[1].disconnected
        aborted.result()


def test_tasks_are_found_after_a_restart_and_an_interrupted_one_goes_on(
    tmp_path: Path, offer: Offer, models: Scope, http: httpx2.Client
) -> None:
    preset = offer(tmp_path)
    with serving(tmp_path) as url:
        session = Session(http, url)
        done = session.data("fusion", question="How wet?", preset=preset)
        models.script("j", {"hang": True})
        cut = session.data("fusion_start", question="How dry?", preset=preset)
        models.calls("j", arrived=2)
        assert cut["status"] == "running"
    calls = len(models.calls("a"))
    models.script("j", "Nothing to compare.")
    with serving(tmp_path) as url:
        session = Session(http, url)
        assert session.data("fusion_result", task=done["task"])["answer"] == done["answer"]
        report = session.send(
            {"id": 9, "method": "resources/read", "params": {"uri": done["resources"]["answer"]}}
        )
        assert message_in(report)["result"]["contents"][0]["text"] == done["answer"]
        # Asked again it is joined, as any run at work.
        joined = session.data("fusion", question="How dry?", preset=preset)
        assert joined["task"] == cut["task"]
        assert joined["answer"] == done["answer"]
        # What was answered before the restart is asked anew.
        anew = session.data("fusion", question="How wet?", preset=preset)
        assert anew["task"] != done["task"]
    assert len(models.calls("a")) == calls + 1


@pytest.mark.slow
def test_each_key_has_tasks_and_presets_of_its_own(
    tmp_path: Path, offer: Offer, models: Scope, http: httpx2.Client
) -> None:
    preset = offer(tmp_path)
    keys = {name: new_key() for name in ("alice", "bob", "carol")}
    limits = {"carol": {"presets": ("offline",)}}
    told = (entry(name, key, limits.get(name, {})) for name, key in keys.items())
    (tmp_path / "keys.toml").write_text("\n".join(told))
    with serving(tmp_path, "--keys", str(tmp_path / "keys.toml")) as url:
        alice, bob, carol = (Session(http, url, key) for key in keys.values())
        asked = {"question": "How wet?", "preset": preset}
        started = alice.data("fusion_start", **asked)
        done = alice.data("fusion_result", task=started["task"])
        assert bob.data("fusion_result", task=started["task"])["error"]
        assert bob.data("fusion_cancel", task=started["task"])["error"]
        own = bob.data("fusion", **asked)  # not joined, though the same was asked
        assert own["task"] != done["task"]
        listing = {"id": 5, "method": "resources/list", "params": {}}
        listed = [message_in(one.send(listing))["result"]["resources"] for one in (alice, bob)]
        assert {own["task"] in str(mine) for mine in listed} == {False, True}
        reading = {"id": 6, "method": "resources/read"}
        reading |= {"params": {"uri": done["resources"]["answer"]}}
        assert "error" in message_in(bob.send(reading))
        refused = carol.data("fusion", **asked)
        assert "offline" in refused["error"]
        tools = message_in(carol.send({"id": 7, "method": "tools/list", "params": {}}))
        properties = tools["result"]["tools"][0]["inputSchema"]["properties"]
        assert properties["preset"]["enum"] == ["offline"]


def test_strangers_stay_outside(tmp_path: Path, http: httpx2.Client) -> None:
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HANDSHAKE}
    with serving(tmp_path) as url:
        assert post(http, url, hello).status_code == 200
        assert post(http, url, hello, host="evil.example").status_code == 403
        assert post(http, url, hello, origin="https://evil.example").status_code == 403
        inside = post(http, url, hello, **{"x-fusion-depth": "1"})
        assert inside.json()["error"]["code"] == "fusion_recursion"
        assert http.get(url.removesuffix("/mcp") + "/").status_code == 404
        assert post(http, url, hello, **{"mcp-session-id": "made-up"}).status_code == 404


def test_with_a_key_callers_give_it(tmp_path: Path, http: httpx2.Client) -> None:
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HANDSHAKE}
    with serving(tmp_path, FUSION_API_KEY="k" * 20) as url:
        refused = post(http, url, hello)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert post(http, url, hello, authorization="Bearer wrong").status_code == 401
        assert post(http, url, hello, authorization=f"Bearer {'k' * 20}").status_code == 200
