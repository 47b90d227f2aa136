"""What LangGraph hands a node of a run: its context, its stream, its thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessageChunk
from langgraph.config import get_config
from langgraph.graph.message import push_message
from langgraph.runtime import get_runtime

from fusion_graph.evidence import Ledger, open_ledger
from fusion_graph.state import Run
from fusion_graph.state.events import Emit, emitter


def context() -> Any:
    """Give the run's context, which LangGraph hands over as a model, a raw dict or not at all."""
    return get_runtime().context


def stream_writer() -> Callable[[Any], None]:
    """Give the node's way into the run's stream."""
    return get_runtime().stream_writer


def emit_of(run: Run) -> Emit:
    """Give what sends a run's progress events.

    Args:
        run: The run, whose start the events count from.
    """
    return emitter(stream_writer(), run["started"])


def send_text(message_id: str, text: str) -> None:
    """Send a piece of the answer to `stream_mode="messages"`, as the writer's alone.

    Args:
        message_id: The answer's message.
        text: The piece.
    """
    push_message(AIMessageChunk(content=text, id=message_id), state_key=None)


def thread_id() -> str | None:
    """Give the checkpointer's thread; None without one."""
    found = get_config().get("configurable", {}).get("thread_id")
    return str(found) if found is not None else None


def ledger_of(run: Run) -> Ledger:
    """Open what the run has read, in this process or, where a checkpointer keeps it, before.

    Args:
        run: The run.
    """
    return open_ledger(run["id"], resumable=thread_id() is not None)
