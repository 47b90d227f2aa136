"""Exa's search API in a process of its own: it refuses what Exa refuses, and knows three pages.

A query says what is to happen: `status 429` is answered so the first time and always, `once 503`
only the first time, `odd list`, `odd words` and `odd length` with what no client expects.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.children import Child, end

KEY = "exa-key-of-the-tests-2718"

PAGES = [
    {
        "id": "https://a.example/deep",
        "title": "Deep lakes",
        "url": "https://a.example/deep",
        "publishedDate": "2025-11-16T01:36:32.547Z",
        "author": None,
        "highlights": ["The deepest lake is 1,642 m deep.", "It holds a fifth of all fresh water."],
        "highlightScores": [0.46, 0.31],
    },
    {"id": "https://b.example/all", "title": None, "url": "https://b.example/all"},
    {"id": "https://c.example/old", "title": "Old lakes", "url": "https://c.example/old"},
]

_TAGS = {
    400: "INVALID_REQUEST_BODY",
    401: "INVALID_API_KEY",
    402: "NO_MORE_CREDITS",
    403: "FEATURE_DISABLED",
    429: "RATE_LIMIT_EXCEEDED",
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.times: Counter[str] = Counter()
        self.lock = threading.Lock()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._reply(200, json.dumps(self.server.asked))

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"]))
        key, asked = self.headers.get("x-api-key", ""), json.loads(said)
        query = str(asked.get("query"))
        with self.server.lock:
            self.server.asked.append(asked)
            self.server.times[query] += 1
            first = self.server.times[query] == 1
        how, _, what = query.partition(" ")
        if self.path != "/search":
            self._refuse(404, key)
        elif key != KEY:
            self._refuse(401, key)
        elif not isinstance(asked.get("numResults"), int) or asked.keys() - {
            "query",
            "numResults",
            "contents",
        }:
            self._refuse(400, key)
        elif how == "status" or (how == "once" and first):
            self._refuse(int(what), key)
        elif how == "odd":
            self._reply(200, {"list": "[1, 2]", "words": "<html>", "length": "[" * 2**23}[what])
        else:
            found = [] if how == "nothing" else PAGES[: asked["numResults"]]
            body = {"requestId": "r", "resolvedSearchType": "neural", "results": found}
            self._reply(200, json.dumps(body | {"costDollars": {"total": 0.007}}))

    def _refuse(self, status: int, key: str) -> None:
        words = f"The request with the key {key} is refused."
        body = {"requestId": "r", "error": words, "tag": _TAGS.get(status)}
        self._reply(status, json.dumps(body))

    def _reply(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True  # the client has read enough

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""


class Exa:
    """The running server. `url`: its address, as EXA_BASE_URL takes it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def asked(self, query: str) -> list[dict[str, Any]]:
        """The bodies of the requests for a query."""
        with urlopen(f"{self.url}/asked") as reply:
            return [asked for asked in json.load(reply) if asked["query"] == query]


@contextmanager
def exa_server() -> Iterator[Exa]:
    """Start the server; it ends with the block, and with this process."""
    command = [sys.executable, "-I", str(Path(__file__).resolve())]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with Child(command, text=True, **pipes) as process:
        assert process.stdout is not None
        yield Exa(process.stdout.readline().strip())
        end(process)


if __name__ == "__main__":
    with _Server() as _running:
        threading.Thread(target=_running.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{_running.server_port}", flush=True)
        sys.stdin.read()
        _running.shutdown()
