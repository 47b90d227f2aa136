"""The panels of an evaluation whose members answered alone as well, each with its certificate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fusion_graph.cost.track_record import RIGHT_FROM
from fusion_graph.evals._scoring import QuestionScore
from fusion_graph.evals.arms import Kind
from fusion_graph.evals.certificate import Certificate, Right, certify
from fusion_graph.evals.runner import Marked

_ALONE = ":solo:"

_OVER_THE_SAME: tuple[Kind, ...] = ("panel", "adaptive", "no-judge", "no-verify")
"""Arms that answer from what the members say alone; the others ask a member anew."""


def certificates(
    marked: Sequence[Marked], scores: Mapping[tuple[str, str], QuestionScore]
) -> tuple[Certificate, ...]:
    """The certificate of each preset of which at least two members were asked alone.

    Args:
        marked: Every answer.
        scores: Of every answer, by question and arm.
    """
    arms = {item.arm.name: item.arm for item in marked}
    pools: dict[str, list[str]] = {}
    for arm in arms.values():
        preset, alone, _ = arm.name.partition(_ALONE)
        if arm.kind == "solo" and alone:
            pools.setdefault(preset, []).append(arm.name)
    right: dict[str, Right] = {name: _right(name, marked, scores) for name in arms}
    texts = {
        name: {item.question.id: item.answer.text or "" for item in marked if item.arm.name == name}
        for solos in pools.values()
        for name in solos
    }
    found = []
    for preset, solos in pools.items():
        others = [
            arm.name
            for arm in arms.values()
            if arm.kind in _OVER_THE_SAME and arm.name in (preset, f"{preset}:{arm.kind}")
        ]
        one = certify(
            preset,
            {_member(name): right[name] for name in solos},
            {name: right[name] for name in others},
            {_member(name): texts[name] for name in solos},
        )
        if one is not None:
            found.append(one)
    return tuple(found)


def _member(arm: str) -> str:
    return arm.partition(_ALONE)[2]


def _right(
    arm: str, marked: Sequence[Marked], scores: Mapping[tuple[str, str], QuestionScore]
) -> Right:
    """On which questions an arm was right; those that could not be marked are missing."""
    return {
        item.question.id: value >= RIGHT_FROM
        for item in marked
        if item.arm.name == arm and (value := scores[item.question.id, arm].score) is not None
    }
