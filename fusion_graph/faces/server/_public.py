"""What of a run its callers may see: they need not be the server's owner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


def public_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report for callers who need not be the server's owner.

    Left out are the addresses of the owner's endpoints, and where the owner's files are.
    """
    preset = preset_name(report["preset"]) if report["preset"] else None
    config = {**report["config"], "preset": preset, "providers": {}}
    if config.get("corpus"):
        config["corpus"] = PurePath(config["corpus"]).name
    return {**report, "preset": preset, "config": config}


def preset_name(preset: str) -> str:
    """What a preset is called, whether it was given by name or by the path of its file."""
    return PurePath(preset).name.removesuffix(".toml")


def result_event(message: AIMessage, report: dict[str, Any]) -> dict[str, Any]:
    """`fusion.result` as JSON-able data: the answer, and the report that callers see."""
    total = report["usage"]["total"]
    return {
        "type": "fusion.result",
        "content": message.text,
        "tool_calls": [
            {"id": call["id"], "name": call["name"], "args": call["args"]}
            for call in message.tool_calls
        ],
        "finish_reason": message.response_metadata.get("finish_reason") or "stop",
        "usage": {name: total[name] for name in ("input_tokens", "output_tokens", "cost_usd")},
        "report": report,
    }
