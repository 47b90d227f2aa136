"""create_fusion_tool: a panel as a tool, for an agent whose own model decides when to ask it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage, convert_to_messages
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel, Field

from fusion_graph.config import FusionConfig
from fusion_graph.errors import AllPanelistsFailed, ConfigurationError, FusionError
from fusion_graph.faces._tool_result import (
    LEAST_CHARACTERS,
    error_result,
    refusal,
    tool_result,
)
from fusion_graph.graph import Course, build_graph
from fusion_graph.run.recursion import refuse_recursion
from fusion_graph.state import FusionInput
from fusion_graph.state.conversation import recent

logger = logging.getLogger(__name__)

CONVERSATION_CHARACTERS = 24_000
"""How much of the conversation's end the panel may see: about 6,000 tokens for each panelist."""

DESCRIPTION = """\
Ask a panel of independent models. Each researches the task by itself; a judge then compares their \
answers: what they agree on, where they contradict each other, what only one of them found, what \
all of them missed.

Use it for research, comparisons, disputed or recent facts, and decisions that matter. Do not use \
it for code, chat, rewriting, arithmetic, or anything that one answer can settle: it costs many \
model calls and takes minutes. Ask once, with one whole task.

The result is JSON: `analysis`, `responses`, `failed_models` and `sources`. Write the answer \
yourself. Cite sources as [id] with their address, say where the panel disagreed, and call \
agreement what it is: so many of so many models, not proof."""


class Consultation(BaseModel):
    """What the calling model may say: the task, and nothing about how the panel works."""

    task: str = Field(
        description="The whole question with all facts it needs. The panel knows nothing else, "
        "unless include_conversation is true."
    )
    include_conversation: bool = Field(
        default=False, description="Whether the panel also reads the recent conversation."
    )


def create_fusion_tool(
    config: FusionConfig | Mapping[str, Any] | str | None = None,
    *,
    tools: Sequence[BaseTool | Callable[..., Any]] | None = None,
    name: str = "fusion",
    description: str = DESCRIPTION,
    max_characters: int = 24_000,
) -> BaseTool:
    """A tool that asks a panel and returns what OpenRouter's fusion tool returns.

    The agent's own model writes the answer, so no writer is called. The result is JSON (see
    `fusion_graph.faces._tool_result`), the whole report is the tool message's `artifact`,
    and the panel's progress events are in the agent's `custom` stream with `subgraphs=True`.

    The tool never raises: every failure is a result with `status` `error`. Only a cancellation
    passes through.

    Args:
        config: As for `create_fusion_graph`. The calling model can change none of it.
        tools: The panelists' tools, in place of web_search and web_fetch.
        name: The tool's name.
        description: Tells the calling model when to use it, and when not.
        max_characters: Most characters of a result; 24,000 are about 6,000 tokens. Long responses
            are cut to fit.

    Raises:
        ConfigurationError: The configuration has a wrong field, or names an unknown preset.

    Example:
        In an agent, `create_agent(model, tools=[create_fusion_tool("budget")])`. By itself:

        >>> import json
        >>> from fusion_graph import create_fusion_tool
        >>> fusion = create_fusion_tool("offline")
        >>> result = json.loads(fusion.invoke({"task": "Should a judge see model names?"}))
        >>> result["status"], sorted(result["analysis"])[:2], len(result["responses"])
        ('ok', ['blind_spots', 'consensus'], 3)
    """
    if max_characters < LEAST_CHARACTERS:
        raise ConfigurationError(
            f"max_characters is {max_characters}:", f"give at least {LEAST_CHARACTERS}."
        )
    # The agent's own model writes the answer, so nobody else is paid for one.
    graph = build_graph(config, Course(answer="none"), tools=tools, name=name)

    def consult(
        task: str,
        include_conversation: bool = False,
        runtime: ToolRuntime[Any, Any] = None,  # type: ignore[assignment] # none outside an agent
    ) -> tuple[str, dict[str, Any] | None]:
        try:
            refuse_recursion()
            asked = _asked(task, include_conversation, runtime)
            report = graph.invoke(asked)["fusion"]
            return tool_result(report, max_characters), report
        except Exception as error:
            return _failed(error)

    async def aconsult(
        task: str,
        include_conversation: bool = False,
        runtime: ToolRuntime[Any, Any] = None,  # type: ignore[assignment] # none outside an agent
    ) -> tuple[str, dict[str, Any] | None]:
        try:
            refuse_recursion()
            asked = _asked(task, include_conversation, runtime)
            report = (await graph.ainvoke(asked))["fusion"]
            return tool_result(report, max_characters), report
        except Exception as error:
            return _failed(error)

    return StructuredTool.from_function(
        consult,
        aconsult,
        name=name,
        description=description,
        args_schema=Consultation,
        response_format="content_and_artifact",
        handle_validation_error=_not_a_task,
    )


def _asked(
    task: str, include_conversation: bool, runtime: ToolRuntime[Any, Any] | None
) -> FusionInput:
    """What the panel is sent: the task, after the end of the conversation if it is wanted."""
    # Outside a ToolNode nothing keeps a model from naming the argument itself.
    known = include_conversation and isinstance(runtime, ToolRuntime)
    earlier = _conversation(runtime) if known else []  # type: ignore[arg-type]
    return {"messages": [*earlier, HumanMessage(task)]}


def _conversation(runtime: ToolRuntime[Any, Any]) -> list[AnyMessage]:
    """The recent turns of the agent's conversation, from a human message to before this call."""
    state = runtime.state
    if isinstance(state, Mapping):
        state = state.get("messages")
    elif not isinstance(state, list):
        state = getattr(state, "messages", None)
    turns: list[AnyMessage] = []
    for message in convert_to_messages(state or []):
        calls = getattr(message, "tool_calls", None) or ()
        if any(call["id"] == runtime.tool_call_id for call in calls):
            break
        # An agent's instructions are about its own tools, not the panel's.
        if not isinstance(message, SystemMessage):
            turns.append(message)  # type: ignore[arg-type]
    return recent(turns, CONVERSATION_CHARACTERS)


def _failed(error: Exception) -> tuple[str, dict[str, Any] | None]:
    if isinstance(error, GraphBubbleUp):
        raise error  # LangGraph's own way out, an interrupt of the user's: not a failure
    if not isinstance(error, FusionError):
        logger.error("The fusion tool failed", exc_info=error)
    report = error.report if isinstance(error, AllPanelistsFailed) else None
    return error_result(error), report


def _not_a_task(_: Exception) -> str:
    return refusal("Give one argument, task: the whole question as text.", "empty_task")
