"""A request of OpenAI's Responses: its items as a conversation, its options as settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BeforeValidator, Field

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols._asked import CARRIED, Asked, ClientTool
from fusion_graph.faces.server.protocols._chat_request import ignored, refuse_meaningful
from fusion_graph.faces.server.protocols._fields import (
    EFFORTS,
    MAX_MESSAGES,
    MAX_TOOLS,
    PICTURE,
    Part,
    answer_format,
    arguments,
    check_picture,
    checked,
    result_content,
    shown,
    wire_name,
    wrong,
)
from fusion_graph.faces.server.protocols._files import file_block
from fusion_graph.faces.server.protocols._openrouter import plugin_settings, wants_fusion_items
from fusion_graph.faces.server.protocols._responses_tools import chosen_tool, client_tools

HARMLESS: Mapping[str, Any] = {
    "top_p": 1,
    "top_logprobs": 0,
    "background": False,
    "truncation": "disabled",
    "service_tier": "auto",
    "n": 1,
}
"""Values that ask for nothing, of fields that are not honoured."""

MEANINGFUL: Mapping[str, str] = {
    "background": "Runs end with their request here: stream instead.",
    "conversation": "This server keeps no conversations: send all of it as `input`.",
    "prompt": "This server keeps no prompts: send the words as `instructions` and `input`.",
    "top_logprobs": "An answer written from several models' has no token probabilities.",
}
"""Fields that would change what the answer means, and are refused rather than overlooked."""

PASSED_OVER = frozenset({"openrouter:fusion", "compaction", "additional_tools"})
"""Items of an input that mean nothing here and are no mistake of the client's."""


class Item(Part):
    """An item of the input, of any type; each type has its own fields."""

    type: str = "message"
    role: str | None = None
    content: Any = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: Any = None
    encrypted_content: str | None = None


def _items(value: Any) -> Any:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


class Body(Part):
    """The fields that are honoured."""

    model: str = Field(min_length=1)
    input: Annotated[list[Item], BeforeValidator(_items)] = Field(max_length=MAX_MESSAGES * 4)
    instructions: str | None = None
    previous_response_id: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = Field(default=None, max_length=MAX_TOOLS * 2)
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    include: list[Any] | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    plugins: list[dict[str, Any]] | None = None
    fusion: dict[str, Any] | None = None
    seed: int | None = None


def read_responses(data: Mapping[str, Any]) -> Asked:
    """Read a request of `/v1/responses`; earlier responses are in its input by now.

    Args:
        data: The body.

    Raises:
        ApiError: 400, naming the field.
    """
    refuse_meaningful(data, MEANINGFUL, HARMLESS)
    body = checked(Body, data)
    fusion = {**plugin_settings(data), **(body.fusion or {})}
    events = fusion.pop("events", None)
    if events not in (None, True, False):
        raise wrong("fusion.events", "true or false is meant.")
    reasoning = body.reasoning or {}
    # An answer in one piece holds a summary for those who ask for one, as OpenAI's do.
    otherwise = True if body.stream else reasoning.get("summary") is not None
    progress = shown(fusion, otherwise and reasoning.get("exclude") is not True)
    offered, tools, strange = client_tools(body.tools or ())
    conversation: list[AnyMessage] = []
    if body.instructions:
        conversation.append(SystemMessage(body.instructions))
    conversation += _conversation(body.input)
    return Asked(
        model=body.model,
        conversation=conversation,
        beside=_settings(body, offered, tools),
        fusion=fusion,
        stream=bool(body.stream),
        one_call=body.parallel_tool_calls is False,
        progress=progress,
        events=wants_fusion_items(data) if events is None else events,
        tools=tools,
        ignored=[*ignored(data, Body, HARMLESS), *strange],
        where="input",
        body=data,
    )


def _settings(
    body: Body, offered: list[dict[str, Any]], tools: Mapping[str, ClientTool]
) -> dict[str, tuple[str, Any]]:
    settings: dict[str, tuple[str, Any]] = {}
    if body.max_output_tokens is not None:
        settings["writer_max_tokens"] = ("max_output_tokens", body.max_output_tokens)
    if body.temperature is not None:
        settings["temperature"] = ("temperature", body.temperature)
    if body.seed is not None:
        settings["seed"] = ("seed", body.seed % 2**32)
    effort = (body.reasoning or {}).get("effort")
    if effort is not None:
        if effort not in EFFORTS:
            raise wrong("reasoning.effort", f"one of {', '.join(EFFORTS)} is meant.")
        settings["reasoning_effort"] = ("reasoning.effort", effort)
    if offered:
        settings["writer_tools"] = ("tools", offered)
    if (choice := body.tool_choice) is not None:
        settings |= chosen_tool(choice, tools)
    wanted = (body.text or {}).get("format")
    if isinstance(wanted, dict):
        schema = {key: wanted[key] for key in ("name", "schema", "strict") if key in wanted}
        settings |= answer_format(wanted.get("type"), schema, "text.format")
    return settings


def _conversation(items: Sequence[Item]) -> Iterator[AnyMessage]:
    """Messages of items: what an answer thought, said and called is one message again."""
    answer = _Answer()
    for index, item in enumerate(items):
        where = f"input.{index}"
        if answer.takes(item, where):
            continue
        if item.type == "message" and not answer.empty:
            yield answer.message()
            answer = _Answer()
        if item.type == "message":
            yield _said(item, where)
        elif item.type.endswith("_call_output"):
            if not item.call_id:
                raise wrong(where, "a tool's output needs `call_id`.", "missing_parameter")
            if not answer.empty:
                yield answer.message()
                answer = _Answer()
            yield ToolMessage(_output(item.output, f"{where}.output"), tool_call_id=item.call_id)
        elif item.type == "item_reference":
            raise ApiError(
                400,
                f"`{where}` refers to an item that this server does not keep: send it whole, or "
                "set `store` to false in the client.",
                "unknown_item",
                param=where,
            )
        elif item.type not in PASSED_OVER and not item.type.endswith("_call"):
            raise wrong(f"{where}.type", f"items of the type {item.type[:60]!r} are not known.")
    if not answer.empty:
        yield answer.message()


class _Answer:
    """One answer of ours, gathered from the items that it came in."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._calls: list[dict[str, Any]] = []
        self._broken: list[dict[str, Any]] = []
        self._carried: list[tuple[str, dict[str, Any]]] = []

    @property
    def empty(self) -> bool:
        """Whether nothing has been gathered."""
        return not (self._texts or self._calls or self._broken or self._carried)

    def takes(self, item: Item, where: str) -> bool:
        """Take an item if it is a part of an answer; says whether it was."""
        if item.type == "reasoning":
            if item.encrypted_content:
                self._carried.append((item.encrypted_content, {}))
            return True
        if item.type == "message" and item.role == "assistant":
            self._texts.append(_text(item.content, f"{where}.content"))
            return True
        if item.type in ("function_call", "custom_tool_call"):
            self._call(item, where)
            return True
        return False

    def _call(self, item: Item, where: str) -> None:
        if not item.call_id or not item.name:
            raise wrong(where, "a call needs `call_id` and `name`.", "missing_parameter")
        name = wire_name(item.name, item.namespace)
        if item.type == "custom_tool_call":
            args: dict[str, Any] | None = {"input": item.input or ""}
        else:
            args = arguments(item.arguments or "")
        call = {"name": name, "id": item.call_id}
        if args is not None:
            self._calls.append({**call, "args": args})
        else:
            why = {"args": item.arguments, "error": "not a JSON object"}
            self._broken.append({**call, **why})

    def message(self) -> AIMessage:
        """What was gathered as one message."""
        return AIMessage(
            "\n\n".join(self._texts),
            tool_calls=self._calls,
            invalid_tool_calls=self._broken,
            response_metadata={CARRIED: self._carried},
        )


def _said(item: Item, where: str) -> AnyMessage:
    if item.role in ("system", "developer"):
        return SystemMessage(_text(item.content, f"{where}.content"))
    if item.role != "user":
        raise wrong(f"{where}.role", "user, assistant, system or developer is meant.")
    if isinstance(item.content, str):
        return HumanMessage(item.content)
    blocks: list[str | dict[str, Any]] = [
        _part(part, f"{where}.content.{index}")
        for index, part in enumerate(_list(item.content, f"{where}.content"))
    ]
    first = blocks[0] if blocks else None
    if len(blocks) == 1 and isinstance(first, dict) and first["type"] == "text":
        return HumanMessage(first["text"])
    return HumanMessage(blocks)


def _list(content: Any, where: str) -> list[Any]:
    if not isinstance(content, list):
        raise wrong(where, "a text or a list of parts is meant.")
    return content


def _part(part: Any, where: str) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": str(part.get("text", ""))}
    if kind == "input_image":
        if not isinstance(url := part.get("image_url"), str):
            raise wrong(where, "this server keeps no files: send `image_url`.")
        detail = part.get("detail")
        image = {"url": check_picture(url, f"{where}.image_url")}
        more = {"detail": detail} if detail in ("auto", "low", "high") else {}
        return {"type": "image_url", "image_url": {**image, **more}}
    if kind == "input_file":
        if not isinstance(data := part.get("file_data"), str):
            raise wrong(where, "this server keeps and fetches no files: send `file_data`.")
        return file_block(data, part.get("filename"), f"{where}.file_data")
    raise wrong(f"{where}.type", f"parts of the type {str(kind)[:60]!r} are not known here.")


def _text(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in _list(content or [], where) if isinstance(part, dict)]
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts)


def _output(output: Any, where: str) -> str | list[str | dict[str, Any]]:
    """What a tool returned: its texts, and its pictures beside them."""
    if output is None or isinstance(output, str):
        return output or ""
    texts, pictures = [], []
    for index, part in enumerate(_list(output, where)):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in ("input_text", "output_text", "text"):
            texts.append(str(part.get("text", "")))
        elif kind == "input_image" and isinstance(part.get("image_url"), str):
            texts.append(PICTURE)
            pictures.append(_part(part, f"{where}.{index}"))
        else:
            texts.append(f"[{kind or 'something'}, which cannot be shown here]")
    return result_content(texts, pictures)
