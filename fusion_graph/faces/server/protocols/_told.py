"""A run as its client is told of it, in no protocol's words: progress, pieces of text, the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.mcp.progress import Standing
from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._reply import Reply
from fusion_graph.faces.server.run import Run
from fusion_graph.nodes.fan_out import CONTINUED
from fusion_graph.text.markdown import as_text
from fusion_graph.text.phrases import tell

BEGINS_AGAIN = "\n\n---\n\n*The answer above broke off and does not count. It begins again:*\n\n"
"""Put between a draft that broke off and the next: what a client has been sent stays sent."""

SILENCE_SECONDS = 20.0
"""After so long without a word who does what is told: Codex takes a stream for dead that brings
nothing but comments for 300 s."""

UNTOLD = frozenset({"answer.delta", "panel.delta", "fusion.result"})
"""Events that are no progress to tell here: the answer has its own place, and the panelists' texts
come whole with `panel.completed`."""


@dataclass(frozen=True)
class Progress:
    """Something happened in the run.

    Attributes:
        event: The event, see `fusion_graph.state.events`.
        words: The same in lines of Markdown, for people; empty where there is nothing to say.
    """

    event: dict[str, Any]
    words: str


@dataclass(frozen=True)
class Silence:
    """Nothing has been told for a while: who is doing what, in a line of Markdown."""

    words: str


@dataclass(frozen=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The run has ended with an answer."""

    reply: Reply


@dataclass(frozen=True)
class Failed:
    """The run has ended without one."""

    error: ApiError


Told = Progress | Silence | Text | Finished | Failed


async def told(
    run: Run, asked: Asked, reply_of: Callable[[Run], Reply], silence: float = SILENCE_SECONDS
) -> AsyncIterator[Told]:
    """Tell a run as it happens; the last thing told is `Finished` or `Failed`.

    Args:
        run: The run.
        asked: What was asked.
        reply_of: What the finished run says; raises `ApiError` for one that failed.
        silence: Seconds without a word after which `Silence` is told.
    """
    draft, standing = Draft(asked.stop, held=asked.held), Standing()
    clock = asyncio.get_running_loop().time
    spoke = clock()
    async with aclosing(_or_silence(run, silence)) as gathered:  # type: ignore[type-var]
        async for event in gathered:
            if event is not None:
                standing.take(event)
                for one in _of_event(event, draft, asked.events):
                    if not isinstance(one, Progress) or one.words:
                        spoke = clock()
                    yield one
            # A model that thinks for minutes sends signs of life that are nothing to tell.
            if clock() - spoke >= silence:
                spoke = clock()
                yield Silence(f"{as_text(f'{run.seconds:.0f} s: {standing.words()}')}\n\n")
    try:
        reply = reply_of(run)
    except ApiError as error:
        yield Failed(error)
        return
    if rest := draft.rest(reply.text):
        yield Text(rest)
    yield Finished(reply)


def _of_event(event: dict[str, Any], draft: Draft, deltas: bool) -> Iterator[Told]:
    if event["type"] == "answer.delta":
        for piece in draft.take(event["message_id"], event["text"]):
            yield Text(piece)
    elif event["type"] not in UNTOLD or (deltas and event["type"] == "panel.delta"):
        yield Progress(event, words_of(event))


async def _or_silence(run: Run, silence: float) -> AsyncIterator[dict[str, Any] | None]:
    """A run's events, and None where so many seconds bring none."""
    async with aclosing(run.gathered()) as gathered:  # type: ignore[type-var]
        news = asyncio.ensure_future(anext(gathered, None))
        try:
            while True:
                done, _ = await asyncio.wait({news}, timeout=silence)
                if not done:
                    yield None
                    continue
                events = news.result()
                if events is None:
                    return
                for _, event in events:
                    yield event
                news = asyncio.ensure_future(anext(gathered, None))
        finally:
            news.cancel()
            with suppress(asyncio.CancelledError):
                await news


def words_of(event: dict[str, Any]) -> str:
    """Word an event for people, in Markdown: queries and errors in it are strangers' text.

    Args:
        event: The event.
    """
    lines = tell(event)
    if event["type"] == "fusion.started" and event["reason"] == CONTINUED:
        lines = ["the writer goes on from the panel's work"]
    return "".join(f"{as_text(line)}\n\n" for line in lines)


def thoughts_of(events: Sequence[dict[str, Any]]) -> str:
    """Word all that a run did, in Markdown.

    Args:
        events: The run's.
    """
    return "".join(words_of(event) for event in events if event["type"] not in UNTOLD)


class Draft:
    """The answer as far as a client has been sent it.

    Args:
        stop: Texts before the first of which it ends.
        held: Whether nothing is sent before the answer is whole: one in a format could not be
            read with a broken draft in front of it.
    """

    def __init__(self, stop: Sequence[str] = (), *, held: bool = False) -> None:
        self._stop, self._all_held = stop, held
        self._longest = max(map(len, stop), default=1)
        self._id: str | None = None
        self._sent = self._waiting = ""
        self._said = self._ended = False

    def take(self, message_id: str, text: str) -> Iterator[str]:
        """Take the next piece of a message; gives what of it is to be sent."""
        if self._all_held:
            return
        if message_id != self._id:
            self._id, self._sent, self._waiting, self._ended = message_id, "", "", False
            if self._said:
                yield BEGINS_AGAIN
                self._said = False
        if self._ended:
            return
        self._waiting += text
        end = end_of(self._waiting, self._stop)
        self._ended = end < len(self._waiting)
        # What may be the beginning of a stop text waits.
        sure = end if self._ended else max(0, end - self._longest + 1)
        piece, self._waiting = self._waiting[:sure], self._waiting[sure:]
        if piece:
            self._said = True
            self._sent += piece
            yield piece

    def rest(self, content: str) -> str:
        """What of the finished text is still to be sent; of one that was corrected, what waits."""
        if content.startswith(self._sent):
            return content[len(self._sent) :]
        return "" if self._ended else self._waiting


def end_of(text: str, stop: Sequence[str]) -> int:
    """Where the first stop text begins, or the text's end."""
    places = (text.find(mark) for mark in stop)
    return min((place for place in places if place >= 0), default=len(text))
