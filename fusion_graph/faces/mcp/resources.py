"""Resources hand out reports: the data, the answer alone, and a page for people."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

from fusion_graph.faces.mcp.result import addresses
from fusion_graph.faces.mcp.tasks import Task
from fusion_graph.text.phrases import clean

LISTED = 20
"""How many reports a client is shown, the newest; the others are there for who has their names."""

KINDS = {
    "report": ("Report", "application/json", "Everything of the run, as data."),
    "answer": ("Answer", "text/markdown", "The writer's answer, whole."),
    "html": ("Page", "text/html", "The report as one page that loads nothing."),
}
"""Title, media type and description, by what a resource holds."""

_ADDRESS = re.compile(r"fusion://reports/([0-9a-f]{1,64})(?:/(answer|html))?")


def listed(tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """List the newest finished reports, as MCP's resources.

    Args:
        tasks: The newest first.
    """
    ended = [task for task in tasks if task.run.report is not None][:LISTED]
    return [
        {
            "uri": uri,
            "name": f"{kind}-{task.id}",
            "title": f"{KINDS[kind][0]}: {clean(task.request.question, 80)}",
            "description": KINDS[kind][2],
            "mimeType": KINDS[kind][1],
        }
        for task in ended
        for kind, uri in addresses(task.id).items()
    ]


def templates() -> list[dict[str, Any]]:
    """List how the resources' addresses are made, as MCP's templates."""
    return [
        {
            "uriTemplate": uri,
            "name": kind,
            "title": KINDS[kind][0],
            "description": f"{KINDS[kind][2]} {{task}} is what a tool named.",
            "mimeType": KINDS[kind][1],
        }
        for kind, uri in addresses("{task}").items()
    ]


def parsed(uri: str) -> tuple[str, str] | None:
    """Read the task and the kind out of an address; None for any other address."""
    match = _ADDRESS.fullmatch(uri)
    return (match[1], match[2] or "report") if match else None


async def content(task: Task, kind: str, uri: str) -> dict[str, Any]:
    """Give a resource's content.

    Args:
        task: A task whose run has a report.
        kind: One of `KINDS`.
        uri: Its address, as it was asked for.
    """
    report = task.run.report
    assert report is not None
    if kind == "answer":
        text = str(report["answer"])
    elif kind == "html":
        from fusion_graph.report import FusionReport

        text = await asyncio.to_thread(lambda: FusionReport.model_validate(report).to_html())
    else:
        text = json.dumps(report, ensure_ascii=False)
    return {"uri": uri, "mimeType": KINDS[kind][1], "text": text}
