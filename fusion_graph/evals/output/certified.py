"""A certificate in words, as rows of tables and as data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fusion_graph.cost.track_record import RIGHT_FROM
from fusion_graph.evals.certificate import SHORT_WORDS, Certificate, Pair, Taken
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.text.phrases import counted

HOW_TO_GET_ONE = (
    "No certificate: it takes a panel's members by themselves. Add them as arms, as in "
    "PRESET,PRESET:solo; their answers are the panel's own and are not paid again."
)
"""Said where an evaluation has a panel and not its members."""

WHAT_IS_RIGHT = (
    f"An answer counts as right from {RIGHT_FROM:g} points. Each bound holds in at least 95 of 100 "
    "question sets drawn like this one (Clopper and Pearson)."
)
"""Stands below each certificate."""


def percent(share: float) -> str:
    """A share: `4.7 %`."""
    return f"{100 * share:.1f} %"


def missing(evaluation: Evaluation) -> bool:
    """Whether it has a panel of several members and no certificate."""
    several = any(
        arm.kind in ("panel", "no-judge", "no-verify") and len(arm.settings.panel) > 1
        for arm in evaluation.arms
    )
    return several and not evaluation.results.certificates


def certificate_words(found: Certificate) -> list[str]:
    """A certificate as sentences: the ceiling, what was taken of it, the seats, the errors."""
    wrong, lead = found.all_wrong, found.lead
    words = [
        f"All members of {found.preset} got {wrong.count} of {counted(wrong.of, 'question')} "
        f"wrong: {percent(wrong.value)} ({percent(wrong.low)} to {percent(wrong.high)}). So no "
        f"router, vote, judge or cascade over their answers gets more than "
        f"{percent(found.ceiling)} right (on questions like these {percent(found.ceiling_at_most)} "
        f"at most): its lead over {found.best} alone is {100 * lead.value:.1f} points here, and "
        f"{100 * lead.high:.1f} over the best member at most.",
        *map(taken_words, found.taken),
    ]
    idle = [seat.name for seat in found.seats if seat.adds_nothing]
    if idle:
        words.append(
            f"{', '.join(idle)}: no question here that only this member got right; without it the "
            f"ceiling is the same."
            if len(idle) == 1
            else f"{', '.join(idle)}: no question here that only one of them got right; without "
            f"any one of them the ceiling is the same."
        )
    words += map(pair_words, found.pairs)
    if found.left_out:
        words.append(
            f"{counted(len(found.left_out), 'question')} left out, because a member's answer "
            f"could not be marked: {', '.join(found.left_out[:8])}"
            + (f" and {len(found.left_out) - 8} more." if len(found.left_out) > 8 else ".")
        )
    return [*words, WHAT_IS_RIGHT]


def taken_words(taken: Taken) -> str:
    """What an arm made of the members' answers, as a sentence."""
    share = taken.share_of_lead
    if share is None:
        led = "there was no lead to take"
    else:
        led = (
            f"of the {counted(taken.largest_lead, 'question')} that the best choice is ahead of "
            f"the best member, it took {taken.kept - taken.best} ({100 * share:.0f} %)"
        ).replace("-", "\u2212")
    return (
        f"{taken.arm}: kept {taken.kept} right answers of its members and lost {taken.lost}; "
        f"{led}. Beyond the ceiling, right where no member was: {taken.beyond}."
    )


def pair_words(pair: Pair) -> str:
    """How the errors of two members go together, as a sentence."""
    phi = "not defined" if pair.phi is None else f"{pair.phi:+.2f}".replace("-", "\u2212")
    words = (
        f"{pair.one} and {pair.other}: both wrong on {pair.both_wrong}, "
        f"{pair.by_chance:.1f} if their errors were independent (correlation {phi})"
    )
    if not pair.compared:
        return f"{words}."
    return (
        f"{words}; of {pair.compared} with short wrong answers (up to {SHORT_WORDS} words), "
        f"the same one in {pair.agreed}."
    )


def seat_rows(found: Certificate) -> list[list[str]]:
    """A row for each member: right, right alone, the ceiling without it."""
    return [
        [seat.name, str(seat.right), str(seat.alone), percent(seat.ceiling_without)]
        for seat in found.seats
    ]


SEAT_HEAD = ["member", "right", "only it right", "ceiling without it"]


def certificate_data(found: Certificate) -> dict[str, Any]:
    """A certificate as plain data; shares from 0 to 1."""
    return {
        **asdict(found),
        "ceiling": found.ceiling,
        "ceiling_at_most": found.ceiling_at_most,
        "right_from": RIGHT_FROM,
        "all_wrong": {**asdict(found.all_wrong), "value": found.all_wrong.value},
        "lead": {**asdict(found.lead), "value": found.lead.value},
        "taken": [
            {
                **asdict(taken),
                "largest_lead": taken.largest_lead,
                "share_of_lead": taken.share_of_lead,
            }
            for taken in found.taken
        ],
        "words": certificate_words(found),
    }
