"""The writer: the final answer from the panel's work, or its own research where there is none."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from fusion_graph.offline._chat import Extract, ExtractiveModel
from fusion_graph.offline._composing import COMPILED, compose
from fusion_graph.offline._material import asked_in, panel_material
from fusion_graph.offline._reading import fences
from fusion_graph.offline._routing import route
from fusion_graph.offline.panelist import METHODS, research
from fusion_graph.prompts import ROUTER

ALONE = replace(METHODS["keyword"], quotes=False)
"""How it researches by itself. What it says is the final answer: nobody takes the quote out of
the citation again, and a sentence should not say its words twice."""

_WORD = re.compile(r"\s*\S+|\s+\Z")


class WriterModel(ExtractiveModel):
    """A writer without a language model. It streams word by word.

    Without a panel's work in the conversation it researches like the `keyword` panelist; asked
    to route a request it decides by the request's wording.
    """

    def reply(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Extract:
        """The composed answer, a routing decision, or the next step of its own research."""
        if any(isinstance(m, SystemMessage) and ROUTER in m.text for m in messages):
            return Extract(json.dumps(route(_request(messages))))
        material = panel_material(messages)
        if material is not None:
            return Extract(compose(material))
        reply = research(messages, tools, ALONE)
        return reply if reply.calls else Extract(f"{reply.text}\n\n{COMPILED}")

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from chunks(self.message(messages, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        result = await self._agenerate(messages, stop, None, **kwargs)
        message = result.generations[0].message
        assert isinstance(message, AIMessage)
        for chunk in chunks(message):
            yield chunk


def chunks(message: AIMessage) -> Iterator[ChatGenerationChunk]:
    """A message word by word; tool calls, usage and metadata come with the last chunk."""
    for word in _WORD.findall(message.text):
        yield ChatGenerationChunk(message=AIMessageChunk(content=word))
    yield ChatGenerationChunk(
        message=AIMessageChunk(
            content="",
            tool_call_chunks=[
                tool_call_chunk(
                    name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=index
                )
                for index, call in enumerate(message.tool_calls)
            ],
            usage_metadata=message.usage_metadata,
            response_metadata=message.response_metadata,
            chunk_position="last",
        )
    )


def _request(messages: Sequence[BaseMessage]) -> str:
    """The text to route: the last thing the person said, also in a conversation told as text."""
    last = next((m.text for m in reversed(messages) if isinstance(m, HumanMessage)), "")
    pieces = fences(last)
    return asked_in(pieces[-1].body)[-1] if pieces else last
