"""One question to one model: retried where that helps, recorded whatever happens.

Every call a run makes goes through `Caller.ask`, so retries, refused parameters, tokens, cost
and times are dealt with here and nowhere else.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

from langchain_core.globals import get_llm_cache
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from fusion_graph.cost.budget import Budget, OverBudget, Share
from fusion_graph.cost.counts import counted
from fusion_graph.errors import Degradation, Failure, FailureReason
from fusion_graph.models._charges import Heard, charged_nothing
from fusion_graph.models._foreign import tool_choice_for, with_cache_marks
from fusion_graph.models._reading import read_reply
from fusion_graph.models._served import served_by
from fusion_graph.models.apis import (
    API_LOSSES,
    API_REFUSALS,
    ENCRYPTED_REASONING,
    REASONING_WITH_TOOLS,
)
from fusion_graph.models.failures import (
    DETAIL_CHARACTERS,
    failure_of,
    reason_of,
    refused_parameter,
    refused_tools,
    retry_after,
    status_of,
    words_of,
    worth_retrying,
)
from fusion_graph.models.fitting import CONTEXT, Fitting, ended_by, read_tokens, too_long_detail
from fusion_graph.models.journal import Journal
from fusion_graph.models.open import Model
from fusion_graph.models.reply import without_turn
from fusion_graph.models.secrets import scrub
from fusion_graph.models.window import TooLong, tokens_of, tools_tokens
from fusion_graph.state import CallRecord, StageName
from fusion_graph.state.events import Emit
from fusion_graph.text.thinking import without_thinking

ATTEMPTS = 3
"""Tries of one call, the first included."""

BACKOFF_SECONDS = 0.5
"""Wait before the second try; doubled before the third, with up to as much jitter on top."""

LONGEST_WAIT = 60.0
"""Most seconds a provider is waited for as it asks; a longer wait fails the call at once. Limits
per minute are over by then; what is longer is a limit per hour or day, and the run goes on without
the model."""

UNSEEN = ["nostream"]
"""Tag that keeps LangGraph's `messages` mode from emitting a model's reply by itself."""


@dataclass(frozen=True)
class Options:
    """What a call asks for besides an answer. None leaves a parameter to the provider.

    Attributes:
        tools: Tools offered, as OpenAI-format dicts.
        tool_choice: As OpenAI's; `none` forbids calls while the tools stay listed.
        temperature: 0 to 2.
        reasoning_effort: As the provider names it.
        max_tokens: Most tokens of the reply.
        response_formats: Ways to ask for JSON, strongest first; a refused one gives way to the
            next, and after the last the call goes without.
        cache_control: Whether what a provider is to keep in its cache is marked.
    """

    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str | dict[str, Any] | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    max_tokens: int | None = None
    response_formats: tuple[dict[str, Any], ...] = ()
    cache_control: bool | None = None

    def without(self, name: str) -> Options:
        """The options after a refusal of `failures.PARAMETERS` or `apis.API_REFUSALS`."""
        if name == REASONING_WITH_TOOLS:
            return replace(self, reasoning_effort="none") if self.tools else self
        if name in API_REFUSALS:
            return self
        if name == "response_format":
            return replace(self, response_formats=self.response_formats[1:])
        if name == "tools":
            return replace(self, tools=(), tool_choice=None)
        cleared: dict[str, Any] = {name: None}
        return replace(self, **cleared)

    def parameters(self) -> dict[str, Any]:
        """The parameters that can be refused and are set, by their wire names."""
        sent: dict[str, Any] = {
            "temperature": self.temperature,
            "reasoning_effort": self.reasoning_effort,
            "tool_choice": self.tool_choice if self.tools else None,
            "tools": list(self.tools) or None,
            "max_tokens": self.max_tokens,
            "response_format": self.response_formats[0] if self.response_formats else None,
            "cache_control": self.cache_control,
        }
        return {name: value for name, value in sent.items() if value is not None}


_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
}
"""Other providers' words for OpenAI's: Anthropic's `stop_reason`, Google's `FinishReason`,
Mistral's `model_length`."""


_MALFORMED = frozenset(
    {"malformed_function_call", "unexpected_tool_call", "too_many_tool_calls", "tool_use_failed"}
)
"""Google's `FinishReason`s for a call that it could not read, which come with an empty reply; and
Groq's code, where a gateway makes a finish reason of it."""


@dataclass(frozen=True)
class Reply:
    """A model's reply.

    Attributes:
        message: As it came; calls that it held as text are calls.
        text: What a reader may see of it: no reasoning, no calls, nothing of the prompts' own.
        ended_by: What ended it before its end, if that was not the cap that was asked for.
        remedy: What to do about that.
    """

    message: AIMessage
    text: str
    ended_by: str = ""
    remedy: str = ""

    @property
    def finish_reason(self) -> str:
        """Why the model stopped, in OpenAI's words if they have one; empty if it does not say."""
        metadata = self.message.response_metadata
        names = ("finish_reason", "stop_reason", "done_reason")
        said = next((str(metadata[name]) for name in names if metadata.get(name)), "")
        return _FINISH_REASONS.get(said.lower(), said)

    @property
    def malformed_call(self) -> bool:
        """Whether its provider says that the model's call of a tool could not be read."""
        metadata = self.message.response_metadata
        names = ("finish_reason", "native_finish_reason", "stop_reason")
        return any(str(metadata.get(name) or "").lower() in _MALFORMED for name in names)

    def without_calls(self) -> Reply:
        """The same without calls of tools, and so without the provider's turn, which holds them."""
        none: dict[str, Any] = {"tool_calls": [], "invalid_tool_calls": []}
        return replace(self, message=without_turn(self.message.model_copy(update=none)))

    def cut_by(self, limit: str) -> str:
        """What broke the reply off before its end; empty if nothing did.

        Args:
            limit: The field that sets its length.
        """
        filtered = "the provider's filter"
        told = [part for part in (self.ended_by, self.remedy.rstrip(".")) if part]
        too_long = "; ".join(told) or limit
        return {"length": too_long, "content_filter": filtered}.get(self.finish_reason, "")

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to read in it for no reason that a second try would meet too."""
        cut = self.finish_reason == "length"
        return not self.text and not cut and self.silence()["reason"] == "empty_answer"

    def silence(self) -> Failure:
        """Why there is nothing to read in it, if there is nothing."""
        if refusal := self.message.additional_kwargs.get("refusal"):
            words = " ".join(scrub(str(refusal)).split())[:DETAIL_CHARACTERS]
            return _not_tried_again("content_filter", f"The model refused: {words}")
        if self.finish_reason == "content_filter":
            return _not_tried_again("content_filter", "The provider's filter withheld the reply.")
        said = self.message.text.strip()
        why = "It sent only reasoning." if said else "The reply was blank."
        if said and without_thinking(said):
            why = "It wrote a tool call as text, or repeated the prompt, and no answer."
        if self.finish_reason == "length" and self.ended_by.startswith(CONTEXT):
            return _not_tried_again(
                "context_length", f"{why} It was ended by {self.ended_by}. {self.remedy}"
            )
        if self.finish_reason == "length" and self.ended_by:
            return _not_tried_again(
                "empty_answer",
                f"{why} It was ended by {self.ended_by}: raise max_completion_tokens and the "
                "server's own token limit, or lower the reasoning effort.",
            )
        if self.finish_reason == "length":
            why += (
                " It used up its token limit, max_completion_tokens: raise it, or lower the "
                "reasoning effort."
            )
        return _not_tried_again("empty_answer", why)


def _steps_down(refused: str, options: Options, error: BaseException) -> int:
    """How many ways to ask a refusal does away with: of two schemas, both, or only their bounds."""
    kinds = [wanted.get("type") for wanted in options.response_formats[:2]]
    if refused != "response_format" or kinds != ["json_schema", "json_schema"]:
        return 1
    return 1 if _BOUNDS.search(words_of(error)) else 2


_BOUNDS = re.compile(r"max_?items|max_?length|keyword", re.IGNORECASE)
"""What a refusal of a schema's bounds names: OpenAI's, Azure's, Anthropic's, llama.cpp's."""


def _not_tried_again(reason: FailureReason, detail: str) -> Failure:
    return {"reason": reason, "detail": detail, "http_status": None, "attempts": 1}


class CallFailed(Exception):
    """A call that got no reply, after every try. `failure` says why; `__cause__` is the error."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure['reason']}: {failure['detail']}")
        self.failure = failure


def _open_gate(_: str) -> AbstractAsyncContextManager[Any]:
    return nullcontext()


def _unwatched() -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass
class Caller:
    """Somebody in a run who calls models: keeps the records, sends the events.

    Attributes:
        stage: Which part of the run pays.
        name: Who: a panelist's name, or the stage's.
        started: Unix time the run began, seconds.
        emit: Sends progress events.
        calls: Records of all calls so far, failed ones included.
        budget: The run's; None where nothing limits it.
        gate: Gives way to a call of a provider, where only so many may be made at once.
        resting: Is entered while a provider's wait is kept: nobody is silent then.
        tools_wanted: Whether a model that takes no tools is a failure: somebody else can be asked.
        without_tools: Why a model went without tools, in its provider's words; empty if none did.
        journal: Keeps finished calls, and has those of a process that died; None keeps nothing.
        nonce: The run's delimiter secret, which nobody is to see.
        echoed: What its last reply repeated of the prompts, and was taken out.
        fitting: Cuts prompts to the models' contexts, and tells what was cut.
    """

    stage: StageName
    name: str
    started: float
    emit: Emit
    calls: list[CallRecord] = field(default_factory=list)
    budget: Budget | None = None
    gate: Callable[[str], AbstractAsyncContextManager[Any]] = _open_gate
    resting: Callable[[], AbstractContextManager[Any]] = _unwatched
    tools_wanted: bool = False
    without_tools: str = ""
    journal: Journal | None = None
    nonce: str = ""
    echoed: list[str] = field(default_factory=list)

    fitting: Fitting = field(default_factory=Fitting)

    def __post_init__(self) -> None:
        self.fitting.name = self.name

    def echoes(self, who: str) -> list[Degradation]:
        """What its last reply repeated of the prompts, as a degradation, if anything.

        Args:
            who: Whose reply it is, for the report.
        """
        if not self.echoed:
            return []
        detail = f"{who} repeated {' and '.join(self.echoed)}; taken out of its answer."
        return [{"code": "prompt_echoed", "detail": detail}]

    async def ask(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None = None,
        restart: Callable[[str], None] | None = None,
    ) -> Reply:
        """A model's reply to a conversation.

        Args:
            model: Which model. Parameters it refuses are remembered on it.
            messages: The conversation.
            options: What to ask for.
            sink: Takes the text as it streams in; None asks for it in one piece.
            restart: Told, with the reason, that what the sink was given is void.

        Raises:
            CallFailed: There was none.
        """
        if self.journal is None:
            return await self._ask(model, messages, options, sink, restart)
        step = self.journal.next_call()
        kept = self.journal.found(step)
        if kept is not None:
            return self._again(model, kept, messages, options, sink)
        made = len(self.calls)
        reply = await self._ask(model, messages, options, sink, restart)
        message = reply.message.model_dump(mode="json")
        kept = {"message": message, "calls": self.calls[made:], "cut": self.fitting.kept()}
        self.journal.keep(step, {**kept, "ended_by": reply.ended_by, "remedy": reply.remedy})
        return reply

    def _again(
        self,
        model: Model,
        kept: dict[str, Any],
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None,
    ) -> Reply:
        """A reply from the journal, with all that followed from getting it."""
        for record in kept["calls"]:
            self.calls.append(record)
            model.note_refused(record["left_out"])
            if self.budget is not None:
                self.budget.count(record)
        self.fitting.resume(kept.get("cut", {}))
        message = AIMessage.model_validate(kept["message"])
        if sink is not None:
            sink(message.text)
        ended = kept.get("ended_by", ""), kept.get("remedy", "")
        return self._read(message, messages, options, ended)

    def _read(
        self,
        message: AIMessage,
        messages: Sequence[BaseMessage],
        options: Options,
        ended: tuple[str, str],
    ) -> Reply:
        """The reply in a message, in whatever dress its text and its calls came."""
        allowed = options.tool_choice != "none"
        message, text, self.echoed = read_reply(
            message, messages, options.tools, allowed, self.nonce
        )
        return Reply(message, text, *ended)

    async def _ask(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None,
        restart: Callable[[str], None] | None,
    ) -> Reply:
        # Who may call tools is asked again, with all of this before what they bring; the writer,
        # whose tools are somebody else's, is not.
        marks = model.cache_marks and model.api == "chat" and self.stage != "synthesis"
        if marks and options.tools:
            options = replace(options, cache_control=True)
        for name in model.refused:
            options = options.without(name)
        left = options.response_formats[model.formats_refused :]
        options = replace(options, response_formats=left)
        if model.without_reasoning and options.tools:
            model.refused.add(REASONING_WITH_TOOLS)
            options = options.without(REASONING_WITH_TOOLS)
        await model.look_again()
        found: set[str] = set()
        attempt = 1
        while True:
            asked = model.api
            sent, fitted = self._fitted(model, messages, options)
            try:
                message = await self._once(model, sent, fitted, sink)
            except CallFailed:
                raise
            except Exception as error:
                if self._fits_better(model, messages, options, error, (sent, fitted)):
                    attempt += 1
                    continue
                parameters = options.parameters()
                refused = model.refused_api(error, parameters, asked, found)
                if refused is not None:
                    found.add(refused)
                else:
                    refused = refused_parameter(error, parameters)
                if refused == "tools":
                    if self.tools_wanted:
                        raise CallFailed(_failure(model, error, attempt)) from error
                    self.without_tools = refused_tools(error, model.secrets)
                if refused is not None:
                    for _ in range(_steps_down(refused, options, error)):
                        options = options.without(refused)
                        model.note_refused([refused])
                        if refused in API_LOSSES or refused not in API_REFUSALS:
                            self.calls[-1]["left_out"].append(refused)
                    continue
                await self._wait_or_give_up(model, error, attempt)
                if restart is not None:
                    restart(reason_of(error))
                attempt += 1
                continue
            self._counted(model, sent, fitted, message)
            ended = ended_by(model.window, options.max_tokens, fitted.max_tokens, message)
            remedy = model.window.remedy() if ended.startswith(CONTEXT) else ""
            return self._read(message, messages, options, (ended, remedy))

    def _fitted(
        self, model: Model, messages: Sequence[BaseMessage], options: Options
    ) -> tuple[list[BaseMessage], Options]:
        """The conversation and options as the model's context has room for them.

        Raises:
            CallFailed: The question itself does not fit.
        """
        most = options.max_tokens
        try:
            sent, fits = self.fitting.plan(model.ref, model.window, messages, options.tools, most)
        except TooLong as error:
            detail = too_long_detail(model.ref, model.window, error)
            raise CallFailed(_not_tried_again("context_length", detail)) from None
        return sent, options if most is None else replace(options, max_tokens=fits)

    def _fits_better(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        error: Exception,
        tried: tuple[list[BaseMessage], Options],
    ) -> bool:
        """Whether a refusal told how much the model reads, and there is less to be sent then."""
        if status_of(error) not in (400, 413, 422):
            return False
        estimate = sum(map(tokens_of, tried[0])) + tools_tokens(options.tools)
        if not model.window.refused(words_of(error), estimate):
            return False
        return self._fitted(model, messages, options) != tried

    def _counted(
        self, model: Model, sent: Sequence[BaseMessage], options: Options, message: AIMessage
    ) -> None:
        """Learn from the server's count of a prompt, and notice what it did not read."""
        tokens = read_tokens(message)
        if not tokens:
            return
        self.fitting.read(model.ref, model.window, sent, tokens)
        if model.window.tokens is not None:
            estimate = sum(map(tokens_of, sent)) + tools_tokens(options.tools)
            model.window.count(estimate, tokens)
        model.window.last_read = tokens

    async def _once(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None,
    ) -> AIMessage:
        """One try, with its record."""
        async with self.gate(model.provider):
            share = self._begin(model, messages, options)
            record = self._open(model)
            heard = None if sink is None else Heard(sink)
            into = None if heard is None else heard.take
            try:
                message = await _send(model, messages, options, self._trace(), into)
            except asyncio.CancelledError:
                self._fail(record, "timed_out", model, share, heard)
                raise
            except Exception as error:
                unpaid = charged_nothing(error, heard)
                self._fail(record, reason_of(error), model, share, heard, unpaid=unpaid)
                raise
            _note_usage(record, message)
            record["cost_usd"] = model.cost(message)
            self._close(record, "ok", share)
            return message

    async def _wait_or_give_up(self, model: Model, error: Exception, attempt: int) -> None:
        wait = retry_after(error)
        if attempt >= ATTEMPTS or not worth_retrying(error) or (wait or 0) > LONGEST_WAIT:
            raise CallFailed(_failure(model, error, attempt)) from error
        if wait is None:
            base = BACKOFF_SECONDS * 2 ** (attempt - 1)
            wait = base + random.uniform(0, base)
        self.emit(
            "call.retried",
            stage=self.stage,
            name=self.name,
            model=model.ref,
            reason=reason_of(error),
            seconds=round(wait, 2),
        )
        with self.resting():
            await asyncio.sleep(wait)

    def _trace(self) -> RunnableConfig:
        """How the call shows in traces (LangSmith, Langfuse, OpenTelemetry)."""
        return {
            "run_name": f"{self.stage}: {self.name}",
            "tags": [*UNSEEN, f"fusion:{self.stage}"],
            "metadata": {"fusion_stage": self.stage, "fusion_name": self.name},
        }

    def _begin(
        self, model: Model, messages: Sequence[BaseMessage], options: Options
    ) -> Share | None:
        if self.budget is None:
            return None
        try:
            return self.budget.begin(model, messages, options.max_tokens)
        except OverBudget as error:
            raise CallFailed(
                {"reason": "over_budget", "detail": str(error), "http_status": None, "attempts": 0}
            ) from None

    def _now(self) -> float:
        return round(time.time() - self.started, 4)

    def _open(self, model: Model) -> CallRecord:
        record: CallRecord = {
            "stage": self.stage,
            "name": self.name,
            "model": model.ref,
            "served": None,
            "provider": None,
            "input_tokens": None,
            "output_tokens": None,
            "cached_tokens": None,
            "cache_write_tokens": None,
            "cost_usd": None,
            "likely_usd": None,
            "likely_tokens": None,
            "start": self._now(),
            "end": 0.0,
            "outcome": "timed_out",
            "left_out": sorted(model.refused & API_LOSSES),
        }
        self.calls.append(record)
        return record

    def _fail(
        self,
        record: CallRecord,
        outcome: str,
        model: Model,
        share: Share | None,
        heard: Heard | None,
        *,
        unpaid: bool = False,
    ) -> None:
        """Close the record of a call without a reply: it cost nothing, or nobody knows what."""
        if unpaid or model.bills_nobody:
            record["cost_usd"] = 0.0
        if share is not None and not unpaid:
            taken = share.after(model, heard.characters if heard else 0)
            record["likely_usd"], record["likely_tokens"] = taken.usd, taken.tokens
        self._close(record, outcome, share)

    def _close(self, record: CallRecord, outcome: str, share: Share | None) -> None:
        record["end"] = self._now()
        record["outcome"] = outcome
        if self.budget is not None:
            self.budget.end(share, record)


def _failure(model: Model, error: BaseException, attempts: int) -> Failure:
    return failure_of(
        error,
        attempts,
        secrets=model.secrets,
        key_name=model.key_name,
        address=model.address,
    )


def _note_usage(record: CallRecord, message: AIMessage) -> None:
    """Write into a record what a reply says of itself: tokens, and who really answered."""
    tokens = counted(message)
    if tokens is not None:
        record["input_tokens"], record["output_tokens"] = tokens.read, tokens.written
        record["cached_tokens"], record["cache_write_tokens"] = tokens.cached, tokens.cache_write
    record["served"], record["provider"] = served_by(message)


async def _send(
    model: Model,
    messages: Sequence[BaseMessage],
    options: Options,
    config: RunnableConfig,
    sink: Callable[[str], None] | None,
) -> AIMessage:
    if model.protocol:
        return await _send_protocol(model, messages, options, config, sink)
    chat: Any = model.chat
    if model.ours:
        chat = chat.model_copy(update=model.settings(options.parameters()))
    if options.tools:
        messages = with_cache_marks(chat, messages)
        choice = tool_choice_for(chat, options.tool_choice)
        if choice is None and options.tool_choice not in (None, "none"):
            model.note_refused(["tool_choice"])
        chat = chat.bind_tools(list(options.tools), **({"tool_choice": choice} if choice else {}))
    if sink is None or options.tools:
        # LangChain mends the arguments of a streamed call that breaks off, and they would be run.
        reply = _as_message(await chat.ainvoke(list(messages), config))
        if sink is not None:
            sink(reply.text)
        return reply
    # The instance was told not to stream; asking it to is the way to say otherwise.
    yes = {"streaming": True} if "streaming" in type(chat).model_fields else {}
    chat = chat.model_copy(update={"disable_streaming": False, **yes})
    whole: AIMessageChunk | None = None
    async for chunk in chat.astream(list(messages), config):
        if chunk.text:
            sink(chunk.text)
        whole = chunk if whole is None else whole + chunk
    return _as_message(whole)


async def _send_protocol(
    model: Model,
    messages: Sequence[BaseMessage],
    options: Options,
    config: RunnableConfig,
    sink: Callable[[str], None] | None,
) -> AIMessage:
    chat: Any = model.client()
    if sink is not None:
        chat = chat.model_copy(update={"sink": sink})
    parameters = options.parameters()
    if model.api == "responses" and not model.has_refused(ENCRYPTED_REASONING):
        parameters["include"] = ["reasoning.encrypted_content"]
    if model.provider == "openrouter":
        # Asks OpenRouter to put `cost` into the usage; elsewhere it would be refused.
        parameters["extra_body"] = {"usage": {"include": True}}
    if _watched():
        return _as_message(await chat.ainvoke(list(messages), config, **parameters))
    return _as_message(await chat.complete(list(messages), **parameters))


def _watched() -> bool:
    """Whether somebody is to be told of model calls: a tracer, a callback of the user's, a cache.

    LangGraph's own handlers are there for the writer's tokens, which it is given directly.
    """
    if get_llm_cache() is not None:
        return True
    config = var_child_runnable_config.get() or {}
    manager = config.get("callbacks") or []
    handlers = manager if isinstance(manager, list) else manager.handlers
    return any(not type(handler).__module__.startswith("langgraph.") for handler in handlers)


def _as_message(reply: Any) -> AIMessage:
    if isinstance(reply, AIMessageChunk):
        reply = message_chunk_to_message(reply)
    if not isinstance(reply, AIMessage):
        raise TypeError(f"The model returned {type(reply).__name__}, not a message.")
    return reply
