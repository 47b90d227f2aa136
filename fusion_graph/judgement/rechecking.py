"""One contradiction that matters is asked again: which it is, and what the replies decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, Field, ValidationError

from fusion_graph.evidence import SourceRecord, independent, share_words, unfounded
from fusion_graph.judgement.analysis import Analysis, Contradiction, Point, Stance
from fusion_graph.judgement.stopping import MISQUOTED
from fusion_graph.text.mended_json import Mended, json_objects, mended
from fusion_graph.text.thinking import without_thinking

NEITHER = 0
"""The position of who finds that the passages decide nothing."""

WHOLE_SENTENCE = 4
"""Words from which a stance can stand without its topic."""


class RecheckReply(BaseModel):
    """One member's reply: the position it finds right, and the words of a passage that decide.

    Attributes:
        position: Its number from 1; `NEITHER` where the passages do not decide.
        why: In a sentence; may be empty.
        quote: Of a passage, as it stands there; may be empty.
    """

    position: int = Field(ge=0, le=99)
    why: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What a member holds after it was asked again.

    Attributes:
        name: The member.
        position: As in its reply; None where there is none.
        on_page: Whether the words it quotes stand in a passage of that position.
    """

    name: str
    position: int | None
    on_page: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """What asking again came to.

    Attributes:
        position: The position that everybody holds now, from 1; None where they still differ.
        detail: What it was, in a sentence, for the writer and the report.
    """

    position: int | None
    detail: str


def point_to_recheck(
    analysis: Analysis | None,
    answers: Mapping[str, str],
    sources: Sequence[SourceRecord],
    readable: Collection[int],
    question: str = "",
) -> Contradiction | None:
    """Choose the contradiction that is worth asking about again; None where none is.

    The first one, in the judge's order (what matters most comes first), in which

    1. two members or more who answered take different positions, and each of these makes its
       stance in its own answer, as far as code can tell: else the judge misread somebody, and
       asking would pay for that;
    2. each of two different positions rests on a source whose text is at hand, and on which
       nobody misquoted a word: where one side has no evidence there is nothing to weigh;
    3. it carries the answer: topic or stances share a telling word with the question.

    Worst case: nothing is amended that should be, or a contradiction aside is asked about, for one
    short call of each member in it. It never asks about more than one.

    Args:
        analysis: The judge's, by the members' names; None where there is none.
        answers: The answers of the members that answered, by name.
        sources: The run's sources.
        readable: Numbers of those whose text is at hand.
        question: What was asked.

    Returns:
        The contradiction, with the stances of members who answered alone.
    """
    if analysis is None:
        return None
    misquoted = {
        source["id"]
        for source in sources
        if any(quote["verdict"] in MISQUOTED for quote in source["quotes"])
    }
    usable = set(readable) - misquoted
    for clash in analysis.contradictions:
        sides = [side for side in clash.stances if side.model in answers and side.stance.strip()]
        backed = [side for side in sides if usable.intersection(side.sources)]
        found = Contradiction(topic=clash.topic, stances=sides)
        if len(positions(Contradiction(topic=clash.topic, stances=backed))) < 2:
            continue
        if len({side.model for side in backed}) < 2:
            continue
        if any(unfounded(s.stance, {s.model: answers[s.model]}, question) for s in sides):
            continue
        said = " ".join([clash.topic, *(side.stance for side in sides)])
        if share_words(said, question):
            return found
    return None


def positions(clash: Contradiction) -> list[list[Stance]]:
    """Group the stances of a contradiction that are worded alike, in their order.

    Args:
        clash: The contradiction.
    """
    groups: dict[str, list[Stance]] = {}
    for side in clash.stances:
        words = " ".join(side.stance.casefold().split()).rstrip(".")
        groups.setdefault(words, []).append(side)
    return list(groups.values())


def settle(clash: Contradiction, held: Sequence[Held]) -> Settlement:
    """Decide what the replies come to: all hold one position, with words of its pages, or not.

    A position counts as settled only if everybody who was asked replied and names it, and one of
    them quotes words that stand in a passage of it. So no majority settles anything, and nobody's
    bare word does.

    Args:
        clash: The contradiction.
        held: What each member holds now.
    """
    groups = positions(clash)
    told = []
    for one in held:
        if one.position is None:
            told.append(f"{one.name} did not reply")
        elif not 1 <= one.position <= len(groups):
            told.append(f"{one.name} finds that the passages do not decide")
        else:
            told.append(f'{one.name} holds "{_short(groups[one.position - 1][0].stance)}"')
    asked = "Asked again about this point alone, with the passages of each side"
    named = {one.position for one in held}
    (only,) = named if len(named) == 1 else (None,)
    if only is not None and 1 <= only <= len(groups):
        if any(one.on_page for one in held):
            was = "; before, ".join(
                f'{side.model} said "{_short(side.stance)}"'
                for number, group in enumerate(groups, 1)
                if number != only
                for side in group
            )
            return Settlement(only, f"{asked}, all hold this; before, {was}.")
        told.append("but nobody's words stand on a page of that position")
    return Settlement(None, f"{asked}: {', '.join(told)}.")


def amended(
    analysis: Analysis,
    clash: Contradiction,
    settlement: Settlement,
    sources: Sequence[SourceRecord],
) -> Analysis:
    """Amend an analysis by the outcome: what is settled is agreed, what stands says so.

    Args:
        analysis: The judge's; one in which the contradiction is not (somebody edited it) stays.
        clash: The contradiction that was asked about.
        settlement: What it came to.
        sources: The run's sources.
    """
    copy = analysis.model_copy(deep=True)
    found = next((item for item in copy.contradictions if item.topic == clash.topic), None)
    if found is None:
        return copy
    if settlement.position is None:
        found.rechecked = settlement.detail
        return copy
    copy.contradictions.remove(found)
    groups = positions(clash)
    stance = groups[settlement.position - 1][0].stance.strip()
    if len(stance.split()) < WHOLE_SENTENCE:
        stance = f"{clash.topic.strip().rstrip('.:')}: {stance}"
    ids = sorted({n for side in groups[settlement.position - 1] for n in side.sources})
    point = Point(
        point=stance,
        models=list(dict.fromkeys(side.model for group in groups for side in group)),
        sources=ids,
        independent=independent(ids, sources) if ids else None,
        rechecked=settlement.detail,
    )
    copy.consensus.insert(0, point)
    return copy


def read_reply(text: str) -> RecheckReply | None:
    """The last reply in a member's words; None if there is none.

    Args:
        text: What it wrote, whatever stands around the JSON.
    """
    for found in reversed(list(json_objects(without_thinking(text), _mend))):
        try:
            return RecheckReply.model_validate(found.data)
        except ValidationError:
            continue
    return None


def _mend(text: str, start: int) -> Mended | None:
    if '"position"' not in text[start : start + 40]:
        return None
    return Mended(mended(text[start:].rstrip().removesuffix("```")), len(text))


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 200 else f"{words[:199]}…"
