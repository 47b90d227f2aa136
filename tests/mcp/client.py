"""A client that speaks MCP line by line, so that a test says what it sends and when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

PATIENCE = 120
"""Seconds until a wait counts as a failure; nothing takes a tenth of it when it works."""

ROOT = Path(__file__).parents[2]

TIMED_OUT = "McpError: MCP error -32001: Request timed out"
"""The reason that the TypeScript SDK gives when a client's own time is up."""

HANDSHAKE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}

Message = dict[str, Any]


def environment(config: Path | None, variables: Mapping[str, str]) -> dict[str, str]:
    """A server's environment: no key and no model server of the machine's owner."""
    found = dict.fromkeys(
        ("OLLAMA_HOST", "LLAMACPP_HOST", "LMSTUDIO_HOST", "VLLM_HOST"), "127.0.0.1:9"
    )
    paths = [os.environ.get("PYTHONPATH", ""), str(ROOT), str(ROOT / "tools")]
    found["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if config is not None:
        found["FUSION_GRAPH_CONFIG_DIR"] = str(config)
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    if first := variables.get("FIRST_PATH"):
        found["PYTHONPATH"] = os.pathsep.join([first, found["PYTHONPATH"]])
    return {**kept, **found, **variables}


class Client:
    """A client and the server that it started.

    options: what follows `fusion-graph mcp`.
    config: the server's FUSION_GRAPH_CONFIG_DIR.
    variables: of its environment; FIRST_PATH goes before its other import paths.
    """

    def __init__(self, *options: str, config: Path | None = None, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "fusion_graph", "mcp", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(config, variables),
        )
        self.config = config
        self.lines: list[bytes] = []
        self.messages: list[Message] = []
        self._err = b""
        self._ended = False
        self._id = 0
        self._more = threading.Condition()
        for read in (self._read, self._read_err):
            threading.Thread(target=read, daemon=True).start()

    def open(self) -> Self:
        """Shake hands."""
        self.result(self.ask("initialize", HANDSHAKE))
        self.notify("notifications/initialized")
        return self

    def ask(self, method: str, params: Message | None = None) -> int:
        """Send a request; returns its id."""
        self._id += 1
        self.send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}})
        return self._id

    def call(self, tool: str, /, **arguments: Any) -> int:
        """Call a tool with progress wanted; the token is the request's id, which is returned."""
        meta = {"progressToken": self._id + 1}
        return self.ask("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})

    def answer(self, tool: str, /, **arguments: Any) -> Message:
        """Call a tool and wait for its result."""
        return self.result(self.call(tool, **arguments))

    def notify(self, method: str, params: Message | None = None) -> None:
        """Send a notification."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params or {}})

    def give_up(self, id: int, reason: str | None) -> None:
        """Cancel a request."""
        said = {} if reason is None else {"reason": reason}
        self.notify("notifications/cancelled", {"requestId": id, **said})

    def send(self, message: Any) -> None:
        """Send anything as a line of JSON; bytes as they are."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def response(self, id: int | str | None) -> Message:
        """The response to a request, an error too."""
        return self.wait_for(lambda m: "method" not in m and m.get("id") == id)

    def result(self, id: int) -> Message:
        """The result of a request."""
        response = self.response(id)
        assert "result" in response, response
        result: Message = response["result"]
        return result

    def progress(self, id: int) -> list[Message]:
        """What the server has told of a call so far."""
        return [m["params"] for m in list(self.messages) if _tells(m, id)]

    def told(self, id: int, words: str) -> str:
        """The first progress message of a call that has these words in it."""
        found = self.wait_for(lambda m: _tells(m, id) and words in m["params"]["message"])
        said: str = found["params"]["message"]
        return said

    def wait_for(self, wanted: Callable[[Message], bool]) -> Message:
        """The first message that is wanted."""
        with self._more:
            self._more.wait_for(
                lambda: self._ended or any(wanted(m) for m in self.messages), PATIENCE
            )
            found = [m for m in self.messages if wanted(m)]
        assert found, (self.messages[-5:], self.err[-2000:])
        return found[0]

    @property
    def err(self) -> str:
        """What the server has written to standard error so far."""
        return self._err.decode(errors="replace")

    def leave(self) -> int:
        """Close the server's standard input, and wait for its end; returns its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            try:
                stream.close()
            except OSError:  # unsent lines of a server that has gone
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line)
                self.messages.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _read_err(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._err += line


def _tells(message: Message, id: int) -> bool:
    params = message.get("params", {})
    return message.get("method") == "notifications/progress" and params["progressToken"] == id
