"""The part of a conversation that fits a model's context, and the cuts where it does not all fit.

Pure: nothing is sent here and nobody is told. The results of earlier tool calls give way first,
long ones before short ones; then the latest, then the earlier conversation. System messages and
the question are never touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.cost.tokens import IMAGE_TOKENS
from fusion_graph.errors import TooLong
from fusion_graph.models.reply import turn_of
from fusion_graph.state.conversation import attachments
from fusion_graph.text.cutting import common_level

BYTES_PER_TOKEN = 3
"""Careful, where `cost/tokens.py` has the usual 4: a small model's tokeniser makes a token of 3.5
to 4.5 bytes of English, of 3 of JSON and of other languages. What a server then counts corrects
it (`Scale`)."""

MESSAGE_TOKENS = 10
"""What a chat template puts around each message, at most."""

REQUEST_TOKENS = 40
"""What a template puts around a request: the beginning of the reply, a line about the date."""

TOOLS_TOKENS = 120
"""What a template says about tools by itself, besides their descriptions."""

REPLY_SHARE = 4
"""One part in so many of the context is kept for the reply, where the reply may be that long."""

SHORTEST_ROOM = 64
"""Tokens that any reply gets; a context in which they do not fit holds no question either."""

STUB_TOKENS = 120
"""What stays of a tool result that had to give way: its source's number, title and address."""

SLACK = 8
"""One part in so many of the room is made free besides, so that the next results find some."""

LEAST_TOKENS = 300
"""What the latest results keep each, for as long as anything else can give way instead."""

_CLOSING = re.compile(r"\n</untrusted [^>\n]{1,80}>[^<]{0,400}$")
"""The end of a tool result: the delimiter that closes a stranger's words must stay."""


@dataclass(frozen=True)
class Cut:
    """Something that was cut to fit.

    Attributes:
        key: The same for every further cut of the same thing.
        what: What it was, as in `a result of web_fetch`.
        before: Its characters.
        after: Those that are left; 0 if it was left out.
    """

    key: str
    what: str
    before: int
    after: int


@dataclass(frozen=True)
class Plan:
    """A prompt that fits.

    Attributes:
        messages: What to send.
        cuts: What is missing of what was to be sent.
        tokens: How many tokens it comes to, carefully estimated.
        places: What is left of each message that was given; None for one that was left out.
    """

    messages: tuple[BaseMessage, ...]
    cuts: tuple[Cut, ...]
    tokens: int
    places: tuple[BaseMessage | None, ...]


def text_tokens(text: str) -> int:
    """Tokens of a text, on the careful side: a digit is a token by itself in many models."""
    size = len(text.encode("utf-8", "replace"))
    digits = sum(map(text.count, "0123456789"))
    return digits + -(-(size - digits) // BYTES_PER_TOKEN)


def tokens_of(message: BaseMessage) -> int:
    """Tokens of one message, with all that goes back with it and what stands around it."""
    images = attachments([message])["image"] * IMAGE_TOKENS["likely"]
    said = text_tokens(message.text)
    if isinstance(message, AIMessage):
        for call in message.tool_calls:
            said += text_tokens(json.dumps(call["args"], ensure_ascii=False, default=str))
            said += MESSAGE_TOKENS
        if (turn := turn_of(message)) is not None:  # sent in place of it, where it fits
            whole = json.dumps(turn["items"], ensure_ascii=False, default=str)
            said = max(said, text_tokens(whole))
    return images + MESSAGE_TOKENS + said


def tools_tokens(tools: Sequence[dict[str, Any]]) -> int:
    """Tokens of the tools a request offers."""
    return text_tokens(json.dumps(list(tools))) + TOOLS_TOKENS if tools else 0


def reply_room(window: int, max_tokens: int | None) -> int:
    """Tokens of a context that are kept for the reply.

    Args:
        window: Tokens of the context.
        max_tokens: Most tokens the reply may have; None where nothing limits it.
    """
    share = max(window // REPLY_SHARE, SHORTEST_ROOM)
    return share if max_tokens is None else max(min(max_tokens, share), SHORTEST_ROOM)


def fit(messages: Sequence[BaseMessage], room: int) -> Plan:
    """A conversation cut to a number of tokens; unchanged where it fits.

    Args:
        messages: The conversation, with the tool calls made in it and their results.
        room: Most tokens it may come to, as `tokens_of` counts them.

    Raises:
        TooLong: The system messages and the question alone come to more.
    """
    draft = _Draft(messages, room)
    for step in (
        draft.share_older_results,
        lambda: draft.share_latest_results(LEAST_TOKENS),
        draft.stub_earlier_talk,
        draft.drop_older_rounds,
        draft.drop_earlier_talk,
        lambda: draft.share_latest_results(STUB_TOKENS // 3),
    ):
        if draft.excess <= 0:
            break
        step()
    if draft.excess > 0:
        raise TooLong(draft.total, room)
    return draft.plan()


class _Draft:
    """A conversation on its way to fit: each message beside what is left of it."""

    def __init__(self, messages: Sequence[BaseMessage], room: int) -> None:
        self._whole = list(messages)
        self._left: list[BaseMessage | None] = list(messages)
        self._tokens = [tokens_of(message) for message in messages]
        self._room = room
        self.total = sum(self._tokens) + REQUEST_TOKENS
        rounds = [i for i, m in enumerate(messages) if isinstance(m, AIMessage) and _calls(m)]
        self._first = rounds[0] if rounds else len(messages)
        self._last = rounds[-1] if rounds else len(messages)
        asked = [i for i, m in enumerate(messages[: self._first]) if isinstance(m, HumanMessage)]
        self._question = asked[-1] if asked else self._first
        while self._question - 1 in asked:  # what a writer works from stands beside the question
            self._question -= 1

    @property
    def excess(self) -> int:
        """Tokens too many."""
        return self.total - self._room

    def plan(self) -> Plan:
        cuts = []
        for index, (whole, left) in enumerate(zip(self._whole, self._left, strict=True)):
            if left is not whole:
                after = 0 if left is None else len(left.text)
                cuts.append(Cut(_key(whole, index), _named(whole), len(whole.text), after))
        kept = tuple(message for message in self._left if message is not None)
        return Plan(kept, tuple(cuts), self.total, tuple(self._left))

    def share_older_results(self) -> None:
        """Cut the results of earlier rounds to a common level, and a little more than is needed:
        each cut makes a server read everything after it anew."""
        self._share(range(self._first, self._last), self._room // SLACK, STUB_TOKENS)

    def stub_earlier_talk(self) -> None:
        # A model's own words give way before its user's.
        self._stub(range(self._question), AIMessage)
        self._stub(range(self._question), HumanMessage)

    def share_latest_results(self, least: int) -> None:
        """Cut the latest results to a common level."""
        self._share(range(self._last, len(self._left)), 0, least)

    def drop_older_rounds(self) -> None:
        """Leave out whole rounds, a call and its results together: half of one is refused."""
        starts = [i for i in range(self._first, self._last) if isinstance(self._left[i], AIMessage)]
        for start, end in pairwise([*starts, self._last]):
            if self.excess <= 0:
                return
            for index in range(start, end):
                if not isinstance(self._left[index], HumanMessage):
                    self._drop(index)

    def drop_earlier_talk(self) -> None:
        """Leave out the oldest turns, up to one that a user begins: templates want that."""
        for index in range(self._question):
            begins = isinstance(self._left[index], HumanMessage)
            if self.excess <= 0 and begins:
                return
            if not isinstance(self._left[index], SystemMessage):
                self._drop(index)

    def _share(self, places: range, slack: int, least: int) -> None:
        """Cut tool results so that all fits: long ones give, short ones do not."""
        there = [index for index in places if isinstance(self._left[index], ToolMessage)]
        sizes = [self._tokens[index] for index in there]
        level = common_level(sizes, sum(sizes) - self.excess - slack)
        for index in there:
            self._cut(index, max(level, least))

    def _stub(self, places: range, kind: type[BaseMessage]) -> None:
        for index in places:
            if self.excess <= 0:
                return
            if isinstance(self._left[index], kind):
                self._cut(index, STUB_TOKENS)

    def _cut(self, index: int, most: int) -> None:
        message = self._left[index]
        if message is None or self._tokens[index] <= most or not isinstance(message.content, str):
            return
        spare = most - (self._tokens[index] - text_tokens(message.content))
        text = shortened(message.content, lambda text: text_tokens(text) <= spare)
        self._replace(index, message.model_copy(update={"content": text}))

    def _drop(self, index: int) -> None:
        self._replace(index, None)

    def _replace(self, index: int, by: BaseMessage | None) -> None:
        if isinstance(by, AIMessage):
            by = AIMessage(by.content)  # what a provider sent with it says the uncut words again
        self._left[index] = by
        before, self._tokens[index] = self._tokens[index], 0 if by is None else tokens_of(by)
        self.total += self._tokens[index] - before


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """A text's beginning, with a note on what is missing; its closing delimiter stays.

    Args:
        text: The text.
        fits: Whether a text is short enough.
    """
    closing = _CLOSING.search(text)
    tail = closing[0] if closing else ""
    body = text.removesuffix(tail)
    low, high = 0, len(body)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(_with_note(body, middle, tail)):
            low = middle
        else:
            high = middle - 1
    return _with_note(body, low, tail)


def _with_note(body: str, kept: int, tail: str) -> str:
    if kept >= len(body):
        return body + tail
    return f"{body[:kept].rstrip()}\n[cut here: {len(body) - kept} more characters]{tail}"


def _calls(message: AIMessage) -> bool:
    return bool(message.tool_calls or message.invalid_tool_calls)


def _key(message: BaseMessage, index: int) -> str:
    if isinstance(message, ToolMessage):
        return message.tool_call_id
    return f"{index} {type(message).__name__}"


def _named(message: BaseMessage) -> str:
    if isinstance(message, ToolMessage):
        return f"a result of {message.name or 'a tool'}"
    return "an earlier turn of the conversation"
