"""OpenRouter's fusion item and its events: the panel's work for clients that know them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fusion_graph.faces.server.protocols._openrouter import FUSION_TOOL
from fusion_graph.judgement import Analysis


class FusionItem:
    """A fusion item gathers what a run's events tell of its panel, in OpenRouter's shapes.

    Models are called by the names of the panelists, as in the analysis.

    Args:
        run_id: The run's.
    """

    def __init__(self, run_id: str) -> None:
        self.id = f"fusion_{run_id}"
        self.ended = False
        self._panel: dict[str, int] = {}
        self._responses: list[dict[str, Any]] = []
        self._failed: list[dict[str, Any]] = []
        self._analysis: dict[str, Any] | None = None
        self._reason: str | None = None

    def begun(self) -> dict[str, Any]:
        """The item at its beginning."""
        return {"type": FUSION_TOOL, "id": self.id, "status": "in_progress"}

    def take(self, event: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Learn from an event; gives OpenRouter's events for it, type and fields.

        Args:
            event: Of the run.
        """
        prefix = "response.fusion_call."
        match event["type"]:
            case "panel.added":
                self._panel.setdefault(event["name"], len(self._panel))
                yield f"{prefix}panel.added", {"model": event["name"]}
            case "panel.delta":
                yield f"{prefix}panel.delta", {"model": event["name"], "delta": event["text"]}
            case "panel.completed":
                said = {"model": event["name"], "content": event["content"]}
                self._responses.append(said)
                yield f"{prefix}panel.completed", said
            case "panel.failed":
                error = {"model": event["name"], "error": f"{event['reason']}: {event['detail']}"}
                self._failed.append(error)
                yield f"{prefix}panel.failed", error
            case "analysis.in_progress":
                model = event["model"]
                data = {"analyst_model": model, "judge_model": model}
                yield f"{prefix}analysis.in_progress", data
            case "analysis.completed":
                self._analysis = Analysis.model_validate(event["analysis"]).to_openrouter()
                yield f"{prefix}analysis.completed", {"analysis": self._analysis}
            case "analysis.failed":
                self._reason = event["code"]

    def end(self) -> dict[str, Any]:
        """The item at its end, its members in the panel's order as in that of a finished run."""
        self.ended = True
        for told in (self._responses, self._failed):
            told.sort(key=lambda each: self._panel.get(each["model"], len(self._panel)))
        return self._told([])

    def whole(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """The item of a finished run.

        Args:
            report: The run's.
        """
        analysis = report["analysis"]
        if analysis is not None:
            self._analysis = Analysis.model_validate(analysis).to_openrouter()
        for answer in report["answers"]:
            if answer["status"] == "ok":
                said = {"model": answer["name"], "content": answer["content"]}
                self._responses.append(said)
            elif (failure := answer["failure"]) is not None:
                told = {
                    "model": answer["name"],
                    "error": f"{failure['reason']}: {failure['detail']}",
                }
                status = failure["http_status"]
                self._failed.append(told if status is None else {**told, "status_code": status})
        return self._told([{"url": s["url"], "title": s["title"]} for s in report["sources"]])

    def _told(self, sources: list[dict[str, Any]]) -> dict[str, Any]:
        item = {**self.begun(), "status": "completed", "responses": self._responses}
        if self._analysis is not None:
            item["analysis"] = self._analysis
        if self._failed:
            item["failed_models"] = self._failed
        if sources:
            item["sources"] = sources
        if self._reason is not None and self._analysis is None:
            item["failure_reason"] = self._reason
        return item
