"""Records of runs: what of a run is written down, and the run that is made of it again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.run import PROVISIONAL, Run

INTERRUPTED = (
    "The server was stopped while this run was at work. What its models had answered is kept: the "
    "same request goes on from there, and so does POST /api/runs/ID/resume."
)
"""What is said of a run that was at work when its server ended."""

_ABOUT = (
    *("question", "model", "started", "status", "error", "origin", "turns", "files"),
    *("owner", "asked", "resumed", "may_cost", "counted", "told"),
)

_RESULT = "fusion.result"


@dataclass(frozen=True)
class RunRecord:
    """What is written down of a run, as it stood at one moment.

    Attributes:
        id: The run's.
        about: What a list shows of it, and how it stands.
        context: Its configuration.
        messages: The conversation; empty once it is not needed any more.
        report: Its report, if it has one.
        events: Its events by number, without those that a finished run does not keep. The result
            holds no report: it stands beside.
    """

    id: str
    about: dict[str, Any]
    context: Mapping[str, Any]
    messages: Sequence[Any]
    report: dict[str, Any] | None
    events: tuple[tuple[int, dict[str, Any]], ...]


def about_run(run: Run) -> dict[str, Any]:
    """What a list shows of a run, and how it stands."""
    about = {name: getattr(run, name) for name in _ABOUT}
    about["http_status"] = None if run.failure is None else run.failure.status
    return about


def recorded(run: Run) -> RunRecord:
    """Record a run as it stands."""
    events = tuple((number, lasting(event)) for number, event in run.numbered if is_lasting(event))
    return RunRecord(run.id, about_run(run), run.context, run.messages, run.report, events)


def restored(record: RunRecord) -> Run:
    """Make a run of its record; one that was at work is interrupted.

    Raises:
        KeyError, TypeError, ValueError: The record is none of a run.
    """
    about = dict(record.about)
    http_status = about.pop("http_status", None)
    run = Run(
        record.id,
        # What a version before did not know is as it is for a new run.
        **{name: about[name] for name in _ABOUT if name in about},
        context=record.context,
        messages=record.messages,
        report=record.report,
        restored=True,
    )
    float(run.started)
    run.put_back([(number, _whole(event, record.report)) for number, event in record.events])
    if run.status in ("running", "interrupted"):
        interrupt(run)
    elif run.error is not None:
        run.failure = ApiError(
            int(http_status or 500),
            str(run.error["message"]),
            str(run.error["code"]),
            type="server_error",
            report=run.report,
        )
    run.message = _message(run)
    return run


def interrupt(run: Run, said: str = INTERRUPTED) -> None:
    """Say of a run that its server stopped, and that it can go on.

    Args:
        run: The run.
        said: In which words.
    """
    run.status = "interrupted"
    run.failure = ApiError(
        503,
        said,
        "interrupted",
        type="server_error",
        retry=True,
        headers={"retry-after": "5"},
    )
    run.error = {"code": run.failure.code, "message": run.failure.message}


def is_lasting(event: Mapping[str, Any]) -> bool:
    """Whether an event is written down."""
    return event["type"] not in PROVISIONAL


def lasting(event: dict[str, Any]) -> dict[str, Any]:
    """An event as it is written down: the result without its report."""
    return {**event, "report": None} if event["type"] == _RESULT else event


def encoded(record: RunRecord) -> tuple[str, str, str, str | None, str | None]:
    """A record as texts: id, about, context, messages and report; None for what cannot be kept."""
    return (
        record.id,
        json.dumps(record.about),
        _written(record.context) or "{}",
        _conversation(record.messages),
        None if record.report is None else json.dumps(record.report, default=str),
    )


def decoded(
    texts: tuple[str, str, str, str | None, str | None], events: Sequence[tuple[int, str]]
) -> RunRecord:
    """The record that texts hold.

    Args:
        texts: As `encoded` gave them.
        events: Number and text of each event, in order.

    Raises:
        KeyError, TypeError, ValueError: They hold none.
    """
    from langchain_core.messages import messages_from_dict

    id, about, context, messages, report = texts
    return RunRecord(
        id,
        dict(json.loads(about)),
        dict(json.loads(context)),
        messages_from_dict(json.loads(messages)) if messages else (),
        None if report is None else dict(json.loads(report)),
        tuple((int(number), dict(json.loads(event))) for number, event in events),
    )


def _conversation(messages: Sequence[Any]) -> str | None:
    from langchain_core.messages import convert_to_messages, messages_to_dict

    try:
        return _written(messages_to_dict(convert_to_messages(messages)))
    except (TypeError, ValueError, NotImplementedError):
        return None


def _written(data: Any) -> str | None:
    try:
        return json.dumps(data)
    except (TypeError, ValueError, RecursionError):
        return None


def _whole(event: dict[str, Any], report: dict[str, Any] | None) -> dict[str, Any]:
    return {**event, "report": report} if event["type"] == _RESULT else event


def _message(run: Run) -> Any:
    """The answer, as far as lists and searches need it."""
    from langchain_core.messages import AIMessage

    result = next((e for e in reversed(run.events) if e["type"] == _RESULT), None)
    if result is None:
        return None
    metadata = {"finish_reason": result["finish_reason"]}
    return AIMessage(
        str(result["content"]), tool_calls=result["tool_calls"], response_metadata=metadata
    )
