"""Who is at work in a run, and what each has done so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fusion_graph.text.phrases import clean, doing, place

TAIL = 180
"""Characters of what somebody is writing that are shown: its end, which is where it moves."""

CALLS_SHOWN = 3
"""Latest searches and fetches shown of a panelist."""

QUERY_CHARACTERS = 160
NAME_CHARACTERS = 60

Condition = Literal["waiting", "working", "done", "failed", "stopped"]

_VERBS = {"web_search": ("Searching", "Searched"), "web_fetch": ("Reading", "Read")}
_FAILED = {"web_search": "Search failed:", "web_fetch": "Not read:"}


@dataclass
class Step:
    """One thing that a panelist did on its way: a search, a fetch, a change of its model.

    Attributes:
        verb: What is or was done.
        what: To what.
        note: What became of it.
        state: How it stands; names its style.
        tool: The tool, if it is a call of one.
        doing: The call as what somebody is doing: `searching "…"`.
    """

    verb: str
    what: str
    note: str = ""
    state: Literal["doing", "done", "failed"] = "doing"
    tool: str = ""
    doing: str = ""

    def end(self, event: Mapping[str, Any]) -> None:
        """The call is over, as its `panel.tool.completed` says."""
        worked = event["status"] == "ok"
        self.state = "done" if worked else "failed"
        if worked:
            self.verb = _VERBS.get(self.tool, ("", "Used"))[1]
            found = event.get("found") if self.tool == "web_search" else None
            outcome = "" if found is None else f"{found} found"
        else:
            self.verb = _FAILED.get(self.tool, "Failed:")
            outcome = clean(str(event["status"]).replace("_", " "), NAME_CHARACTERS)
        seconds = float(event.get("seconds", 0))
        self.note = ", ".join(filter(None, [outcome, f"{seconds:.0f} s" if seconds >= 1 else ""]))


def tool_step(tool: str, args: Mapping[str, Any]) -> Step:
    """A call of a tool that begins."""
    if tool == "web_search":
        what = f"“{clean(args.get('query', ''), QUERY_CHARACTERS)}”"
    elif tool == "web_fetch":
        what = place(str(args.get("url", "")))
    else:
        what = clean(tool, NAME_CHARACTERS)
    verb = _VERBS.get(tool, ("Using", ""))[0]
    return Step(verb, what, tool=tool, doing=doing(tool, args))


@dataclass
class Worker:
    """Somebody at work: a panelist, the judge, the writer or the check.

    Attributes:
        name: Who; as plain one-line text.
        model: What model, if that was said.
        hue: Colour of a panelist, degrees; None for the others.
        condition: How it stands.
        doing: What it does, or how it ended.
        delayed: Whether `doing` tells why it does not get on: it is silent, or waits.
        steps: What it did on its way.
        writing: What it has written in this turn.
        turn: Number of the turn.
        began: When it began, seconds since the run did.
        seconds: How long it took, once it has ended.
        reason: Why it failed.
        detail: The words of that.
        served: The models that really answered.
        cost: What its calls cost, in words, once a report says so.
    """

    name: str
    model: str = ""
    hue: float | None = None
    condition: Condition = "working"
    doing: str = "thinking"
    delayed: bool = False
    steps: list[Step] = field(default_factory=list)
    writing: str = ""
    turn: Any = None
    began: float = 0.0
    seconds: float = 0.0
    reason: str = ""
    detail: str = ""
    served: list[str] = field(default_factory=list)
    cost: str = ""

    @property
    def tail(self) -> str:
        """The end of what it is writing, in one line."""
        line = clean(self.writing[-4 * TAIL :])
        return line if len(line) <= TAIL else f"…{line[-TAIL:]}"

    @property
    def latest(self) -> list[str]:
        """Its last searches and fetches but the one it is at."""
        calls = [step.doing for step in self.steps if step.doing]
        past = calls[:-1] if calls and self.doing == calls[-1] else calls
        return past[-CALLS_SHOWN:]

    @property
    def tools(self) -> list[str]:
        """The tools it has called, each call by its tool's name."""
        return [step.tool for step in self.steps if step.tool]

    @property
    def ended(self) -> bool:
        """Whether it is done, has failed, or was stopped."""
        return self.condition in ("done", "failed", "stopped")

    def does(self, doing: str) -> None:
        """It gets on, with this."""
        self.doing, self.delayed = doing, False

    def waits(self, why: str) -> None:
        """It does not get on, for this reason."""
        self.doing, self.delayed = why, True

    def end(self, condition: Condition, outcome: str) -> None:
        """It is done, has failed, or was stopped."""
        self.condition = condition
        self.does(outcome)
