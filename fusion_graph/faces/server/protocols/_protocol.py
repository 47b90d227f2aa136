"""What a protocol is: how it reads a request, writes an answer, and words an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import Asked
from fusion_graph.faces.server.protocols._reply import Reply
from fusion_graph.faces.server.protocols._told import Told
from fusion_graph.faces.server.run import Run


@dataclass(frozen=True)
class Frame:
    """One server-sent event.

    Attributes:
        data: Its JSON object, or a word that is sent as it is.
        event: Its name, where the protocol names them.
    """

    data: Mapping[str, Any] | str
    event: str | None = None


DONE = Frame("[DONE]")
"""Ends a stream of OpenAI's older APIs."""


class Stream(Protocol):
    """A stream turns what is told of a run into a protocol's events."""

    def begin(self) -> Iterator[Frame]:
        """What stands before everything else."""

    def take(self, told: Told) -> Iterator[Frame]:
        """The events that tell the next thing."""


@dataclass(frozen=True)
class Wire:
    """A protocol.

    Attributes:
        read: Reads and checks a body; raises `ApiError`.
        whole: The answer in one piece.
        stream: Begins a stream of a run.
        error: An error's body.
        call_prefix: How the ids of tool calls begin.
        ping: Sent where a stream would be silent; None for a comment.
    """

    read: Callable[[Mapping[str, Any]], Asked]
    whole: Callable[[Reply, Asked], dict[str, Any]]
    stream: Callable[[Run, Asked], Stream]
    error: Callable[[ApiError], dict[str, Any]]
    call_prefix: str = field(default="call_")
    ping: Frame | None = field(default=None)
