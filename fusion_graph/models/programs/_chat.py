"""A program as a chat model: one question, one start of it, one answer."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import ConfigDict, Field

from fusion_graph.langgraph_seams.loops import run_blocking
from fusion_graph.models.programs._folder import environment, make_folder
from fusion_graph.models.programs._login import paid_by_plan
from fusion_graph.models.programs._process import read_event, running
from fusion_graph.models.programs._program import DEFAULT_MODEL, Answer, Program, Question
from fusion_graph.models.programs._refusals import failed
from fusion_graph.models.programs._tool_server import CallTool, tool_server
from fusion_graph.models.reply import CALLED
from fusion_graph.prompts import as_one_prompt

LINGER_SECONDS = 3.0
"""How long a program may take to end once it has said its last; then it is ended."""


class ProgramChat(BaseChatModel):
    """A chat model that is a program on this machine.

    Attributes:
        program: Which.
        path: Where it is.
        model_name: Its model, as after the colon of `claude:opus`.
        reasoning_effort: As `FusionConfig`'s.
        max_tokens: Most tokens of the answer, where the program takes a limit.
        answer_schema: What the answer is to keep to, where the program takes a schema.
        offered: Tools that it may use, in OpenAI's format.
        call_tool: Calls one of them.
        sink: Is given the answer piece by piece.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    program: Program
    path: str
    model_name: str
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    answer_schema: dict[str, Any] | None = None
    offered: list[dict[str, Any]] = Field(default_factory=list)
    call_tool: CallTool | None = Field(default=None, exclude=True)
    sink: Callable[[str], None] | None = Field(default=None, exclude=True)

    @property
    def takes_effort(self) -> bool:
        """Whether it can be told how much to reason."""
        return bool(self.program.efforts)

    async def complete(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Start the program with a conversation, and give its answer.

        Args:
            messages: The conversation.

        Raises:
            ProgramFailed: It gave none.
            ReplyTooLarge: It wrote more than any answer takes.
        """
        try:
            return await self._complete(messages)
        except OSError as error:  # no room for its folder, or no further process
            words = f"it does not start: {error.strerror or error}"
            remedy = "see that this machine has room for its files (TMPDIR) and for a process more."
            raise failed(self.program, "bad_request", words, remedy) from error

    async def _complete(self, messages: Sequence[BaseMessage]) -> AIMessage:
        program = self.program
        system, prompt = _as_texts(messages)
        own = program.own_folder()
        # In threads, all that touches the disk: a LangGraph server refuses it on its event loop.
        folder = await asyncio.to_thread(make_folder, own, program.settings[2], program.logins)
        called: list[dict[str, Any]] = []
        started = False
        # What it says on the way to an answer in JSON is no part of it.
        told = _Told(self.sink if self.answer_schema is None else None)
        async with AsyncExitStack() as stack:
            # Once it is started, whatever watches over it removes its folder.
            async def remove() -> None:
                if not started:
                    await asyncio.to_thread(folder.remove)

            stack.push_async_callback(remove)
            bridge: tuple[str, ...] = ()
            if self.offered and self.call_tool is not None:
                call = _noted(self.call_tool, called)
                served = tool_server(folder.socket, self.offered, call)
                bridge = await stack.enter_async_context(served)
            question = Question(
                model="" if self.model_name == DEFAULT_MODEL else self.model_name,
                system=system,
                prompt=prompt,
                folder=folder,
                own=own,
                schema=self.answer_schema if program.takes_schema else None,
                effort=program.efforts.get(self.reasoning_effort or ""),
                max_tokens=self.max_tokens,
                bridge=bridge,
                tools=tuple(tool["function"]["name"] for tool in self.offered) if bridge else (),
            )
            arguments, further = await asyncio.to_thread(program.ask, question)
            variables = environment(folder, program.addresses) | further
            command = [self.path, *arguments]
            started = True
            work = await stack.enter_async_context(running(command, folder, variables, prompt))
            reading = program.read()
            async for line in work.lines():
                event = read_event(line)
                if event is not None:
                    told.take(reading.hear(event))
                if reading.done:
                    break
            answer = reading.end(*await work.ended_within(LINGER_SECONDS))
        answer.text = answer.text.replace(JOINER, "")
        if not told.anything and self.sink is not None:
            self.sink(answer.text)
        if answer.by_plan is None:
            answer.by_plan = await paid_by_plan(program, self.path)
        message = self._message(answer)
        return message.model_copy(update={"additional_kwargs": {CALLED: called}})

    def _message(self, answer: Answer) -> AIMessage:
        told: dict[str, Any] = {"finish_reason": answer.finish}
        told["model_name"] = answer.served or self.model_name
        told["paid_by"] = "plan" if answer.by_plan is not False else "call"
        if answer.by_plan is False and answer.cost_usd is not None:
            told["token_usage"] = {"cost": answer.cost_usd}
        usage: UsageMetadata | None = None
        if answer.read is not None and answer.written is not None:
            usage = UsageMetadata(
                input_tokens=answer.read,
                output_tokens=answer.written,
                total_tokens=answer.read + answer.written,
                input_token_details={
                    "cache_read": answer.cached or 0,
                    "cache_creation": answer.stored or 0,
                },
            )
        return AIMessage(content=answer.text, usage_metadata=usage, response_metadata=told)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        message = await self.complete(messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002 - LangChain's signature
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResult:
        message = run_blocking(partial(self.complete, messages)())
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _resolve_model_profile(self) -> ModelProfile:
        return {
            "text_inputs": True,
            "image_inputs": False,
            "audio_inputs": False,
            "pdf_inputs": False,
            "video_inputs": False,
            "tool_calling": True,
            "structured_output": self.program.takes_schema,
        }

    @property
    def _llm_type(self) -> str:
        return self.program.name

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"program": self.program.name, "model_name": self.model_name}


def _noted(call_tool: CallTool, called: list[dict[str, Any]]) -> CallTool:
    async def call(name: str, args: dict[str, Any] | None) -> tuple[str, bool]:
        called.append({"name": name, "args": args})
        return await call_tool(name, args)

    return call


class _Told:
    """Tells the pieces of an answer as they come.

    Attributes:
        anything: Whether there was one.
    """

    def __init__(self, sink: Callable[[str], None] | None) -> None:
        self.anything = False
        self._sink = sink

    def take(self, piece: str) -> None:
        """Tell a piece."""
        if piece and self._sink is not None:
            self.anything = True
            self._sink(piece.replace(JOINER, ""))


JOINER = "\u2060"
"""The word joiner: invisible, and no part of any file's name."""

_MENTION = re.compile(r"(?<![\w.])@(?=\S)")

_COMMANDS = ("/", "!", "#", "-", "?")
"""How a prompt begins that a program takes for a command of its own."""


def _as_texts(messages: Sequence[BaseMessage]) -> tuple[str, str]:
    """Put a conversation into instructions and one prompt: a program takes no more at its start."""
    system = [m.text for m in messages if isinstance(m, SystemMessage)]
    rest = [m for m in messages if not isinstance(m, SystemMessage)]
    turns = [_turn(message) for message in rest]
    marked = turns[:1] if len(turns) == 1 and turns[0][1].lstrip().startswith(_COMMANDS) else []
    # A program reads the file that an `@` names, and puts it into the prompt; pages and answers of
    # other models, whose words stand in prompts, may name any.
    prompt = _MENTION.sub(f"@{JOINER}", as_one_prompt(turns, marked=bool(marked)))
    return "\n\n".join(system), prompt


def _turn(message: BaseMessage) -> tuple[str, str]:
    if isinstance(message, ToolMessage):
        return "tool", message.text
    if not isinstance(message, AIMessage):
        return "user", message.text
    called = [f"(It called {c['name']} {json.dumps(c['args'])})" for c in message.tool_calls]
    return "assistant", "\n".join([message.text, *called] if message.text else called)
