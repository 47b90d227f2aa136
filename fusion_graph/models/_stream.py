"""A reply put together from its stream, with everything that came in it.

How pieces are joined, since a provider says of no field of its own what its pieces mean:

- text, arguments and any field unknown to us: strings are joined, lists extended, objects merged
  field by field, of anything else the last counts; null says nothing;
- what names a thing or its kind (`_NAMES`) is not joined: the last counts;
- what is opaque (`_OPAQUE`) is joined unless it is the same again;
- an item of `reasoning_details`, or a part of `content`, goes on with the one of its type and
  index that came before, if it adds text to it or signs it; everything else is an item of its
  own, and none is altered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from io import StringIO
from typing import Any

from fusion_graph.errors import ReplyTooLarge
from fusion_graph.models._http import MOST_BODY_BYTES, MOST_PARTS
from fusion_graph.text.json_data import with_leaves

MOST_TEXT = 1_000_000
"""Characters of an answer. The longest that a model of 2026 writes are 128,000 tokens, some
600,000; the text goes to judge, writer, report and checkpoint."""

_NAMES = frozenset({"role", "type", "id", "index", "format", "object", "model", "name", "status"})
_OPAQUE = frozenset({"signature", "thought_signature", "thoughtSignature", "encrypted_content"})
_TEXTS = frozenset({"text", "summary", "thinking"})
_ITEMS = frozenset({"content", "reasoning_details"})


class StreamedReply:
    """One choice of a completion, as far as it has come.

    Args:
        offered: Names of the tools that the model may call.

    Attributes:
        finish_reason: Why the model stopped, as far as it said so.
    """

    def __init__(self, offered: Collection[str] = ()) -> None:
        self.finish_reason: str | None = None
        self._offered = offered
        self._envelope: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._fields: dict[str, Any] = {}
        self._content: list[dict[str, Any]] = []
        self._in_parts = False
        self._calls: list[_Call] = []
        self._index: Any = None
        self._begun = False
        self._counted_last = False
        self._kept = self._parts = self._written = 0

    @property
    def ended(self) -> bool:
        """Whether the reply is whole: it says why it stopped, or has been counted."""
        return self.finish_reason is not None or (self._begun and self._counted_last)

    @property
    def says(self) -> bool:
        """Whether there is anything in it yet for somebody: text, or a call."""
        return bool(self._written or self._calls)

    def take(self, event: Mapping[str, Any]) -> str:
        """Take the next event; gives the piece of text in it that a reader may see.

        Raises:
            ReplyTooLarge: The reply is longer than any.
        """
        for name, value in event.items():
            if name != "choices" and value is not None:
                self._envelope[name] = value
        choices = event.get("choices")
        mine = [c for c in choices if self._is_mine(c)] if isinstance(choices, list) else []
        said = "".join([self._take_choice(choice) for choice in mine])
        self._counted_last = bool(event.get("usage")) and not said
        return said

    def body(self) -> dict[str, Any]:
        """The completion, as it would have come in one piece."""
        if not self._begun:
            return self._envelope
        message: dict[str, Any] = {"role": "assistant", "content": self._whole_content()}
        message |= {name: _plain(value) for name, value in self._fields.items()}
        if self._calls:
            ordered = sorted(self._calls, key=lambda call: call.index)
            message["tool_calls"] = [call.whole() for call in ordered]
        choice = {**self._choice, "index": 0, "message": message}
        choice["finish_reason"] = self.finish_reason
        return {**self._envelope, "choices": [choice]}

    def _is_mine(self, choice: Any) -> bool:
        if not isinstance(choice, Mapping):
            return False
        if not self._begun:
            self._begun, self._index = True, choice.get("index")
        return bool(choice.get("index") == self._index)

    def _take_choice(self, choice: Mapping[str, Any]) -> str:
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self.finish_reason = reason
        for name, value in choice.items():
            if name not in ("delta", "message", "index", "finish_reason") and value is not None:
                self._choice[name] = value
        delta = choice.get("delta") or choice.get("message")
        if not isinstance(delta, Mapping):
            return ""
        said = self._take_content(delta.get("content"))
        calls = delta.get("tool_calls")
        if isinstance(calls, list):
            self._take_calls([part for part in calls if isinstance(part, Mapping)])
        for name, value in delta.items():
            if name in ("content", "role", "tool_calls") or value is None:
                continue
            self._keep(value)
            if name == "reasoning_details" and isinstance(value, list):
                _add_items(self._fields.setdefault(name, []), value)
            else:
                self._fields[name] = _merged(self._fields.get(name), value, name)
        return said

    def _take_content(self, content: Any) -> str:
        if isinstance(content, str):
            if content:
                self._add_text(content)
            return content
        if not isinstance(content, list):
            return ""
        self._in_parts = True
        parts = [part for part in content if isinstance(part, Mapping)]
        self._keep(parts)
        before = len(self._content)
        for at, part in enumerate(parts):
            last = self._content[-1] if at == 0 and before else None
            if last is not None and _goes_on(last, part):
                _extend(last, part)
            else:
                self._content.append(_begun(dict(part)))
        return self._count(text_of_parts(parts))

    def _add_text(self, text: str) -> None:
        self._keep(text)
        if not self._content or self._content[-1].keys() != {"type", "text"}:
            self._content.append({"type": "text", "text": StringIO()})
        self._content[-1]["text"].write(text)
        self._count(text)

    def _count(self, text: str) -> str:
        self._written += len(text)
        if self._written > MOST_TEXT:
            raise ReplyTooLarge("answer", f"{MOST_TEXT:,} characters")
        return text

    def _keep(self, value: Any) -> None:
        """Count what is kept of the reply, before memory is taken for it."""
        size, parts = _weight(value)
        self._kept += size
        self._parts += parts
        if self._kept > MOST_BODY_BYTES:
            raise ReplyTooLarge("streamed reply", f"{MOST_BODY_BYTES // 2**20} MiB")
        if self._parts > MOST_PARTS:
            raise ReplyTooLarge("streamed reply", f"{MOST_PARTS:,} objects")

    def _whole_content(self) -> Any:
        if self._in_parts:
            return [_plain(part) for part in self._content]
        return "".join(_plain(part["text"]) for part in self._content) or None

    def _take_calls(self, parts: list[Mapping[str, Any]]) -> None:
        begun: list[_Call] = []
        for part in parts:
            said = part.get("function")
            function = said if isinstance(said, Mapping) else {}
            self._keep(function.get("arguments"))
            call = self._call_of(part, function, begun)
            if call is None:
                call = _Call(part.get("index"), self._offered)
                if not isinstance(call.index, int):
                    call.index = max((c.index for c in self._calls), default=-1) + 1
                self._calls.append(call)
                self._keep([{}])
                begun.append(call)
            extra = {k: v for k, v in part.items() if k not in ("index", "id", "function")}
            more = {k: v for k, v in function.items() if k not in ("name", "arguments")}
            self._keep([extra, more] if more or extra.keys() - {"type"} else None)
            call.add(part, function, extra, more)

    def _call_of(
        self, part: Mapping[str, Any], function: Mapping[str, Any], begun: list[_Call]
    ) -> _Call | None:
        """The call that a piece goes on with; None for a new one.

        Gemini's endpoint, vLLM and SGLang put parallel calls under one index, each with an id of
        its own, or with none and a name and arguments of its own.
        """
        index, said_id = part.get("index"), part.get("id")
        if isinstance(index, int):
            same = [call for call in self._calls if call.index == index]
        elif isinstance(said_id, str) and said_id:
            same = [call for call in self._calls if call.id == said_id]
            return same[-1] if same else None
        else:
            same = [call for call in self._calls if call not in begun]
        if not same:
            return None
        if isinstance(said_id, str) and said_id:
            known = [call for call in same if call.id == said_id]
            if known:
                return known[-1]
        last = same[-1]
        return None if last.is_over(said_id, function) else last


class _Call:
    """One call of a tool, as far as it has come."""

    def __init__(self, index: Any, offered: Collection[str]) -> None:
        self.index: Any = index if isinstance(index, int) else None
        self.id: Any = None
        self.name = ""
        self._arguments = StringIO()
        self._size = 0
        self._offered = offered
        self._extra: dict[str, Any] = {}
        self._more: dict[str, Any] = {}

    def is_over(self, said_id: Any, function: Mapping[str, Any]) -> bool:
        """Tell whether a piece under the same index begins another call."""
        name, arguments = function.get("name"), function.get("arguments")
        if not (isinstance(name, str) and name and self.name):
            return False
        if said_id and self.id and said_id != self.id:
            return True
        if name != self.name and name in self._offered and self.name in self._offered:
            return True
        begins = isinstance(arguments, Mapping) or str(arguments or "").lstrip().startswith("{")
        return begins and self._size > 2 and _is_object(self._arguments.getvalue())

    def add(
        self,
        part: Mapping[str, Any],
        function: Mapping[str, Any],
        extra: Mapping[str, Any],
        more: Mapping[str, Any],
    ) -> None:
        """Add a piece."""
        if part.get("id") not in (None, ""):  # some servers repeat it, or send it empty later
            self.id = part["id"]
        if isinstance(name := function.get("name"), str) and name:
            self._add_name(name)
        self._add_arguments(function.get("arguments"))
        for kept, pieces in ((self._extra, extra), (self._more, more)):
            for key, value in pieces.items():
                if value is not None:
                    kept[key] = _merged(kept.get(key), value, key)

    def _add_name(self, name: str) -> None:
        """The next piece of the name, or the whole of it again (MiniMax on NVIDIA's endpoint)."""
        longer = self.name + name
        if longer in self._offered or not self.name:
            self.name = longer
        elif name in self._offered:
            self.name = name
        elif name != self.name:
            self.name = longer

    def _add_arguments(self, arguments: Any) -> None:
        if isinstance(arguments, Mapping):  # llama.cpp and TGI have sent objects
            self._set_arguments(json.dumps(arguments, ensure_ascii=False))
        elif isinstance(arguments, str) and arguments:
            if self._size == 2 and self._arguments.getvalue() == "{}" and arguments.strip():
                self._set_arguments("")  # it stood for "none yet"
            self._arguments.write(arguments)
            self._size += len(arguments)

    def _set_arguments(self, arguments: str) -> None:
        self._arguments = StringIO()
        self._arguments.write(arguments)
        self._size = len(arguments)

    def whole(self) -> dict[str, Any]:
        """The call as it would have come in one piece."""
        function = {
            "name": self.name,
            "arguments": self._arguments.getvalue(),
            **_plain(self._more),
        }
        return {"id": self.id, "type": "function", **_plain(self._extra), "function": function}


def text_of_parts(parts: list[Any]) -> str:
    """The text in a content that came as a list of parts; thinking is none."""
    texts = [
        part.get("text")
        for part in parts
        if isinstance(part, Mapping) and part.get("type", "text") in ("text", "output_text")
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _merged(old: Any, new: Any, name: str) -> Any:
    """A field after its next piece; strings that may go on are kept open."""
    if new is None:
        return old
    if isinstance(new, str) and isinstance(old, StringIO):
        if name in _NAMES:
            return _begun(new)
        if not (name in _OPAQUE and old.getvalue() == new):
            old.write(new)
        return old
    if isinstance(new, list) and isinstance(old, list):
        return [*old, *new]
    if isinstance(new, Mapping) and isinstance(old, dict):
        return {**old, **{key: _merged(old.get(key), value, key) for key, value in new.items()}}
    return _begun(new)


def _begun(value: Any) -> Any:
    """A value as it may be added to."""
    if isinstance(value, str):
        text = StringIO()
        text.write(value)
        return text
    if isinstance(value, Mapping):
        return {key: _begun(item) for key, item in value.items()}
    return value


def _plain(value: Any) -> Any:
    """The JSON of a value that was added to."""
    return with_leaves(value, lambda leaf: leaf.getvalue() if isinstance(leaf, StringIO) else leaf)


def _add_items(items: list[Any], new: list[Any]) -> None:
    """Add items to those that came before: going on with one of them, or after them all."""
    before = len(items)
    for item in new:
        if not isinstance(item, Mapping):
            items.append(item)
            continue
        begun = None
        if isinstance(index := item.get("index"), int):
            same = [i for i in items[:before] if isinstance(i, dict) and i.get("index") == index]
            begun = next((i for i in reversed(same) if _goes_on(i, item)), None)
        if begun is None:
            items.append(_begun(item))
        else:
            _extend(begun, item)


def _goes_on(begun: dict[str, Any], item: Mapping[str, Any]) -> bool:
    """Tell whether an item only adds text to one that came before, or signs it."""
    if not item.keys() & (_TEXTS | _OPAQUE):
        return False
    if any(_plain(begun.get(name)) and name not in item for name in _OPAQUE):
        return False  # signed already
    for name in begun.keys() & item.keys():
        old, new = begun[name], item[name]
        if name in _TEXTS:
            if (
                new is not None
                and old is not None
                and isinstance(new, str) != isinstance(old, StringIO)
            ):
                return False
        elif new is not None and _plain(old) is not None and _plain(old) != new:
            return False
    return "type" not in item or _plain(begun.get("type")) == item["type"]


def _extend(begun: dict[str, Any], item: Mapping[str, Any]) -> None:
    for name, value in item.items():
        old = begun.get(name)
        if name in _TEXTS and isinstance(value, list) and isinstance(old, list):
            inner, more = [_begun(i) for i in old], list(value)
            if more and inner and isinstance(more[0], Mapping) and _goes_on(inner[-1], more[0]):
                _extend(inner[-1], more.pop(0))
            begun[name] = [*inner, *more]
        elif name in _TEXTS:
            begun[name] = _merged(old, value, name)
        elif value is not None or name not in begun:
            begun[name] = _begun(value)


def _weight(value: Any) -> tuple[int, int]:
    """Characters in JSON data, about, and the objects and lists in it."""
    if isinstance(value, str):
        return len(value), 0
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    elif not isinstance(value, list):
        return 8, 0
    size, parts = 0, 1
    for item in value:
        more, inner = _weight(item)
        size += more
        parts += inner
    return size, parts
