"""A server that plays recorded exchanges, and keeps a log of what it was asked."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.wire.cases import Case, broken, depth, whole

VERDICT = json.dumps(
    {
        "consensus": [{"point": "Both rest on a source.", "labels": ["A", "B"], "sources": [1]}],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [],
    }
)

HARMLESS = "harmless"
"""The path of three models that never misbehave: `judge`, `writer` and any panelist."""


@dataclass
class Asked:
    """One request to the model under test, and the status it was answered with."""

    path: str
    depth: int
    status: int
    request: dict[str, Any]


@dataclass
class _Tries:
    """How often, and since when, each step of a case was asked for."""

    count: Counter[int] = field(default_factory=Counter)
    since: dict[int, float] = field(default_factory=dict)


class Replay(AbstractContextManager["Replay"]):
    """Plays cases at `address/CASE/v1`.

    Args:
        cases: What to play.
        streamed: Whether a client that asks for a stream is given one; else it gets the same
            reply in one piece, as some servers do.
    """

    def __init__(self, cases: Sequence[Case], *, streamed: bool = True) -> None:
        self.streamed = streamed
        self._cases = {case.name: case for case in cases}
        self._tries = {case.name: _Tries() for case in cases}
        self._log: dict[str, list[Asked]] = {case.name: [] for case in cases}
        self._lock = threading.Lock()
        replay = self

        class Handler(_Handler):
            played = replay

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def asked(self, name: str) -> list[Asked]:
        """What a case's model was asked so far."""
        with self._lock:
            return list(self._log[name])

    def play(self, path: str, request: dict[str, Any]) -> tuple[int, Any, list[str] | None]:
        """The status, the body and the stream's lines that answer a request."""
        name = path.split("/")[1].replace("%", "/")  # a model's name may stand for a case
        if name == HARMLESS:
            return _harmless(request)
        case = self._cases.get(name)
        if case is None:
            return 404, {"error": {"message": f"no case {name}"}}, None
        status, body, lines = self._step(case, request)
        with self._lock:
            self._log[name].append(Asked(path, depth(request), status, request))
        return status, body, lines

    def _step(self, case: Case, request: Mapping[str, Any]) -> tuple[int, Any, list[str] | None]:
        steps, at = case.data["exchange"], depth(request)
        step = steps[min(at, len(steps) - 1)]
        for rule in [*(case.data.get("enforce_always") or []), *(step.get("enforce") or [])]:
            if broken(rule, request):
                refusal = rule.get("refusal") or step.get("refusal") or case.data["refusal"]
                return refusal["status"], refusal["json"], None
        barred = request.get("tool_choice") == "none" and not case.data.get("ignores_none")
        if (barred or not request.get("tools")) and step.get("when_no_tools"):
            step = step["when_no_tools"]
        first = step.get("first")
        if first and self._is_early(case.name, at, first):
            step = first
        time.sleep(step.get("delay", 0))
        status, body, lines = step.get("status", 200), step.get("json"), step.get("sse")
        if lines is not None and body is None and not (request.get("stream") and self.streamed):
            return status, whole(lines), None
        return status, body, lines if request.get("stream") and self.streamed else None

    def _is_early(self, name: str, at: int, first: Mapping[str, Any]) -> bool:
        with self._lock:
            tries = self._tries[name]
            tries.count[at] += 1
            began = tries.since.setdefault(at, time.monotonic())
            recent = time.monotonic() - began < first.get("seconds", 0)
            return recent or tries.count[at] <= first.get("n", 0)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    played: Replay

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._json(200, {"data": []})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "{}")
        status, body, lines = self.played.play(self.path, request)
        if lines is None:
            self._json(status, body)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for line in lines:
            self.wfile.write(f"{line}\n".encode() + (b"" if line.startswith("event:") else b"\n"))
        self.close_connection = True

    def _json(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _harmless(request: Mapping[str, Any]) -> tuple[int, Any, list[str] | None]:
    model = str(request.get("model"))
    if model == "judge":
        delta: dict[str, Any] = {"content": VERDICT}
    elif model == "writer":
        delta = {"content": "Errors that are independent cancel out [1]."}
    elif request.get("tools") and not depth(request):
        query = json.dumps({"query": "panel of models"})
        call = {"name": "web_search", "arguments": query}
        delta = {"tool_calls": [{"index": 0, "id": "harmless1", "function": call}]}
    else:
        read = re.search(r"\[(\d+)\]", json.dumps(request.get("messages")))
        delta = {"content": f"Errors that are independent cancel out [{read[1] if read else 1}]."}
    return reply(delta, request)


def reply(
    delta: Mapping[str, Any], request: Mapping[str, Any]
) -> tuple[int, Any, list[str] | None]:
    """An unremarkable reply, streamed if a stream was asked for."""
    finish = "tool_calls" if "tool_calls" in delta else "stop"
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    event = {"id": "c", "model": request.get("model"), "choices": [choice], "usage": usage}
    lines = [f"data: {json.dumps(event)}", "data: [DONE]"]
    return (200, None, lines) if request.get("stream") else (200, whole(lines), None)
