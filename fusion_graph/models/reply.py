"""A provider's own assistant turn, kept verbatim inside the message that was read from it.

Providers refuse, or answer worse, when a turn that called tools comes back without what they put
into it: reasoning and its signatures, opaque items, fields that no client knows. So a turn is
carried whole, and is read, never rebuilt. It stands in `additional_kwargs`, which checkpoints,
journals and LangChain's own copies of a message keep.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import AIMessage

Protocol = Literal["chat", "responses"]
"""`chat`: one assistant message of chat completions; `responses`: the output items of OpenAI's
Responses API."""

TURN = "provider_turn"
"""Where in `additional_kwargs` a turn stands: `{"protocol", "items", "model"}`."""


CALLED = "called_tools"
"""Where in `additional_kwargs` the calls stand that a program made while it answered:
`[{"name", "args"}]`."""


def with_turn(
    message: AIMessage, protocol: Protocol, items: Sequence[Mapping[str, Any]], model: str = ""
) -> AIMessage:
    """The message, carrying its provider's own turn.

    Args:
        message: What was read from the turn.
        protocol: In which protocol the items were sent.
        items: The turn, as the JSON objects that came.
        model: Who sent it, as asked for. Another model may refuse fields it does not know.
    """
    turn = {"protocol": protocol, "items": list(items), "model": model}
    kept = {**message.additional_kwargs, TURN: turn}
    return message.model_copy(update={"additional_kwargs": kept})


def turn_of(message: Any) -> dict[str, Any] | None:
    """The turn that a message carries; None where there is none, or what stands there is no turn.

    Args:
        message: Any message; a state may have been edited by hand.
    """
    kept = getattr(message, "additional_kwargs", None)
    turn = kept.get(TURN) if isinstance(message, AIMessage) and isinstance(kept, Mapping) else None
    if not isinstance(turn, Mapping) or turn.get("protocol") not in ("chat", "responses"):
        return None
    items = turn.get("items")
    if not (isinstance(items, list) and items and all(isinstance(i, Mapping) for i in items)):
        return None
    return dict(turn)


def items_for(message: Any, protocol: Protocol, model: str = "") -> list[dict[str, Any]] | None:
    """Give what a client sends in place of a message: its turn, if protocol and model are the same.

    None where the message's calls are no longer those of the turn.

    Args:
        message: A message of the conversation.
        protocol: The client's.
        model: Whom it asks; a turn that names another model is not for it.
    """
    turn = turn_of(message)
    if turn is None or turn["protocol"] != protocol:
        return None
    if model and turn.get("model") and turn["model"] != model:
        return None
    items = [_sendable(item) for item in turn["items"]]
    return items if _calls_of(items) == _calls_in(message) else None


def _calls_in(message: AIMessage) -> dict[str, Any]:
    """Arguments by id. A caller may have edited the calls that a person had to approve."""
    good = {call["id"] or "": call["args"] for call in message.tool_calls}
    return good | {call["id"] or "": {} for call in message.invalid_tool_calls}


def _calls_of(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    calls: dict[str, Any] = {}
    for item in items:
        if item.get("type") == "function_call":
            calls[str(item.get("call_id") or "")] = json.loads(item["arguments"])
        for call in item.get("tool_calls") or ():
            calls[str(call.get("id") or "")] = json.loads(call["function"]["arguments"])
    return calls


def _sendable(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of a turn with its calls as every server takes them; all else as it came.

    Servers refuse a history whose arguments are no JSON object (vLLM, Mistral), or whose names
    hold anything but letters, digits, `_` and `-` (OpenAI).
    """
    sent = dict(item)
    if item.get("type") == "function_call":
        sent |= _sendable_call(item)
    if isinstance(calls := item.get("tool_calls"), list):
        sent["tool_calls"] = [
            {**call, "function": {**call["function"], **_sendable_call(call["function"])}}
            for call in calls
            if isinstance(call, Mapping) and isinstance(call.get("function"), Mapping)
        ]
    return sent


def _sendable_call(function: Mapping[str, Any]) -> dict[str, str]:
    name, arguments = function.get("name"), function.get("arguments")
    try:
        whole = isinstance(json.loads(arguments), dict)  # type: ignore[arg-type]
    except (TypeError, ValueError, RecursionError):
        whole = False
    if isinstance(arguments, Mapping):  # llama.cpp sends an object, and takes its text
        arguments, whole = json.dumps(arguments, ensure_ascii=False), True
    clean = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] if isinstance(name, str) else ""
    return {"name": clean or "unknown", "arguments": str(arguments) if whole else "{}"}


def new_call_id() -> str:
    """An id for a call that came without one: nine letters or digits, as Mistral wants them."""
    return "".join(secrets.choice(_ID_CHARACTERS) for _ in range(9))


_ID_CHARACTERS = string.ascii_letters + string.digits


def without_turn(message: AIMessage) -> AIMessage:
    """The message as it can be read, without its turn."""
    kept = {key: value for key, value in message.additional_kwargs.items() if key != TURN}
    return message.model_copy(update={"additional_kwargs": kept})


def with_call_ids(message: AIMessage, ids: Sequence[str]) -> AIMessage:
    """The message with other ids for its calls, everywhere in it.

    Args:
        message: The message.
        ids: One for each of `tool_calls`, then one for each of `invalid_tool_calls`.

    Raises:
        ValueError: There are more calls than ids, or fewer.
    """
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    if len(calls) != len(ids):
        raise ValueError(f"{len(calls)} calls cannot be given {len(ids)} ids.")
    old = [call["id"] or "" for call in calls]
    if old == list(ids):
        return message
    renamed = _Renaming(old, ids)
    good = len(message.tool_calls)
    kept = renamed.of(message.additional_kwargs)
    update: dict[str, Any] = {
        "tool_calls": [{**c, "id": i} for c, i in zip(calls[:good], ids[:good], strict=True)],
        "invalid_tool_calls": [
            {**c, "id": i} for c, i in zip(calls[good:], ids[good:], strict=True)
        ],
        "additional_kwargs": kept,
    }
    if isinstance(message.content, list):
        update["content"] = renamed.of(message.content)
    return message.model_copy(update=update)


_CALL_TYPES = frozenset(
    {"tool_use", "tool_call", "invalid_tool_call", "function_call", "custom_tool_call"}
)
"""What a block that is a call says of itself: Anthropic's and Bedrock's, LangChain's, OpenAI's."""

_ID_FIELDS = ("id", "call_id", "tool_call_id", "tool_use_id", "toolUseId", "callId")
"""Fields that refer to a call. OpenRouter's encrypted `reasoning_details` name theirs in `id`."""

_ARGUMENTS = frozenset({"arguments", "args", "input", "function"})
"""What a model wrote itself: an id in there is a word like any other."""


class _Renaming:
    """Old ids and the new ones in their places; an id that is missing, or used twice, in order.

    Args:
        old: The calls' ids; empty where there was none.
        new: Their new ids.
    """

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._new: dict[str, list[str]] = {}
        for before, after in zip(old, new, strict=True):
            self._new.setdefault(before, []).append(after)

    def of(self, value: Any) -> Any:
        """JSON data with the new ids in it; a copy where anything changed."""
        if isinstance(value, list):
            seen: dict[str, int] = {}
            return [self._item(item, seen) for item in value]
        if isinstance(value, Mapping):
            return self._object(value)
        return value

    def _item(self, item: Any, seen: dict[str, int]) -> Any:
        """An item of a list; its calls are told apart by their order where their ids do not."""
        if not (isinstance(item, Mapping) and _is_call(item)):
            return self.of(item)
        name = "call_id" if "call_id" in item else "id"
        before = item.get(name) or ""
        after = self._new.get(before) if isinstance(before, str) else None
        renamed = {k: v if k in _ARGUMENTS else self.of(v) for k, v in item.items()}
        if after:
            at = seen.get(before, 0)
            seen[before] = at + 1
            renamed[name] = after[min(at, len(after) - 1)]
        return renamed

    def _object(self, value: Mapping[str, Any]) -> dict[str, Any]:
        if value and all(self._known(key) for key in value):
            # A mapping by call id, as langchain-google-genai keeps its thought signatures.
            return {self._new[key][0]: self.of(item) for key, item in value.items()}
        return {
            key: self._new[item][0] if key in _ID_FIELDS and self._known(item) else self.of(item)
            for key, item in value.items()
        }

    def _known(self, value: Any) -> bool:
        return isinstance(value, str) and bool(value) and value in self._new


def _is_call(item: Mapping[str, Any]) -> bool:
    return item.get("type") in _CALL_TYPES or isinstance(item.get("function"), Mapping)
