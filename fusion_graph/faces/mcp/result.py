"""A tool call gives back text to read, and the same as data, never over a client's limit."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces._tool_result import LEAST_CHARACTERS, refusal, tool_result
from fusion_graph.faces.mcp.tasks import Task
from fusion_graph.text.json_data import writable
from fusion_graph.text.phrases import clean, shortened, summary

TEXT_BYTES, DATA_BYTES = 27_000, 47_000
"""Claude Code cuts results above 25,000 tokens. Three bytes of UTF-8 are one token or less: four
of English, three of JSON full of addresses, and a Chinese character is three bytes."""

ANSWER_BYTES = 18_000
"""Of both, what the answer may take: 6,000 tokens. The rest of it is a resource."""

POINT_CHARACTERS = 300
"""Longest stance or point in the text; the data has more of it."""

ERROR_CHARACTERS = 2_000
"""How much of an error is told."""

ADDRESS = "fusion://reports/{task}"
"""Where a task's report is, as a resource; `/answer` and `/html` follow it."""


def addresses(task: str) -> dict[str, str]:
    """Name the resources of a task's report, by what they hold."""
    report = ADDRESS.format(task=task)
    return {"report": report, "answer": f"{report}/answer", "html": f"{report}/html"}


def finished(task: Task, joined: bool = False) -> dict[str, Any]:
    """Tell the result of a task whose run has ended.

    Args:
        task: The task.
        joined: Whether the call joined a run that was there.

    Returns:
        MCP's `CallToolResult` as plain data.
    """
    run = task.run
    if run.failure is not None:
        return failed(run.failure, task)
    assert run.report is not None
    data = _data(task, run.report)
    text = _text(task, run.report, joined)
    return _result(text, data)


def failed(error: ApiError, task: Task | None = None) -> dict[str, Any]:
    """Tell a refusal or a failure as a result: what happened, and what to do.

    Args:
        error: What went wrong.
        task: The task whose run it ended.
    """
    data = json.loads(refusal(error.message, error.code))
    text = clean(error.message, ERROR_CHARACTERS)
    if task is not None:
        data["task"] = task.id
        if task.run.status in ("cancelled", "interrupted"):
            data["status"] = task.run.status
        if task.run.report is not None:
            data["resources"] = addresses(task.id)
            text += f"\nThe report of what was tried: {data['resources']['report']}"
    return {**_result(text, data), "isError": True}


def at_work(task: Task, line: str, joined: bool = False) -> dict[str, Any]:
    """Tell how a task stands, for a call that does not wait for its end.

    Args:
        task: The task.
        line: What it is doing.
        joined: Whether the call joined a run that was there.
    """
    data = {
        "status": "running",
        "task": task.id,
        "preset": task.request.model,
        "seconds": round(task.run.seconds, 1),
        "doing": line,
        "joined": joined,
    }
    text = f"At work: {line}\nFetch the result with fusion_result(task={task.id!r})."
    return _result(text, data)


def stopped(task: Task, was_running: bool) -> dict[str, Any]:
    """Tell what stopping a task did."""
    if was_running:
        text = f"Task {task.id} is stopped. What its models had been asked may still be billed."
    else:
        text = f"Task {task.id} had ended already ({task.run.status}); nothing changed."
    return _result(text, {"status": task.run.status, "task": task.id})


def _result(text: str, data: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "content": [{"type": "text", "text": text}],
        "structuredContent": dict(data),
        "isError": False,
    }
    # Half a character in a provider's error would keep the whole result from being sent.
    safe: dict[str, Any] = writable(told)
    return safe


def _data(task: Task, report: Mapping[str, Any]) -> dict[str, Any]:
    """Fill OpenRouter's shape, with the answer, its costs, and where the rest is."""
    total = report["usage"]["total"]
    own = {
        "status": report["status"],
        "task": task.id,
        "preset": task.request.model,
        "answer": _fitting(report["answer"], ANSWER_BYTES, task),
        "degradations": [
            {"code": lost["code"], "detail": shortened(lost["detail"])}
            for lost in report["degradations"][:20]
        ],
        "cost": {
            "usd": total["cost_usd"],
            "plan_calls": total.get("plan_calls", 0),
            "known_usd": total.get("known_usd"),
            "single_call_usd": report["usage"]["single_usd"],
            "calls": total["calls"],
            "input_tokens": total["input_tokens"],
            "output_tokens": total["output_tokens"],
            "seconds": round(task.run.seconds, 1),
        },
        "resources": addresses(task.id),
    }
    room = DATA_BYTES - _bytes(json.dumps(own, ensure_ascii=False))
    shape = json.loads(_held(lambda limit: tool_result(report, limit), room))
    return {**shape, **own}


def _text(task: Task, report: Mapping[str, Any], joined: bool) -> str:
    """Write the answer, then what a reader has to know of it."""
    parts = [_fitting(report["answer"], ANSWER_BYTES, task)]
    if joined:
        parts.append("(The run of the same question, asked before, was joined.)")
    if sources := _sources(report):
        parts.append("\n".join(["Sources:", *sources]))
    if report["analysis"] is not None:
        parts += _disagreements(report["analysis"])
    parts.append("\n".join(summary(report, task.run.seconds)))
    where = addresses(task.id)
    parts.append(f"Whole report: {where['report']} (JSON), {where['html']} (page); task {task.id}.")
    kept: list[str] = []
    room = TEXT_BYTES
    for part in [parts[0], parts[-1], *parts[1:-1]]:
        room -= _bytes(part) + 2
        if room >= 0:
            kept.append(part)
    return "\n\n".join([kept[0], *kept[2:], kept[1]])


def _sources(report: Mapping[str, Any]) -> list[str]:
    """List the sources that the answer cites, a line each."""
    from fusion_graph.evidence import cited  # a third of a second, before the tools are listed

    known = {source["id"]: source for source in report["sources"]}
    return [
        f"[{id}] {clean(known[id]['title'], POINT_CHARACTERS)} {clean(known[id]['url'])}"
        for id in cited(report["answer"], list(known))
    ]


def _disagreements(analysis: Mapping[str, Any]) -> list[str]:
    told = []
    for point in analysis["contradictions"]:
        stances = [
            f"  - {stance['model']}: {clean(stance['stance'], POINT_CHARACTERS)}"
            for stance in point["stances"]
        ]
        topic = f"The panel disagreed: {clean(point['topic'], POINT_CHARACTERS)}"
        told.append("\n".join([topic, *stances]))
    if blind := [clean(spot, POINT_CHARACTERS) for spot in analysis["blind_spots"]]:
        told.append("\n".join(["Nobody covered:", *(f"  - {spot}" for spot in blind)]))
    return told


def _fitting(text: str, limit: int, task: Task) -> str:
    if _bytes(text) <= limit:
        return text
    kept = text.encode()[:limit].decode("utf-8", "ignore")
    return (
        f"{kept} [cut here: {len(text) - len(kept)} more characters; the whole answer is "
        f"{addresses(task.id)['answer']}]"
    )


def _held(make: Callable[[int], str], room: int) -> str:
    """Have `make` give a text of at most `room` bytes; it takes a number of characters."""
    limit = max(LEAST_CHARACTERS, room)
    while _bytes(text := make(limit)) > room and limit > LEAST_CHARACTERS:
        limit = max(LEAST_CHARACTERS, min(limit - 1, limit * room // _bytes(text)))
    return text


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
