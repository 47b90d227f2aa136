"""What a conversation has brought so far: the question, the searches, the pages, the limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.prompts import ANSWER_NOW, CALL_REFUSED
from fusion_graph.state.conversation import CARRY_ON, is_the_users
from fusion_tools.normalise import normalise_url

_OPENED = re.compile(r'<untrusted (\w+) kind="(\w+)"(?: label="([^"\n]{0,40})")?>\n')
_NUMBERED = re.compile(r"^(?:\[(\d{1,4})\]|-) (.*)$")
_DATED = re.compile(r"^(.*?)(?: \(([^()]*)\))?$")
_LISTED = re.compile(r"^\[(\d{1,4})\] (.*) \u2014 (\S+)$")
_FLAT_HEADING = re.compile(r"(?:^|\s)#{1,6}\s[^.!?\u2026]*[.!?\u2026]?")
_FAILED = re.compile(r"^([a-z]+(?:_[a-z]+)*): ")
_CAP = re.compile(r"at most (\d+) calls")

LONG_REQUEST = 60
"""Words. A longer request brings its own material: a pasted text with a question about it."""


MOST_FENCES = 64
"""Delimiters looked at in a message; ours hold about twenty."""


@dataclass(frozen=True, slots=True)
class Fence:
    """A piece of untrusted text: its kind (`page`, `answer`, …), label and body."""

    kind: str
    label: str
    body: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A search hit. `number` is the n of `[n]`, None when the tool showed none."""

    number: int | None
    title: str
    url: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Document:
    """Text to quote from: a page, a hit's snippet, or something said in the conversation."""

    number: int | None
    title: str
    url: str
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a researcher's next step follows from.

    Attributes:
        question: What is asked.
        earlier: What the person asked before, oldest first.
        pasted: Text that came with the question.
        told: What was said before, to quote from when there is nothing else.
        queries: Searches made for this question.
        searches: The hits of each search that found something, best first.
        pages: Pages read.
        texts: Other tools' results, in which nothing more is known.
        failures: Codes of failed calls, without searches that found nothing.
        tried: Addresses whose fetch was asked for, read or failed.
        calls: Tool calls made for this question.
        cap: How many calls the instructions allow; None when they do not say.
        must_answer: Further calls were refused.
    """

    question: str
    earlier: tuple[str, ...] = ()
    pasted: tuple[Document, ...] = ()
    told: tuple[Document, ...] = ()
    queries: tuple[str, ...] = ()
    searches: tuple[tuple[Hit, ...], ...] = ()
    pages: tuple[Document, ...] = ()
    texts: tuple[Document, ...] = ()
    failures: tuple[str, ...] = ()
    tried: frozenset[str] = field(default_factory=frozenset)
    calls: int = 0
    cap: int | None = None
    must_answer: bool = False

    @property
    def hits(self) -> list[Hit]:
        """All hits, each address once, the searches' first hits first."""
        found: dict[str, Hit] = {}
        for rank in range(max(map(len, self.searches), default=0)):
            for hits in self.searches:
                if rank < len(hits):
                    found.setdefault(normalise_url(hits[rank].url), hits[rank])
        return list(found.values())

    def documents(self) -> list[Document]:
        """What to quote from: pages, or snippets without any; other tools' texts; the question's
        own."""
        read = list(self.pages) or [
            Document(hit.number, hit.title, hit.url, hit.snippet) for hit in self.hits
        ]
        return [*read, *self.texts, *self.pasted]


def fences(text: str) -> list[Fence]:
    """The pieces of untrusted text in a message, in order.

    Only pieces with the nonce of the first one count: whatever else looks like a delimiter was
    written by a stranger.
    """
    pieces: list[Fence] = []
    nonce = None
    place = 0
    for _ in range(MOST_FENCES):
        opened = _OPENED.search(text, place)
        if opened is None:
            break
        place = opened.end()
        closing = f"</untrusted {opened[1]}>"
        end = text.find(closing, place) if nonce in (None, opened[1]) else -1
        if end != -1:
            nonce = opened[1]
            body = text[place:end].removesuffix("\n")
            pieces.append(Fence(opened[2], opened[3] or "", body))
            place = end + len(closing)
    return pieces


def read(messages: Sequence[BaseMessage]) -> Reading:
    """The reading that a conversation amounts to.

    The question is the last thing the person said; tool results count from there on.
    """
    said = [m for m in messages if is_the_users(m) and m.text.strip() != ANSWER_NOW]
    last = said[-1] if said else None
    # What the parent's own model and tools had brought by then was told before it.
    place = max((i for i, m in enumerate(messages) if m is last or m.text == CARRY_ON), default=-1)
    since, before = messages[place + 1 :], messages[: max(place, 0)]
    question, pasted = _split_request(last.text if last else "")
    calls = [call for m in since if isinstance(m, AIMessage) for call in m.tool_calls]
    results = {m.tool_call_id: m.text for m in since if isinstance(m, ToolMessage)}
    searches, pages, texts = _sorted_results(list(results.values()))
    return Reading(
        question=question,
        earlier=tuple(m.text for m in said[:-1]),
        pasted=pasted,
        told=tuple(_told(before)),
        queries=tuple(q for call in calls if (q := query_of(call["args"]))),
        searches=tuple(searches),
        pages=tuple(pages),
        texts=tuple(texts),
        failures=tuple(
            dict.fromkeys(
                match[1]
                for text in results.values()
                if (match := _FAILED.match(text)) and match[1] != "no_results"
            )
        ),
        tried=frozenset(normalise_url(u) for call in calls if (u := url_of(call["args"]))),
        calls=len(calls),
        cap=_cap(messages),
        must_answer=CALL_REFUSED in results.values()
        or any(isinstance(m, HumanMessage) for m in since),
    )


QUERY_ARGUMENTS = ("query", "q", "search_query", "search_term")
URL_ARGUMENTS = ("url", "link", "uri")


def query_of(args: Mapping[str, Any]) -> str:
    """The query among a tool call's arguments, or ""."""
    return next((str(args[name]) for name in QUERY_ARGUMENTS if args.get(name)), "")


def url_of(args: Mapping[str, Any]) -> str:
    """The address among a tool call's arguments, or ""."""
    return next((str(args[name]) for name in URL_ARGUMENTS if args.get(name)), "")


def _split_request(text: str) -> tuple[str, tuple[Document, ...]]:
    """A request as its question and the text pasted with it."""
    if len(text.split()) <= LONG_REQUEST:
        return text.strip(), ()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    asking = [line for line in lines if line.endswith("?") and len(line.split()) <= LONG_REQUEST]
    short = [line for line in lines if len(line.split()) <= LONG_REQUEST // 2]
    question = " ".join(asking[-2:]) or (short[0] if short else lines[0])
    return question, (Document(None, "", "", text),)


def _told(messages: Sequence[BaseMessage]) -> Iterator[Document]:
    for message in messages:
        if isinstance(message, AIMessage | ToolMessage):
            # Numbers of an earlier answer's sources mean nothing now; nor does their list.
            text = message.text.split("\nSources:\n")[0]
            if text.strip():
                yield Document(None, "", "", text)


def _cap(messages: Sequence[BaseMessage]) -> int | None:
    for message in messages:
        if isinstance(message, SystemMessage) and (match := _CAP.search(message.text)):
            return int(match[1])
    return None


def _sorted_results(
    results: Sequence[str],
) -> tuple[list[tuple[Hit, ...]], list[Document], list[Document]]:
    """Tool results as searches, pages and other texts. Failures bring nothing."""
    searches: list[tuple[Hit, ...]] = []
    pages: list[Document] = []
    texts: list[Document] = []
    for text in results:
        pieces = fences(text)
        if not pieces:
            if text.strip() and not _FAILED.match(text):
                texts.append(Document(None, "", "", text))
        elif pieces[0].kind == "search":
            searches.append(tuple(_hits(pieces[0].body)))
        elif pieces[0].kind == "page":
            pages.append(_page(pieces[0].body))
        else:
            hits, rest = _foreign(pieces[0].body)
            if hits:
                searches.append(hits)
            # Which of several sources a foreign text comes from is unknown: no number then.
            only = hits[0] if len(hits) == 1 else Hit(None, "", "", "")
            texts.append(Document(only.number, only.title, only.url, rest))
    return searches, pages, texts


def _hits(body: str) -> Iterator[Hit]:
    for block in body.split("\n\n"):
        lines = block.split("\n")
        head = _NUMBERED.match(lines[0])
        if head and len(lines) > 1:
            snippet = _running_text(" ".join(lines[2:]), head[2])
            yield Hit(_number(head[1]), head[2], _address(lines[1]), snippet)


def _running_text(snippet: str, title: str) -> str:
    """A snippet without headings: flattened into its line, they would pass for its words."""
    snippet = re.sub(rf"^#+ {re.escape(title)} ", "", snippet)
    return _FLAT_HEADING.sub(" ", snippet).strip()


def _page(body: str) -> Document:
    head, _, text = body.partition("\n\n")
    title, _, address = head.partition("\n")
    numbered = _NUMBERED.match(title)
    number, title = (_number(numbered[1]), numbered[2]) if numbered else (None, title)
    return Document(number, title, _address(address), text)


def _foreign(body: str) -> tuple[tuple[Hit, ...], str]:
    if not body.startswith("Sources:\n"):
        return (), body
    head, _, rest = body.partition("\n\n")
    found = (_LISTED.match(line) for line in head.split("\n")[1:])
    return tuple(Hit(int(m[1]), m[2], m[3], "") for m in found if m), rest


def _number(written: str | None) -> int | None:
    return int(written) if written else None


def _address(line: str) -> str:
    match = _DATED.match(line)
    return match[1] if match else line
