"""Answers in the form of a schema: what to ask of the writer, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import (
    JsonOutputKeyToolsParser,
    JsonOutputParser,
    PydanticOutputParser,
    PydanticToolsParser,
)
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

Method = Literal["function_calling", "json_schema", "json_mode"]

FORMAT_FOR_TRACES = "ls_structured_output_format"
"""LangChain takes this setting out of a call again, and tells tracers."""


def structured(
    model: BaseChatModel,
    schema: dict[str, Any] | type,
    method: Method,
    strict: bool | None,
    include_raw: bool,
    settings: Mapping[str, Any],
) -> Runnable[Any, Any]:
    """The model followed by a parser of what it was asked for.

    Args:
        model: Takes `tools`, `tool_choice` and `response_format` with a call.
        schema: A pydantic class, a TypedDict or a JSON schema.
        method: How to ask.
        strict: Whether the provider is to hold the writer to the schema.
        include_raw: Give the message too, and the parser's error instead of raising it.
        settings: Other settings of the calls.

    Raises:
        ValueError: No such method.
    """
    told = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
    asked: Runnable[Any, Any]
    parser: Runnable[Any, Any]
    if method == "function_calling":
        tool = convert_to_openai_tool(schema, strict=strict)
        name = tool["function"]["name"]
        choice = {"type": "function", "function": {"name": name}}
        asked = model.bind(
            tools=[tool], tool_choice=choice, **{FORMAT_FOR_TRACES: told}, **settings
        )
        parser = (
            PydanticToolsParser(tools=[schema], first_tool_only=True)
            if pydantic
            else JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
        )
    elif method in ("json_schema", "json_mode"):
        wanted: dict[str, Any] = {"type": "json_object"}
        if method == "json_schema":
            form = convert_to_json_schema(schema, strict=strict)
            wanted = {"name": form["title"], "schema": form}
            wanted |= {"strict": strict} if strict is not None else {}
            wanted = {"type": "json_schema", "json_schema": wanted}
        asked = model.bind(response_format=wanted, **{FORMAT_FOR_TRACES: told}, **settings)
        parser = PydanticOutputParser(pydantic_object=schema) if pydantic else JsonOutputParser()
    else:
        raise ValueError(f"method is one of function_calling, json_schema, json_mode: {method!r}")
    if not include_raw:
        return asked | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    unparsed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=asked) | parsed.with_fallbacks([unparsed], exception_key="parsing_error")
