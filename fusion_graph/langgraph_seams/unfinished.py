"""Unfinished checkpoints: what an input that says nothing new means to a graph that keeps them.

To LangGraph only None goes on with a thread; any other input discards what the tasks that were at
work had brought. Hosts that always send an input (Aegra sends `{}` for none) could so not finish a
run after a crash without paying for it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.messages import AIMessage, BaseMessage, convert_to_messages
from langchain_core.runnables.config import RunnableConfig, ensure_config, merge_configs
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.typing import ContextT, InputT, OutputT, StateT

from fusion_graph.errors import AllPanelistsFailed
from fusion_graph.langgraph_seams.state_reads import READ


def is_unfinished(state: Any) -> bool:
    """Whether there is something left to do in a thread.

    `state.next` is empty as well when all nodes of a step have ended and the next step was not
    written down yet.

    Args:
        state: What `get_state` returned.
    """
    return bool(state.tasks)


def own_errors(state: Any) -> list[str]:
    """The errors that the last run of a thread ended in, in LangGraph's words.

    It keeps an interrupt (Ctrl-C, a server that went down) as an error of the nodes that were at
    work; that is none of the run's own.

    Args:
        state: What `get_state` returned.
    """
    errors = [str(task.error) for task in state.tasks if task.error]
    return [error for error in errors if not error.startswith("CancelledError")]


def messages_in(state: Any) -> list[BaseMessage]:
    """The conversation of a thread, with the input that was kept and not taken in yet.

    Args:
        state: What `get_state` returned.
    """
    # Such an input counts as the result of a node of LangGraph's own.
    results = [task.result for task in state.tasks if isinstance(task.result, Mapping)]
    parts = [state.values, *results]
    return convert_to_messages([m for part in parts for m in part.get("messages") or ()])


def goes_on(given: Any, state: Any) -> bool:
    """Whether an input to a thread only has it go on with what is there.

    So does one that says nothing new, to a thread that is unfinished, or finished with an answer,
    which is given again. Not where the thread ends with a question that nobody is at, nor where
    the whole panel failed: going on would only fail again, and nobody had answered.

    Args:
        given: The input. It says nothing new if all in it is empty, or if its messages are the
            thread's own, under the same ids: chat pages send back what they show.
        state: What `get_state` returned.
    """
    kept = messages_in(state)
    known = {message.id: message.content for message in kept}
    sent = _sent(given)
    if sent is None or any(known.get(m.id) != m.content for m in sent):
        return False
    if is_unfinished(state):
        return not any(AllPanelistsFailed.__name__ in error for error in own_errors(state))
    return bool(kept) and isinstance(kept[-1], AIMessage)


def _sent(given: Any) -> list[BaseMessage] | None:
    """The messages of an input that may say nothing new; None where it surely says something."""
    if given is None:
        return []
    if not isinstance(given, Mapping):
        return None
    others = (part for key, part in given.items() if key != "messages")
    if any(part is not None and part not in ([], {}) for part in others):
        return None
    try:
        messages = convert_to_messages(given.get("messages") or [])
    except (TypeError, ValueError, NotImplementedError, KeyError):
        return None  # whatever it is, the graph is to say so
    return messages if all(message.id for message in messages) else None


class ResumableGraph(CompiledStateGraph[StateT, ContextT, InputT, OutputT]):
    """A compiled graph that goes on with what is unfinished when its input says nothing new."""

    nothing: ClassVar[Any] = None
    """The input that stands for an empty one where there is nothing to go on with."""

    if not TYPE_CHECKING:  # the signatures are LangGraph's

        def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            """As LangGraph's, with the input that is meant."""
            if _sent(input) is not None and not _is_nested(config):
                thread = _thread(self, config)
                state = self.get_state(thread) if thread else None
                input = self._begin(input, state)
            return super().stream(input, config, **kwargs)

        async def astream(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
            """As LangGraph's, with the input that is meant."""
            if _sent(input) is not None and not _is_nested(config):
                thread = _thread(self, config)
                state = await self.aget_state(thread) if thread else None
                input = self._begin(input, state)
            async with aclosing(super().astream(input, config, **kwargs)) as parts:
                async for part in parts:
                    yield part

    def _begin(self, given: Any, state: Any) -> Any:
        if state is not None and state.created_at is not None and goes_on(given, state):
            return None
        return given if _sent(given) or self.nothing is None else self.nothing


def make_resumable(graph: CompiledStateGraph[StateT, ContextT, InputT, OutputT]) -> None:
    """Make a compiled graph one that goes on.

    LangGraph offers no way to name the class. If this fails, compile with a builder of our own.

    Args:
        graph: Of LangGraph's own class.
    """
    graph.__class__ = ResumableGraph


def _is_nested(config: Any) -> bool:
    """Whether this is a node's call: whether that goes on is its parent's to say."""
    return READ in ensure_config(config).get("configurable", {})


def _thread(graph: Any, config: Any) -> RunnableConfig | None:
    """The settings under which a graph keeps a thread, if it keeps one."""
    whole = merge_configs(graph.config, ensure_config(config))
    kept = isinstance(graph.checkpointer, BaseCheckpointSaver)
    return whole if kept and whole.get("configurable", {}).get("thread_id") else None
