"""A model writes the final answer of a prompt: the writer, or the first fallback that can."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.config import model_name
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation, OutOfTime
from fusion_graph.evidence import Pages, Reading, no_pages, quote_verdict, read_citations
from fusion_graph.models.apis import API_LOSSES, describe_refusals
from fusion_graph.models.calls import Caller
from fusion_graph.models.failures import with_remedy
from fusion_graph.models.model import Model
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.nodes.draft import Draft
from fusion_graph.nodes.join import misread
from fusion_graph.run.stage import Stage
from fusion_graph.state import FinalAnswer, Joined
from fusion_graph.text.markdown import loading_nothing
from fusion_graph.text.off_loop import is_long, off_loop


def wrote(final: FinalAnswer) -> bool:
    """Say whether there is an answer, or a call of the caller's tools."""
    message = final["message"]
    return bool(message.content or message.tool_calls or message.invalid_tool_calls)


async def write(
    stage: Stage,
    prompt: Callable[[Model], Sequence[BaseMessage]],
    note: str,
    joined: Joined,
    pages: Pages = no_pages,
) -> FinalAnswer:
    """Have the writer, or the first fallback that can, write the answer.

    Args:
        stage: The writer's stage.
        prompt: Everything that a model is to see.
        note: What the message says before the answer; left out where the caller wants a format.
        joined: Answers and sources that it may cite.
        pages: The texts that the run has read: quotes of the writer's own are checked there.

    Returns:
        The answer; an empty message if nobody gave one.
    """
    settings, losses = stage.settings, list[Degradation]()
    formatted = settings.response_format is not None
    note = "" if formatted else note
    known = [source["id"] for source in joined["sources"]]
    pictures = [source["url"] for source in joined["sources"]]
    for ref in [settings.synthesizer, *settings.fallbacks]:
        draft = Draft(
            note,
            stage.on_text,
            stage.emit,
            model_name(ref),
            stage.run["nonce"],
            settings.writer_tools,
            None if formatted else pictures,
        )
        try:
            async with stage.at_work() as caller:
                reply = await _asked(stage, caller, ref, prompt, draft, losses)
        except (CallFailed, ConfigurationError, OutOfTime) as error:
            losses.append(_loss(model_name(ref), error))
            draft.void(losses[-1]["detail"])
            continue
        # Brackets are lists in JSON, not citations.
        reading, answer = await read_answer(reply.text, [] if formatted else known)
        if not formatted:
            answer = await off_loop(is_long(answer), loading_nothing, answer, pictures)
        much = bool(joined["sources"]) or is_long(answer)
        losses += await off_loop(much, _unchecked_quotes, reading, joined, pages)
        losses += await off_loop(much, misread, "The writer", reading, known, ())
        calls_tools = bool(reply.message.tool_calls or reply.message.invalid_tool_calls)
        losses += stage.losses
        content = f"{note}{answer}" if answer else ""
        return {
            "message": _message(draft.message_id, content, reply, stage.calls[-1]["model"]),
            "answer": answer,
            "note": note,
            "writer": model_name(ref),
            "cites": not (formatted or calls_tools),
            "calls": stage.calls,
            "degradations": losses,
        }
    return {
        "message": AIMessage(""),
        "answer": "",
        "note": "",
        "writer": None,
        "cites": False,
        "calls": stage.calls,
        "degradations": [*losses, *stage.losses],
    }


async def _asked(
    stage: Stage,
    caller: Caller,
    ref: object,
    prompt: Callable[[Model], Sequence[BaseMessage]],
    draft: Draft,
    losses: list[Degradation],
) -> ModelReply:
    settings = stage.settings
    model = await open_model(ref, settings.providers)
    stage.emit("synthesis.in_progress", model=model.ref)
    wanted = settings.response_format
    options = Options(
        reasoning_effort=settings.reasoning_effort,
        max_tokens=settings.writer_max_tokens or settings.max_completion_tokens,
        tools=settings.writer_tools,
        tool_choice=settings.writer_tool_choice,
        response_formats=(wanted,) if wanted is not None and model.takes_schema else (),
    )
    messages = prompt(model)
    for again in (True, False):
        reply = await caller.ask(model, messages, options, sink=draft.take, restart=draft.void)
        await draft.end()
        if not settings.writer_tools:
            reply = reply.without_calls()  # of tools that nobody offered, and nobody would run
        if reply.text or reply.message.tool_calls or reply.message.invalid_tool_calls:
            break
        if not (again and reply.is_blank):
            raise CallFailed(reply.silence())
        draft.void("the reply was blank")
    losses += caller.echoes(f"The writer {model.ref}")
    limit = "writer_max_tokens" if settings.writer_max_tokens else "max_completion_tokens"
    if cut_by := reply.cut_by(limit):
        detail = f"The writer {model.ref} was cut off by {cut_by}."
        losses.append({"code": "answer_truncated", "detail": detail})
    if wanted is not None and (not model.takes_schema or model.formats_refused):
        detail = f"{model.ref} does not take response_format: the answer may be plain text."
        losses.append({"code": "parameter_refused", "detail": detail})
    about_tools = {"tools", "tool_choice", *API_LOSSES} if settings.writer_tools else set()
    for detail in describe_refusals(f"The writer {model.ref}", model.refused & about_tools):
        losses.append({"code": "parameter_refused", "detail": detail})
    return reply


def _message(message_id: str, content: str, reply: ModelReply, model: str) -> AIMessage:
    """The message that was streamed, with what the writer's own reply says besides."""
    message: AIMessage = reply.message
    metadata = {
        "finish_reason": reply.finish_reason or "stop",
        "model_name": message.response_metadata.get("model_name") or model,
    }
    if not (message.tool_calls or message.invalid_tool_calls):
        return AIMessage(content, id=message_id, response_metadata=metadata)
    # The next request sends it back, with everything that its provider put into it.
    # Whose it is decides how an integration reads its blocks (`model_provider`).
    whose = ("model_provider", "output_version")
    metadata |= {key: v for key, v in message.response_metadata.items() if key in whose}
    blocks = message.content if isinstance(message.content, list) else content
    update = {"content": blocks, "id": message_id, "response_metadata": metadata}
    return message.model_copy(update={**update, "usage_metadata": None})


async def read_answer(text: str, known: Sequence[int]) -> tuple[Reading, str]:
    """Read a text's citations, and the text as readers get it.

    Args:
        text: An answer.
        known: The numbers of the sources that there are.
    """

    def read() -> tuple[Reading, str]:
        reading = read_citations(text, known)
        return reading, reading.plain()

    return await off_loop(is_long(text), read)


def _unchecked_quotes(reading: Reading, joined: Joined, pages: Pages) -> list[Degradation]:
    """Words the writer put into a source's mouth that no check has found there."""
    return [
        {
            "code": "unverified_quote",
            "detail": f'The writer quotes [{n}] with words that were not verified: "{words[:200]}"',
        }
        for n, words in reading.quotes
        if quote_verdict(joined["sources"], n, words, pages) not in ("verified", "near")
    ]


def _loss(ref: str, error: CallFailed | ConfigurationError | OutOfTime) -> Degradation:
    why = str(error)
    if isinstance(error, OutOfTime):
        why = with_remedy(why, "timed_out", "give it more time, or set fallbacks")
    return {"code": "synthesis_upstream_error", "detail": f"{ref}: {why}"}
