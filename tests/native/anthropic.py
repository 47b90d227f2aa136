"""Anthropic's Messages API: signed thinking that must come back, and a cache of prefixes."""

import json
from collections.abc import Iterator
from typing import Any

from .dialogue import Asked, Refused, same_calls, wanted

LOOKBACK = 20
"""How many blocks before a mark are searched for a kept prefix."""


def answer(asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    """The reply in one piece, its stream, and its usage."""
    body = asked.body
    turns = _check(asked)
    choice = body.get("tool_choice", {}).get("type")
    usage = _usage(asked)
    # A word after the results is heard: it asks for the answer.
    said = turns and list(blocks_of(body))[-1].get("type") == "text"
    if asked.goes_on(turns, may_call=bool(body.get("tools")) and choice != "none" and not said):
        content, stop = _turn(asked, turns, body["tools"][0]["name"]), "tool_use"
    else:
        text = {"type": "text", "text": f"Claude's answer after {turns} rounds."}
        content, stop = [*_thoughts(turns), text], "end_turn"
    message = {
        "id": f"msg_{turns}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    return message, list(_events(message)) if body.get("stream") else None, usage


def _thoughts(turn: int) -> list[dict[str, Any]]:
    thought = {"type": "thinking", "thinking": f"Thought {turn}.", "signature": f"c2ln{turn}=="}
    hidden = {"type": "redacted_thinking", "data": f"aGlk{turn}=="}
    return [thought, hidden] if turn == 0 else [thought]


def _turn(asked: Asked, turn: int, tool: str) -> list[dict[str, Any]]:
    said = [{"type": "text", "text": "Let me look."}] if turn == 0 else []
    calls = [
        {
            "type": "tool_use",
            "id": asked.id_of(turn, n, "toolu_{}_{}"),
            "name": tool,
            "input": wanted(turn, n),
        }
        for n in asked.numbers(turn)
    ]
    return [*_thoughts(turn), *said, *calls]


def _refuse(message: str, status: int = 400, kind: str = "invalid_request_error") -> Refused:
    return Refused(status, {"type": "error", "error": {"type": kind, "message": message}})


def _check(asked: Asked) -> int:
    """The number of turns with calls so far; refuses what Anthropic refuses."""
    body = asked.body
    names = [tool["name"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice") or {}
    if choice.get("type", "auto") not in ("auto", "any", "tool", "none"):
        raise _refuse("tool_choice: unknown type")
    if choice.get("type") == "tool" and choice.get("name") not in names:
        raise _refuse(f"Tool '{choice.get('name')}' not found in provided tools")
    thinking = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    if thinking and body.get("temperature") not in (None, 1):
        raise _refuse("`temperature` may only be set to 1 when thinking is enabled.")
    if thinking and choice.get("type") in ("any", "tool"):
        raise _refuse("Thinking may not be enabled when tool_choice forces tool use.")
    if sum("cache_control" in block for block in blocks_of(body)) > 4:
        raise _refuse("A maximum of 4 blocks with cache_control may be provided.")
    for block in blocks_of(body):
        if block.get("type") == "text" and not block["text"].strip():
            raise _refuse("messages: text content blocks must be non-empty")
        if "cache_control" in block and "thinking" in str(block.get("type")):
            raise _refuse("cache_control cannot be set for thinking blocks")
    return _check_turns(asked, names)


def _check_turns(asked: Asked, names: list[str]) -> int:
    turns, ids, messages = 0, set[str](), asked.body["messages"]
    for at, message in enumerate(messages):
        content = message["content"]
        uses = [b for b in content if isinstance(b, dict) and b.get("type") == "tool_use"]
        if message["role"] != "assistant" or not uses:
            continue
        if not names:
            raise _refuse("Requests which include `tool_use` blocks must define tools")
        expected = _turn(asked, turns, uses[0]["name"])
        if content[0].get("type") != "thinking":
            raise _refuse(f"messages.{at}.content.0.type: Expected `thinking`")
        kept = [b for b in expected if b["type"] != "tool_use"]
        if [b for b in content if b.get("type") != "tool_use"] != kept:
            raise _refuse(f"messages.{at}: `thinking` blocks cannot be modified")
        told = [
            [(b["id"], b["name"], b["input"]) for b in blocks]
            for blocks in (uses, expected[-len(uses) :])
        ]
        if wrong := same_calls(*told, ids):
            raise _refuse(f"messages.{at}: {wrong}")
        after = messages[at + 1]["content"] if at + 1 < len(messages) else []
        results = [b.get("tool_use_id") for b in after[: len(uses)]]
        if sorted(map(str, results)) != sorted(b["id"] for b in uses):
            raise _refuse(f"messages.{at}: `tool_use` ids without `tool_result` blocks after")
        turns += 1
    return turns


def blocks_of(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that may be marked and kept, in Anthropic's order."""
    yield from body.get("tools") or ()
    for message in [{"content": body.get("system") or []}, *body["messages"]]:
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        yield from content


def _usage(asked: Asked) -> dict[str, Any]:
    """Tokens (characters of JSON / 4) read from the cache, written to it, and neither."""
    body = asked.body
    prefixes: list[tuple[str, int, bool]] = []
    text = ""
    tools = len(body.get("tools") or ()) + (len(body.get("system") or ()))
    for at, block in enumerate(blocks_of(body)):
        if at == tools:  # another choice, or other thinking, and no message is found again
            text += json.dumps([body.get("tool_choice"), body.get("thinking")])
        marked = "cache_control" in block
        text += json.dumps({k: v for k, v in block.items() if k != "cache_control"})
        prefixes.append((text, len(text) // 4, marked))
    marks = [at for at, prefix in enumerate(prefixes) if prefix[2]]
    read = 0
    for mark in marks:
        for kept, tokens, _ in prefixes[max(0, mark - LOOKBACK) : mark + 1]:
            if kept in asked.scope.cached:
                read = max(read, tokens)
    last = prefixes[marks[-1]][1] if marks else 0
    asked.scope.cached |= {prefixes[mark][0] for mark in marks}
    written = max(0, last - read)
    return {
        "input_tokens": prefixes[-1][1] - read - written,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 7,
    }


def _events(message: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The message as a stream of events."""
    start = message | {"content": [], "stop_reason": None}
    yield "message_start", {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        opened, deltas = _opened(block)
        about = {"index": index}
        yield (
            "content_block_start",
            {"type": "content_block_start", "content_block": opened} | about,
        )
        for delta in deltas:
            yield "content_block_delta", {"type": "content_block_delta", "delta": delta} | about
        yield "content_block_stop", {"type": "content_block_stop"} | about
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield (
        "message_delta",
        {"type": "message_delta", "delta": delta, "usage": message["usage"]},
    )
    yield "message_stop", {"type": "message_stop"}


def _opened(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "text":
        words = block["text"].split(" ")
        pieces = [*(f"{word} " for word in words[:-1]), words[-1]]
        return block | {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
    if block["type"] == "thinking":
        return {"type": "thinking", "thinking": "", "signature": ""}, [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "tool_use":
        text = json.dumps(block["input"])
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": text}]
    return block, []
