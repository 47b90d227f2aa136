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

_opener = build_opener(ProxyHandler({}))


@contextmanager
def langgraph_dev(folder: Path) -> Iterator[str]:
    """A server without keys; gives its address."""
    (folder / "langgraph.json").write_text(langgraph_settings())
    environment = {
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
    }
    port = free_port()
    command = [str(LANGGRAPH), "dev", "--no-browser", "--no-reload", "--n-jobs-per-worker", "4"]
    with started([*command, "--port", str(port)], folder, port, "/ok", environment) as (url, _):
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
    command: Sequence[str], folder: Path, port: int, sign: str, environment: dict[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server that listens on a port, with nothing of the machine's owner around it.

    Args:
        command: What starts it.
        folder: Where it runs and keeps what it keeps.
        port: Where it listens.
        sign: The path that answers with status 200 once it is ready.
        environment: Variables of its own.

    Yields:
        Its address and its process, which ends with the block.
    """
    url, log = f"http://127.0.0.1:{port}", folder / "log"
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
    with log.open("w") as out:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=whole,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(PATIENCE * 10):
            if _answers(url + sign):
                break
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)  # between two looks at the port: there is nothing to wait for
        else:
            raise RuntimeError(f"{command[0]} does not answer:\n{log.read_text()[-3000:]}")
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with _opener.open(url, timeout=PATIENCE) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
