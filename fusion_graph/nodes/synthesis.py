"""synthesis: the final answer, written from the comparison, the answers and the sources."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.analysis import Analysis
from fusion_graph.calls import Caller, CallFailed, Options
from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.conversation import told
from fusion_graph.errors import ConfigurationError, Degradation
from fusion_graph.events import Emit
from fusion_graph.evidence import plain_citations, quote_verdict, quotes_in, source_list
from fusion_graph.models import open_model
from fusion_graph.nodes.judge import MATERIAL_CHARACTERS, fairly_cut, relabelled
from fusion_graph.prompts import WRITER_SYSTEM, writer_material
from fusion_graph.state import Joined, Judgement, PanelAnswer, Run
from fusion_graph.usage import CallRecord
from fusion_graph.visible import VisibleTokens

Say = Callable[[str, str], None]
"""`say(message_id, text)`: sends a piece of the answer to whoever is listening."""


@dataclass
class Written:
    """A finished answer.

    Attributes:
        message_id: Id of the message that was streamed and that goes into the conversation.
        answer: The answer, its citations all on the source list.
        content: What the message says: notes on what was lost, the answer, its sources.
        calls: Calls paid for it.
        degradations: What was lost on the way.
    """

    message_id: str
    answer: str
    content: str
    calls: list[CallRecord]
    degradations: list[Degradation]


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
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    known = [source["id"] for source in joined["sources"]]
    if len(survivors) == 1:
        note = _LONE_SURVIVOR if len(joined["answers"]) > 1 else ""
        return pass_on(survivors[0], note, joined, say, [], [])
    caller = Caller("synthesis", "writer", run["started"], emit)
    losses: list[Degradation] = []
    prompt = _prompt(messages, run, joined, judgement, survivors)
    note = ""
    if judgement["analysis"] is None:
        note = "> No comparison was possible: this answer draws on the panel's answers alone.\n\n"
    for ref in [settings.synthesizer, *settings.fallbacks]:
        draft = Draft(note, say, emit, model_name(ref))
        try:
            async with asyncio.timeout(settings.synthesis_timeout):
                text = await _write(caller, ref, prompt, settings, draft, emit)
        except (CallFailed, ConfigurationError, TimeoutError, _Blank) as error:
            losses.append(_loss(model_name(ref), error, settings))
            draft.void(losses[-1]["detail"])
            continue
        losses += _unchecked_quotes(text, joined)
        answer, unknown = plain_citations(text, known)
        if unknown:
            detail = f"The writer cited sources that do not exist, taken out: {unknown}."
            losses.append({"code": "unknown_citation", "detail": detail})
        return _finished(draft.message_id, note, answer, joined, say, caller.calls, losses)
    best = _most_agreed(survivors, judgement)
    losses.append({"code": "synthesis_failed", "detail": "No writer answered."})
    return pass_on(best, _WRITER_FAILED, joined, say, caller.calls, losses)


class _Blank(Exception):
    """The writer said nothing."""


class Draft:
    """An answer being written, under a message id of its own.

    A try that breaks off leaves a void draft behind; the next one streams as a new message.

    Args:
        note: What the message says before the answer.
        say: Takes the text.
        emit: Sends progress events.
        model: Who writes.
    """

    def __init__(self, note: str, say: Say, emit: Emit, model: str) -> None:
        self._note, self._say, self._emit, self._model = note, say, emit, model
        self._begin()

    def _begin(self) -> None:
        self.message_id = f"fusion-{uuid4()}"
        self._said = False
        self._tokens = VisibleTokens(self._pass, self._note)

    def _pass(self, text: str) -> None:
        self._said = True
        self._say(self.message_id, text)

    def take(self, text: str) -> None:
        """Take the next piece of the model's text."""
        self._tokens.take(text)

    def end(self) -> None:
        """The model is done."""
        self._tokens.end()

    def void(self, reason: str) -> None:
        """What was said so far does not count; whatever comes next is a new message."""
        if self._said:
            self._emit("synthesis.restarted", model=self._model, reason=reason)
        self._begin()


async def _write(
    caller: Caller,
    ref: object,
    prompt: list[BaseMessage],
    settings: ResolvedConfig,
    draft: Draft,
    emit: Emit,
) -> str:
    model = await open_model(ref, settings.providers)
    emit("synthesis.in_progress", model=model.ref)
    options = Options(
        reasoning_effort=settings.reasoning_effort, max_tokens=settings.max_completion_tokens
    )
    reply = await caller.ask(model, prompt, options, sink=draft.take, restart=draft.void)
    draft.end()
    if not reply.text:
        raise _Blank("the reply was blank")
    return reply.text


def _prompt(
    messages: Sequence[AnyMessage],
    run: Run,
    joined: Joined,
    judgement: Judgement,
    survivors: Sequence[PanelAnswer],
) -> list[BaseMessage]:
    answers, _ = fairly_cut(survivors, MATERIAL_CHARACTERS)
    analysis = None
    if judgement["analysis"] is not None:
        labels = {answer["name"]: str(answer["label"]) for answer in survivors}
        compared = Analysis.model_validate(judgement["analysis"])
        analysis = relabelled(compared, labels).model_dump_json()
    conversation = told(messages)
    system = WRITER_SYSTEM
    if conversation and isinstance(conversation[0], SystemMessage):
        system = f"{system}\n\nThe application's instructions:\n{conversation.pop(0).text}"
    material = writer_material(analysis, answers, joined["sources"], run["nonce"])
    return [SystemMessage(system), *conversation, HumanMessage(material)]


def _finished(
    message_id: str,
    note: str,
    answer: str,
    joined: Joined,
    say: Say,
    calls: list[CallRecord],
    losses: list[Degradation],
) -> Written:
    listed = source_list(joined["sources"], answer)
    if listed:
        listed = f"\n\n{listed}"
        say(message_id, listed)
    return Written(message_id, answer, f"{note}{answer}{listed}", calls, losses)


_WRITER_FAILED = "> The writer failed: this is the answer of one panelist, {name}.\n\n"
_LONE_SURVIVOR = (
    "> Only one of {asked} panelists answered, {name}: this is its answer, compared with "
    "nobody's.\n\n"
)


def pass_on(
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
    message_id = f"fusion-{uuid4()}"
    content, _ = plain_citations(answer["content"], [s["id"] for s in joined["sources"]])
    note = note.replace("{name}", answer["name"]).replace("{asked}", str(len(joined["answers"])))
    say(message_id, note + content)
    return _finished(message_id, note, content, joined, say, calls, losses)


def _unchecked_quotes(text: str, joined: Joined) -> list[Degradation]:
    """Words the writer put into a source's mouth that no check has found there."""
    return [
        {
            "code": "unverified_quote",
            "detail": f'The writer quotes [{n}] with words that were not verified: "{words[:200]}"',
        }
        for n, words in quotes_in(text)
        if quote_verdict(joined["sources"], n, words) not in ("verified", "near")
    ]


def _most_agreed(survivors: Sequence[PanelAnswer], judgement: Judgement) -> PanelAnswer:
    """The survivor that stands in the most points of consensus; length counts for nothing."""
    points = (judgement["analysis"] or {}).get("consensus", [])
    return max(
        sorted(survivors, key=lambda answer: str(answer["label"])),
        key=lambda answer: sum(answer["name"] in point["models"] for point in points),
    )


def _loss(ref: str, error: Exception, settings: ResolvedConfig) -> Degradation:
    if isinstance(error, TimeoutError):
        why = f"took more than synthesis_timeout ({settings.synthesis_timeout:g} s)"
    else:
        why = str(error)
    return {"code": "synthesis_upstream_error", "detail": f"{ref}: {why}"}
