"""Ollama's /api/chat: one JSON object a line, thinking beside the text, calls without ids."""

from typing import Any

from .dialogue import Asked, Refused, wanted


def answer(asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    """The reply in one piece, its stream, and its usage."""
    body = asked.body
    turns = _check(asked)
    usage = {"prompt_eval_count": len(str(body)) // 4, "eval_count": 7}
    ended = {"done": True, "done_reason": "stop", **usage}
    base = {"model": asked.model, "created_at": "2026-11-27T00:00:00Z"}
    if asked.goes_on(turns, may_call=bool(body.get("tools"))):
        messages = _turn(asked, turns, body["tools"][0]["function"]["name"])
    else:
        messages = [{"content": "The answer of Ollama "}, {"content": f"after {turns} rounds."}]
    lines: list[Any] = [
        {**base, "message": {"role": "assistant", "content": "", **message}, "done": False}
        for message in messages
    ]
    lines.append({**base, "message": {"role": "assistant", "content": ""}, **ended})
    if body.get("stream", True):
        return None, [("", line) for line in lines], usage
    whole: dict[str, Any] = {"role": "assistant", "content": ""}
    for message in messages:
        for name, value in message.items():
            whole[name] = whole.get(name, type(value)()) + value
    return {**base, "message": whole, **ended}, None, usage


def _turn(asked: Asked, turn: int, name: str) -> list[dict[str, Any]]:
    calls = [
        {"function": {"name": name, "arguments": wanted(turn, n)}} for n in asked.numbers(turn)
    ]
    return [{"thinking": "Thought "}, {"thinking": f"{turn}."}, {"tool_calls": calls}]


def _check(asked: Asked) -> int:
    turns = 0
    for at, message in enumerate(asked.body["messages"]):
        calls = message.get("tool_calls") or []
        if not calls:
            continue
        if message.get("thinking") != f"Thought {turns}.":
            raise Refused(400, {"error": f"message {at}: thinking did not come back"})
        told = [call["function"]["arguments"] for call in calls]
        if told != [wanted(turns, n) for n in asked.numbers(turns)]:
            raise Refused(400, {"error": f"message {at}: the calls came back as {told}"})
        turns += 1
    return turns
