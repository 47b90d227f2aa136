"""Tools are listed for clients here, and the arguments of their calls checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.text.json_data import has_half_characters

WAIT_SECONDS, MOST_WAIT_SECONDS = 45, 280
"""How long `fusion_result` waits: usually less than the shortest limit of a client (opencode and
Claude Desktop: 60 s), at most less than Codex's 300 s."""

QUESTION_CHARACTERS = 400_000
"""Longest question: about 100,000 tokens, which most models of a panel can still read."""

_ASK = """\
Ask a panel of independent models. Each researches the question by itself with web search; a judge \
compares their answers (agreement, contradictions, what only one found, what all missed); a writer \
answers, and the answer's citations are checked against the pages.

Use it for research, comparisons, disputed or recent facts, law, medicine, finance, and decisions \
that matter. Do not use it for code, chat, rewriting, arithmetic, or anything that one answer can \
settle: it costs many model calls and takes minutes. Ask once, with one whole question: the panel \
sees nothing of this conversation, no files and no earlier answers."""

_WAITS = """

This call waits for the answer and tells its progress. If it is cut by a time limit the run goes \
on: call it again with the same arguments to join it; nothing is paid twice."""

_QUESTION = {
    "type": "string",
    "minLength": 1,
    "maxLength": QUESTION_CHARACTERS,
    "description": "The whole question, with every fact it needs.",
}

_TASK = {"type": "string", "description": "The task that fusion_start or a progress message named."}

_STATUS = {
    "type": "string",
    "enum": ["ok", "degraded", "running", "cancelled", "interrupted", "error"],
    "description": "degraded: answered, but something was lost (see degradations).",
}

_OBJECTS = {"type": "array", "items": {"type": "object"}}

_RESULT = {
    "type": "object",
    "properties": {
        "status": _STATUS,
        "task": {"type": "string"},
        "preset": {"type": "string"},
        "answer": {"type": "string", "description": "The writer's answer; [n] cite sources."},
        "analysis": {
            "type": "object",
            "description": "consensus, contradictions, partial_coverage, unique_insights, "
            "blind_spots.",
        },
        "responses": {**_OBJECTS, "description": "Each panelist's own answer: model, content."},
        "failed_models": _OBJECTS,
        "sources": {**_OBJECTS, "description": "id (the n of [n]), url, title."},
        "claims": {
            "type": "object",
            "description": "Cited sentences of the answer by verdict, and those that are false.",
        },
        "degradations": _OBJECTS,
        "cost": {"type": "object", "description": "US dollars (null: unknown), calls, tokens."},
        "resources": {"type": "object", "description": "Addresses of the whole report."},
        "truncated": {"type": "boolean"},
        "seconds": {"type": "number"},
        "doing": {"type": "string", "description": "Who does what, while it is running."},
        "joined": {"type": "boolean"},
        "error": {"type": "string"},
        "failure_reason": {"type": "string"},
    },
    "required": ["status"],
}

_STANDING = {
    "type": "object",
    "properties": {name: _RESULT["properties"][name] for name in ("status", "task", "doing")}  # type: ignore[index]
    | {"preset": {"type": "string"}, "seconds": {"type": "number"}, "joined": {"type": "boolean"}},
    "required": ["status", "task"],
}

ARGUMENTS = {
    "fusion": ("question", "preset"),
    "fusion_start": ("question", "preset"),
    "fusion_result": ("task", "wait_seconds"),
    "fusion_cancel": ("task",),
}
"""What each tool takes; its first argument is needed."""


def listed(presets: Mapping[str, str], chosen: str) -> list[dict[str, Any]]:
    """List the tools, as MCP has them.

    Args:
        presets: Descriptions of the presets on offer, by name.
        chosen: The one that is taken if none is named.
    """
    told = "; ".join(f"{name}: {what}" for name, what in presets.items())
    preset = {
        "type": "string",
        "enum": list(presets),
        "default": chosen,
        "description": f"Which panel. {told}",
    }
    asking = _input({"question": _QUESTION, "preset": preset}, ["question"])
    wait = {
        "type": "number",
        "minimum": 0,
        "maximum": MOST_WAIT_SECONDS,
        "default": WAIT_SECONDS,
        "description": "Seconds to wait for the end; 0 tells how it stands.",
    }
    # A question changes nothing of the user's; stopping a run loses what it has paid for.
    reads = {"readOnlyHint": True, "openWorldHint": True}
    # Codex calls no tool without asking that does not say it only reads; where nobody can be asked
    # (`codex exec`) it refuses. Starting a panel changes as little as asking one.
    starts = {"readOnlyHint": True, "idempotentHint": True}
    stops = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True}
    return [
        _tool("fusion", "Ask a panel of models", _ASK + _WAITS, asking, _RESULT, reads),
        _tool(
            "fusion_start",
            "Ask a panel, without waiting",
            "Start what `fusion` does and return at once with a task, for clients that cut long "
            "calls, or to do other work meanwhile. Fetch the answer with fusion_result. The same "
            "question joins a run that is at work already.",
            asking,
            _STANDING,
            {**starts, "openWorldHint": True},
        ),
        _tool(
            "fusion_result",
            "Fetch a panel's answer",
            "Wait for a task's answer. If it is still at work when the wait is over, `status` is "
            "`running`: call again. Do not ask the question anew.",
            _input({"task": _TASK, "wait_seconds": wait}, ["task"]),
            _RESULT,
            {"readOnlyHint": True, "openWorldHint": False},
        ),
        _tool(
            "fusion_cancel",
            "Stop a panel",
            "Stop a task that nobody wants any more. Its work so far is lost, and paid.",
            _input({"task": _TASK}, ["task"]),
            _STANDING,
            {**stops, "openWorldHint": False},
        ),
    ]


def checked(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check a call's arguments: names, types and sizes.

    Args:
        tool: One of `ARGUMENTS`.
        arguments: As the client sent them; null says nothing.

    Raises:
        ApiError: 400, naming the argument.
    """
    known = ARGUMENTS[tool]
    given = {name: value for name, value in arguments.items() if value is not None}
    for name in given:
        if name not in known:
            said = f"{tool} has no argument {name[:60]!r}. It takes: {', '.join(known)}."
            raise ApiError(400, said, "unknown_argument", param=name[:60])
    if known[0] not in given:
        said = f"{tool} needs {known[0]!r}, as text."
        raise ApiError(400, said, "missing_argument", param=known[0])
    for name in ("question", "preset", "task"):
        if name in given:
            given[name] = _text(tool, name, given[name])
    if "wait_seconds" in given:
        given["wait_seconds"] = _seconds(given["wait_seconds"])
    return given


def _text(tool: str, name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ApiError(400, f"{tool}: {name!r} is a text that is not empty.", "invalid_argument")
    if len(value) > QUESTION_CHARACTERS:
        said = f"{tool}: {name!r} has {len(value):,} characters; at most {QUESTION_CHARACTERS:,}."
        raise ApiError(400, said, "invalid_argument", param=name)
    if has_half_characters(value):
        said = f"{tool}: {name!r} holds half of a surrogate pair, as in '\\ud83d'."
        raise ApiError(400, said, "invalid_argument", param=name)
    return value.strip()


def _seconds(value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= MOST_WAIT_SECONDS:  # type: ignore[operator]
        said = f"'wait_seconds' is a number from 0 to {MOST_WAIT_SECONDS}."
        raise ApiError(400, said, "invalid_argument", param="wait_seconds")
    return float(value)  # type: ignore[arg-type]


def _input(properties: Mapping[str, Any], required: Sequence[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _tool(
    name: str,
    title: str,
    description: str,
    takes: Mapping[str, Any],
    gives: Mapping[str, Any],
    hints: Mapping[str, bool],
) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": dict(takes),
        "outputSchema": dict(gives),
        "annotations": {"title": title, **hints},
    }
