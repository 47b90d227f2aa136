"""One question to one model: retried where that helps, recorded whatever happens.

Every call a run makes goes through `Caller.ask`, so retries, refused parameters, tokens, cost
and times are dealt with here and nowhere else.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    nullcontext,
)
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
)
from langchain_core.runnables import RunnableConfig

from fusion_graph.cost.budget import Budget
from fusion_graph.errors import CallFailed, CutBefore, Degradation, Failure, TooLong
from fusion_graph.models._attempt import Attempt
from fusion_graph.models._charges import ReplySoFar, charged_nothing
from fusion_graph.models._places import place_for
from fusion_graph.models._reading import read_reply
from fusion_graph.models._tool_pictures import (
    has_pictures,
    shown_behind_results,
    without_pictures,
)
from fusion_graph.models.apis import (
    API_LOSSES,
    API_REFUSALS,
    REASONING_WITH_TOOLS,
)
from fusion_graph.models.failures import (
    failed_once,
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
from fusion_graph.models.model import Model
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.provider_search import can_search
from fusion_graph.models.recording import Asked, Step, call_content, current_recording
from fusion_graph.models.request import Options, send
from fusion_graph.models.window import tokens_of, tools_tokens
from fusion_graph.state import CallRecord, StageName
from fusion_graph.state.events import Emit
from fusion_graph.text.off_loop import is_long, off_loop

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


def _may_be_the_pictures(error: Exception) -> bool:
    """Whether a refusal may be of pictures that tools returned, or of where they stand."""
    return reason_of(error) in ("unsupported_input", "bad_request")


def _steps_down(refused: str, options: Options, error: BaseException) -> int:
    """Count the ways to ask that a refusal ends: of two schemas, both or the bounded one."""
    kinds = [wanted.get("type") for wanted in options.response_formats[:2]]
    if refused != "response_format" or kinds != ["json_schema", "json_schema"]:
        return 1
    return 1 if _BOUNDS.search(words_of(error)) else 2


_BOUNDS = re.compile(r"max_?items|max_?length|keyword", re.IGNORECASE)
"""What a refusal of a schema's bounds names: OpenAI's, Azure's, Anthropic's, llama.cpp's."""


def _open_gate(_: str) -> AbstractAsyncContextManager[Any]:
    return nullcontext()


def _unwatched() -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass
class Caller:
    """A caller of models within a run: it keeps the records and sends the events.

    Attributes:
        stage: Which part of the run pays.
        name: Who: a panelist's name, or the stage's.
        started: Unix time the run began, seconds.
        emit: Sends progress events.
        calls: Records of all calls so far, failed ones included.
        budget: The run's; None where nothing limits it.
        gate: Gives way to a call of a provider, where only so many may be made at once.
        in_line: Is entered while others have to be waited for, of whatever run.
        resting: Is entered while a provider's wait is kept: nobody is silent then.
        tools_wanted: Whether a model that takes no tools is a failure: somebody else can be asked.
        without_tools: Why a model went without tools, in its provider's words; empty if none did.
        nonce: The run's delimiter secret, which nobody is to see.
        echoed: What its last reply repeated of the prompts, and was taken out.
        not_shared: Why limits that processes share did not hold; None while they do.
        unseen_by: The model that was not shown the pictures that tools returned; empty if all were.
        fitting: Cuts prompts to the models' contexts, and tells what was cut.
    """

    stage: StageName
    name: str
    started: float
    emit: Emit
    calls: list[CallRecord] = field(default_factory=list)
    budget: Budget | None = None
    gate: Callable[[str], AbstractAsyncContextManager[Any]] = _open_gate
    in_line: Callable[[], AbstractContextManager[Any]] = _unwatched
    resting: Callable[[], AbstractContextManager[Any]] = _unwatched
    tools_wanted: bool = False
    without_tools: str = ""
    nonce: str = ""
    echoed: list[str] = field(default_factory=list)
    not_shared: Degradation | None = None
    unseen_by: str = ""

    fitting: Fitting = field(default_factory=Fitting)

    def __post_init__(self) -> None:
        self.fitting.name = self.name

    @property
    def losses(self) -> list[Degradation]:
        """What its calls had to do without: of their prompts, and of limits."""
        losses = [*self.fitting.losses, *([self.not_shared] if self.not_shared else [])]
        if self.unseen_by:
            said = (
                f"{self.unseen_by} was not shown the pictures that tools returned: it takes none."
            )
            losses.append({"code": "pictures_unseen", "detail": said})
        return losses

    def echoes(self, who: str) -> list[Degradation]:
        """Report what its last reply repeated of the prompts, if anything.

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
    ) -> ModelReply:
        """Ask a model for its reply to a conversation.

        Args:
            model: Which model. Parameters it refuses are remembered on it.
            messages: The conversation.
            options: What to ask for.
            sink: Takes the text as it streams in; None asks for it in one piece.
            restart: Told, with the reason, that what the sink was given is void.

        Raises:
            CallFailed: There was none.
        """
        recording = current_recording()
        if recording is None:
            return await self._ask(model, messages, options, sink, restart, None)
        content = call_content(messages, options)
        asked = Asked("call", self.stage, self.name, model.ref, content)
        made = len(self.calls)
        async with AsyncExitStack() as place:
            with self.resting():  # another run may be asking the same, and this one is not silent
                step = await place.enter_async_context(recording.step(asked))
            if step.kept is not None:
                return await self._again(model, step, messages, options, sink)

            async def keep(reply: ModelReply) -> None:
                message = reply.message.model_dump(mode="json")
                kept = {"message": message, "calls": self.calls[made:], "cut": self.fitting.kept()}
                await step.receive({**kept, "ended_by": reply.ended_by, "remedy": reply.remedy})

            try:
                return await self._ask(model, messages, options, sink, restart, keep)
            except CallFailed as failed:
                if made < len(self.calls):  # what was not even tried may do another time
                    step.keep({"failure": failed.failure, "calls": self.calls[made:]})
                raise
            except asyncio.CancelledError:
                step.cut(self.calls[made:])
                raise

    async def _again(
        self,
        model: Model,
        step: Step,
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None,
    ) -> ModelReply:
        """Give what a call brought before, with all that followed from making it.

        Raises:
            CallFailed: It failed before, or the run may spend no more.
            CutBefore: A deadline had cut it off.
        """
        kept = step.kept
        begun = min((record["start"] for record in kept["calls"]), default=0.0)
        later = 0.0 if step.same_run else time.time() - self.started - begun
        for record in kept["calls"]:
            if step.same_run and record in self.calls:
                continue  # a member that was asked something goes on in the process it began in
            attempt = Attempt(self.budget, self.started, model)
            most = options.max_tokens
            mine = attempt.repeat(self.stage, self.name, messages, most, record, later)
            self.calls.append(mine)
            model.note_refused(record["left_out"])
        if failure := kept.get("failure"):
            raise CallFailed(failure)
        if "message" not in kept:
            raise CutBefore
        self.fitting.resume(kept["cut"])
        message = AIMessage.model_validate(kept["message"])
        if sink is not None:
            sink(message.text)
        ended = (kept["ended_by"], kept["remedy"])
        return await self._read(message, messages, options, ended)

    async def _read(
        self,
        message: AIMessage,
        messages: Sequence[BaseMessage],
        options: Options,
        ended: tuple[str, str],
    ) -> ModelReply:
        """Read the reply in a message, in whatever dress its text and its calls came."""
        allowed = options.tool_choice != "none"
        message, text, self.echoed = await off_loop(
            is_long(message.text), read_reply, message, messages, options.tools, allowed, self.nonce
        )
        return ModelReply(message, text, *ended)

    async def _ask(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        sink: Callable[[str], None] | None,
        restart: Callable[[str], None] | None,
        keep: Callable[[ModelReply], Awaitable[None]] | None,
    ) -> ModelReply:
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
        if not model.takes("image"):
            messages = self._unseen(model, messages)
        found: set[str] = set()
        attempt = 1
        while True:
            asked = model.api
            if options.search is not None and not can_search(model):
                options = options.without("search")
            sent, fitted = self._fitted(model, messages, options)
            received = partial(self._received, model, messages, options, (sent, fitted), keep)
            try:
                return await self._once(model, sent, fitted, sink, received)
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
                if has_pictures(messages) and _may_be_the_pictures(error):
                    messages = self._unseen(model, messages)
                    continue
                await self._wait_or_give_up(model, error, attempt)
                if restart is not None:
                    restart(reason_of(error))
                attempt += 1

    async def _received(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        tried: tuple[list[BaseMessage], Options],
        keep: Callable[[ModelReply], Awaitable[None]] | None,
        message: AIMessage,
    ) -> ModelReply:
        """Read a reply that has come, and keep it."""
        sent, fitted = tried
        self._counted(model, sent, fitted, message)
        ended = ended_by(model.window, options.max_tokens, fitted.max_tokens, message)
        remedy = model.window.remedy() if ended.startswith(CONTEXT) else ""
        reply = await self._read(message, messages, options, (ended, remedy))
        if keep is not None:
            await keep(reply)
        return reply

    def _fitted(
        self, model: Model, messages: Sequence[BaseMessage], options: Options
    ) -> tuple[list[BaseMessage], Options]:
        """Cut the conversation and options to the model's context.

        Raises:
            CallFailed: The question itself does not fit.
        """
        most = options.max_tokens
        try:
            sent, fits = self.fitting.plan(model.ref, model.window, messages, options.tools, most)
        except TooLong as error:
            detail = too_long_detail(model.ref, model.window, error)
            raise CallFailed(failed_once("context_length", detail)) from None
        return sent, options if most is None else replace(options, max_tokens=fits)

    def _fits_better(
        self,
        model: Model,
        messages: Sequence[BaseMessage],
        options: Options,
        error: Exception,
        tried: tuple[list[BaseMessage], Options],
    ) -> bool:
        """Tell whether a refusal said how much the model reads, so that less is to be sent."""
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
        received: Callable[[AIMessage], Awaitable[ModelReply]],
    ) -> ModelReply:
        """Try once, and record it."""
        async with (
            self.gate(model.provider),
            place_for(model, self.in_line, self._note_not_shared) as place,
        ):
            attempt = Attempt(self.budget, self.started, model)
            place.record = attempt.begin(self.stage, self.name, messages, options.max_tokens)
            self.calls.append(place.record)
            so_far = None if sink is None else ReplySoFar(sink)
            into = None if so_far is None else so_far.take
            try:
                shown = shown_behind_results(messages)
                message = await send(model, shown, options, self._trace(), into)
            except asyncio.CancelledError:
                attempt.failed("timed_out", so_far)
                raise
            except Exception as error:
                attempt.failed(reason_of(error), so_far, unpaid=charged_nothing(error, so_far))
                place.refused = _asked_to_wait(error)
                raise
            attempt.answered(message)
            # Before the place is given back, which may be two more round trips to a Redis.
            return await received(message)

    def _unseen(self, model: Model, messages: Sequence[BaseMessage]) -> Sequence[BaseMessage]:
        """Leave out the pictures that tools returned, and note it."""
        if not has_pictures(messages):
            return messages
        self.unseen_by = model.ref
        return without_pictures(messages)

    def _note_not_shared(self, detail: str) -> None:
        self.not_shared = {"code": "limits_not_shared", "detail": detail}

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
        """Name the call for traces (LangSmith, Langfuse, OpenTelemetry)."""
        return {
            "run_name": f"{self.stage}: {self.name}",
            "tags": [*UNSEEN, f"fusion:{self.stage}"],
            "metadata": {"fusion_stage": self.stage, "fusion_name": self.name},
        }


def _asked_to_wait(error: Exception) -> float | None:
    """Read how many seconds all callers of a model are to wait; None unless it has too many.

    A used-up allowance of an hour or a day is no reason for others to wait.
    """
    wait = retry_after(error) or 0.0
    too_many = status_of(error) == HTTPStatus.TOO_MANY_REQUESTS and worth_retrying(error)
    return wait if too_many and wait <= LONGEST_WAIT else None


def _failure(model: Model, error: BaseException, attempts: int) -> Failure:
    return failure_of(
        error,
        attempts,
        secrets=model.secrets,
        key_name=model.key_name,
        address=model.address,
    )
