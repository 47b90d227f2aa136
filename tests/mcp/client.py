"""A client that speaks MCP line by line, so that a test says what it sends and when."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.commands import COMMAND, Ended, Started

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


def environment(config: Path | None = None, **variables: str) -> dict[str, str]:
    """What a server's environment has besides: no key and no model server of the machine's owner.

    config: its FUSION_GRAPH_CONFIG_DIR.
    variables: FIRST_PATH goes before its other import paths.
    """
    hosts = ("OLLAMA_HOST", "LLAMACPP_HOST", "LMSTUDIO_HOST", "VLLM_HOST")
    found = dict.fromkeys(hosts, "127.0.0.1:9")
    found |= {name: "" for name in os.environ if name.endswith("_API_KEY")}
    first = variables.pop("FIRST_PATH", "")
    paths = [first, os.environ.get("PYTHONPATH", ""), str(ROOT), str(ROOT / "tools")]
    found["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if config is not None:
        found["FUSION_GRAPH_CONFIG_DIR"] = str(config)
    return {**found, **variables}


class Client:
    """A client and the server that it started.

    options: what follows `fusion-graph mcp`.
    config: the server's FUSION_GRAPH_CONFIG_DIR.
    variables: of its environment. With FIRST_PATH it is an interpreter of its own, which looks
        there before everywhere else.
    """

    def __init__(self, *options: str, config: Path | None = None, **variables: str) -> None:
        self.config = config
        self.messages: list[Message] = []
        self._rest = b""
        self._ended = False
        self._id = 0
        self._more = threading.Condition()
        begin = Interpreter if "FIRST_PATH" in variables else _forked
        self.process = begin(("mcp", *options), environment(config, **variables), self._hear)

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
        self.process.tell(data + b"\n")

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
        return self.process.err

    def leave(self) -> int:
        """Close the server's standard input, and wait for its end; returns its exit code."""
        self.process.hang_up()
        return self.process.wait().code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def _hear(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        with self._more:
            self.messages += [json.loads(line) for line in lines]
            self._ended = not piece
            self._more.notify_all()


def _forked(
    args: tuple[str, ...], variables: dict[str, str], hear: Callable[[bytes], None]
) -> Started:
    return Started(args, None, environment=variables, hear=hear)


class Interpreter:
    """A command in an interpreter of its own, for what has to be imported from elsewhere."""

    def __init__(
        self, args: tuple[str, ...], variables: dict[str, str], hear: Callable[[bytes], None]
    ) -> None:
        self._hear = hear
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*COMMAND, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **variables},
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return os.pread(self._log.fileno(), 1_000_000, 0).decode(errors="replace")

    def tell(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def hang_up(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> Ended:
        """Wait for its end."""
        code = self._process.wait(PATIENCE)
        self._thread.join(PATIENCE)
        return Ended(code, "", self.err)

    def kill(self) -> Ended:
        """Kill it, if it has not ended."""
        self._process.kill()
        self.hang_up()
        ended = self.wait()
        self._log.close()
        return ended

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            while piece := os.read(stdout.fileno(), 65536):
                self._hear(piece)
        self._hear(b"")


def _tells(message: Message, id: int) -> bool:
    params = message.get("params", {})
    return message.get("method") == "notifications/progress" and params["progressToken"] == id
