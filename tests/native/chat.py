"""Chat completions as DeepSeek, Mistral and OpenRouter speak them, each wanting its own back."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from .dialogue import Asked, Refused, same_calls, wanted

Turn = dict[str, Any]


def _deepseek(turn: int, calls: list[Turn]) -> Turn:
    return {"content": "", "reasoning_content": f"Thought {turn}."}


def _mistral(turn: int, calls: list[Turn]) -> Turn:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": f"Thought {turn}."}]}
    said = [{"type": "text", "text": "Let me look."}] if turn == 0 else []
    return {"content": [thought, *said]}


def _openrouter(turn: int, calls: list[Turn]) -> Turn:
    text = {"type": "reasoning.text", "text": f"Thought {turn}.", "format": "google-gemini-v1"}
    hidden = {
        "type": "reasoning.encrypted",
        "data": f"b3BhcXVl{turn}==",
        "id": calls[0]["id"],
        "format": "google-gemini-v1",
    }
    details = [text | {"index": 0}, hidden | {"index": 1}]
    return {"content": "", "reasoning": f"Thought {turn}.", "reasoning_details": details}


OWN: dict[str, Callable[[int, list[Turn]], Turn]] = {
    "deepseek": _deepseek,
    "mistral": _mistral,
    "openrouter": _openrouter,
}
"""What each puts into a turn besides its calls."""

KEPT = {
    "deepseek": ["reasoning_content"],
    "mistral": ["content"],
    "openrouter": ["reasoning_details"],
}
"""What each wants back."""

ID = {"deepseek": "call_{}_{}", "mistral": "idOf{}Nr{:02}", "openrouter": "tool_{}_{}"}


def answer(provider: str, asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    """The reply in one piece, its stream, and its usage."""
    body = asked.body
    turns = _check(provider, asked)
    may_call = bool(body.get("tools")) and body.get("tool_choice") != "none"
    if asked.goes_on(turns, may_call=may_call):
        name = body["tools"][0]["function"]["name"]
        message, finish = _turn(provider, asked, turns, name), "tool_calls"
    else:
        text = f"The answer of {provider} after {turns} rounds."
        message, finish = {"role": "assistant", "content": text}, "stop"
    tokens = len(json.dumps(body)) // 4
    usage = {"prompt_tokens": tokens, "completion_tokens": 7, "total_tokens": tokens + 7}
    if provider == "deepseek":
        usage["prompt_cache_hit_tokens"] = 64
    if provider == "openrouter":
        details = {"cached_tokens": 64}
        usage |= {"cost": 0.0125, "prompt_tokens_details": details}  # type: ignore[dict-item]
    whole = {
        "id": f"gen-{turns}",
        "object": "chat.completion",
        "created": 1,
        "model": asked.model,
        "system_fingerprint": None,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }
    stream = list(_events(whole, message, finish)) if body.get("stream") else None
    return whole, stream, usage


def _turn(provider: str, asked: Asked, turn: int, name: str) -> Turn:
    calls = [
        {
            "id": asked.id_of(turn, n, ID[provider]),
            "type": "function",
            "index": n,
            "function": {"name": name, "arguments": json.dumps(wanted(turn, n))},
        }
        for n in asked.numbers(turn)
    ]
    return {"role": "assistant", **OWN[provider](turn, calls), "tool_calls": calls}


def _refuse(message: str) -> Refused:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return Refused(400, {"error": error, "message": message, "object": "error"})


def _check(provider: str, asked: Asked) -> int:
    turns, ids, waiting = 0, set[str](), set[str]()
    for at, message in enumerate(asked.body["messages"]):
        if message["role"] == "tool":
            waiting -= {message["tool_call_id"]}
            continue
        if waiting:
            raise _refuse(f"messages[{at}]: no result for {sorted(waiting)}")
        calls = message.get("tool_calls") or []
        if message["role"] != "assistant" or not calls:
            continue
        expected = _turn(provider, asked, turns, calls[0]["function"]["name"])
        for call, own in zip(calls, expected["tool_calls"], strict=True):
            own["id"] = call["id"]
        expected |= OWN[provider](turns, expected["tool_calls"])
        for name in KEPT[provider]:
            if message.get(name) != expected[name]:
                raise _refuse(f"messages[{at}]: `{name}` must come back as {expected[name]}")
        if wrong := same_calls(_read(calls), _read(expected["tool_calls"]), ids):
            raise _refuse(f"messages[{at}]: {wrong}")
        waiting = {call["id"] for call in calls}
        if provider == "mistral":
            _check_mistral(at, message, waiting)
        turns += 1
    if waiting:
        raise _refuse(f"no result for {sorted(waiting)}")
    return turns


def _check_mistral(at: int, message: Turn, ids: set[str]) -> None:
    if unknown := message.keys() - {"role", "content", "tool_calls", "prefix"}:
        where = [{"type": "extra_forbidden", "loc": ["body", "messages", at, *sorted(unknown)]}]
        raise Refused(422, {"object": "error", "message": {"detail": where}})
    if not all(re.fullmatch("[A-Za-z0-9]{9}", own) for own in ids):
        raise _refuse(f"Tool call id was {ids} but must be a-z, A-Z, 0-9, with a length of 9.")


def _read(calls: list[Turn]) -> list[tuple[str, str, Any]]:
    return [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls]


def _events(whole: Turn, message: Turn, finish: str) -> Iterator[tuple[str, Any]]:
    base = {**whole, "object": "chat.completion.chunk"}
    usage = base.pop("usage")
    for name, value in message.items():
        pieces = (
            re.findall(r"\S+\s*", value)
            if name == "content" and isinstance(value, str)
            else [value]
        )
        for piece in pieces:
            delta = {"role": "assistant", name: piece}
            yield "", {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {"index": 0, "delta": {"content": ""}, "finish_reason": finish}
    yield "", {**base, "choices": [last], "usage": usage}
