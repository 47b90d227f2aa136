"""The command: where it listens, whom it lets in, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from openai import OpenAI

from tests.commands import run
from tests.depth import in_depth
from tests.server.conftest import MESSAGES, PATIENCE, running


def refused(*args: str) -> str:
    """What `serve` complains about, when it does not start."""
    ended = run("serve", "--port", "0", *args)
    assert ended.code == 2
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= 3
    return ended.err


def test_it_says_where_it_listens_and_how_to_ask(tmp_path):
    with running(tmp_path, "--preset", "offline") as server:
        assert f"fusion-graph listens on {server.url}/v1" in server.log
        (curl,) = (line for line in server.log.splitlines() if "curl" in line)
        command = curl.split("try: ", 1)[1]
        asked = subprocess.run(
            ["sh", "-c", f"{command} --silent --noproxy '*'"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        server.stop(signal.SIGTERM)
    assert '"object":"chat.completion"' in asked.stdout
    assert "POST /v1/chat/completions 200" in server.log
    assert "What is self-fusion?" not in server.log.split("Ctrl-C stops it")[1]


def test_an_open_address_needs_a_key_or_a_word(tmp_path, monkeypatch):
    monkeypatch.delenv("FUSION_API_KEY", raising=False)
    for host in ("0.0.0.0", "::"):
        if host == "::" and not socket.has_ipv6:
            continue
        complaint = refused("--host", host)
        assert "FUSION_API_KEY" in complaint
        assert "--without-key" in complaint
    with running(tmp_path, "--host", "0.0.0.0", "--without-key", "--preset", "offline") as server:
        assert server.request("GET", "/v1/models").status_code == 200
    assert "NO KEY IS WANTED" in server.log
    with running(
        tmp_path, "--host", "0.0.0.0", "--preset", "offline", FUSION_API_KEY="k" * 20
    ) as server:
        assert server.request("GET", "/v1/models").status_code == 401


@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nend"])
def test_a_key_that_no_header_can_carry_is_refused_unrepeated(monkeypatch, key):
    monkeypatch.setenv("FUSION_API_KEY", key)
    complaint = refused()
    assert "FUSION_API_KEY" in complaint
    assert key not in complaint


def test_what_cannot_be_served_is_said_in_a_line(tmp_path):
    assert "no preset 'nothing'" in refused("--preset", "nothing")
    assert "OPENROUTER_API_KEY" in refused("--preset", "budget")
    assert "not both" in refused("--allow-model", "openai:*", "--no-models")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Cannot listen on 127.0.0.1 port {port}" in refused("--port", port)
    assert "Cannot listen on no.such.host.invalid" in refused("--host", "no.such.host.invalid")


def test_a_preset_file_is_served_under_its_name(models, offer, tmp_path):
    model = offer(tmp_path)
    name = model.removeprefix("fusion/")
    path = tmp_path / "presets" / f"{name}.toml"
    with running(tmp_path / "elsewhere", "--preset", str(path)) as server:
        reply = server.post({"model": model, "messages": MESSAGES})
    assert reply.json()["choices"][0]["message"]["content"] == "The final answer of the writer."
    assert str(tmp_path) not in reply.text


def test_a_missing_extra_is_one_line_with_the_remedy():
    code = (
        "import sys; sys.modules['uvicorn'] = None; from fusion_graph.__main__ import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "serve"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 2
    assert "pip install 'fusion-graph[serve]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("stop", "stream"),
    [
        (signal.SIGINT, True),
        (signal.SIGTERM, False),
        in_depth(signal.SIGINT, False),
        in_depth(signal.SIGTERM, True),
    ],
)
def test_a_signal_stops_the_runs_and_the_server(models, offer, tmp_path, stop, stream):
    model = offer(tmp_path)
    for name in "abc":
        models.script(name, {"hang": True})
    replies: list[Any] = []

    def ask(url: str) -> None:
        with OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
            try:
                reply: Any = client.chat.completions.create(
                    model=model, messages=MESSAGES, stream=stream
                )
                replies.extend(reply if stream else [reply])
            except Exception as error:
                replies.append(error)

    with running(tmp_path) as server:
        asking = threading.Thread(target=ask, args=(server.url,))
        asking.start()
        models.calls(arrived=3)
        code = server.stop(stop)
        asking.join(PATIENCE)

    assert code == 0
    assert server.log.splitlines()[-1] == "stopped"
    assert "Traceback" not in server.log
    assert all(call.disconnected for call in models.calls(ended=3))
    if not stream:
        assert replies[-1].status_code == 503
        assert replies[-1].code == "interrupted"
