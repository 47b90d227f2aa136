"""A model's own search at work: what its provider found gets numbers, what it cited gets `[n]`.

The sources are those of the run like any other: one list, the same citations, the same check of
quotes, in as much of a page as the provider gives. Calls count against the same cap, but are told
only with the reply that they were made for.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.errors import Degradation
from fusion_graph.evidence import check_quote, read_citations
from fusion_graph.models.calls import Caller
from fusion_graph.models.citation_places import Annotation
from fusion_graph.models.model import Model
from fusion_graph.models.provider_search import ProviderSearch, can_search
from fusion_graph.models.provider_search_reply import (
    Begun,
    Searched,
    cited_text,
    hit_of,
    searches_in,
)
from fusion_graph.state import ToolRecord
from fusion_tools.domains import DomainRules
from fusion_tools.results import SearchResult
from fusion_tools.sources import SourceBook

SEARCH_TOOL = "web_search"
"""The tool that a provider's own search stands in for."""

LEAST_QUOTED_WORDS = 4
"""Fewer in quotation marks are a name or a title as likely as somebody's words."""

_OPEN, _CLOSE = "\ue000", "\ue001"
"""Around a source's number until the text is read: nobody writes these (Unicode's private use)."""

_ONE = rf"{_OPEN}\d+{_CLOSE}"
_MARKS = re.compile(rf"[ \t]*(?P<marks>{_ONE}(?:[ \t]*{_ONE})*)")
_WRAPPED = re.compile(rf"\((?P<marks>{_ONE}(?:\s*[,;]?\s*(?:and\s+)?{_ONE})*)\)")
_AFTER_STOP = re.compile(rf"(?P<stop>[.!?。！？])(?P<marks>(?:[ \t]*{_ONE})+)")
_QUOTED = re.compile(
    rf"[\"“](?P<words>[^\"“”\n{_OPEN}]{{12,600}})[\"”](?P<stop>[.!?,;]?)[ \t]*"
    rf"(?P<marks>{_ONE}(?:[ \t]*{_ONE})*)"
)
_ID = re.compile(rf"{_OPEN}(\d+){_CLOSE}")
_PRIVATE = re.compile(f"[{_OPEN}{_CLOSE}]")


class Searcher(Protocol):
    """A model at work, as far as its own search has to do with it (`tool_use.Researcher`)."""

    caller: Caller
    model: Model
    book: SourceBook
    done: list[ToolRecord]
    own: OwnSearch | None


class OwnSearch:
    """A researcher's own search.

    Args:
        search: How it is asked for.
        learn: Told of the addresses that it found, which may then be fetched.
        alone: Whether its model has no other search beside.
    """

    def __init__(
        self,
        search: ProviderSearch,
        learn: Callable[[Sequence[SearchResult]], None],
        *,
        alone: bool = True,
    ) -> None:
        self.search = search
        self.alone = alone
        self._learn = learn
        self._begun = Begun()
        self._made: list[ToolRecord] = []
        self._made_up: list[int] = []
        self._rules = DomainRules(search.allowed_domains, search.blocked_domains)

    @property
    def citing(self) -> Literal["cites", "links"]:
        """How its model cites: Claude's search does by itself, others' by links in the text."""
        return "cites" if self.search.kind == "anthropic" else "links"

    def note(self, researcher: Searcher, message: AIMessage) -> int:
        """Record the calls that were made for a reply, and number what they found.

        Args:
            researcher: Whose; its records and sources grow.
            message: The reply.

        Returns:
            How many calls there were.
        """
        calls = searches_in(message, self._begun)
        self._made = []
        for call in calls:
            hits = [hit for hit in call.hits if self._rules.allow(hit["url"])]
            self._learn(hits)
            self._record(researcher, call, researcher.book.note_results(hits))
        return len(calls)

    def answer(self, researcher: Searcher, messages: Sequence[AIMessage]) -> str:
        """The text of a reply with `[n]` wherever its provider says that a source is cited.

        A number that the model wrote itself means a source only if it was shown that number.

        Args:
            researcher: Whose; its sources grow.
            messages: The reply; more than one where its provider paused in it.
        """

        cited: dict[int, None] = {}

        def mark(annotation: Annotation) -> str:
            hit = hit_of(annotation)
            if not self._rules.allow(hit["url"]):
                return ""
            self._learn([hit])
            (number,) = researcher.book.note_results([hit])
            cited[number] = None
            return f"{_OPEN}{number}{_CLOSE}"

        shown = _shown(researcher.done)
        clean = [_without_private(message) for message in messages]
        text = cited_text(clean, mark, counts=not shown)
        if self._made and not any(record["source_ids"] for record in self._made):
            self._made[0]["source_ids"] = list(cited)  # nobody told what else was found
        everything = [entry["id"] for entry in researcher.book.entries()]
        own = read_citations(text, everything)
        self._made_up = [n for n in own.numbers if n not in shown]
        if own.marks:
            text = own.renumbered({n: n for n in shown}, everything)
        return _numbered(text, researcher.book)

    def losses(self, name: str) -> list[Degradation]:
        """Report numbers in the answer that its model wrote itself and nobody had shown it.

        Args:
            name: The member.
        """
        if not self._made_up:
            return []
        detail = f"{name} cited sources that no tool gave: {self._made_up} (shown as [?])."
        return [{"code": "unknown_citation", "detail": detail}]

    def _record(self, researcher: Searcher, call: Searched, ids: list[int]) -> None:
        caller = researcher.caller
        caller.emit("panel.tool", name=caller.name, tool=call.name, args=call.args, by="provider")
        record: ToolRecord = {
            "name": call.name,
            "args": call.args,
            "status": call.status,
            "start": round(time.time() - caller.started, 4),
            "seconds": 0.0,
            "source_ids": ids,
            "by": "provider",
        }
        researcher.done.append(record)
        self._made.append(record)
        caller.emit(
            "panel.tool.completed",
            name=caller.name,
            tool=call.name,
            status=call.status,
            seconds=0.0,
            found=len(ids),
        )


def searches_itself(researcher: Searcher) -> bool:
    """Tell whether a researcher's provider searches for it, in the place of our tool."""
    model, own = researcher.model, researcher.own
    if own is None or not own.alone:
        return False
    return not own.search.listed or ("search" not in model.refused and can_search(model))


def search_losses(name: str, researcher: Searcher, instead: str) -> list[Degradation]:
    """Report a member that was to search with its provider, if it searched otherwise.

    Args:
        name: The member.
        researcher: The member at work, with tools.
        instead: The search that its tools have.
    """
    own = researcher.own
    if searches_itself(researcher) or (own is not None and not own.alone):
        return []
    if "tools" in researcher.model.refused:
        return []
    refused = own is not None
    why = "refused its own search for it" if refused else "has no search that can be used here"
    detail = f"{name} searched with {instead}: its provider ({researcher.model.provider}) {why}."
    return [{"code": "no_provider_search", "detail": detail}]


def paused_parts(turns: Sequence[Sequence[BaseMessage]]) -> list[AIMessage]:
    """List the parts of a reply in which its provider paused, before the last one.

    Args:
        turns: What was said since the conversation.
    """
    parts: list[AIMessage] = []
    for turn in reversed(turns):
        if len(turn) != 1 or not isinstance(part := turn[0], AIMessage) or part.tool_calls:
            break
        parts.insert(0, part)
    return parts


def _shown(done: Sequence[ToolRecord]) -> set[int]:
    return {n for call in done if call.get("by") != "provider" for n in call["source_ids"]}


def _numbered(text: str, book: SourceBook) -> str:
    text = _WRAPPED.sub(lambda found: _only_marks(found["marks"]), text)
    text = _AFTER_STOP.sub(lambda found: _only_marks(found["marks"]) + found["stop"], text)
    texts = {entry["id"]: entry["text"] for entry in book.entries()}
    text = _QUOTED.sub(lambda found: _quoting(found, texts), text)
    return _MARKS.sub(_written, text)


def _only_marks(text: str) -> str:
    return "".join(found[0] for found in _ID.finditer(text))


def _quoting(found: re.Match[str], texts: Mapping[int, str]) -> str:
    """Words in quotation marks right before a citation, as a quote that is checked (`[n: "…"]`)."""
    words = found["words"]
    numbers = [int(n) for n in dict.fromkeys(_ID.findall(found["marks"]))]
    holding = [n for n in numbers if check_quote(words, texts[n]) in ("verified", "near")]
    if len(words.split()) < LEAST_QUOTED_WORDS or not (holding or len(numbers) == 1):
        return found[0]
    whose = (holding or numbers)[0]
    others = "".join(f"{_OPEN}{n}{_CLOSE}" for n in numbers if n != whose)
    return f'[{whose}: "{words}"]{others}{found["stop"]}'


def _written(found: re.Match[str]) -> str:
    numbers = "".join(f"[{n}]" for n in dict.fromkeys(_ID.findall(found["marks"])))
    before = found.string[: found.start()]
    return f" {numbers}" if before and not before.endswith(("\n", "(", "]")) else numbers


def _without_private(message: AIMessage) -> AIMessage:
    """The message without characters that would be taken for marks."""
    if not _PRIVATE.search(message.model_dump_json()):
        return message
    clean = _PRIVATE.sub("", message.model_dump_json())
    return AIMessage.model_validate_json(clean)
