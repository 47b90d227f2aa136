"""Threads of a fleet that hold a server's runs: what stands in their metadata, and is read of it.

A run's id is its thread's, written without dashes. Everything by which another server finds it
stands in the thread's metadata, so that no server knows more of a run than any other.
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

QUESTION_CHARACTERS = 2_000
"""As much of a question is shown by another server than the one that was asked."""

_ID = re.compile(r"[0-9a-f]{32}")

_ABOUT = ("model", "started", "origin", "may_cost", "context")

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
    """Word what is to be found of a run, as its thread's metadata."""
    about = {name: getattr(run, name) for name in _ABOUT}
    about["question"] = run.question[:QUESTION_CHARACTERS]
    about["thread"] = [turn["run"] for turn in run.turns]
    return {
        KIND: RUN,
        TASK: run.id[:TASK_CHARACTERS],
        OWNER: run.owner,
        ASKED: run.asked,
        TOLD: "no",
        CANCELLED: "no",
        ABOUT: about,
    }


def run_of(thread: Mapping[str, Any]) -> Run | None:
    """Make a run of a thread, as one that another server has begun.

    Args:
        thread: As the fleet tells it.

    Returns:
        The run, without events and report; None where the thread holds none.
    """
    metadata = thread.get("metadata") or {}
    about = metadata.get(ABOUT)
    if metadata.get(KIND) != RUN or not isinstance(about, Mapping):
        return None
    try:
        return Run(
            str(thread["thread_id"]).replace("-", ""),
            str(about["question"]),
            str(about["model"]),
            float(about["started"]),
            status=status_of(thread),
            origin="page" if about["origin"] == "page" else "api",
            turns=[_turn(str(id)) for id in about.get("thread") or ()],
            owner=str(metadata[OWNER]),
            context=dict(about["context"]),
            asked=str(metadata.get(ASKED) or ""),
            may_cost=None if about.get("may_cost") is None else float(about["may_cost"]),
            told=metadata.get(TOLD) == "yes",
            restored=True,
            mirror=True,
        )
    except (KeyError, TypeError, ValueError):
        return None


def status_of(thread: Mapping[str, Any]) -> Status:
    """Tell how a run stands, as far as its thread says so."""
    status = _STATUS.get(str(thread.get("status")), "running")
    cancelled = (thread.get("metadata") or {}).get(CANCELLED) == "yes"
    return "cancelled" if status == "interrupted" and cancelled else status


def _turn(run: str) -> Any:
    return {"run": run, "question": "", "files": [], "answer": "", "sources": []}
