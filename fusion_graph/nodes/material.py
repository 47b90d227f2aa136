"""The material of judge and writer, as much of it as fits their model's context.

The question stays whole. Of what is left the conversation before it and the list of sources get
at most a third each, the answers the rest; whatever one of them does not need is the others'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AnyMessage, BaseMessage

from fusion_graph.errors import Degradation, TooLong
from fusion_graph.evidence import SourceRecord
from fusion_graph.models.fitting import Fitting
from fusion_graph.models.model import Model
from fusion_graph.models.window import (
    REQUEST_TOKENS,
    Cut,
    fit,
    shortened,
    text_tokens,
    tokens_of,
)
from fusion_graph.state import PanelAnswer
from fusion_graph.text.cutting import common_level, cut_text

MATERIAL_CHARACTERS = 240_000
"""Most characters of answers shown to a judge or writer: about 60,000 tokens, which fits every
model of the shipped presets with room for the reply."""

SHORTEST_CUT = 2_000
"""No answer is cut below this many characters, however many there are, unless a model's context
has no room for so much."""

PARTS = 3
"""The conversation, the sources and the answers get at least one part each of the room."""

FURTHER_CUT = 0.85
"""What is kept of answers and sources at a time, until the whole of it fits."""

MOST_CUTS = 40
"""After so many cuts next to nothing is left, and what still does not fit is the question."""


@dataclass(frozen=True)
class Material:
    """The material of one prompt.

    Attributes:
        conversation: The conversation, its question whole.
        answers: `(label, text)` in label order.
        sources: The numbered sources.
        analysis: The judge's comparison, for the writer; None where there is none.
    """

    conversation: Sequence[AnyMessage]
    answers: Sequence[tuple[str, str]]
    sources: Sequence[SourceRecord]
    analysis: str | None = None


Build = Callable[[Material], list[BaseMessage]]
"""Makes the prompt of what there is to read."""


def prompt_for(
    model: Model,
    fitting: Fitting,
    max_tokens: int | None,
    conversation: Sequence[AnyMessage],
    survivors: Sequence[PanelAnswer],
    sources: Sequence[SourceRecord],
    build: Build,
    analysis: str | None = None,
    reserve: int = 0,
) -> tuple[list[BaseMessage], list[Degradation]]:
    """The prompt for a judge or writer, cut to what its model reads at once.

    Args:
        model: Who is to read it.
        fitting: Takes note of what had to be cut for the context.
        max_tokens: Most tokens of the reply.
        conversation: The conversation as it is told.
        survivors: The labelled answers.
        sources: The numbered sources.
        build: Makes the prompt.
        analysis: The judge's comparison.
        reserve: Tokens that the prompt must leave free besides: for tools and what they bring.

    Returns:
        The prompt, and a degradation for each answer that is too long for any model.
    """
    answers, losses = fairly_cut(survivors, MATERIAL_CHARACTERS)
    whole = Material(conversation, answers, sources, analysis)
    room = model.window.room(max_tokens)
    room = None if room is None else room - reserve
    if room is None or _tokens(build(whole)) <= room:
        return build(whole), losses
    kept = _fitted(whole, survivors, build, room)
    for cut in _cuts(whole, kept):
        fitting.note(model.ref, model.window, cut)
    return build(kept), losses


def _fitted(whole: Material, survivors: Sequence[PanelAnswer], build: Build, room: int) -> Material:
    """As much of the material as fits; where not even the question does, that and nothing else."""
    kept = replace(whole, answers=fairly_cut(survivors, 0, 0)[0], sources=())
    bare = _tokens(build(replace(kept, conversation=(), analysis=whole.analysis and "")))
    left = room - bare
    kept = replace(kept, conversation=_conversation(whole.conversation, left // PARTS, left))
    if whole.analysis is not None:
        spare = room - _tokens(build(replace(kept, analysis="")))
        most = max(spare // 2, 1)
        text = shortened(whole.analysis, lambda text: text_tokens(text) <= most)
        kept = replace(kept, analysis=text)
    spare = max(room - _tokens(build(kept)), 0)
    listed = _source_characters(whole.sources)
    for_sources = min(listed, _characters(spare // PARTS, _source_text(whole.sources)))
    shown = "".join(text for _, text in whole.answers)
    for_answers = _characters(spare, shown) - for_sources
    for _ in range(MOST_CUTS):
        kept = replace(
            kept,
            answers=fairly_cut(survivors, for_answers, 0)[0],
            sources=fewer_sources(whole.sources, for_sources),
        )
        if _tokens(build(kept)) <= room:
            break
        for_answers, for_sources = (
            int(for_answers * FURTHER_CUT),
            int(for_sources * FURTHER_CUT),
        )
    return kept


def _conversation(conversation: Sequence[AnyMessage], share: int, left: int) -> list[AnyMessage]:
    """The conversation in its share of the room; a long question takes what it needs."""
    for room in (share, left):
        try:
            return list(fit(conversation, room).messages)  # type: ignore[arg-type]
        except TooLong:
            continue
    return list(conversation)  # the caller refuses it, with what to do


def _characters(tokens: int, text: str) -> int:
    """About how many characters of a text so many tokens are."""
    return int(tokens * len(text) / max(text_tokens(text), 1))


def _tokens(prompt: Sequence[BaseMessage]) -> int:
    return sum(map(tokens_of, prompt)) + REQUEST_TOKENS


def _cuts(whole: Material, kept: Material) -> list[Cut]:
    """List what of the material is missing."""
    before = {
        "the conversation before the question": sum(len(m.text) for m in whole.conversation),
        "the list of sources": _source_characters(whole.sources),
        "the judge's comparison": len(whole.analysis or ""),
        "the answers": sum(len(text) for _, text in whole.answers),
    }
    after = (
        sum(len(m.text) for m in kept.conversation),
        _source_characters(kept.sources),
        len(kept.analysis or ""),
        sum(len(text) for _, text in kept.answers),
    )
    return [
        Cut(what, what, had, has)
        for (what, had), has in zip(before.items(), after, strict=True)
        if has < had
    ]


def fairly_cut(
    answers: Sequence[PanelAnswer], budget: int, shortest: int = SHORTEST_CUT
) -> tuple[list[tuple[str, str]], list[Degradation]]:
    """Labels and texts in label order, cut to fit a budget: long answers give, short ones do not.

    Args:
        answers: Labelled answers.
        budget: Most characters of all texts together.
        shortest: No text is cut below so many characters.

    Returns:
        `(label, text)` pairs, cut texts marked as such, and a degradation for each cut.
    """
    ordered = sorted(answers, key=lambda answer: str(answer["label"]))
    limit = max(common_level([len(a["content"]) for a in ordered], budget), shortest)
    pairs, losses = [], list[Degradation]()
    for answer in ordered:
        text = answer["content"]
        if len(text) > limit:
            losses.append(
                {
                    "code": "answer_cut",
                    "detail": f"{answer['name']}'s answer was cut from {len(text)} to {limit} "
                    "characters for judge and writer.",
                }
            )
        pairs.append((str(answer["label"]), cut_text(text, limit)))
    return pairs, losses


def fewer_sources(sources: Sequence[SourceRecord], most: int) -> list[SourceRecord]:
    """The sources in at most so many characters: quotes are left out first, then the last ones.

    Args:
        sources: The numbered sources.
        most: Most characters of their lines.
    """
    if _source_characters(sources) <= most:
        return list(sources)
    left, kept = most, list[SourceRecord]()
    for source in sources:
        bare: SourceRecord = {**source, "quotes": []}
        left -= _source_characters([bare])
        if left < 0:
            break
        kept.append(bare)
    for index, bare in enumerate(kept):
        quotes = sources[index]["quotes"]
        left -= _source_characters([sources[index]]) - _source_characters([bare])
        if left < 0:
            break
        kept[index] = {**bare, "quotes": quotes}
    return kept


def _source_characters(sources: Sequence[SourceRecord]) -> int:
    return len(_source_text(sources))


def _source_text(sources: Sequence[SourceRecord]) -> str:
    """About what `prompts.source_lines` writes of sources."""
    lines = []
    for source in sources:
        lines.append(f"[{source['id']}] {(source['title'] or '')[:200]} — {source['url'][:500]}")
        lines += [f"    quoted: {quote['text'][:300]}: verdict" for quote in source["quotes"]]
    return "\n".join(lines)
