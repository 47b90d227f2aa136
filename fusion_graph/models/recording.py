"""Where finished steps of a run are kept and found again: one seam for all that costs or changes.

Whoever runs the graph may say, around the run, that what its model calls and web tools bring is to
be kept (`fusion-graph eval` does, and a run with a checkpointer). `Caller` and `Toolbox` ask here;
nothing between them knows. A step is found again by its content, by all that decides what it
brings, so whoever asks the same gets the same: a process that goes on after another died, and
another configuration that shares a panelist. For that, what a run draws by itself and sends to
models (`fixed`) is kept as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.models.request import Options
from fusion_graph.state import CallRecord


@dataclass(frozen=True)
class Asked:
    """A step of a run: what is asked, and by whom.

    Attributes:
        kind: What kind of step.
        stage: The stage that asks; empty where a tool does.
        name: Who asks in it; empty where a tool does.
        of: The model, or the search; empty for a page.
        content: All else that decides what it brings, as plain data.
    """

    kind: Literal["call", "search", "page", "tool"]
    stage: str
    name: str
    of: str
    content: Any


class Step(Protocol):
    """One step's place: nobody else is at the same step while it is held."""

    @property
    def kept(self) -> Any:
        """What it brought before, as plain data; None if it is to be made."""

    @property
    def same_run(self) -> bool:
        """Whether it was this very run that it brought it to, before it was interrupted."""

    def keep(self, value: dict[str, Any]) -> None:
        """Keep what it brought, as plain data. `calls` in it are the records of model calls."""

    async def receive(self, value: dict[str, Any]) -> None:
        """Keep the reply of a model call, before anything else is done; as `keep`."""

    def cut(self, calls: Sequence[CallRecord]) -> None:
        """A deadline or the end of the run cut it off, after these calls."""


class Recording(Protocol):
    """Keeps the steps of one run."""

    def step(self, asked: Asked) -> AbstractAsyncContextManager[Step]:
        """A step's place, once nobody else is at the same step.

        Raises:
            CallFailed: No further step may begin.
        """

    def fixed(self, name: str, value: str) -> str:
        """The value under a name: the first one that was given."""


_current: ContextVar[Recording | None] = ContextVar("fusion_graph_recording", default=None)
_asker: ContextVar[tuple[str, str]] = ContextVar("fusion_graph_asker", default=("", ""))


@contextmanager
def recorded(recording: Recording) -> Iterator[None]:
    """Keep what is finished within, in whatever tasks and threads, and give again what was kept.

    Args:
        recording: Where it is kept.
    """
    token = _current.set(recording)
    try:
        yield
    finally:
        _current.reset(token)


def current_recording() -> Recording | None:
    """The recording of the run this belongs to; None where nobody asked for one."""
    return _current.get()


def fixed(name: str, value: str) -> str:
    """What a run draws or reads from the clock, and its models see: kept where steps are kept.

    Args:
        name: What it is.
        value: What it is this time.
    """
    recording = _current.get()
    return value if recording is None else recording.fixed(name, value)


@contextmanager
def asked_by(stage: str, name: str) -> Iterator[None]:
    """Say whose searches and pages those within are."""
    token = _asker.set((stage, name))
    try:
        yield
    finally:
        _asker.reset(token)


def asker() -> tuple[str, str]:
    """Stage and name of whoever searches; empty where nobody said so."""
    return _asker.get()


def call_content(messages: Sequence[BaseMessage], options: Options) -> list[Any]:
    """What decides a model's reply, as plain data: without ids, which are drawn anew each time.

    Args:
        messages: The conversation.
        options: What is asked for.
    """
    asked = asdict(options)
    if options.search is None:  # as recordings of versions without it have it
        asked = {name: value for name, value in asked.items() if name not in _OF_OWN_SEARCH}
    return [[_message(message) for message in messages], asked]


_OF_OWN_SEARCH = ("search", "most_searches", "search_instead")


def _message(message: BaseMessage) -> list[Any]:
    made: list[Mapping[str, Any]] = []
    if isinstance(message, AIMessage):
        made = [*message.tool_calls, *message.invalid_tool_calls]
    return [message.type, message.content, [[call["name"], call["args"]] for call in made]]
