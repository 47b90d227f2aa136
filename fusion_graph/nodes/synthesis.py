"""synthesis: the final answer, written from the comparison, the answers and the sources."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)

from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.cost.budget import Budget
from fusion_graph.cost.tokens import unseen_tokens
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation
from fusion_graph.evidence import (
    Pages,
    Reading,
    no_pages,
    open_ledger,
    quote_verdict,
    read_citations,
    with_found,
)
from fusion_graph.judgement import Analysis
from fusion_graph.models.apis import API_LOSSES, told_refusals
from fusion_graph.models.calls import Caller
from fusion_graph.models.failures import with_remedy
from fusion_graph.models.model_reply import ModelReply
from fusion_graph.models.open import Model, open_model
from fusion_graph.models.options import Options
from fusion_graph.models.window import tools_tokens
from fusion_graph.nodes.draft import Draft, Say, new_message_id
from fusion_graph.nodes.join import misread
from fusion_graph.nodes.judge import relabelled
from fusion_graph.nodes.material import Material, prompt_for
from fusion_graph.nodes.shortfalls import shortfalls
from fusion_graph.nodes.tool_results import split_at_question
from fusion_graph.prompts import WRITER_SYSTEM, writer_material
from fusion_graph.run.deadlines import Limit, writer_limit
from fusion_graph.state import CallRecord, Joined, Judgement, PanelAnswer, Run, Written
from fusion_graph.state.conversation import told
from fusion_graph.state.events import Emit
from fusion_graph.text.markdown import loading_nothing


async def synthesis(
    messages: Sequence[AnyMessage],
    run: Run,
    joined: Joined,
    judgement: Judgement,
    settings: ResolvedConfig,
    emit: Emit,
    say: Say,
) -> Written:
    """Write the answer: the writer, each fallback in turn, at worst a panelist's own answer.

    Args:
        messages: The conversation.
        run: The run.
        joined: The labelled answers and their sources.
        judgement: The judge's comparison, or why there is none.
        settings: The run's settings.
        emit: Sends progress events.
        say: Takes the answer as it is written.
    """
    joined = {
        **joined,
        "sources": with_found(joined["sources"], judgement.get("sources", [])),
    }
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    if len(survivors) == 1 and not settings.writer_is_bound:
        note = _LONE_SURVIVOR if len(joined["answers"]) > 1 else ""
        return await pass_on(survivors[0], note, joined, say, [], [])
    caller = Caller("synthesis", "writer", run["started"], emit, nonce=run["nonce"])
    before = [run["calls"], judgement["calls"], *(a["calls"] for a in joined["answers"])]
    caller.budget = Budget.of(settings, *before)
    limit = writer_limit(settings, run, joined, judgement)

    def prompt(model: Model) -> list[BaseMessage]:
        return _prompt(messages, run, joined, judgement, survivors, settings, model, caller)

    note = ""
    if judgement["analysis"] is None and len(survivors) > 1:
        note = "> No comparison was possible: this answer draws on the panel's answers alone.\n\n"
    pages = open_ledger(run["id"]).page
    written = await write(prompt, note, joined, settings, limit, caller, say, pages)
    if wrote(written):
        if not settings.writer_is_bound:
            asked = next((m.text for m in reversed(messages) if m.type == "human"), "")
            written["degradations"] += shortfalls(asked, written["answer"], survivors)
        return written
    best = most_agreed(survivors, judgement)
    losses = [*written["degradations"], _NO_WRITER]
    return await pass_on(best, _WRITER_FAILED, joined, say, caller.calls, losses)


async def rewrite(
    messages: Sequence[AnyMessage],
    run: Run,
    joined: Joined,
    judgement: Judgement,
    written: Written,
    request: str,
    settings: ResolvedConfig,
    emit: Emit,
    say: Say,
) -> Written:
    """Have the writer write its answer again, as it is asked to.

    Args:
        messages: The conversation.
        run: The run.
        joined: The labelled answers and all sources.
        judgement: The judge's comparison, or why there is none.
        written: The answer.
        request: What is to be mended.
        settings: The run's settings.
        emit: Sends progress events.
        say: Takes the new answer as it is written.

    Returns:
        The new answer with the calls it took; an empty message if nobody wrote one.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    caller = Caller("synthesis", "writer", run["started"], emit, nonce=run["nonce"])
    before = [run["calls"], judgement["calls"], *(a["calls"] for a in joined["answers"])]
    caller.budget = Budget.of(settings, *before, written["calls"])
    limit = writer_limit(settings, run, joined, judgement)
    asked_again = [AIMessage(written["answer"]), HumanMessage(request)]

    def prompt(model: Model) -> list[BaseMessage]:
        reserve = unseen_tokens(len(written["answer"]) + len(request), "likely")
        return [
            *_prompt(messages, run, joined, judgement, survivors, settings, model, caller, reserve),
            *asked_again,
        ]

    pages = open_ledger(run["id"]).page
    again = await write(prompt, written["note"], joined, settings, limit, caller, say, pages)
    if wrote(again):
        asked = next((m.text for m in reversed(messages) if m.type == "human"), "")
        again["degradations"] += shortfalls(asked, again["answer"], survivors)
    return again


def wrote(written: Written) -> bool:
    """Whether there is an answer, or a call of the caller's tools."""
    message = written["message"]
    return bool(message.content or message.tool_calls or message.invalid_tool_calls)


_NO_WRITER: Degradation = {"code": "synthesis_failed", "detail": "No writer answered."}


async def write(
    prompt: Callable[[Model], Sequence[BaseMessage]],
    note: str,
    joined: Joined,
    settings: ResolvedConfig,
    limit: Limit,
    caller: Caller,
    say: Say,
    pages: Pages = no_pages,
) -> Written:
    """What the writer, or the first fallback that can, makes of a prompt.

    Args:
        prompt: Everything that a model is to see.
        note: What the message says before the answer; left out where the caller wants a format.
        joined: Answers and sources that it may cite.
        settings: The run's settings.
        limit: How long one attempt may take.
        caller: Calls the models and keeps the records.
        say: Takes the answer as it is written.
        pages: The texts that the run has read: quotes of the writer's own are checked there.

    Returns:
        The answer; an empty message if nobody gave one.
    """
    emit, losses = caller.emit, list[Degradation]()
    formatted = settings.response_format is not None
    note = "" if formatted else note
    known = [source["id"] for source in joined["sources"]]
    pictures = [source["url"] for source in joined["sources"]]
    for ref in [settings.synthesizer, *settings.fallbacks]:
        draft = Draft(
            note,
            say,
            emit,
            model_name(ref),
            caller.nonce,
            settings.writer_tools,
            None if formatted else pictures,
        )
        try:
            async with asyncio.timeout(limit.seconds):
                reply = await _asked(caller, ref, prompt, settings, draft, losses)
        except (CallFailed, ConfigurationError, TimeoutError) as error:
            losses.append(_loss(model_name(ref), error, limit))
            draft.void(losses[-1]["detail"])
            continue
        # Brackets are lists in JSON, not citations.
        reading, answer = await _read(reply.text, [] if formatted else known)
        if not formatted:
            answer = await asyncio.to_thread(loading_nothing, answer, pictures)
        losses += await asyncio.to_thread(_unchecked_quotes, reading, joined, pages)
        losses += misread("The writer", reading, known, ())
        calls_tools = bool(reply.message.tool_calls or reply.message.invalid_tool_calls)
        losses += caller.fitting.losses
        content = f"{note}{answer}" if answer else ""
        return {
            "message": _message(draft.message_id, content, reply, caller.calls[-1]["model"]),
            "answer": answer,
            "note": note,
            "writer": model_name(ref),
            "cites": not (formatted or calls_tools),
            "calls": caller.calls,
            "degradations": losses,
        }
    return {
        "message": AIMessage(""),
        "answer": "",
        "note": "",
        "writer": None,
        "cites": False,
        "calls": caller.calls,
        "degradations": [*losses, *caller.fitting.losses],
    }


async def _asked(
    caller: Caller,
    ref: object,
    prompt: Callable[[Model], Sequence[BaseMessage]],
    settings: ResolvedConfig,
    draft: Draft,
    losses: list[Degradation],
) -> ModelReply:
    model = await open_model(ref, settings.providers)
    caller.emit("synthesis.in_progress", model=model.ref)
    wanted = settings.response_format
    options = Options(
        reasoning_effort=settings.reasoning_effort,
        max_tokens=settings.writer_max_tokens or settings.max_completion_tokens,
        tools=settings.writer_tools,
        tool_choice=settings.writer_tool_choice,
        response_formats=(wanted,) if wanted is not None and model.protocol else (),
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
    if wanted is not None and (not model.protocol or model.formats_refused):
        detail = f"{model.ref} does not take response_format: the answer may be plain text."
        losses.append({"code": "parameter_refused", "detail": detail})
    about_tools = {"tools", "tool_choice", *API_LOSSES} if settings.writer_tools else set()
    for detail in told_refusals(f"The writer {model.ref}", model.refused & about_tools):
        losses.append({"code": "parameter_refused", "detail": detail})
    return reply


def _prompt(
    messages: Sequence[AnyMessage],
    run: Run,
    joined: Joined,
    judgement: Judgement,
    survivors: Sequence[PanelAnswer],
    settings: ResolvedConfig,
    model: Model,
    caller: Caller,
    reserve: int = 0,
) -> list[BaseMessage]:
    analysis = None
    if judgement["analysis"] is not None:
        labels = {answer["name"]: str(answer["label"]) for answer in survivors}
        compared = Analysis.model_validate(judgement["analysis"])
        analysis = relabelled(compared, labels).model_dump_json()
    since: list[AnyMessage] = []
    if run["continues"]:
        # The writer sees its own calls and their results as they are: it made them.
        messages, since = split_at_question(messages)
    conversation = told(messages)
    system = WRITER_SYSTEM
    if conversation and isinstance(conversation[0], SystemMessage):
        system = f"{system}\n\nThe application's instructions:\n{conversation.pop(0).text}"

    def build(material: Material) -> list[BaseMessage]:
        work = writer_material(material.analysis, material.answers, material.sources, run["nonce"])
        return [SystemMessage(system), *material.said, HumanMessage(work), *since]

    prompt, _ = prompt_for(
        model,
        caller,
        settings.writer_max_tokens or settings.max_completion_tokens,
        conversation,
        survivors,
        joined["sources"],
        build,
        analysis,
        tools_tokens(settings.writer_tools) + reserve,
    )
    return prompt


def _message(message_id: str, content: str, reply: ModelReply, model: str) -> AIMessage:
    """The message that was streamed, with what the writer's own reply says besides."""
    written: AIMessage = reply.message
    told = {
        "finish_reason": reply.finish_reason or "stop",
        "model_name": written.response_metadata.get("model_name") or model,
    }
    if not (written.tool_calls or written.invalid_tool_calls):
        return AIMessage(content, id=message_id, response_metadata=told)
    # The next request sends it back, with everything that its provider put into it.
    # Whose it is decides how an integration reads its blocks (`model_provider`).
    whose = ("model_provider", "output_version")
    told |= {key: v for key, v in written.response_metadata.items() if key in whose}
    blocks = written.content if isinstance(written.content, list) else content
    update = {"content": blocks, "id": message_id, "response_metadata": told}
    return written.model_copy(update={**update, "usage_metadata": None})


_WRITER_FAILED = "> The writer failed: this is the answer of one panelist, {name}.\n\n"
_LONE_SURVIVOR = (
    "> Only one of {asked} panelists answered, {name}: this is its answer, compared with "
    "nobody's.\n\n"
)


async def pass_on(
    answer: PanelAnswer,
    note: str,
    joined: Joined,
    say: Say,
    calls: list[CallRecord],
    losses: list[Degradation],
) -> Written:
    """One panelist's answer as the result, with a note that says that this is what it is.

    Args:
        answer: The answer.
        note: Said before it; may hold `{name}` and `{asked}`.
        joined: All answers and the sources.
        say: Takes the text.
        calls: Calls paid for a better result that did not come.
        losses: What was lost on the way.
    """
    message_id = new_message_id()
    _, content = await _read(answer["content"], [s["id"] for s in joined["sources"]])
    pictures = [s["url"] for s in joined["sources"]]
    content = await asyncio.to_thread(loading_nothing, content, pictures)
    note = note.replace("{name}", answer["name"]).replace("{asked}", str(len(joined["answers"])))
    say(message_id, note + content)
    said = AIMessage(note + content, id=message_id, response_metadata={"finish_reason": "stop"})
    return {
        "message": said,
        "answer": content,
        "note": note,
        "writer": None,
        "cites": True,
        "calls": calls,
        "degradations": losses,
    }


async def _read(text: str, known: Sequence[int]) -> tuple[Reading, str]:
    """A text's citations, and the text as readers get it, off the event loop."""

    def read() -> tuple[Reading, str]:
        reading = read_citations(text, known)
        return reading, reading.plain()

    return await asyncio.to_thread(read)


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


def most_agreed(survivors: Sequence[PanelAnswer], judgement: Judgement) -> PanelAnswer:
    """The survivor that stands in the most points of consensus; length counts for nothing."""
    points = (judgement["analysis"] or {}).get("consensus", [])
    return max(
        sorted(survivors, key=lambda answer: str(answer["label"])),
        key=lambda answer: sum(answer["name"] in point["models"] for point in points),
    )


def _loss(ref: str, error: Exception, limit: Limit) -> Degradation:
    why = str(error)
    if isinstance(error, TimeoutError):
        why = with_remedy(
            f"took more than {limit}", "timed_out", "give it more time, or set fallbacks"
        )
    return {"code": "synthesis_upstream_error", "detail": f"{ref}: {why}"}
