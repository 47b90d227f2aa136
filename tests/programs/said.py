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
