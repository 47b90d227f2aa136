"""Anthropic's Messages API with its own web search, in one of the ways that a model's name says.

`claude-cites-9` answers at once; `claude-pauses-9` stops in the midst of it (`pause_turn`) and
wants what it sent back verbatim; `claude-reads-9` calls a tool of the client's after its search;
`claude-unasked-9` belongs to an organization that has not switched the search on.
"""

from typing import Any

from .dialogue import Asked, Refused

BAIKAL = {
    "type": "web_search_result",
    "url": "https://lakes.example/baikal",
    "title": "Lake Baikal",
    "encrypted_content": "ZW5jcnlwdGVk",
    "page_age": "November 2, 2026",
}
SAID = "Lake Baikal is the deepest lake in the world, with a depth of 1,642 metres"
CITED = {
    "type": "text",
    "text": "The deepest lake is Baikal, with 1,642 metres.",
    "citations": [
        {
            "type": "web_search_result_location",
            "url": BAIKAL["url"],
            "title": BAIKAL["title"],
            "encrypted_index": "aW5kZXg=",
            "cited_text": SAID,
        }
    ],
}
PLAIN = {"type": "text", "text": " It is in Siberia."}
FIRST = [
    {"type": "text", "text": "I shall search for that."},
    {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "deepest lake"},
    },
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [BAIKAL]},
]
SECOND = [
    {
        "type": "server_tool_use",
        "id": "srvtoolu_2",
        "name": "web_search",
        "input": {"query": "lake depths"},
    },
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_2",
        "content": {"type": "web_search_tool_result_error", "error_code": "too_many_requests"},
    },
]
READ = {
    "type": "tool_use",
    "id": "toolu_1",
    "name": "web_fetch",
    "input": {"url": "https://elsewhere.example/"},
}


def answer(asked: Asked) -> tuple[Any, list[tuple[str, Any]] | None, Any]:
    """The reply, always in one piece, and its usage."""
    body = asked.body
    (search,) = [t for t in body["tools"] if str(t.get("type")).startswith("web_search")] or [None]
    if asked.model == "claude-unasked-9" and search:
        raise _refuse("Web search is not enabled for this organization.")
    turns = [m for m in body["messages"] if m["role"] == "assistant"]
    if asked.model == "claude-unasked-9":
        return _message(asked, [PLAIN], "end_turn", 0)
    if search is None or not 1 <= search["max_uses"] <= 16:
        raise _refuse("tools.web_search_20250305.max_uses: out of range")
    if not turns and asked.model == "claude-cites-9":
        return _message(asked, [*FIRST, CITED, PLAIN], "end_turn", 1)
    if not turns and asked.model == "claude-reads-9":
        return _message(asked, [*FIRST, READ], "tool_use", 1)
    if not turns:
        return _message(asked, FIRST, "pause_turn", 1)
    sent = [FIRST] if asked.model == "claude-pauses-9" else [[*FIRST, READ]]
    if [_bare(m["content"]) for m in turns] != sent:
        raise _refuse("messages.1: `web_search_tool_result` blocks cannot be modified")
    if asked.model == "claude-pauses-9":
        if body["messages"][-1]["role"] != "assistant":
            raise _refuse("messages.2: a paused turn is to be continued")
        return _message(asked, [*SECOND, CITED, PLAIN], "end_turn", 1)
    return _message(asked, [CITED, PLAIN], "end_turn", 0)


def _bare(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in block.items() if k != "cache_control"} for block in content]


def _message(
    asked: Asked, content: list[dict[str, Any]], stop: str, searches: int
) -> tuple[Any, None, Any]:
    usage = {
        "input_tokens": 1000,
        "output_tokens": 100,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0},
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    return message, None, usage


def _refuse(message: str) -> Refused:
    error = {"type": "invalid_request_error", "message": message}
    return Refused(400, {"type": "error", "error": error})
