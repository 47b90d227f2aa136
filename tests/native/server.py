"""The native servers: `python -m tests.native.server`, one path a provider, and a log."""

import json
from collections import defaultdict
from typing import Any

from tests.scripted_models.protocol import Reply, Request, chunked, head, json_reply, to_json
from tests.scripted_models.server import main

from . import anthropic, chat, errors, gemini, ollama, searching
from .dialogue import Asked, Refused, Scope

_scopes: defaultdict[str, Scope] = defaultdict(Scope)


def answer(request: Request) -> Reply:
    """Answers a request, or refuses it as the provider would; both are logged."""
    name, _, path = request.path[1:].partition("/")
    scope = _scopes[name]
    if path == "_log":
        return json_reply(200, scope.log)
    provider, _, rest = path.partition("/")
    body = json.loads(request.body)
    model, _, verb = (
        rest.rpartition("/models/")[2].partition(":")
        if provider == "gemini"
        else (body["model"], "", "")
    )
    _, rounds, ids = name.split("-")
    asked = Asked(body, model, int(rounds), ids, scope, verb)
    entry: dict[str, Any] = {"model": model, "body": body, "status": 200, "usage": None}
    scope.log.append(entry)
    try:
        if model in errors.ERRORS.get(provider, {}):
            raise Refused(*errors.ERRORS[provider][model])
        whole, stream, entry["usage"] = _reply(provider, asked)
    except Refused as refused:
        entry["status"] = refused.status
        return _whole(refused.status, refused.body, refused.headers)
    return _whole(200, whole, {}) if stream is None else _streamed(provider, stream)


CLOSE = {"connection": "close"}
"""The integrations' clients outlive the event loop of a test, and would leave connections open."""


def _whole(status: int, body: Any, headers: dict[str, str]) -> Reply:
    data = to_json(body).encode()
    fields = {"content-length": len(data), **CLOSE, **headers}
    return Reply(status, [(0.0, head(status, fields) + data)], close=True)


def _reply(provider: str, asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    if provider == "anthropic":
        return anthropic.answer(asked)
    if provider == "searching":
        return searching.answer(asked)
    if provider == "gemini":
        return gemini.answer(asked)
    if provider == "ollama":
        return ollama.answer(asked)
    return chat.answer(provider, asked)


def _streamed(provider: str, events: list[tuple[str, Any]]) -> Reply:
    if provider == "ollama":
        kind, parts = "application/x-ndjson", [f"{to_json(data)}\n" for _, data in events]
    else:
        kind = "text/event-stream"
        named = [(f"event: {name}\n" if name else "", to_json(data)) for name, data in events]
        parts = [f"{name}data: {data}\n\n" for name, data in named]
        if provider in chat.OWN:
            parts.append("data: [DONE]\n\n")
    fields = {"content-type": kind, "transfer-encoding": "chunked", **CLOSE}
    body = b"".join(chunked([*(part.encode() for part in parts), b""]))
    return Reply(200, [(0.0, head(200, fields) + body)], close=True)


if __name__ == "__main__":
    main(answer)
