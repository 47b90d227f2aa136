"""Threads of a fleet that hold a server's runs: what stands in their metadata, and is read of it.

A run's id is its thread's, written without dashes. Everything by which another server finds it
stands in the thread's metadata, so that no server knows more of a run than any other. LangGraph
copies what stands there when the graph begins into each checkpoint and each piece of text that it
streams: that is little, and what a list shows is added afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fusion_graph.faces.server.run import Run, Status

KIND, TASK, OWNER, ASKED = "fusion_face", "fusion_task", "fusion_owner", "fusion_asked"
"""Names in a thread's metadata: that it is a run's, and by what it is searched."""

TOLD, CANCELLED, ABOUT = "fusion_told", "fusion_cancelled", "fusion_about"
"""Names in a thread's metadata: `yes` or `no` for whether its answer has gone out, and whether
somebody stopped it; and what a list shows of it."""

RUN = "run"
"""The kind of a thread that holds a run."""

TASK_CHARACTERS = 12
"""As many of a run's id name it in MCP's tools."""

QUESTION_CHARACTERS = 300
"""As much of a question as a list shows; the store has all of it."""

_ID = re.compile(r"[0-9a-f]{32}")

_WHOLE = ("question", "context", "may_cost", "turns", "files")

_STATUS: Mapping[str, Status] = {
    "busy": "running",
    "idle": "ok",
    "error": "error",
    "interrupted": "interrupted",
}


def thread_of(id: str) -> str | None:
    """Name the thread of a run; None for what is no run's id."""
    return str(UUID(id)) if _ID.fullmatch(id) else None


def metadata_of(run: Run) -> dict[str, Any]:
    """Word that by which a run is found, as its thread's metadata."""
    return {
        KIND: RUN,
        TASK: run.id[:TASK_CHARACTERS],
        OWNER: run.owner,
        ASKED: run.asked,
        TOLD: "no",
        CANCELLED: "no",
    }


def about(run: Run) -> dict[str, Any]:
    """Word what a list shows of a run."""
    return {
        "question": run.question[:QUESTION_CHARACTERS],
        "model": run.model,
        "started": run.started,
        "origin": run.origin,
        "thread": [turn["run"] for turn in run.turns],
    }


def whole(run: Run) -> dict[str, Any]:
    """Word all of a run that its graph does not hold, as JSON-able data for the store."""
    return {"about": about(run), **{name: getattr(run, name) for name in _WHOLE}}


def complete(run: Run, kept: Mapping[str, Any]) -> None:
    """Give a run what the store has of it.

    Args:
        run: From `run_of`.
        kept: As `whole` worded it.
    """
    run.model, run.started, run.origin = (kept["about"][n] for n in ("model", "started", "origin"))
    for name in _WHOLE:
        setattr(run, name, kept[name])


def run_of(thread: Mapping[str, Any]) -> Run | None:
    """Make a run of a thread, as one that another server has begun.

    Args:
        thread: As the fleet tells it.

    Returns:
        The run as a list shows it; None where the thread holds none.
    """
    metadata = thread.get("metadata") or {}
    if metadata.get(KIND) != RUN:
        return None
    shown = metadata.get(ABOUT) or {}  # none yet, where its server died as it began
    try:
        return Run(
            str(thread["thread_id"]).replace("-", ""),
            str(shown.get("question", "")),
            str(shown.get("model", "")),
            float(shown.get("started", 0.0)),
            status=status_of(thread),
            origin="page" if shown.get("origin") == "page" else "api",
            turns=[_turn(str(id)) for id in shown.get("thread") or ()],
            owner=str(metadata[OWNER]),
            asked=str(metadata[ASKED]),
            told=metadata[TOLD] == "yes",
            restored=True,
            mirror=True,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def status_of(thread: Mapping[str, Any]) -> Status:
    """Tell how a run stands, as far as its thread says so."""
    status = _STATUS.get(str(thread.get("status")), "running")
    cancelled = (thread.get("metadata") or {}).get(CANCELLED) == "yes"
    return "cancelled" if status == "interrupted" and cancelled else status


def _turn(run: str) -> Any:
    return {"run": run, "question": "", "files": [], "answer": "", "sources": []}
