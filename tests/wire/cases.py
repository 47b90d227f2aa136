"""A recorded exchange: what a provider sent, and what it refuses.

A case file is JSON:

- `model`: the reference of the model under test. `via`: how it is reached: `openrouter`, `openai`
  (by `OPENAI_BASE_URL`), `ollama`, or `custom` (any provider's table); with `judge` in it the
  model judges, else it is a panelist.
- `exchange`: steps. A request belongs to the step whose number is the count of its assistant
  messages with tool calls; the last step serves all later ones.
- A step: `sse`, lines of the streamed reply; `json`, the reply in one piece; `status`;
  `when_no_tools`, a step played where no tools may be called; `first`, a step played for the
  first `n` tries or `seconds` instead; `delay`, seconds; `enforce`, rules on the request, and
  `refusal`, what a broken one is answered with. `enforce_always` are rules for every step.
- `expect`: in words, for a reader. `check`, where there is one, is the same for the machine: see
  `tests.wire.outcomes`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """A recorded exchange by its name (its folder's)."""

    name: str
    data: Mapping[str, Any]

    @property
    def judges(self) -> bool:
        """Whether the model under test is the judge, and not a panelist."""
        return "judge" in self.data["via"]


def load(folder: Path) -> list[Case]:
    """The cases in a folder, by name; those that only stand in for harmless models are left out.

    Raises:
        ValueError: There is none, or one is not JSON.
    """
    found = []
    for path in sorted(folder.glob("*/case.json")):
        data = json.loads(path.read_text("utf-8"))
        if "exchange" in data:
            found.append(Case(path.parent.name, data))
    if not found:
        raise ValueError(f"no folder in {folder} holds a case.json with an exchange")
    return found


def depth(request: Mapping[str, Any]) -> int:
    """How many assistant turns with tool calls a request holds."""
    return len(_calling(request))


def broken(rule: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a request breaks a rule.

    Raises:
        ValueError: Nobody knows the rule.
    """
    messages = request.get("messages") or []
    calling = _calling(request)
    match rule["rule"]:
        case "assistant_calls_echo":
            return any(all(m.get(f) in (None, []) for f in rule["any_of"]) for m in calling)
        case "first_call_echo":
            return any(_at(m["tool_calls"][0], rule["path"]) in (None, "") for m in calling)
        case "exact_echo":
            return all(m.get(rule["field"]) != rule["value"] for m in calling)
        case "no_param":
            excused = rule.get("unless") or {}
            spared = bool(excused) and all(request.get(k) == v for k, v in excused.items())
            return request.get(rule["name"]) is not None and not spared
        case "tools_when_history_has_calls":
            return bool(calling) and not request.get("tools")
        case "tool_ids":
            ids = [call.get("id") or "" for m in calling for call in m["tool_calls"]]
            return not all(re.fullmatch(rule["pattern"], made) for made in ids)
        case "response_format_type_in":
            wanted = request.get("response_format")
            return wanted is not None and wanted.get("type") not in rule["types"]
        case "no_empty_content":
            said = [m for m in messages if m.get("role") == "assistant" and m not in calling]
            return any(m.get("content") in ("", None) for m in said)
        case "content_nonempty_all":
            return any(m.get("content") in ("", None, []) for m in messages if m not in calling)
        case "assistant_content_not_emptystring_with_calls":
            return any(m.get("content") == "" for m in calling)
        case "no_assistant_last":
            return bool(messages) and messages[-1].get("role") == "assistant"
        case "user_after_tool_forbidden":
            pairs = pairwise(messages)
            return any(a.get("role") == "tool" and b.get("role") == "user" for a, b in pairs)
        case "max_tokens_at_most":
            limits = (request.get(name) or 0 for name in ("max_tokens", "max_completion_tokens"))
            return any(limit > rule["n"] for limit in limits)
        case "unknown_message_fields":
            return any(set(message) - set(rule["known"]) for message in messages)
        case "args_no_surprise":
            return False
        case unknown:
            raise ValueError(f"no rule is called {unknown!r}")


def whole(lines: list[str]) -> dict[str, Any]:
    """The completion that a stream of events amounts to, for a client that takes it in one piece.

    Args:
        lines: The stream's lines, `data: {…}` among them.
    """
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    calls: list[dict[str, Any]] = []
    body: dict[str, Any] = {"object": "chat.completion", "created": 0}
    finish, native, error = None, None, None
    for line in lines:
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[len("data: ") :])
        body |= {k: event[k] for k in ("id", "model", "provider", "usage") if event.get(k)}
        error = event.get("error") or error
        for choice in event.get("choices") or []:
            finish = choice.get("finish_reason") or finish
            native = choice.get("native_finish_reason") or native
            _merge(message, calls, choice.get("delta") or choice.get("message") or {})
    if error is not None:
        body["error"] = error
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body["choices"] = [choice | ({"native_finish_reason": native} if native else {})]
    return body


def _merge(message: dict[str, Any], calls: list[dict[str, Any]], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key == "tool_calls":
            for part in value or []:
                _merge_call(calls, part)
        elif isinstance(value, str) and isinstance(message.get(key), str) and key != "role":
            message[key] += value
        elif isinstance(value, list) and isinstance(message.get(key), list):
            message[key] = _merge_items(message[key], value)
        elif isinstance(value, str) and isinstance(message.get(key), list):
            message[key] = [*message[key], {"type": "text", "text": value}]
        elif value is not None:
            message[key] = value


def _merge_items(items: list[Any], more: list[Any]) -> list[Any]:
    """Reasoning comes in pieces under one type and index; other items are whole."""
    merged = [dict(item) if isinstance(item, dict) else item for item in items]
    for item in more:
        last = merged[-1] if merged else None
        names = ("type", "index")
        if (
            isinstance(item, dict)
            and isinstance(last, dict)
            and "index" in item
            and all(item.get(name) == last.get(name) for name in names)
        ):
            for key, value in item.items():
                both = isinstance(value, str) and isinstance(last.get(key), str)
                last[key] = last[key] + value if both and key not in names else value
        else:
            merged.append(item)
    return merged


def _merge_call(calls: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """A piece of a call: a new id begins a new one, whatever index it comes under."""
    index, named = part.get("index") or 0, part.get("id")
    place = next((c for c in reversed(calls) if c["at"] == index), None) if calls else None
    if place is None or (named and place["id"] and named != place["id"]):
        place = {"at": index, "id": named, "type": "function", "function": {}}
        calls.append(place)
    place["id"] = place["id"] or named
    said = part.get("function") or {}
    function = place["function"]
    if said.get("name") and said["name"] != function.get("name"):
        function["name"] = function.get("name", "") + said["name"]
    arguments = said.get("arguments")
    if isinstance(arguments, str):
        function["arguments"] = function.get("arguments", "") + arguments
    elif arguments is not None:
        function["arguments"] = arguments
    place |= {k: v for k, v in part.items() if k not in ("index", "id", "type", "function")}


def _calling(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = request.get("messages") or []
    return [m for m in messages if m.get("role") == "assistant" and m.get("tool_calls")]


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, list):
            value = value[int(key)] if key.isdigit() and int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value
