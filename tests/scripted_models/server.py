"""The scripted server: scopes, scripts, the log, and `python -m tests.scripted_models.server`.

POST /SCOPE/v1/chat/completions, POST /SCOPE/v1/responses and GET /SCOPE/v1/models are OpenAI's.
The rest is control:
PUT /SCOPE/_script [{"model", "steps", "apis"}, ...], PUT /SCOPE/_clock {"seconds"},
GET /SCOPE/_now, GET /SCOPE/_log, DELETE /SCOPE.
"""

import argparse
import asyncio
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from .behaviour import Chat, Step, choose, perform
from .protocol import (
    Answer,
    Connection,
    Reply,
    Request,
    error_reply,
    json_reply,
    text_reply,
    to_json,
)
from .responses import points_to_responses, refusal_of, respond

_INSTANT = "instant"
"""Scopes whose name begins so answer for every model, scripted or not."""

_INSTANT_STEP = Step(text="The answer is forty-two.")
_STARTED = time.monotonic()


@dataclass(slots=True)
class Call:
    """What the log keeps of one call; times in seconds since the server started.

    body: the JSON as it came. It is only parsed again by who reads the log, and holds no objects
        that the garbage collector would have to walk during a benchmark.
    """

    n: int
    model: str
    api: str
    body: bytes
    headers: dict[str, str]
    stream: bool
    step: int | None
    port: int
    started: float
    changed: Callable[[], None]
    usage: dict[str, Any] | None = None
    status: int | None = None
    ended: float | None = None
    disconnected: bool = False
    unread: bool = False

    def begin(self, status: int) -> None:
        """Notes the status: the first byte goes out."""
        self.status = status

    def end(self, *, disconnected: bool) -> None:
        """Notes the end, once."""
        if self.ended is None:
            self.ended = time.monotonic() - _STARTED
            self.disconnected = disconnected
            self.changed()

    def left_unread(self) -> None:
        """Notes that the client ended without reading it all."""
        self.unread = True
        self.changed()

    def to_json(self) -> str:
        """One record of the log."""
        names = (
            "n",
            "model",
            "api",
            "headers",
            "stream",
            "step",
            "port",
            "started",
            "status",
            "ended",
            "usage",
        )
        record = {name: getattr(self, name) for name in names}
        record |= {"disconnected": self.disconnected, "unread": self.unread}
        return f'{to_json(record)[:-1]},"body":{self.body.decode()}}}'


@dataclass(slots=True)
class Script:
    """The steps of a model, how many of them are used up, and the APIs it is served through."""

    steps: list[Step]
    apis: list[str]
    used: int = 0


class Scope:
    """One test's own models and log."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scripts: dict[str, Script] = {}
        self._calls: list[Call] = []
        self._counts: Counter[str] = Counter()
        self._waiting: list[asyncio.Future[None]] = []
        self._clock = 0.0

    def set_clock(self, request: Request) -> Reply:
        """Sets the clock that the steps' `clock` waits for, in seconds."""
        self._clock = float(json.loads(request.body)["seconds"])
        self._changed()
        return json_reply(200, {})

    async def _until(self, seconds: float) -> None:
        while self._clock < seconds:
            await self._change()

    def script(self, request: Request) -> Reply:
        """Sets the steps of models, from the first one on."""
        try:
            for order in json.loads(request.body):
                steps = [Step.parse(step) for step in order["steps"]]
                if not steps:
                    raise ValueError("a script needs a step")
                self.scripts[str(order["model"])] = Script(
                    steps, list(order.get("apis") or ["chat", "responses"])
                )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return error_reply(400, f"Not a script: {error}")
        return json_reply(200, {})

    def models(self) -> Reply:
        """Lists the scripted models."""
        common = {"object": "model", "created": 0, "owned_by": "scripted"}
        return json_reply(
            200, {"object": "list", "data": [{"id": model} | common for model in self.scripts]}
        )

    def complete(self, request: Request, api: str) -> Reply:
        """Answers a call by the next step of its model, and logs it."""
        try:
            body = json.loads(request.body)
            model = body["model"]
        except (ValueError, TypeError, KeyError):
            return error_reply(400, "The body must be a JSON object that names a model.")
        self._counts[model] += 1
        chat = Chat(model, self._counts[model], body, request.body, api)
        index, reply = self._play(chat)
        script = self.scripts.get(chat.model)
        if script is not None and index is not None and (wait := script.steps[index].clock):
            # Since the call began, as a model's own minutes would count.
            due = self._clock + wait
            reply.after = lambda: self._until(due)
        reply.record = Call(
            n=chat.n,
            model=model,
            api=api,
            body=request.body,
            headers=request.headers,
            stream=chat.stream,
            step=index,
            port=request.port,
            started=time.monotonic() - _STARTED,
            changed=self._changed,
            usage=reply.usage,
        )
        self._calls.append(reply.record)
        self._changed()
        return reply

    def _play(self, chat: Chat) -> tuple[int | None, Reply]:
        script = self.scripts.get(chat.model)
        if script is None:
            if self.name.startswith(_INSTANT):
                play = perform if chat.api == "chat" else respond
                return 0, play(_INSTANT_STEP, chat)
            message = f"The model `{chat.model}` does not exist"
            return None, error_reply(404, message, code="model_not_found")
        if chat.api not in script.apis:
            path = {"chat": "chat/completions"}.get(chat.api, chat.api)
            return None, error_reply(404, f"Invalid URL (POST /v1/{path})")
        index = min(script.used, len(script.steps) - 1)
        busy = script.steps[index].when_busy
        if busy is not None and self._under_way() >= script.steps[index].at_once:
            return index, perform(busy, chat)
        step, refused = choose(script.steps[index], chat)
        if refused is not None:
            message = f"Unsupported parameter: '{refused}' is not supported with this model."
            return index, error_reply(400, message, param=refused, code="unsupported_parameter")
        if chat.api == "chat":
            effort = chat.body.get("reasoning_effort")
            if step.tools_need_responses and chat.body.get("tools") and effort != "none":
                return index, points_to_responses(chat.model)
        elif (unwanted := refusal_of(chat.body)) is not None:
            return index, unwanted
        script.used += 1
        plain = step.hang or step.malformed is not None or step.status != HTTPStatus.OK
        if chat.api == "chat" or plain:
            return index, perform(step, chat)
        return index, respond(step, chat)

    def _under_way(self) -> int:
        return sum(call.ended is None for call in self._calls)

    def _changed(self) -> None:
        while self._waiting:
            future = self._waiting.pop()
            if not future.done():
                future.set_result(None)

    async def log(self, model: str | None, arrived: int, ended: int) -> Reply:
        """The calls (to one model, or all) in order of arrival.

        arrived, ended: the reply waits until so many of them have arrived, and have ended.
        """
        while True:
            calls = [call for call in self._calls if model in (None, call.model)]
            done = sum(call.ended is not None for call in calls)
            if len(calls) >= arrived and done >= ended:
                return text_reply(200, f"[{','.join(call.to_json() for call in calls)}]")
            await self._change()

    async def _change(self) -> None:
        change: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await change


class Server:
    """All scopes, by the first part of the path."""

    def __init__(self) -> None:
        self._scopes: dict[str, Scope] = {}

    def answer(self, request: Request) -> Reply | Coroutine[Any, Any, Reply]:
        """Routes a request."""
        match request.method, request.path[1:].split("/"):
            case "POST", [name, "v1", "chat", "completions"]:
                return self._scope(name).complete(request, "chat")
            case "POST", [name, "v1", "responses"]:
                return self._scope(name).complete(request, "responses")
            case "GET", [name, "v1", "models"]:
                return self._scope(name).models()
            case "PUT", [name, "_script"]:
                return self._scope(name).script(request)
            case "PUT", [name, "_clock"]:
                return self._scope(name).set_clock(request)
            case "GET", [_, "_now"]:
                return json_reply(200, {"seconds": time.monotonic() - _STARTED})
            case "GET", [name, "_log"]:
                query = {key: values[0] for key, values in parse_qs(request.query).items()}
                arrived, ended = int(query.get("arrived", 0)), int(query.get("ended", 0))
                return self._scope(name).log(query.get("model"), arrived, ended)
            case "DELETE", [name] if name:
                self._scopes.pop(name, None)
                return json_reply(200, {})
            case _:
                return error_reply(404, f"Invalid URL ({request.method} {request.path})")

    def _scope(self, name: str) -> Scope:
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes[name] = Scope(name)
        return scope


def _exit_at_eof() -> None:
    while os.read(0, 65536):
        pass
    # Straight out: the parent is gone, and whatever the loop is doing must not keep us here.
    os._exit(0)


async def _serve(answer: Answer, port: int) -> None:
    listener = await asyncio.get_running_loop().create_server(
        lambda: Connection(answer), "127.0.0.1", port, backlog=1024
    )
    host, port = listener.sockets[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)
    await listener.serve_forever()


def main(answer: Answer | None = None) -> None:
    """Serves until stdin closes or SIGTERM, whose default action is all it takes.

    answer: what to do with a request; by default what the scripted models do.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0 takes a free one")
    port = parser.parse_args().port
    # A thread, since an event loop cannot watch every kind of stdin (a file, /dev/null).
    threading.Thread(target=_exit_at_eof, daemon=True).start()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(answer or Server().answer, port))


if __name__ == "__main__":
    main()
