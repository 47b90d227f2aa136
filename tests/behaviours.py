"""Anything a model may do with a call, as hypothesis strategies over scripted steps.

Only one model of a panel makes the caller wait before it tries again (an error without
`Retry-After`, a stream that breaks), or the tests would mostly wait.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests import odd_replies as replies


@dataclass(frozen=True)
class Behaviour:
    """One scripted step, and what it means for the bill.

    Attributes:
        step: For the scripted server.
        answers: Whether the client is to take it for a reply; None where either will do.
        cost: US dollars that the reply names; None if it names none that makes sense.
    """

    step: dict[str, Any]
    answers: bool | None = True
    cost: float | None = None


@dataclass(frozen=True)
class Panel:
    """One panel: who does what, and its settings.

    Attributes:
        models: Each model's behaviours; the last one repeats for ever.
        members: Names of the panelists' models.
        fallbacks: Names of the fallbacks.
        fields: Settings besides the models.
    """

    models: dict[str, list[Behaviour]]
    members: list[str]
    fallbacks: list[str]
    fields: dict[str, Any]

    def __str__(self) -> str:
        scripts = {name: [b.step for b in rows] for name, rows in self.models.items()}
        return json.dumps({"scripts": scripts, "fields": self.fields})


PIECE = 40
"""Characters of a streamed piece: a word at a time would be most of the tests' work."""


def priced() -> st.SearchStrategy[tuple[dict[str, Any], float | None]]:
    """Fields of a step that say what it cost, and the cost as it should be understood."""
    known = st.sampled_from(replies.COSTS).map(lambda cost: ({"cost": cost}, float(cost)))
    odd = st.sampled_from(replies.ODD_COSTS).map(lambda cost: ({"usage": {"cost": cost}}, None))
    usage = st.sampled_from(replies.ODD_USAGES).map(
        lambda usage: ({"usage": usage, "cost": 0.5}, 0.5)
    )
    silent = st.sampled_from([({"no_usage": True}, None), ({}, None)])
    return st.one_of(known, known, known, known, odd, usage, silent)


def says(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Behaviour]:
    """Replies with these fields drawn, each at some price."""

    def put(drawn: tuple[dict[str, Any], tuple[dict[str, Any], float | None]]) -> Behaviour:
        step, (price, cost) = drawn
        return Behaviour(step | price | {"chunks": PIECE}, cost=cost)

    return st.tuples(st.fixed_dictionaries(fields), priced()).map(put)


def spoilt(step: dict[str, Any]) -> Behaviour:
    """A step that is no reply."""
    return Behaviour(step, answers=False)


TEXT = st.sampled_from(replies.TEXTS)
CALL = st.builds(
    lambda name, args, id: {"name": name, "args": args} | ({"id": id} if id else {}),
    st.sampled_from(replies.TOOL_NAMES),
    st.sampled_from(replies.ARGUMENTS),
    st.sampled_from([None, None, None, "same", "x" * 80]),
)
CALLS = st.one_of(
    st.lists(CALL, min_size=1, max_size=3),
    st.lists(CALL, min_size=1, max_size=3),
    CALL.map(lambda call: [call] * 60),
)

ANSWERING = st.one_of(
    says(text=TEXT),
    says(text=TEXT, reasoning=st.just("I think so.")),
    says(text=TEXT, refuse=st.lists(st.sampled_from(replies.REFUSABLE), min_size=1, unique=True)),
    says(text=TEXT, finish_reason=st.sampled_from(["length", "content_filter", "tool_calls", "?"])),
)
"""Something to read, however it ends."""

SENSIBLE = st.sampled_from(replies.COSTS).map(
    lambda cost: Behaviour({"text": replies.GOOD, "cost": cost, "chunks": PIECE}, cost=float(cost))
)
"""An answer that nobody can find fault with, whoever is asked."""

SILENT = st.one_of(
    says(text=st.sampled_from(replies.BLANKS)),
    says(reasoning=st.just("Only reasoning, no text at all.")),
    says(text=st.just(""), finish_reason=st.sampled_from(["length", "content_filter", "stop"])),
)
"""A reply with nothing to read."""

CALLING = st.one_of(says(tool_calls=CALLS), says(tool_calls=CALLS, text=TEXT))
"""Tools, sensibly and not."""

FAILING = st.one_of(
    st.builds(
        lambda status, error, headers: spoilt(
            {"status": status, "headers": headers} | ({} if error is None else {"error": error})
        ),
        st.sampled_from(replies.STATUSES),
        st.sampled_from(replies.ERRORS),
        st.sampled_from(replies.WAITS),
    ),
    # Codes that no caller should try again: an error in a 200 has no Retry-After.
    st.sampled_from([400, "401", 402, 404]).map(
        lambda code: spoilt({"error": {"message": "no", "code": code}})
    ),
)
"""Errors that cost nobody a wait."""

WAITING = st.one_of(
    st.sampled_from([408, 429, 500]).map(lambda status: spoilt({"status": status})),
    st.sampled_from(replies.SPOILT).map(lambda body: spoilt({"malformed": body})),
    st.sampled_from(["<html>", "", "[]"]).map(
        lambda body: spoilt({"malformed": body, "status": 502})
    ),
    st.sampled_from(replies.EVENTS_SPOILT).map(
        lambda body: spoilt({"malformed": body, "headers": {"content-type": "text/event-stream"}})
    ),
    st.integers(0, 8).map(lambda n: spoilt({"text": "one two three four", "close_after": n})),
    st.integers(0, 8).map(lambda n: spoilt({"tool_calls": [{"name": "lookup"}], "close_after": n})),
)
"""Trouble that is waited out before another try."""

ODD = st.sampled_from(replies.ODDLY_PUT).map(
    lambda body: Behaviour({"malformed": body}, answers=None)
)


def fairly(*strategies: st.SearchStrategy[Behaviour]) -> st.SearchStrategy[Behaviour]:
    """One of these, each as often as the others: `one_of` would count their own alternatives."""
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


def behaviours(
    usual: st.SearchStrategy[Behaviour], *, waits: bool
) -> st.SearchStrategy[list[Behaviour]]:
    """What a model does, call by call.

    Args:
        usual: What it does as often as what is sensible; a fifth of the time it does anything.
        waits: Whether it makes the caller wait.
    """
    anything = fairly(ANSWERING, SILENT, CALLING, FAILING, FAILING, ODD)
    step = fairly(usual, usual, SENSIBLE, SENSIBLE, WAITING if waits else anything)
    return st.lists(step, min_size=1, max_size=4)


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """A panel of two or three, its judge, its writer, perhaps a fallback."""
    members = [f"p{n}" for n in range(draw(st.integers(2, 3)))]
    fallbacks = ["f"] if draw(st.booleans()) else []
    names = [*members, "j", "w", *fallbacks]
    waiting = draw(st.sampled_from([None, *names]))
    usual = dict.fromkeys(members, fairly(CALLING, ANSWERING))
    models = {
        name: draw(behaviours(usual.get(name, ANSWERING), waits=name == waiting)) for name in names
    }
    fields = {
        "max_tool_calls": draw(st.integers(0, 4)),
        "judge_tools": draw(st.booleans()),
        "temperature": draw(st.sampled_from([None, 0.5])),
        "reasoning_effort": draw(st.sampled_from([None, "low"])),
        "max_cost_usd": draw(st.sampled_from([None] * 7 + [0.2])),
        "max_tokens_total": draw(st.sampled_from([None] * 7 + [1_000])),
        "provider_concurrency": draw(st.sampled_from([None, None, 1])),
        "seed": draw(st.integers(0, 5)),
    }
    return Panel(models, members, fallbacks, {k: v for k, v in fields.items() if v is not None})


def oddities(n: int) -> Panel:
    """The n-th odd thing of every kind, each done by another model of a panel."""

    def nth(values: Sequence[Any]) -> Any:
        return values[n % len(values)]

    good = Behaviour({"text": replies.GOOD, "cost": 0.25}, cost=0.25)
    call = {"name": nth(replies.TOOL_NAMES), "args": nth(replies.ARGUMENTS)}
    calls = [{"name": "lookup", "args": nth(replies.ARGUMENTS)}, call]
    error = {"status": nth(replies.STATUSES), "error": nth(replies.ERRORS)}
    models = {
        "p0": [Behaviour({"tool_calls": calls, "cost": 0.25}, cost=0.25), good],
        "p1": [Behaviour({"text": nth(replies.TEXTS), "usage": nth(replies.ODD_USAGES)})],
        "p2": [Behaviour({"text": "Wet.", "usage": {"cost": nth(replies.ODD_COSTS)}})],
        "j": [Behaviour({"malformed": nth(replies.ODDLY_PUT)}, answers=None), good],
        "w": [spoilt(error | {"headers": replies.WAITS[0]}), Behaviour({"text": "Wet."})],
        "f": [good],
    }
    return Panel(models, ["p0", "p1", "p2"], ["f"], {"max_tool_calls": 2, "seed": n})


ODDITIES = max(
    len(kind)
    for kind in (
        replies.TOOL_NAMES,
        replies.ARGUMENTS,
        replies.STATUSES,
        replies.ERRORS,
        replies.TEXTS,
        replies.ODD_USAGES,
        replies.ODD_COSTS,
        replies.ODDLY_PUT,
    )
)
"""So many panels have done every odd thing once."""
