"""synthesis: the final answer, written from the comparison, the answers and the sources."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.cost.tokens import unseen_tokens
from fusion_graph.errors import Degradation
from fusion_graph.evidence import open_ledger, with_found
from fusion_graph.judgement import Analysis, relabelled
from fusion_graph.models.model import Model
from fusion_graph.models.window import tools_tokens
from fusion_graph.nodes.material import Material, prompt_for
from fusion_graph.nodes.passing_on import most_agreed, pass_on
from fusion_graph.nodes.shortfalls import shortfalls
from fusion_graph.nodes.tool_results import split_at_question
from fusion_graph.nodes.writing import write, wrote
from fusion_graph.prompts import WRITER_SYSTEM, writer_material
from fusion_graph.run.stage import Stage
from fusion_graph.state import FinalAnswer, Joined, Judgement, PanelAnswer
from fusion_graph.state.conversation import calls_as_text
from fusion_graph.text.off_loop import is_long, off_loop

_WRITER_FAILED = "> The writer failed: this is the answer of one panelist, {name}.\n\n"
_LONE_SURVIVOR = (
    "> Only one of {asked} panelists answered, {name}: this is its answer, compared with "
    "nobody's.\n\n"
)
_NO_COMPARISON = "> No comparison was possible: this answer draws on the panel's answers alone.\n\n"
_NO_WRITER: Degradation = {"code": "synthesis_failed", "detail": "No writer answered."}


async def synthesis(
    stage: Stage, conversation: Sequence[AnyMessage], joined: Joined, judgement: Judgement
) -> FinalAnswer:
    """Write the answer: the writer, each fallback in turn, at worst a panelist's own answer.

    Args:
        stage: The writer's stage.
        conversation: The conversation.
        joined: The labelled answers and their sources.
        judgement: The judge's comparison, or why there is none.
    """
    sources = with_found(joined["sources"], judgement.get("sources", []))
    joined = {**joined, "sources": sources}
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    bound = stage.settings.writer_is_bound
    if len(survivors) == 1 and not bound:
        note = _LONE_SURVIVOR if len(joined["answers"]) > 1 else ""
        return await pass_on(survivors[0], note, joined, stage.on_text)

    def prompt(model: Model) -> list[BaseMessage]:
        return _prompt(stage, model, conversation, joined, judgement, survivors)

    note = _NO_COMPARISON if judgement["analysis"] is None and len(survivors) > 1 else ""
    pages = open_ledger(stage.run["id"]).page
    final = await write(stage, prompt, note, joined, pages)
    if wrote(final):
        if not bound:
            final["degradations"] += await _shortfalls(stage, final, survivors)
        return final
    best = most_agreed(survivors, judgement)
    losses = [*final["degradations"], _NO_WRITER]
    return await pass_on(best, _WRITER_FAILED, joined, stage.on_text, stage.calls, losses)


async def rewrite(
    stage: Stage,
    conversation: Sequence[AnyMessage],
    joined: Joined,
    judgement: Judgement,
    final: FinalAnswer,
    request: str,
) -> FinalAnswer:
    """Have the writer write its answer again, as it is asked to.

    Args:
        stage: The writer's stage.
        conversation: The conversation.
        joined: The labelled answers and all sources.
        judgement: The judge's comparison, or why there is none.
        final: The answer.
        request: What is to be mended.

    Returns:
        The new answer with the calls it took; an empty message if nobody wrote one.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    asked_again = [AIMessage(final["answer"]), HumanMessage(request)]

    def prompt(model: Model) -> list[BaseMessage]:
        reserve = unseen_tokens(len(final["answer"]) + len(request), "likely")
        first = _prompt(stage, model, conversation, joined, judgement, survivors, reserve)
        return [*first, *asked_again]

    pages = open_ledger(stage.run["id"]).page
    again = await write(stage, prompt, final["note"], joined, pages)
    if wrote(again):
        again["degradations"] += await _shortfalls(stage, again, survivors)
    return again


async def _shortfalls(
    stage: Stage, final: FinalAnswer, survivors: Sequence[PanelAnswer]
) -> list[Degradation]:
    texts = [final["answer"], *(answer["content"] for answer in survivors)]
    question = stage.run["question"]
    return await off_loop(is_long(*texts), shortfalls, question, final["answer"], survivors)


def _prompt(
    stage: Stage,
    model: Model,
    conversation: Sequence[AnyMessage],
    joined: Joined,
    judgement: Judgement,
    survivors: Sequence[PanelAnswer],
    reserve: int = 0,
) -> list[BaseMessage]:
    run, settings = stage.run, stage.settings
    analysis = None
    if judgement["analysis"] is not None:
        labels = {answer["name"]: str(answer["label"]) for answer in survivors}
        compared = Analysis.model_validate(judgement["analysis"])
        analysis = relabelled(compared, labels).model_dump_json()
    since: list[AnyMessage] = []
    if run["continues"]:
        # The writer sees its own calls and their results as they are: it made them.
        conversation, since = split_at_question(conversation)
    said = calls_as_text(conversation)
    system = WRITER_SYSTEM
    if said and isinstance(said[0], SystemMessage):
        system = f"{system}\n\nThe application's instructions:\n{said.pop(0).text}"

    def build(material: Material) -> list[BaseMessage]:
        work = writer_material(material.analysis, material.answers, material.sources, run["nonce"])
        return [SystemMessage(system), *material.conversation, HumanMessage(work), *since]

    prompt, _ = prompt_for(
        model,
        stage.fitting,
        settings.writer_max_tokens or settings.max_completion_tokens,
        said,
        survivors,
        joined["sources"],
        build,
        analysis,
        tools_tokens(settings.writer_tools) + reserve,
    )
    return prompt
