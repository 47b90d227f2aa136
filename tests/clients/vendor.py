"""A vendor on this machine that says what a script tells it, and keeps what it was asked.

`python -m tests.clients.vendor` serves it. Whatever a program asks, in its vendor's protocol, is
answered by a turn of the script: the one whose number is the count of the tool results in the
request. After the last turn it repeats what the last tool has said, word for word.

PUT /SCOPE/_script {"turns": [{"tool", "args"} or {"text"}]}, where "own" says that the tool is
the program's own and "search" in which words it is to be searched for; GET
/SCOPE/_log?results=N, which waits until a request has had so many results of tools. In arguments,
TASK stands for the task that a tool has named last.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs
from urllib.request import ProxyHandler, build_opener

from tests.clients.listening import PATIENCE
from tests.clients.wires import Asked, Said, Tool, wire_of
from tests.scripted_models.client import ModelServer, fetch
from tests.scripted_models.protocol import Reply, Request, error_reply, head, json_reply
from tests.scripted_models.server import main

_TASK = re.compile(r'task"?:? "?([0-9a-f]{12})')

OPENER = build_opener(ProxyHandler({}))

NO_TOOL = "The tool is not on offer."
"""What it says instead of calling a tool that the request does not hold."""

SIDE = "A title."
"""What it says to a request without any tool: a title, a summary."""


@dataclass
class Scope:
    """One test's script and log."""

    turns: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, results: int) -> Reply:
        """The log, once a request has had so many results of tools."""
        while all(len(asked["results"]) < results for asked in self.log) and results:
            self.news.clear()
            await self.news.wait()
        return json_reply(200, self.log)


class Server:
    """All scopes, by the first part of the path."""

    def __init__(self) -> None:
        self._scopes: dict[str, Scope] = {}

    def answer(self, request: Request) -> Reply | Coroutine[Any, Any, Reply]:
        """Routes a request."""
        name, _, path = request.path[1:].partition("/")
        scope = self._scopes.setdefault(name, Scope())
        if (request.method, path) == ("PUT", "_script"):
            scope.turns = json.loads(request.body)["turns"]
            return json_reply(200, {})
        if (request.method, path) == ("GET", "_log"):
            return scope.read(int(parse_qs(request.query).get("results", ["0"])[0]))
        wire = wire_of(path)
        if request.method != "POST" or wire is None:
            # Lists of models, telemetry, settings: a program does without, as behind a proxy.
            return error_reply(404, f"Nothing is at {path}.")
        body = json.loads(request.body)
        asked = wire.asked(body)
        scope.log.append(
            {
                "path": path,
                "tools": [[tool.space, tool.name] for tool in asked.tools],
                "results": asked.results,
                "body": body,
                "headers": request.headers,
            }
        )
        scope.news.set()
        said = _said(scope, asked)
        if not (body.get("stream") or "streamGenerateContent" in path):
            return json_reply(200, wire.whole(body, said))
        data = "".join(wire.events(body, said)).encode()
        fields = {"content-type": "text/event-stream", "content-length": len(data)}
        return Reply(200, [(0.0, head(200, fields) + data)])


def _said(scope: Scope, asked: Asked) -> Said:
    if not asked.tools:
        return Said(SIDE)
    number = len(asked.results)
    if number >= len(scope.turns):
        return Said(asked.results[-1] if asked.results else NO_TOOL)
    turn = scope.turns[number]
    if "text" in turn:
        return Said(turn["text"])
    if (tool := _found(asked.tools, turn["tool"], own=turn.get("own", False))) is None:
        words = turn.get("search", "ask a panel of models")
        return Said(search=words) if asked.searched is None else Said(NO_TOOL)
    tasks = _TASK.findall("\n".join(asked.results))
    args = {
        key: tasks[-1] if value == "TASK" and tasks else value
        for key, value in turn["args"].items()
    }
    return Said(tool=tool, args=args)


def _found(tools: list[Tool], wanted: str, *, own: bool) -> Tool | None:
    """The tool of our server's, under whatever name the program gives it; or the program's own."""
    if own:
        return next((tool for tool in tools if tool.name == wanted), None)
    names = {wanted, f"mcp__fusion__{wanted}", f"mcp_fusion_{wanted}", f"fusion_{wanted}"}
    ours = [tool for tool in tools if tool.name in names and (tool.space or tool.name != wanted)]
    return next(iter(ours), None)


class Vendor(ModelServer):
    """A vendor in a process of its own."""

    module = "tests.clients.vendor"


class VendorScope:
    """A test's part of a vendor.

    url: where its protocols' paths begin.
    """

    def __init__(self, vendor: Vendor, name: str) -> None:
        self.url = f"{vendor.url}/{name}"

    def script(self, *turns: dict[str, Any]) -> None:
        """Set what it says, turn by turn."""
        fetch("PUT", f"{self.url}/_script", json.dumps({"turns": turns}).encode())

    def log(self, results: int = 0) -> list[dict[str, Any]]:
        """What it was asked: path, tools [[namespace, name]], results of tools, body.

        results: wait until a request has had so many of them.
        """
        url = f"{self.url}/_log?results={results}"
        with OPENER.open(url, timeout=PATIENCE) as response:
            asked: list[dict[str, Any]] = json.load(response)
        return asked


if __name__ == "__main__":
    main(Server().answer)
