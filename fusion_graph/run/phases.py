"""The next request to a model at work with tools: a table of pure decisions that always ends.

    research ──── the cap is reached ───▶ forbidden ── calls, silence ─▶ told ── calls ─▶ flattened
    ▲  │  │                                   │                         ▲  │                 │
    │  │  └─ blank, malformed: again as it was, explained, then ────────┘  │                 │
    └──┴─── calls that the cap allows, run ◀───────────────────────────────┘                 ▼
                                                        text in any phase ─▶ the answer;  the end

`research`: tools are offered. `forbidden`: the same tools stay listed, with `tool_choice: none`.
`told`: the same request goes on with a plain word to answer now. `flattened`: no tools and no
calls in the history; what was found is told in the user's own message.

The first three only ever add to the end of the conversation and list the same tools, so that a
provider's cache of the prefix holds; and gateways over Bedrock refuse a history with calls where
no tools are listed. Flattening gives that up for a request that every provider takes.

After the cap at most `AFTER_CAP` calls are made, and before it at most `IN_A_ROW` between two
that bring a tool's result or an answer.
"""

from __future__ import annotations

from typing import Literal

Phase = Literal["research", "forbidden", "told", "flattened"]
"""How a model is asked."""

Seen = Literal["text", "calls", "blank", "cut", "malformed", "refused"]
"""What came of asking. `calls`: of tools, whatever text stands beside them; `blank`: nothing to
read; `cut`: nothing to read before the length was used up; `malformed`: a tool call that the
provider itself could not read; `refused`: the provider does not take the request."""

Move = Literal["answer", "run", "again", "explain", "tell", "tell_as_text", "flatten", "fail"]
"""What to do next. `answer`: take the text; `run`: run the calls; `again`: the same request;
`explain`: with a note that names the tools and their arguments; `tell`: on to `told`;
`tell_as_text`: the code's own tool calls become text in the user's message; `flatten`: on to
`flattened`; `fail`: give up."""

AFTER_CAP = 3
"""Most calls of a model once it may run no more tools."""

IN_A_ROW = 5
"""Most calls between two that bring something: as it was, again, explained, told, flattened."""


def next_move(
    phase: Phase,
    seen: Seen,
    asked: int,
    *,
    may_call: bool,
    has_found: bool,
    seeded_only: bool = False,
) -> Move:
    """Decide what follows from a reply.

    Args:
        phase: How the model was asked.
        seen: What came of it.
        asked: Calls made since the last one that brought tools to run, this one included.
        may_call: Whether it has tools, and the cap leaves some calls of them.
        has_found: Whether the history holds calls of tools, so that there is research to save.
        seeded_only: Whether all those calls were made by code and none by the model.
    """
    if seen == "text":
        return "answer"
    if seen == "calls" and may_call and phase in ("research", "told"):
        return "run"
    if phase == "flattened" or asked >= (IN_A_ROW if may_call else AFTER_CAP):
        return "fail"
    if seen == "refused":
        if seeded_only and phase == "research":
            return "tell_as_text"
        return "flatten" if has_found else "fail"
    if phase == "told":
        # It was asked twice and told once: more silence is its answer.
        return "fail" if seen in ("blank", "cut") else "flatten"
    if seen == "cut":
        # The same request would run into the same limit.
        return "tell" if has_found else "fail"
    if seen == "calls":
        # Nothing was offered that it could be told about.
        return "tell" if has_found else "flatten"
    if asked == 1 and not (seen == "malformed" and phase == "forbidden"):
        return "again"
    if seen == "malformed" and phase == "research" and may_call and asked == 2:
        return "explain"
    return "tell"


def after_tools(may_call: bool, takes_choice: bool) -> Phase:
    """Decide how a model is asked after a round of tools.

    Args:
        may_call: Whether the cap leaves some calls.
        takes_choice: Whether `tool_choice` forbids the model its tools, or a word has to do.
    """
    if may_call:
        return "research"
    return "forbidden" if takes_choice else "told"
