"""Tool calls that a model wrote as text, read as the calls they were meant to be.

A call in the markup of a model's family is one wherever it stands in a reply, code aside. Bare or
fenced JSON is one only if it is the whole reply, but for a few words, and names a tool that
there is: anything else may be an answer that somebody asked for.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fusion_graph.text._call_markup import call_spans, cut_out, plain, remnant_spans
from fusion_graph.text.mended_json import mended
from fusion_graph.text.python_source import expression

Offered = Mapping[str, Mapping[str, Any]]
"""Names of tools, and the JSON schemas of their arguments by name; empty where not known."""

WEB_TOOLS: Offered = {
    "web_search": {"query": {"type": "string"}},
    "web_fetch": {"url": {"type": "string"}, "offset": {"type": "integer"}},
}
"""What a model of a panel may try to call where nothing is offered, because others were."""

FEW_WORDS = 200
"""Most characters around bare JSON that is a call: "I will search for it first:"."""

LONGEST_CALL = 100_000
"""Longest call that is read, in characters: none of a search or a fetch comes near it."""

MOST_CALLS = 64
"""Most calls that are read from one reply."""


@dataclass(frozen=True)
class WrittenCall:
    """A call as it was read. `args` is None where `said` could not be read as an object."""

    name: str
    args: dict[str, Any] | None
    said: str = ""


@dataclass(frozen=True)
class TextWithCalls:
    """The calls that a text holds, and the rest of it.

    Attributes:
        calls: In their order.
        rest: The text without them.
        found: Whether anything was meant as a call, readable or not.
    """

    calls: list[WrittenCall]
    rest: str
    found: bool


def written_calls(text: str, offered: Offered) -> TextWithCalls:
    """The calls that a text holds.

    Args:
        text: A reply without its reasoning.
        offered: The tools that there are.
    """
    if not _WORTH_A_LOOK.search(text):
        return TextWithCalls([], text, False)
    spans = call_spans(text)
    if spans:
        calls = [call for start, end in spans for call in _in_markup(text[start:end], offered)]
        rest = cut_out(text, spans)
        rest = cut_out(rest, remnant_spans(rest))
        return TextWithCalls(calls[:MOST_CALLS], rest, True)
    bare = _bare(text, offered)
    if bare:
        return TextWithCalls(bare[:MOST_CALLS], _before_json(text), True)
    remnants = remnant_spans(text)
    return TextWithCalls([], cut_out(text, remnants) if remnants else text, False)


_WORTH_A_LOOK = re.compile(r"[<＜{\[]|\w\(|^Action:", re.MULTILINE)

_ANNOUNCES = re.compile(
    r"\b(let me|i['’]ll|i will|i need to|i should|i['’]m going to|i am going to|searching|"
    r"looking (?:up|for|into)|fetching|calling|let['’]s|first,? i)\b|[:：…]\s*$|\.\.\.\s*$",
    re.IGNORECASE,
)


def only_announces(rest: str) -> bool:
    """Tell whether what stands beside a call only says that it is coming, and answers nothing."""
    return len(rest) <= FEW_WORDS and bool(_ANNOUNCES.search(rest))


_NAME = ("name", "tool_name", "tool", "function", "function_name", "recipient_name", "action")
_ARGS = ("arguments", "parameters", "args", "input", "params", "action_input", "kwargs")
_NOT_NAMES = frozenset(
    """function functions tool tools json call assistant commentary constrain message start channel
    to tool_call tool_calls name arguments parameters action input begin end sep""".split()  # noqa: SIM905
)
_WORD = re.compile(r"[A-Za-z_][\w.\-]*(?::\d+)?")
_TAG = re.compile(r"<[^<>{}\n]{0,80}>|\[/?[A-Z_]+\]|```\w*")
_XML_CALL = re.compile(
    r"<(?:function|(?:\|{1,2}DSML\|{1,2}\s*|[a-z]+:)?invoke)"
    r"(?:=|\s+name=)[\"']?(?P<name>[\w.\-:]+)[\"']?(?P<more>[^<>]*)>"
    r"(?P<body>.*?)(?=</(?:function|(?:\|{1,2}DSML\|{1,2}\s*|[a-z]+:)?invoke)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_XML_ARGUMENT = re.compile(
    r"<(?:\|{1,2}DSML\|{1,2}\s*|[a-z]+:)?parameter(?:=|\s+name=)[\"']?(?P<name>[\w.\-]+)[\"']?"
    r"(?P<more>[^<>]{0,80})>"
    r"(?P<value>.*?)(?=</(?:\|{1,2}DSML\|{1,2}\s*|[a-z]+:)?parameter\s*>"
    r"|<(?:\|{1,2}DSML\|{1,2}\s*|[a-z]+:)?parameter\b|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_GLM_ARGUMENT = re.compile(
    r"<arg_key>(?P<name>.*?)</arg_key>\s*<arg_value>(?P<value>.*?)(?=</arg_value>|<arg_key>|\Z)",
    re.DOTALL,
)
_GEMMA = re.compile(r"\bcall:(?P<name>[\w.\-]+)\s*(?P<body>\{.*\})", re.DOTALL)


def _in_markup(block: str, offered: Offered) -> list[WrittenCall]:
    """The calls in a block of markup, tags included, whichever family's it is."""
    block = block[:LONGEST_CALL]
    flat = plain(block)
    named = [
        _from_tags(m["name"], block[slice(*m.span("body"))] or m["more"], m["body"], offered)
        for m in _XML_CALL.finditer(flat)
    ]
    if named:
        return named
    if "<arg_key>" in block:
        return [
            WrittenCall(name, _arguments(_GLM_ARGUMENT.finditer(part), name, offered))
            for part in re.split(r"</?tool_calls?>", block)
            if "<arg_key>" in part
            for name in [_name_before(part[: part.index("<arg_key>")], offered)]
        ]
    if match := _GEMMA.search(block):
        args = _object_in(match["body"].replace('<|"|>', '"'))
        return [WrittenCall(_plain_name(match["name"], offered), args, match["body"])]
    calls = list(_from_json(block, offered))
    return calls or list(_from_python(_TAG.sub(" ", flat), offered))


def _from_tags(name: str, body: str, flat: str, offered: Offered) -> WrittenCall:
    name = _plain_name(name, offered)
    found = list(_XML_ARGUMENT.finditer(flat))
    if found or "{" not in body:
        return WrittenCall(name, _arguments(found, name, offered, body), body)
    args = _object_in(body[body.index("{") :])
    return WrittenCall(name, args, body)


def _arguments(
    found: Iterable[re.Match[str]], name: str, offered: Offered, text: str = ""
) -> dict[str, Any]:
    """Arguments in tags, which do not say whether a value is text, as far as they do not."""
    types = offered.get(name, {})
    args: dict[str, Any] = {}
    for match in found:
        value = (text[slice(*match.span("value"))] if text else match["value"]).strip()
        more = match.groupdict().get("more") or ""
        argument = match["name"].strip()
        wanted = types.get(argument)
        kind = wanted.get("type") if isinstance(wanted, Mapping) else None
        is_text = 'string="true"' in more or kind == "string"
        args[argument] = value if is_text else _value(value, 'string="false"' in more or bool(kind))
    return args


def _value(text: str, typed: bool) -> Any:
    """A value that is not known to be text: JSON, if it is any; unknown ones only if a number."""
    if not typed and not re.fullmatch(r"-?\d{1,9}|true|false|[\[{].*", text, re.DOTALL):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _from_json(block: str, offered: Offered) -> Iterator[WrittenCall]:
    """Calls written as JSON: objects that name their tool, or stand after its name."""
    done = 0
    while (at := block.find("{", done)) != -1:
        value, end = _json_at(block, at)
        before = block[done:at]
        done = max(end, at + 1)
        if isinstance(value, dict):
            calls = list(_shaped(value, offered))
            if calls:
                yield from calls
                continue
        name = _name_before(before, offered)
        if not name and isinstance(value, dict):
            name = _only_tool_for(value, offered)
        if name:
            said = block[at:end]
            yield WrittenCall(name, value if isinstance(value, dict) else None, said)


def _shaped(value: Any, offered: Offered, depth: int = 0) -> Iterator[WrittenCall]:
    """The calls that an object, or a list of them, is."""
    if depth > 3:
        return
    if isinstance(value, list):
        for item in value:
            yield from _shaped(item, offered, depth + 1)
        return
    if not isinstance(value, dict):
        return
    for key in ("tool_calls", "function_call", "tool_call", "calls"):
        if isinstance(value.get(key), list | dict):
            yield from _shaped(value[key], offered, depth + 1)
            return
    if isinstance(value.get("function"), dict):
        yield from _shaped(value["function"], offered, depth + 1)
        return
    name_key = next((key for key in _NAME if isinstance(value.get(key), str)), None)
    args_key = next((key for key in _ARGS if key in value), None)
    if name_key and (args_key or len(value) > 1):
        name = _plain_name(value[name_key], offered)
        if args_key is None:
            args: Any = {k: v for k, v in value.items() if k not in (name_key, "id", "type")}
            if name not in offered or not args or not args.keys() <= offered[name].keys():
                return
        else:
            args = value[args_key]
        yield WrittenCall(name, _as_object(args), str(args))
        return
    for key, args in value.items():
        # {"web_search": {"query": …}}
        if len(value) == 1 and _plain_name(key, offered) in offered and isinstance(args, dict):
            yield WrittenCall(_plain_name(key, offered), args)


def _as_object(args: Any) -> dict[str, Any] | None:
    """Arguments as an object; several models write them as a text that holds one."""
    if args is None or args == "":
        return {}
    if isinstance(args, str):
        args = _object_in(args)
    return args if isinstance(args, dict) else None


def _object_in(text: str) -> dict[str, Any] | None:
    at = text.find("{")
    value = _json_at(text, at)[0] if at != -1 else None
    return value if isinstance(value, dict) else None


_DECODER = json.JSONDecoder(strict=False)


def _json_at(text: str, at: int) -> tuple[Any, int]:
    """The object that begins at a brace, mended where small models break it, and its end."""
    with suppress(ValueError, RecursionError):
        return _DECODER.raw_decode(text, at)
    piece, end = _balanced(text, at)
    if piece.startswith("{{"):  # a prompt template's doubled braces
        with suppress(ValueError, RecursionError):
            return _DECODER.decode(piece.replace("{{", "{").replace("}}", "}")), end
    return mended(piece), end


def _balanced(text: str, at: int) -> tuple[str, int]:
    """From a brace to the one that closes it, or to the text's end, and where that is."""
    depth = 0
    quoted = escaped = False
    for i in range(at, len(text)):
        char = text[i]
        if quoted:
            quoted = escaped or char != '"'
            escaped = char == "\\" and not escaped
            continue
        quoted = char == '"'
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return text[at : i + 1], i + 1
    return text[at:], len(text)


def _name_before(text: str, offered: Offered) -> str:
    """The tool that is named in what stands before its arguments; empty if none is."""
    words = _WORD.findall(_TAG.sub(" ", plain(text)))
    names = [_plain_name(word, offered) for word in words]
    for name in reversed(names):
        if name in offered:
            return name
    left = [n for n in names if n.lower() not in _NOT_NAMES and not n.startswith("call_")]
    return left[-1] if left else ""


def _only_tool_for(args: Mapping[str, Any], offered: Offered) -> str:
    """The one tool that takes such arguments."""
    fits = [name for name, known in offered.items() if args and args.keys() <= known.keys()]
    return fits[0] if len(fits) == 1 else ""


def _plain_name(name: str, offered: Offered) -> str:
    """A tool's name without a family's prefix or number, as it is offered, if it is."""
    name = re.sub(r"<.*|:\d+$", "", plain(name).strip(), flags=re.DOTALL).strip(" `\"'")
    candidates = (name, name.rpartition(".")[2], name.rpartition(":")[2])
    for candidate in candidates:
        if candidate in offered:
            return candidate
    loose = {_loose(known): known for known in offered}
    for candidate in candidates:
        if _loose(candidate) in loose:
            return loose[_loose(candidate)]
    return name.removeprefix("functions.")


def _loose(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _from_python(text: str, offered: Offered) -> Iterator[WrittenCall]:
    """Calls written as Python: `[web_search(query="…")]`, `web_search.call(query="…")`."""
    body = expression(text)
    if body is None:
        return
    for node in body.elts if isinstance(body, ast.List | ast.Tuple) else [body]:
        if not isinstance(node, ast.Call):
            continue
        name = _plain_name(ast.unparse(node.func).removesuffix(".call"), offered)
        args: dict[str, Any] = {}
        with suppress(ValueError, TypeError, RecursionError):
            # An argument without a name is the first that the tool takes.
            names = [*offered.get(name, {"query": {}})]
            args = dict(zip(names, map(ast.literal_eval, node.args), strict=False))
            args |= {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
            yield WrittenCall(name, args)


_FENCED = re.compile(
    r"\A(?P<before>.*?)```[\w\-]*[ \t]*\n?(?P<code>.*?)(?:```(?P<after>.*))?\Z", re.DOTALL
)


def _bare(text: str, offered: Offered) -> list[WrittenCall]:
    """The calls that a whole reply is, as JSON or Python, in a fence or not."""
    if not offered or len(text) > LONGEST_CALL:
        return []
    text = text.strip()
    if fenced := _FENCED.match(text):
        before, code, after = fenced["before"], fenced["code"].strip(), fenced["after"] or ""
        if "```" in after:  # one call a fence
            pieces = re.findall(r"```[\w\-]*[ \t]*\n?(.*?)(?:```|\Z)", text, re.DOTALL)
            around = re.sub(r"```.*?(?:```|\Z)", "", text, flags=re.DOTALL).strip()
            found = [_whole(piece.strip(), offered) for piece in pieces]
            few = len(around) <= FEW_WORDS and all(found)
            return [call for calls in found for call in calls] if few else []
    else:
        at = min((i for i in (text.find("{"), text.find("[")) if i != -1), default=0)
        end = max(text.rfind("}"), text.rfind("]")) + 1
        if text[end:].strip() and not text[at:end].strip():
            at, end = 0, len(text)
        at, end = (at, end) if end > at else (at, len(text))
        before, code, after = text[:at], text[at:end], text[end:]
        if "`" in before or "`" in after:
            return []  # spoken of, in code
        if not code.startswith(("{", "[")):
            before, code, after = "", text, ""
    if len(before.strip()) + len(after.strip()) > FEW_WORDS:
        return []
    if code.lstrip().startswith("<"):  # a family's markup in a fence, and hardly anything besides
        return [
            call for start, end in call_spans(code) for call in _in_markup(code[start:end], offered)
        ]
    return _whole(code, offered)


def _whole(code: str, offered: Offered) -> list[WrittenCall]:
    """The calls of offered tools that a piece of code is, and nothing else; else none."""
    if not code.startswith(("{", "[")):
        return [c for c in _from_python(code, offered) if c.name in offered]
    calls: list[WrittenCall] = []
    done = 0
    while (at := code.find("{", done)) != -1:
        if code[done:at].strip(" \t\r\n,;[]"):
            return []
        value, end = _json_at(code, at)
        shaped = list(_shaped(value, offered))
        if not shaped or any(call.name not in offered for call in shaped):
            return _python_list(code, offered)
        calls += shaped
        done = end
    return calls if calls and not code[done:].strip(" \t\r\n,;[]}") else _python_list(code, offered)


def _python_list(code: str, offered: Offered) -> list[WrittenCall]:
    return [c for c in _from_python(code, offered) if c.name in offered]


def _before_json(text: str) -> str:
    """The few words before bare JSON."""
    ends = [i for i in (text.find("```"), text.find("{"), text.find("[")) if i != -1]
    return text[: min(ends)].strip() if ends else ""
