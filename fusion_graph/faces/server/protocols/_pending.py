"""Tool calls that clients were handed, and what each goes on from, as long as it is remembered."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, AnyMessage, SystemMessage

KEEP_CHARACTERS = 64_000_000
"""Reports waiting for tool results are forgotten, the oldest first, past so much JSON."""


@dataclass(frozen=True)
class _Kept:
    """What is remembered of an answer that called tools.

    Attributes:
        report: The run's report, as JSON.
        digest: Of the conversation up to the answer, and the answer.
        message: The answer as the writer gave it, with all that its provider put into it.
        ids: The ids that the client was given for its calls.
    """

    report: str
    digest: str
    message: AIMessage
    ids: tuple[str, ...]

    @property
    def size(self) -> int:
        """About how many characters the answer holds."""
        return len(repr(self.message.content)) + len(repr(self.message.additional_kwargs))


class PendingCalls:
    """Pending calls remember which run made a tool call that a client was handed.

    A client gets an id that nobody can guess, in place of the model's: some models number their
    calls, so that one client's `call_0` would be another's.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._calls: dict[str, tuple[str, str]] = {}
        self._digests: dict[str, str] = {}
        self._characters = 0

    def hand_out(
        self,
        calls: Sequence[str],
        report: Mapping[str, Any],
        message: AIMessage,
        digest: str,
        prefix: str = "call_",
    ) -> list[str]:
        """Make new ids for the calls of one answer.

        Args:
            calls: The model's own ids; an empty one where it gave none.
            report: The run's report.
            message: The answer as the writer gave it.
            digest: Of the conversation with the answer at its end, see `digest_of`.
            prefix: How the protocol's ids begin.
        """
        run, text = uuid4().hex, json.dumps(report)
        ids = [f"{prefix}{uuid4().hex}" for _ in calls]
        kept = _Kept(text, digest, message, tuple(ids))
        self._kept[run] = kept
        self._characters += len(text) + kept.size
        for new, own in zip(ids, calls, strict=True):
            self._calls[new] = (run, own or new)
        self._digests[digest] = run
        while self._characters > KEEP_CHARACTERS and len(self._kept) > 1:
            self._drop_oldest()
        return ids

    def knows(self, message: AIMessage) -> bool:
        """Tell whether an answer's calls were handed out here, and are remembered.

        Args:
            message: The answer as the client has it.
        """
        return any(call["id"] in self._calls for call in message.tool_calls)

    def original(self, id: str) -> str:
        """The model's own id of a call, or the id itself if it is not known."""
        return self._calls.get(id, ("", id))[1]

    def report(self, ids: Sequence[str], digest: str) -> dict[str, Any] | None:
        """The report that an answer with such calls goes on from, if it is remembered.

        Args:
            ids: Of the answer's calls.
            digest: Of the conversation up to the answer: some clients make up ids of their own.
        """
        run = next((self._calls[id][0] for id in ids if id in self._calls), None)
        run = run or self._digests.get(digest)
        if run is None:
            return None
        report: dict[str, Any] = json.loads(self._kept[run].report)
        return report

    def as_written(self, message: AIMessage) -> AIMessage:
        """An answer as its writer gave it, where a client sends back what it was sent.

        No protocol of a client's has room for all that a provider wants to see again with its own
        answer (signatures of thoughts, reasoning items).

        Args:
            message: The answer as the client has it.
        """
        calls = [*message.tool_calls, *message.invalid_tool_calls]
        run = next((self._calls[c["id"]][0] for c in calls if c["id"] in self._calls), None)
        if run is not None and _made(message) == _made(self._kept[run].message):
            metadata = self._kept[run].message.response_metadata
            return self._kept[run].message.model_copy(update={"response_metadata": dict(metadata)})
        return message.model_copy(
            update={
                "tool_calls": [_renamed(self, call) for call in message.tool_calls],
                "invalid_tool_calls": [_renamed(self, call) for call in message.invalid_tool_calls],
                "response_metadata": {},
            }
        )

    def _drop_oldest(self) -> None:
        run, kept = self._kept.popitem(last=False)
        self._characters -= len(kept.report) + kept.size
        for id in kept.ids:
            del self._calls[id]
        if self._digests.get(kept.digest) == run:
            del self._digests[kept.digest]


def _renamed(pending: PendingCalls, call: Any) -> Any:
    return {**call, "id": pending.original(call["id"] or "")}


def _made(message: AIMessage) -> Any:
    """What an answer called, whatever the ids."""
    calls = [(call["name"], call["args"]) for call in message.tool_calls]
    return calls + [(call["name"] or "", call["args"] or "") for call in message.invalid_tool_calls]


def digest_of(asker: str, messages: Sequence[AnyMessage]) -> str:
    """A digest of a conversation, whatever ids its client gives to calls.

    Without instructions: clients put the time and counters into them. Without what an answer says
    beside its calls: some clients drop it.

    Args:
        asker: Who asks which model, see `Asked.asker`.
        messages: The conversation, with an answer that calls tools at its end.
    """
    told: list[Any] = [asker]
    for message in messages:
        if isinstance(message, SystemMessage):
            continue
        calls = _made(message) if isinstance(message, AIMessage) else []
        told.append([message.type, calls or message.text.strip()])
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
