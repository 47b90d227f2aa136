"""Every failure there is, and every place where it can strike: the two sides of the matrix.

`tests/fault_cells.py` plays its cells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from fusion_graph.errors import FailureReason, JudgeFailureCode

AT_ONCE = {"Retry-After": "0"}
"""Spares the matrix the waits between tries where a provider can say so."""

CAP = 2
"""Tool calls a panelist may make in the matrix."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with a call, for ever from then on.

    Attributes:
        name: What the matrix calls it.
        reason: What it is to be called in a report; a judge's reply has names of its own.
        step: What the scripted model does, without `cost`.
        streaming: The same in the middle of a stream; None where it cannot happen there.
        http_status: The status a report is to give.
        retried: Whether the call is tried again.
        answered: Whether the model did reply, so that the call is paid.
        partial: Whether, in the middle of a stream, what came before stays the answer.
        limit: What ends it, where nothing comes: `stall`, `total`, `grace`, `run` or `budget`.
        stage: The only part of a run where it is one; None if it is one everywhere.
    """

    name: str
    reason: FailureReason | JudgeFailureCode
    step: dict[str, Any]
    streaming: dict[str, Any] | None = None
    http_status: int | None = None
    retried: bool = False
    answered: bool = False
    partial: bool = False
    limit: str | None = None
    stage: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a fault strikes.

    Attributes:
        name: What the matrix calls it.
        models: Whose call: panelists `a`, `b`, `c`, the judge `j`, the writer `w`. Those that are
            several are struck alike.
        before: What the model does before, one call each.
        streaming: Whether its stream has begun.
        fallback: Whether there is a model `f` to fall back on.
        waves: Whether the panel is adaptive: `a` and `b` are asked first, then `c` and `d`.
        spends: Who uses up the budget there; by default the model itself, or who is before it.
    """

    name: str
    models: str
    before: tuple[dict[str, Any], ...] = ()
    streaming: bool = False
    fallback: bool = False
    waves: bool = False
    spends: str = ""

    @property
    def crew(self) -> str:
        """The panelists."""
        return "abcd" if self.waves else "abc"

    @property
    def spender(self) -> str:
        """Whose call uses up a budget just before the struck one."""
        if self.spends:
            return self.spends
        return self.model if self.before else {"j": "c", "w": "j"}[self.model]

    @property
    def model(self) -> str:
        """The first of those that are struck."""
        return self.models[0]

    @property
    def stage(self) -> str:
        """The part of the run, as the report calls it."""
        return {"j": "judge", "w": "synthesis"}.get(self.model, "panel")

    @property
    def capped(self) -> bool:
        """Whether the model may call no more tools."""
        return len(self.before) == CAP


DIFFER = json.dumps(
    {
        "contradictions": [
            {
                "topic": "How wet",
                "stances": [
                    {"label": label, "stance": stance, "sources": []}
                    for label, stance in (("A", "very"), ("B", "little"))
                ],
            }
        ]
    }
)
"""A comparison of two scouts that has the others asked."""

VERDICT = json.dumps({"consensus": [{"point": "Wet.", "labels": ["A", "B"], "sources": []}]})
"""A comparison that holds for two survivors as for three."""

TOOL: dict[str, Any] = {"tool_calls": [{"name": "lookup", "args": {"query": "water"}}]}
PROSE: dict[str, Any] = {"text": "They agree, mostly."}


def refused(status: int, message: str) -> dict[str, Any]:
    """A call that the provider refuses with a status, before any of the reply."""
    return {"status": status, "headers": AT_ONCE, "error": {"message": message}}


def broken_off(*events: Any) -> dict[str, Any]:
    """A stream that begins as an answer does, and then brings these events."""
    begun = {"choices": [{"index": 0, "delta": {"content": "Water is "}, "finish_reason": None}]}
    lines = [json.dumps(begun), *(e if isinstance(e, str) else json.dumps(e) for e in events)]
    body = "".join(f"data: {line}\n\n" for line in lines)
    return {"malformed": body, "headers": {"content-type": "text/event-stream"}}


def status_fault(
    name: str, reason: FailureReason, status: int, message: str, *, retried: bool = False
) -> Fault:
    """A fault that comes as an HTTP status or, once a stream has begun, as an error event."""
    event = {"error": {"message": message, "code": status}}
    return Fault(name, reason, refused(status, message), broken_off(event), status, retried)


WORDS = "one two three four five six"

FAULTS = (
    status_fault("rate limit", "rate_limited", 429, "Rate limit reached", retried=True),
    status_fault("no credits", "insufficient_credits", 402, "Insufficient credits"),
    status_fault("unknown model", "invalid_model", 404, "The model `x` does not exist"),
    status_fault("wrong key", "auth", 401, "Incorrect API key provided"),
    status_fault("forbidden", "auth", 403, "You may not use this model"),
    status_fault("too long", "context_length", 400, "The prompt is too long"),
    status_fault("prompt filtered", "content_filter", 400, "flagged by moderation"),
    status_fault("bad request", "bad_request", 400, "The request is malformed"),
    status_fault("image refused", "unsupported_input", 400, "does not support image input"),
    status_fault("server error", "upstream_error", 500, "The server had an error", retried=True),
    status_fault("request timeout", "upstream_error", 408, "Timed out", retried=True),
    status_fault("conflict", "upstream_error", 409, "Try again", retried=True),
    Fault(
        "error in a 200",
        "upstream_error",
        {"error": {"message": "upstream failed", "code": 502}},
        broken_off({"error": {"message": "upstream failed", "code": 502}}),
        502,
        retried=True,
    ),
    Fault("connection refused", "upstream_error", {}, retried=True),
    Fault(
        "connection broken",
        "upstream_error",
        {"text": WORDS, "close_after": 0},
        {"text": WORDS, "close_after": 2},
        retried=True,
    ),
    Fault(
        "malformed body",
        "upstream_error",
        {"malformed": '{"choices": [{"mess'},
        broken_off('{"choices": [{"del'),
        retried=True,
    ),
    Fault("blank", "empty_answer", {"text": " \n"}, answered=True),
    Fault(
        "only reasoning", "empty_answer", {"reasoning": WORDS}, {"reasoning": WORDS}, answered=True
    ),
    Fault(
        "out of tokens",
        "empty_answer",
        {"text": "<think>one two", "finish_reason": "length"},
        {"text": WORDS, "finish_reason": "length"},
        answered=True,
        partial=True,
    ),
    Fault(
        "reply filtered",
        "content_filter",
        {"text": "", "finish_reason": "content_filter"},
        {"text": WORDS, "finish_reason": "content_filter"},
        answered=True,
        partial=True,
    ),
    Fault("no JSON", "judge_not_valid_json", PROSE, answered=True, stage="judge"),
    Fault(
        "other JSON",
        "judge_schema_mismatch",
        {"text": '{"best": "A"}'},
        answered=True,
        stage="judge",
    ),
    Fault(
        "end of the run", "timed_out", {"hang": True}, {"text": WORDS, "rate": 0.01}, limit="run"
    ),
    Fault("silence", "timed_out", {"hang": True}, {"text": WORDS, "rate": 0.01}, limit="stall"),
    Fault(
        "slowness",
        "timed_out",
        {"text": "word " * 400, "rate": 10},
        {"text": "word " * 400, "rate": 10},
        limit="total",
    ),
    Fault("left behind", "timed_out", {"hang": True}, limit="grace", stage="panel"),
    Fault("budget spent", "over_budget", {}, limit="budget"),
)

PLACES = (
    *(
        Place(f"{which} panelist, {when}", model, before)
        for when, before in (
            ("first call", ()),
            ("after a tool", (TOOL,)),
            ("at the cap", (TOOL,) * CAP),
        )
        for which, model in (("first", "a"), ("middle", "b"), ("last", "c"))
    ),
    Place("middle panelist, during its stream", "b", streaming=True),
    Place("every panelist", "abc"),
    Place("panelist with a fallback", "a", fallback=True),
    Place("judge", "j"),
    Place("judge's repair", "j", (PROSE,)),
    Place("judge with a fallback", "j", fallback=True),
    Place("writer before its stream", "w"),
    Place("writer during its stream", "w", streaming=True),
    Place("writer with a fallback", "w", fallback=True),
)


def can_strike(fault: Fault, place: Place) -> bool:
    """Whether there is such a cell."""
    if fault.stage not in (None, place.stage):
        return False
    alone = len(place.models) == 1 and not place.fallback and not place.streaming
    if fault.limit == "budget":
        # The panelists begin together, and nothing is spent before.
        spent_before = place.stage != "panel" or bool(place.before or place.spends)
        return alone and spent_before
    if fault.limit == "grace":
        return alone  # others have answered
    return fault.streaming is not None or not place.streaming


CELLS = tuple((fault, place) for fault in FAULTS for place in PLACES if can_strike(fault, place))

STEP = 9
"""Of the places a fault can strike at, the sample takes every ninth: two or three each."""


WAVES = (
    Place("scout, first call", "a", waves=True),
    Place("scout, after a tool", "b", (TOOL,), waves=True),
    Place("scout, during its stream", "a", streaming=True, waves=True),
    Place("scout with a fallback", "a", fallback=True, waves=True),
    Place("both scouts", "ab", waves=True),
    Place("first comparison and the next", "j", waves=True, spends="b"),
    Place("comparisons with a fallback", "j", fallback=True, waves=True),
    Place("member of the second wave, first call", "c", waves=True, spends="j"),
    Place("member of the second wave, at the cap", "d", (TOOL,) * CAP, waves=True),
    Place("member of the second wave, during its stream", "d", streaming=True, waves=True),
    Place("member of the second wave with a fallback", "c", fallback=True, waves=True),
    Place("the second wave", "cd", waves=True),
    Place("both waves", "abcd", waves=True),
    Place("second comparison alone", "j", ({"text": DIFFER},), waves=True, spends="d"),
)
"""Where a fault can strike a panel that asks two first, and then the others."""

WAVE_CELLS = tuple(
    (fault, place) for fault in FAULTS for place in WAVES if can_strike(fault, place)
)


def sampled(number: int, fault: Fault) -> tuple[tuple[Fault, Place], ...]:
    """Cells of one fault, those of the next fault at other places."""
    struck = [cell for cell in CELLS if cell[0] is fault]
    return tuple(struck[number % min(STEP, len(struck)) :: STEP])


SAMPLE = tuple(cell for number, fault in enumerate(FAULTS) for cell in sampled(number, fault))

_QUICK = [
    fault
    for fault in FAULTS
    if not (fault.limit or fault.stage) and ("headers" in fault.step or not fault.retried)
]

WAVE_SAMPLE = tuple(zip(_QUICK, WAVES, strict=False))
"""Another fault at each place of the waves, none that has to be waited for."""
