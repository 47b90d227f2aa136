"""Progress events: what a run says about itself while it goes on, as custom stream data.

Every event is a dict with `type` and `at` (seconds since the run began). `EVENTS` lists them with
what else they hold; every face tells the same ones. `fusion_graph.faces.follow` gets them out of a
stream.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fusion_graph.text.thinking import VisibleTokens

Emit = Callable[..., None]
"""`emit(type, **data)`: sends one event; never fails, never waits."""

QUIET_SECONDS = 10.0
"""Longest a stage says nothing, well under the 15 s after which people wonder."""

DELTA_SECONDS = 0.1
"""Pieces of a panelist's text are told together, at most this often."""

MOST_UNREAD = 1_000
"""Characters of such pieces that are kept until then. Looking for tags in each of them as it came
was a third of the work on a fast model's answer of 9,000 tokens; many at once would hold the loop
up."""

EVENTS: dict[str, str] = {
    "fusion.started": "run_id, question, preset, preset_reason, panel (names), invoked, reason",
    "fusion.waiting": "stage, name, seconds: still at it, and silent for 10 s",
    "panel.added": "name, model",
    "panel.tool": "name, tool, args, by (model or code): a search or fetch begins; by provider: it "
    "was made while the model answered, and is over",
    "panel.tool.completed": "name, tool, status, seconds, found",
    "panel.delta": "name, turn, text: a piece of what it writes; a new turn begins a new text",
    "panel.completed": "name, model, served, content, characters, tool_calls, calls, "
    "plan_calls, cost_usd, seconds; served: the models that really answered; plan_calls: those "
    "that a subscription of the user's pays",
    "panel.failed": "name, model, reason, detail, calls, plan_calls, cost_usd, seconds; "
    "`timed_out` also if left behind",
    "panel.replaced": "name, model, failure, seconds; by: the model asked in its place",
    "panel.reused": "answers: the panel's earlier work is used, and nobody asked again",
    "call.retried": "stage, name, model, reason, seconds: waiting before another try",
    "code.proposed": "tests (number), by (names of those who proposed them)",
    "code.tried": "candidates (each with name, given, passed, failed, broken), best (names), "
    "reason",
    "analysis.in_progress": "model, answers",
    "analysis.completed": "model, served, analysis, and the number of each of its five kinds of "
    "points",
    "analysis.failed": "code, detail",
    "panel.extended": "names, reason, detail: who is asked in an adaptive panel's second wave, and "
    "why",
    "panel.stopped": "names, reason, detail: who is not asked, since those asked first agree",
    "recheck.started": "topic, names: those who differ are asked about this point alone",
    "recheck.completed": "topic, outcome (settled or stands), detail, cost_usd, calls",
    "synthesis.in_progress": "model",
    "synthesis.restarted": "model, reason: what was streamed so far is void",
    "verify.in_progress": "claims (number); model: the verifier, where one is asked",
    "verify.completed": "claims (each with sentence, sources, verdict, missing, passage, "
    "checked_by), and the number of each verdict: supported, contradicted, unsupported, "
    "not_checkable; repaired: whether the writer mended its answer",
    "verify.failed": "detail: the check erred; the answer stands unchecked",
    "fusion.completed": "status, degradations (codes), served (by whom the answer is written), "
    "cost_usd, calls, plan_calls, seconds",
}
"""Every event by its type, in the order of a run, with what it holds besides `type` and `at`."""


def emitter(write: Callable[[Any], None], started: float) -> Emit:
    """An `Emit` over a LangGraph stream writer.

    Args:
        write: The node's stream writer.
        started: Unix time the run began, seconds.
    """

    def emit(type: str, **data: Any) -> None:
        write({"type": type, "at": round(time.time() - started, 3), **data})

    return emit


@contextmanager
def never_silent(
    emit: Emit, stage: str, name: str, *, quiet: float = QUIET_SECONDS
) -> Iterator[tuple[Emit, Callable[[], None]]]:
    """Tell that somebody is still at work whenever nothing was heard for a while.

    Args:
        emit: Sends the events.
        stage: The stage at work.
        name: Who in it.
        quiet: Seconds without an event after which `fusion.waiting` is sent.

    Yields:
        An `Emit` to use instead, and a function that says that something else was heard.
    """
    loop = asyncio.get_running_loop()
    began = last_sign = loop.time()
    timer: asyncio.TimerHandle

    def touch() -> None:
        nonlocal last_sign
        last_sign = loop.time()

    def emit_and_touch(type: str, **data: Any) -> None:
        touch()
        emit(type, **data)

    def look() -> None:
        nonlocal timer
        now = loop.time()
        if now - last_sign >= quiet:
            emit_and_touch("fusion.waiting", stage=stage, name=name, seconds=round(now - began, 1))
        timer = loop.call_at(last_sign + quiet, look)

    timer = loop.call_at(last_sign + quiet, look)
    try:
        yield emit_and_touch, touch
    finally:
        timer.cancel()


class Deltas:
    """Tells what a panelist is writing, without its reasoning, a few pieces together.

    Args:
        emit: Sends the events.
        name: The panelist.
        touch: Called for every piece, reasoning included.
        nonce: The run's delimiter secret, which nobody is to see.
    """

    def __init__(self, emit: Emit, name: str, touch: Callable[[], None], nonce: str = "") -> None:
        self._emit, self._name, self._nonce = emit, name, nonce
        self.touch = touch
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._complete = False
        self._unread: list[str] = []
        self._unread_size = 0
        self.begin()

    def begin(self) -> None:
        """A new text begins: another turn of the model, or another try."""
        self.touch()
        if self._turn:
            self._tell()
        self._complete = False
        self._next_text()
        self._visible = VisibleTokens(self._hold, void=self._next_text, nonce=self._nonce)

    def _next_text(self) -> None:
        # Also when what was told turns out to be reasoning: a new turn begins a new text.
        self._held = self._text = ""
        self._turn += 1

    def take(self, text: str) -> None:
        """Take the next piece of the model's text."""
        self.touch()
        if not text:
            return
        self._unread.append(text)
        self._unread_size += len(text)
        if self._unread_size > MOST_UNREAD:
            self._read()
        else:
            self._tell_soon()

    def end(self) -> None:
        """The text is complete."""
        self._read()
        self._visible.end()
        self._tell()
        self._complete = True

    def broken_off(self) -> str:
        """End a text that is not complete: what there is of it; empty where none was begun."""
        if self._complete:
            return ""
        self.end()
        return self._text.strip()

    def _read(self) -> None:
        """Find out what of the pieces that came a reader may see."""
        text = "".join(self._unread)
        self._unread, self._unread_size = [], 0
        self._visible.take(text)

    def _hold(self, text: str) -> None:
        self._held += text
        self._text += text
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELTA_SECONDS, self._tell)

    def _tell(self) -> None:
        self._read()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._held:
            self._emit("panel.delta", name=self._name, turn=self._turn, text=self._held)
            self._held = ""
