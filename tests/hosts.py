"""LangGraph servers that host the graph, started for real in folders of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).parents[1]

LANGGRAPH = which("langgraph", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
"""The command that starts LangGraph's own server, where it is installed."""

PATIENCE = 90
"""Seconds until a wait counts as a failure; nothing is ever this slow when it works."""

PORT = "{port}"
"""What stands in a command for the port that its server is to listen on."""

PORTS = 5
"""How many ports are tried: a free one may be somebody else's before a server that starts for
seconds listens on it."""

_opener = build_opener(ProxyHandler({}))


@contextmanager
def langgraph_dev(folder: Path, **settings: Any) -> Iterator[str]:
    """A server without keys; gives its address.

    Args:
        folder: Where it runs.
        settings: More for its `langgraph.json`.
    """
    whole = json.loads(langgraph_settings()) | settings
    (folder / "langgraph.json").write_text(json.dumps(whole))
    environment = {
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
    }
    command = [str(LANGGRAPH), "dev", "--no-browser", "--no-reload", "--n-jobs-per-worker", "4"]
    with started([*command, "--port", PORT], folder, "/ok", environment) as (url, _):
        yield url


def langgraph_settings(*, without_routes: bool = False) -> str:
    """The repository's langgraph.json as it reads from another folder.

    Args:
        without_routes: Leave out what is served beside the graph, and the packages it needs.
    """
    settings: dict[str, Any] = json.loads((ROOT / "langgraph.json").read_text())
    if without_routes:
        settings.pop("http")
    text = json.dumps(settings | {"dependencies": [str(ROOT)]})
    return text.replace('"./', f'"{ROOT}/')


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    command: Sequence[str], folder: Path, sign: str, environment: dict[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that listens on a free port, with nothing of the machine's owner around it.

    Args:
        command: What starts it; `PORT` in it stands for the port.
        folder: Where it runs and keeps what it keeps.
        sign: The path that answers with status 200 once it is ready.
        environment: Variables of its own.

    Yields:
        Its address and its process, which ends with the block.

    Raises:
        RuntimeError: It does not come up.
    """
    whole = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools")]),
        "HOME": str(folder),
        "FUSION_GRAPH_CONFIG_DIR": str(folder / "config"),
        "OLLAMA_HOST": "127.0.0.1:9",
        "LLAMACPP_HOST": "127.0.0.1:9",
        "LMSTUDIO_HOST": "127.0.0.1:9",
        "VLLM_HOST": "127.0.0.1:9",
        "LANGSMITH_TRACING": "false",
        # Whatever would still go out finds nobody there: models are asked over plain HTTP here.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        **environment,
    }
    for _ in range(PORTS):
        port = free_port()
        here = [part.replace(PORT, str(port)) for part in command]
        process = _begun(here, folder, whole)
        try:
            url = f"http://127.0.0.1:{port}"
            if _comes_up(process, url + sign, folder / "log"):
                yield url, process
                return
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    raise RuntimeError(f"{PORTS} ports were free, and taken before the server listened")


def _begun(
    command: Sequence[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with (folder / "log").open("w") as out:
        return subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


def _comes_up(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    """Wait until a server answers; False if its port had been taken by another.

    Raises:
        RuntimeError: It ends otherwise, or does not answer.
    """
    for _ in range(PATIENCE * 10):
        if process.poll() is not None:
            said = log.read_text("utf-8", "replace")
            if port_was_taken(said):
                return False
            raise RuntimeError(f"the server ended:\n{said[-3000:]}")
        if _answers(url):
            return True
        time.sleep(0.1)  # between two looks at the port: there is nothing to wait for
    raise RuntimeError(f"the server does not answer:\n{log.read_text()[-3000:]}")


def port_was_taken(said: str) -> bool:
    """Tell by what a server wrote whether somebody else had its port."""
    return "address already in use" in said.lower()


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=PATIENCE) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
