"""A chat completion as it came, made into one that can be read, kept and sent back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from fusion_graph.cost.counts import usable_usage
from fusion_graph.errors import ErrorReply, ReplyTooLarge
from fusion_graph.models._stream import MOST_TEXT, text_of_parts
from fusion_graph.models.reply import new_call_id
from fusion_graph.text.json_data import encodable

DEEPEST = 64
"""Most levels of a call's arguments, and of a field that we do not know; a checkpoint holds 256,
those of the state included."""


def error_in(event: Mapping[str, Any], finish_reason: str | None = None) -> ErrorReply | None:
    """The error in a completion or a piece of its stream, at its top or in a choice.

    Args:
        event: The completion, or the piece.
        finish_reason: How a reply that says something had ended before. OpenRouter says once
            more, as an error, that it used up its tokens.
    """
    error = event.get("error") or _error_of_choice(event.get("choices"))
    if not error or (finish_reason == "length" and _TOKEN_LIMIT.search(str(error))):
        return None
    return _error_reply(error)


def _error_of_choice(choices: Any) -> Any:
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and (error := choice.get("error")):
            return error
    return None


_TOKEN_LIMIT = re.compile(r"token limit|max\w*[ _](output[ _])?tokens|length", re.IGNORECASE)


def checked(body: dict[str, Any], offered: Collection[str] = ()) -> dict[str, Any]:
    """The body, if it is a completion with a choice in it; made harmless where it is odd.

    Args:
        body: What came.
        offered: Names of the tools that the model may call.

    Raises:
        ErrorReply: It is an error (OpenRouter and others send these with HTTP 200) or nonsense.
        ReplyTooLarge: Its text is longer than any answer.
    """
    body = encodable(body)
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    finish = first.get("finish_reason") if isinstance(first, dict) else None
    message = first.get("message") if isinstance(first, dict) else None
    says = isinstance(message, dict) and bool(text_of(message) or message.get("tool_calls"))
    if error := error_in(body, finish if says else None):
        raise error
    body.pop("error", None)  # it only said what finish_reason says
    if not isinstance(first, dict):
        raise ErrorReply(f"The reply holds no choices; its keys are {sorted(body)}.")
    if finish == "error":
        native = first.get("native_finish_reason")
        which = f": {native}." if native and native != "error" else ", and does not say which."
        raise ErrorReply(f"The provider ended the reply with an error{which}", body=first)
    if not isinstance(message, dict):
        raise ErrorReply("The reply's choice holds no message.")
    message["role"] = "assistant"
    message["tool_calls"] = _calls(message.get("tool_calls"), offered)
    if not message["tool_calls"]:
        del message["tool_calls"]
    elif finish in (None, "", "stop"):  # of some servers, beside calls
        first["finish_reason"] = "tool_calls"
    if len(text_of(message)) > MOST_TEXT:
        raise ReplyTooLarge("answer", f"{MOST_TEXT:,} characters")
    body["choices"] = [first]
    body["usage"] = usable_usage(body.get("usage"), str(body.get("model")))
    return body


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, whatever its content came as."""
    content = message.get("content")
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, list):
        return text_of_parts(content)
    return content if isinstance(content, str) else ""


def turn_in(message: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what goes back of an assistant's message: everything that says something.

    Null and empty fields are of the reply's form, and strict servers refuse some (`refusal`,
    `audio`, `function_call`, OpenAI's `annotations`). An empty `reasoning_content` stays: DeepSeek
    and Kimi miss it. So does what no checkpoint could hold not.

    Args:
        message: The message, checked.
    """
    turn = {
        name: value
        for name, value in message.items()
        if fits(value) and (value not in (None, "", [], {}) or (name, value) == _NO_REASONING)
    }
    if not turn.get("content"):
        # With calls "" and null mean the same; null is what every server takes.
        turn["content"] = None if turn.get("tool_calls") else ""
    if isinstance(audio := turn.get("audio"), Mapping) and audio.get("id"):
        turn["audio"] = {"id": audio["id"]}  # OpenAI takes no more of it
    return {"role": "assistant", **turn}


_NO_REASONING = ("reasoning_content", "")


def _calls(calls: Any, offered: Collection[str]) -> list[dict[str, Any]]:
    """The calls of a message in OpenAI's shape, each with an id that no other has."""
    found: list[dict[str, Any]] = []
    taken: set[str] = set()
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            continue
        name, arguments = function.get("name"), function.get("arguments")
        if not name and not arguments:
            continue
        said = str(call.get("id") or "")
        call_id = said if said and said not in taken else new_call_id()
        taken.add(call_id)
        tool = tool_named(str(name or ""), offered)
        kept = {key: value for key, value in call.items() if key != "index" and fits(value)}
        sent = {**function, "name": tool, "arguments": readable_arguments(arguments)}
        found.append({**kept, "id": call_id, "type": "function", "function": sent})
    return found


def tool_named(name: str, offered: Collection[str]) -> str:
    """The offered tool that a name means, where just one fits; else the name.

    gpt-oss sticks its channel to names (`web_search<|channel|>commentary`), or its namespace
    (`functions.web_search`), Gemini its own (`default_api:web_search`).
    """
    if name in offered:
        return name
    bare = name.partition("<|")[0].strip()
    last = re.split(r"[.:/]", bare)[-1].strip()
    meant = {_folded(bare), _folded(last)}
    fitting = [tool for tool in offered if _folded(tool) in meant]
    return fitting[0] if len(fitting) == 1 else name


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def readable_arguments(arguments: Any) -> str:
    """A call's arguments as LangChain can read them, and as a run can keep them.

    LangChain would refuse the whole reply for a list or a string, and take NaN, which nobody else
    reads; as text that is no JSON they become an invalid tool call. None at all are none.
    """
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return "{}"
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    try:
        parsed = json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return str(arguments)  # LangChain's to report
    if not isinstance(parsed, dict):
        return f"not an object: {arguments}"
    if not fits(parsed):
        return f"out of bounds: {arguments}"
    clean = encodable(parsed)  # half characters may be escaped in there
    try:
        whole = json.loads(arguments) == clean
    except ValueError:  # line feeds within strings
        whole = False
    return arguments if whole else json.dumps(clean, ensure_ascii=False)


def fits(value: Any, depth: int = 0) -> bool:
    """Tell whether a report and a checkpoint can hold JSON data."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return depth < DEEPEST and all(fits(item, depth + 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) < 2**63


def _error_reply(error: Any) -> ErrorReply:
    if not isinstance(error, dict):
        return ErrorReply(str(error))
    code = error.get("code") or error.get("status")
    status = int(str(code)) if str(code).isdigit() else None
    return ErrorReply(str(error.get("message") or error), status, error)
