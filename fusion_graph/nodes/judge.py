"""judge: one model compares the labelled answers; whatever it returns becomes an analysis or a
typed degradation, and the run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.config import model_name
from fusion_graph.errors import ConfigurationError, Degradation, OutOfTime, UnreadableVerdict
from fusion_graph.evidence import SourceRecord, open_ledger, with_found, with_origins
from fusion_graph.judgement import (
    Bounds,
    Verdict,
    bounds_for,
    name_panelists,
    with_independence,
)
from fusion_graph.models.apis import RESPONSES_API, describe_refusals
from fusion_graph.models.model import Model
from fusion_graph.models.open import open_model
from fusion_graph.models.strangers import served_names
from fusion_graph.nodes.judge_research import JudgeResearch
from fusion_graph.nodes.material import Material, prompt_for
from fusion_graph.nodes.verdict_call import ask_for_verdict
from fusion_graph.prompts import judge_material, judge_system
from fusion_graph.run.stage import Stage
from fusion_graph.state import CallRecord, Joined, Judgement, PanelAnswer, found_by_judge
from fusion_graph.state.conversation import calls_as_text, cut_conversation, own_words, transcript
from fusion_graph.state.events import Emit
from fusion_graph.text.off_loop import off_loop

CONVERSATION_CHARACTERS = 120_000
"""Most characters of the conversation that a judge is shown: about 30,000 tokens beside twice as
many of answers. Panelists and writer read all of it; a judge compares what they made of it."""

RESEARCH_TOKENS = 1_500
"""What a judge that may search needs besides its material: the tools, and some of their results."""


async def judge(
    stage: Stage, conversation: Sequence[AnyMessage], joined: Joined, ran: str = ""
) -> Judgement:
    """Compare the answers: the judge, then each fallback, then nobody.

    Args:
        stage: The judge's stage.
        conversation: The conversation.
        joined: The labelled answers and their sources.
        ran: What running the answers' code showed; empty where it was not run.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    if not survivors:  # of the scouts: the rest of the panel is still to be asked
        return not_judged([], [])
    if len(survivors) == 1:
        if len(joined["answers"]) == 1:
            return not_judged([], [])
        lost = f"Only {survivors[0]['name']} answered; there was nothing to compare."
        return not_judged([], [{"code": "single_survivor", "detail": lost}])
    brief = _brief(stage, conversation, joined, survivors, ran)
    losses = list(brief.losses)
    research = JudgeResearch(stage, joined["sources"], own_words(calls_as_text(conversation)))
    try:
        async with stage.at_work() as caller:
            for ref in [stage.settings.judge, *stage.settings.fallbacks]:
                try:
                    model = await open_model(ref, stage.settings.providers)
                    stage.emit("analysis.in_progress", model=model.ref, answers=len(survivors))
                    prompt, bounds, shortened = brief.prompt(model)
                    losses += [loss for loss in shortened if loss not in losses]
                    verdict, cut_by = await ask_for_verdict(
                        model, prompt, bounds, research, caller, stage.settings
                    )
                    if cut_by:
                        losses.append(
                            {"code": "judge_verdict_cut", "detail": _told_cut(ref, cut_by)}
                        )
                except (UnreadableVerdict, ConfigurationError) as error:
                    losses.append(_loss(error, ref, stage.emit))
                    continue
                return await _concluded(stage, model, verdict, research, joined, losses)
    except OutOfTime as error:
        late = UnreadableVerdict("judge_upstream_error", f"The judge {error}.")
        losses.append(_loss(late, stage.settings.judge, stage.emit))
    found, done, _ = await off_loop(research.wanted, research.found, ())
    nothing = not_judged(stage.calls, [*losses, *stage.losses])
    return found_by_judge(nothing, found, done)


@dataclass(frozen=True)
class _Brief:
    """The material of a judge, for whichever model judges.

    Attributes:
        stage: The judge's stage.
        conversation: As the judge is told it.
        survivors: The labelled answers.
        sources: The numbered sources.
        losses: What of the conversation no judge sees.
        ran: What running the answers' code showed; may be empty.
    """

    stage: Stage
    conversation: Sequence[AnyMessage]
    survivors: Sequence[PanelAnswer]
    sources: Sequence[SourceRecord]
    losses: Sequence[Degradation]
    ran: str

    def prompt(self, model: Model) -> tuple[list[BaseMessage], Bounds, list[Degradation]]:
        """Write the prompt for a model, bounded by what its reply has room for.

        Returns:
            The prompt, the bounds of the verdict, and the answers that had to be cut.
        """
        settings, nonce = self.stage.settings, self.stage.run["nonce"]

        def build(material: Material) -> list[BaseMessage]:
            said = transcript(material.conversation)
            shown = judge_material(said, material.answers, material.sources, nonce, self.ran)
            return [
                SystemMessage(judge_system(settings.criteria)),
                HumanMessage(shown),
            ]

        prompt, shortened = prompt_for(
            model,
            self.stage.fitting,
            settings.max_completion_tokens,
            self.conversation,
            self.survivors,
            self.sources,
            build,
            reserve=RESEARCH_TOKENS if settings.judge_tools else 0,
        )
        room = _room(model, prompt[-1].text, settings.max_completion_tokens)
        bounds = bounds_for(room, len(self.survivors))
        prompt[0] = SystemMessage(judge_system(settings.criteria, bounds.items, bounds.words))
        return prompt, bounds, shortened


def _brief(
    stage: Stage,
    conversation: Sequence[AnyMessage],
    joined: Joined,
    survivors: Sequence[PanelAnswer],
    ran: str,
) -> _Brief:
    whole = calls_as_text(conversation)
    kept = cut_conversation(whole, CONVERSATION_CHARACTERS)
    lost = _conversation_lost(whole, kept)
    return _Brief(stage, kept, survivors, joined["sources"], lost, ran)


async def _concluded(
    stage: Stage,
    model: Model,
    verdict: Verdict,
    research: JudgeResearch,
    joined: Joined,
    losses: list[Degradation],
) -> Judgement:
    """Conclude from a verdict: panelists by name, sources by their numbers in the report."""
    found, done, ids = await off_loop(research.wanted, research.found, verdict.source_ids())
    sources = with_found(joined["sources"], found)
    if found:
        pages = open_ledger(stage.run["id"]).page
        sources = await off_loop(True, with_origins, sources, pages)
        found = [source for source in sources if source not in joined["sources"]]
    names = {str(a["label"]): a["name"] for a in joined["answers"] if a["status"] == "ok"}
    analysis, unknown = name_panelists(verdict.renumbered(ids), names, ids.values())
    analysis = with_independence(analysis, sources)
    if unknown:
        detail = f"The judge pointed at what does not exist: {', '.join(unknown)}."
        losses.append({"code": "judge_unknown_reference", "detail": detail})
    losses += _left_out(model)
    losses += [loss for loss in research.losses if loss not in joined["degradations"]]
    stage.emit(
        "analysis.completed",
        model=model.ref,
        served=served_names(c for c in stage.calls if c["model"] == model.ref),
        analysis=analysis.model_dump(),
        **analysis.counts(),
    )
    judgement: Judgement = {
        "analysis": analysis.model_dump(),
        "calls": stage.calls,
        "degradations": [*losses, *stage.losses],
    }
    return found_by_judge(judgement, found, done)


def _conversation_lost(
    whole: Sequence[AnyMessage], kept: Sequence[AnyMessage]
) -> list[Degradation]:
    """Report what the judge does not see of the conversation."""
    before, after = (sum(len(message.text) for message in part) for part in (whole, kept))
    if after == before:
        return []
    detail = (
        f"The conversation was cut from {before:,} to {after:,} characters for the judge: it "
        "compares the answers without what is missing."
    )
    return [{"code": "conversation_cut", "detail": detail}]


def _told_cut(ref: object, cut_by: str) -> str:
    who = model_name(ref)
    return f"{who}: the comparison was cut off by {cut_by}; what it holds until then counts."


def _room(model: Model, material: str, most: int) -> int:
    """Tokens that a reply has room for, as far as is known of the model's context."""
    window = getattr(getattr(model, "window", None), "tokens", None)
    if not isinstance(window, int):
        return most
    return max(256, min(most, window - len(material) // 4 - 1_000))


def _loss(error: UnreadableVerdict | ConfigurationError, ref: object, emit: Emit) -> Degradation:
    code = error.code if isinstance(error, UnreadableVerdict) else "judge_upstream_error"
    detail = f"{ref}: {error}" if isinstance(ref, str) else str(error)
    emit("analysis.failed", code=code, detail=detail)
    return {"code": code, "detail": detail}


def _left_out(model: Model) -> list[Degradation]:
    # A judge that cannot take a temperature is the rule among reasoning models, not a loss.
    lost = model.refused - {"temperature", "response_format", "cache_control", RESPONSES_API}
    return [
        {"code": "parameter_refused", "detail": detail}
        for detail in describe_refusals("The judge", lost)
    ]


def not_judged(calls: list[CallRecord], losses: list[Degradation]) -> Judgement:
    """The judgement of a run whose answers nobody compared.

    Args:
        calls: Calls paid for a comparison that did not come.
        losses: Why it did not.
    """
    return {"analysis": None, "calls": calls, "degradations": losses}
