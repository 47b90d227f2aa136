"""Writes the pages of docs/reference from the types they describe: `python -m docs.generate`.

A test compares what this makes with what is committed, so a field cannot change without its page.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import fusion_tools.errors
from fusion_graph import FusionConfig, FusionReport, errors
from fusion_graph.state.events import EVENTS

PAGES = Path(__file__).parent / "reference"

Schema = dict[str, Any]

_MADE = "<!-- Made by `python -m docs.generate`; change the types, not this page. -->"

_CONFIGURATION = f"""{_MADE}

# Configuration

Every field can stand in a preset file, in `create_fusion_graph({{...}})`, in the context of a run
(`graph.invoke(…, context={{...}})`), in Studio's form and in the `fusion` object of a request to
the server (which [narrows some of them](../how-to/server.md#what-a-request-may-set)), but for
`tools`, which a run's context cannot set; a run's
context goes before arguments, arguments before the preset, the preset before the defaults, and
`None` lifts what an earlier one says of a field that may be unset. A wrong field is an error that
names it. Parameters that a model refuses are left out of its calls, and the
report says so (`parameter_refused`).

In Python a model may also be any LangChain chat model, and `search` any LangChain tool.
"""

_EVENTS = f"""{_MADE}

# Events

What a run tells while it goes on. `follow`, `fusion_events` and `afusion_events`
([how to follow a run](../how-to/follow.md)) give all of them; in LangGraph's own
`stream_mode="custom"` all but the last two appear. Every event has `type` and `at` (seconds since
the run began); nothing is silent for more than 15 seconds.

| event | what it holds |
|---|---|
"""

_FOLLOWED = {
    "answer.delta": "message_id, text: a piece of the answer; a new message_id voids the former",
    "fusion.result": "message, report: the end (`follow` alone)",
}
"""What `fusion_graph.faces.follow` adds to a run's own events."""

_REPORT = f"""{_MADE}

# The report

What a run did, as plain data: `result["fusion"]`, `fusion-graph ask --json`, `fusion` in the
server's responses; `FusionReport.from_state` and `FusionReport.from_json` read it as typed data.
All keys are always there, but for `independent`. Unknown money is null, never 0; `…_usd` is US
dollars, `seconds` are seconds.
"""


_ERRORS = f"""{_MADE}

# Errors

What the package raises on purpose is in one tree, `fusion_graph.errors`; those that come out of a
run, a tool or a chat model can be imported from `fusion_graph` itself. `str(error)` is one line
that says what happened and, where it is known, what to do. Why a model call failed is no exception
for you to catch but data: `failures` in the [report](report.md), with the reasons of
[Failures](../failures.md).
"""

_TOOLS_ERRORS = """
## Errors of the page tools

`web_search` and `web_fetch` tell a model of a failure as text; who calls `fusion_tools` himself may
catch these. They know nothing of `fusion_graph`, and have a root of their own.
"""


def configuration() -> str:
    """The page of the configuration's fields."""
    schema = FusionConfig.model_json_schema()
    parts = [_CONFIGURATION, schema["description"] + "\n", _table(schema, "field", defaults=True)]
    heads = {
        "Panelist": "A member of `panel`",
        "Provider": "An endpoint: `[providers.NAME]`",
        "Price": "A price: `prices` of an endpoint",
        "ToolServer": "An MCP server: `[tools.NAME]`",
    }
    for name, head in heads.items():
        part = schema["$defs"].pop(name)
        parts += [f"\n## {head}\n", f"{part['description']}\n", _table(part, "field", True)]
    if schema["$defs"]:
        raise KeyError(f"Nobody has told how to head {', '.join(schema['$defs'])}.")
    return "\n".join(parts)


def events() -> str:
    """The page of the events."""
    rows = {**EVENTS, **_FOLLOWED}
    return _EVENTS + "".join(f"| `{name}` | {holds} |\n" for name, holds in rows.items())


def report() -> str:
    """The page of the report's keys."""
    schema = FusionReport.model_json_schema()
    parts = [_REPORT, _table(schema, "key")]
    for name in _in_order(schema):
        part = schema["$defs"][name]
        parts += [f"\n## {name}\n", f"{_plain(part.get('description', ''))}\n", _table(part, "key")]
    return "\n".join(parts)


def errors_page() -> str:
    """The page of the errors."""
    return _ERRORS + _tree(errors) + _TOOLS_ERRORS + _tree(fusion_tools.errors)


def _tree(home: ModuleType) -> str:
    """A module's errors: the tree as its docstring draws it, and a table."""
    _, drawn, _ = (home.__doc__ or "").split("\n\n", 2)
    rows = ["| error | when | what to do |", "|---|---|---|"]
    for name in re.findall(r"^[│├└─ ]*(\w+)", drawn, re.MULTILINE):
        when, *parts = (inspect.getdoc(getattr(home, name)) or "").split("\n\n")
        do = next(part for part in parts if part.startswith("Do: "))
        cells = f"`{name}`", _plain(when), _plain(do.removeprefix("Do: "))
        rows.append("| " + " | ".join(cells) + " |")
    table = "\n".join(rows)
    return f"\n```text\n{drawn}\n```\n\n{table}\n"


GENERATED: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "errors.md": errors_page,
    "events.md": events,
    "report.md": report,
}
"""Each generated page with what makes it."""


_PLURALS = {"text": "texts", "object": "objects", "whole number": "whole numbers"}


def _table(schema: Schema, what: str, defaults: bool = False) -> str:
    if defaults:
        head, rule = f"| {what} | values | default | |", "|---|---|---|---|"
    else:
        head, rule = f"| {what} | values |", "|---|---|"
    rows = [head, rule]
    for name, field in schema["properties"].items():
        cells = [f"`{name}`", _values(field)]
        if defaults:
            cells += [_default(name, field, schema), _plain(field.get("description", ""))]
        rows.append("| " + " | ".join(cells).replace("\n", " ") + " |")
    return "\n".join(rows) + "\n"


def _plain(text: str) -> str:
    return " ".join(text.split("\n\nExample:", maxsplit=1)[0].split()).replace("|", "\\|")


def _default(name: str, field: Schema, schema: Schema) -> str:
    if name in schema.get("required", ()):
        return "required"
    value = field.get("default")
    if value is None:
        return "unset"
    if value in ([], {}):
        return "none"
    return f"{value:,}" if type(value) is int else f"`{json.dumps(value).strip(chr(34))}`"


def _values(field: Schema) -> str:
    """What a field may hold, in words."""
    if "anyOf" in field:
        kinds = field["anyOf"]
        if any(set(kind) == {"type"} and kind["type"] == "string" for kind in kinds):
            # A choice that also takes other words: the words include the choices.
            kinds = [kind for kind in kinds if "enum" not in kind]
        told = [_values({**_offered(field), **kind}) for kind in kinds]
        if "default" in field and field["default"] is None:
            told.remove("null")  # the table says "unset" beside it
        return " or ".join(dict.fromkeys(told))
    if _are_models(field):
        return "`provider:model`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{_anchor(name)})"
    match field.get("type"):
        case "array":
            item = _values(field["items"])
            return f"list of {_PLURALS.get(item, item)}{_bounds(field, 'Items')}"
        case "object" if isinstance(inner := field.get("additionalProperties"), dict):
            return f"{_values(inner)} by name"
        case "object":
            return "object"
        case "integer":
            return f"whole number{_bounds(field)}"
        case "number":
            return f"number{_bounds(field)}"
        case "boolean":
            return "true or false"
        case "null":
            return "null"
    return "text"


def _offered(field: Schema) -> Schema:
    return {"examples": field["examples"]} if "examples" in field else {}


def _are_models(field: Schema) -> bool:
    offered = field.get("examples") or field.get("enum") or ()
    return "offline:keyword" in offered and field.get("type", "string") == "string"


def _anchor(name: str) -> str:
    return {
        "Panelist": "a-member-of-panel",
        "ToolServer": "an-mcp-server-toolsname",
        "Provider": "an-endpoint-providersname",
        "Price": "a-price-prices-of-an-endpoint",
    }.get(name, name.lower())


def _bounds(field: Schema, of: str = "") -> str:
    low, high = field.get(f"min{of or 'imum'}"), field.get(f"max{of or 'imum'}")
    above, below = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
    told = []
    if low is not None and high is not None:
        told.append(f"{low:,} to {high:,}")
    elif low is not None:
        told.append(f"{low:,} or more")
    elif high is not None and above is None:
        told.append(f"at most {high:,}")
    if above is not None:
        told.append(f"above {above:,}" + (f", at most {high:,}" if high is not None else ""))
    if below is not None:
        told.append(f"below {below:,}")
    return f", {', '.join(told)}" if told else ""


def _in_order(schema: Schema, at: Schema | None = None) -> list[str]:
    """The parts of a schema, each before the parts it is made of."""
    found: list[str] = []
    for ref in _refs((at or schema).get("properties", {})):
        found += [ref, *_in_order(schema, schema["$defs"][ref])]
    return list(dict.fromkeys(found))


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rsplit("/", 1)[1]
        for value in node.values():
            yield from _refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from _refs(value)


def main() -> None:
    """Write every page."""
    PAGES.mkdir(exist_ok=True)
    for name, make in GENERATED.items():
        (PAGES / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
