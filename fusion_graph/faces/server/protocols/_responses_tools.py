"""Tools of a Responses request: functions, custom tools and namespaces, all functions here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_graph.faces.server.protocols._asked import ClientTool
from fusion_graph.faces.server.protocols._fields import tool_choice, wire_name, wrong
from fusion_graph.faces.server.protocols._openrouter import FUSION_TOOL

CUSTOM = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""What a custom tool takes, as a function: one text."""


def client_tools(
    given: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, ClientTool], list[str]]:
    """Read the tools as the writer is offered them, by which names, and those that it cannot be.

    Args:
        given: The request's.

    Raises:
        ApiError: 400, naming the field.
    """
    offered: list[dict[str, Any]] = []
    tools: dict[str, ClientTool] = {}
    strange: list[str] = []
    for index, tool in enumerate(given):
        where, kind = f"tools.{index}", tool.get("type")
        if kind == "namespace":
            inner = tool.get("tools")
            group = _name(tool, where)
            for place, member in enumerate(inner if isinstance(inner, list) else ()):
                if isinstance(member, Mapping) and member.get("type") in ("function", "custom"):
                    _offer(member, f"{where}.tools.{place}", group, offered, tools)
        elif kind in ("function", "custom"):
            _offer(tool, where, None, offered, tools)
        elif not isinstance(kind, str):
            raise wrong(f"{where}.type", "a tool's type is a text.")
        elif kind != FUSION_TOOL:
            # The panel searches by itself; what runs at OpenAI does not run here.
            strange.append(f"tools.{kind}")
    return offered, tools, strange


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _offer(
    tool: Mapping[str, Any],
    where: str,
    group: str | None,
    offered: list[dict[str, Any]],
    tools: dict[str, ClientTool],
) -> None:
    name = _name(tool, where)
    wire = wire_name(name, group)
    custom = tool.get("type") == "custom"
    tools[wire] = ClientTool(name, "custom" if custom else "function", group)
    function: dict[str, Any] = {"name": wire}
    if isinstance(about := tool.get("description"), str) and about:
        function["description"] = about
    parameters = CUSTOM if custom else tool.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise wrong(f"{where}.parameters", "an object is meant.")
    function["parameters"] = parameters or {"type": "object", "properties": {}}
    if isinstance(tool.get("strict"), bool) and not custom:
        function["strict"] = tool["strict"]
    if custom and isinstance(grammar := tool.get("format"), Mapping):
        function["description"] = (
            f"{about or ''}\n\nThe input keeps to this {grammar.get('syntax', '')} grammar:\n"
            f"{grammar.get('definition', '')}"
            if grammar.get("type") == "grammar"
            else about or ""
        )
    offered.append({"type": "function", "function": function})


def _name(tool: Mapping[str, Any], where: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name or len(name) > 128:
        raise wrong(f"{where}.name", "a name of 1 to 128 characters is meant.")
    return name


def chosen_tool(
    choice: str | Mapping[str, Any], tools: Mapping[str, ClientTool]
) -> dict[str, tuple[str, Any]]:
    """Read the setting that a choice of tools stands for.

    Args:
        choice: The request's.
        tools: The client's tools by the name that the writer calls.

    Raises:
        ApiError: 400, it names none of them.
    """
    if isinstance(choice, str):
        return tool_choice(choice, list(tools), None)
    if choice.get("type") == "allowed_tools":
        mode = choice.get("mode", "auto")
        return tool_choice(mode, list(tools), None)
    if choice.get("type") not in ("function", "custom"):
        return {}  # a tool of OpenAI's own, which nobody could call here
    return tool_choice(
        choice, list(tools), wire_name(str(choice.get("name")), _text(choice.get("namespace")))
    )
