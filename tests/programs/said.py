"""What the real programs said in November 2026, cut to what matters: their events by kind.

Claude Code 2.1.197, Codex 0.171.0, Gemini CLI 0.61.0, each run against a vendor of our own.
"""

from __future__ import annotations

from typing import Any

Step = dict[str, Any]

CLAUDE_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 60,
    "output_tokens": 7,
}


def claude_begins(source: str = "none") -> dict[str, Any]:
    """The first event; source says whose key pays, `none` being a plan."""
    return {
        "type": "system",
        "subtype": "init",
        "model": "claude-opus-4-8",
        "apiKeySource": source,
        "claude_code_version": "2.1.197",
    }


def claude_delta(text: str) -> dict[str, Any]:
    """A piece of the answer."""
    delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
    return {"type": "stream_event", "event": delta, "parent_tool_use_id": None}


def claude_result(text: str, **fields: Any) -> dict[str, Any]:
    """The last event."""
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "api_error_status": None,
        "result": text,
        "stop_reason": "end_turn",
        "total_cost_usd": 0.0123,
        "usage": CLAUDE_USAGE,
        "modelUsage": {"claude-opus-4-8": {"outputTokens": 7}},
        "terminal_reason": "completed",
        **fields,
    }


def claude(text: str, *calls: dict[str, Any], source: str = "none", **fields: Any) -> Step:
    """A step in which Claude Code answers."""
    half = len(text) // 2
    pieces = [claude_delta(text[:half]), claude_delta(text[half:])]
    lines = [claude_begins(source), *pieces, claude_result(text, **fields)]
    return {"lines": lines, "calls": list(calls)}


def claude_refused(words: str, error: str, status: int | None = None, **fields: Any) -> Step:
    """A step in which Claude Code says why it does not answer."""
    message = {"model": "<synthetic>", "content": [{"type": "text", "text": words}]}
    said = {"type": "assistant", "message": message, "error": error, "parent_tool_use_id": None}
    result = claude_result(words, is_error=True, api_error_status=status, modelUsage={}, **fields)
    return {"lines": [claude_begins(), said, result], "code": 1}


CODEX_BEGINS = {"type": "thread.started", "thread_id": "01a21ead"}


def codex_error(message: str) -> dict[str, Any]:
    """What Codex says of a try that failed, and of settings it ignores."""
    return {"type": "error", "message": message}


def codex_item(**item: Any) -> dict[str, Any]:
    """A piece of work."""
    return {"type": "item.completed", "item": {"id": "item_0", **item}}


def codex(text: str, *calls: dict[str, Any]) -> Step:
    """A step in which Codex answers, after a word about what it does and a broken connection."""
    usage = {"input_tokens": 100, "cached_input_tokens": 60, "output_tokens": 7}
    lines = [
        CODEX_BEGINS,
        codex_item(type="error", message="Codex is ignoring 1 unrecognized setting."),
        {"type": "turn.started"},
        codex_error("Reconnecting... 2/5 (unexpected status 404 Not Found)"),
        codex_item(type="agent_message", text="I shall look it up."),
        codex_item(type="agent_message", text=text),
        {"type": "turn.completed", "usage": {**usage, "reasoning_output_tokens": 3}},
    ]
    return {"lines": lines, "calls": list(calls)}


def codex_refused(message: str) -> Step:
    """A step in which Codex says why it does not answer."""
    failed = {"type": "turn.failed", "error": {"message": message}}
    lines = [CODEX_BEGINS, {"type": "turn.started"}, codex_error(message), failed]
    return {"lines": lines, "code": 1}


GEMINI_BEGINS = {"type": "init", "session_id": "e18a", "model": "gemini-2.5-flash"}


def gemini_piece(text: str) -> dict[str, Any]:
    """A piece of the answer."""
    return {"type": "message", "role": "assistant", "content": text, "delta": True}


def gemini(text: str, *calls: dict[str, Any]) -> Step:
    """A step in which Gemini CLI answers; what it thought is in the total alone."""
    stats = {"total_tokens": 107, "input_tokens": 100, "output_tokens": 4, "cached": 60}
    half = len(text) // 2
    lines = [
        GEMINI_BEGINS,
        {"type": "message", "role": "user", "content": "How wet is water?"},
        gemini_piece("I shall look it up. "),
        {"type": "tool_use", "tool_name": "mcp_fusion_lookup"},
        {"type": "error", "severity": "warning", "message": "Loop detected"},
        gemini_piece(text[:half]),
        gemini_piece(text[half:]),
        {"type": "result", "status": "success", "stats": stats},
    ]
    return {"lines": lines, "calls": list(calls)}


def gemini_refused(message: str, code: int = 1) -> Step:
    """A step in which Gemini CLI says why it does not answer."""
    error = {"type": "FatalError", "message": message}
    return {"lines": [GEMINI_BEGINS, {"type": "result", "status": "error", "error": error}],
            "code": code}  # fmt: skip


ANSWERS = {"claude": claude, "codex": codex, "gemini": gemini}
"""How each answers."""
