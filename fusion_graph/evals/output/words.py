"""The figures in words: what was shown, what was not, and what to mind."""

from __future__ import annotations

from fusion_graph.evals._questions import Check, Programs
from fusion_graph.evals.comparison import ArmFigures, Comparison
from fusion_graph.evals.intervals import FEWEST_PAIRS, NO_DIFFERENCE, Interval
from fusion_graph.evals.output.certified import HOW_TO_GET_ONE, missing
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.sandbox import Suite
from fusion_graph.text.phrases import counted

FEW_QUESTIONS = 50
"""Below so many, intervals are wide enough to hide differences that people pay for."""


def points(value: float | None) -> str:
    """A score: `65.5`, or a dash."""
    return "–" if value is None else f"{value:.1f}"


def signed(value: float) -> str:
    """A difference in points: `+2.1`, `−0.4`, `0.0`."""
    text = f"{value:+.1f}".replace("-", "\u2212")
    return "0.0" if text[1:] == "0.0" else text


def spread(found: Interval | None) -> str:
    """A difference with its interval: `+2.1 (−1.0 to +5.2)`."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return signed(found.estimate)
    return f"{signed(found.estimate)} ({signed(found.low)} to {signed(found.high)})"


def times(found: Interval | None) -> str:
    """A ratio with its interval: `4.1 × (3.8 to 4.4)`, or a dash where there is none."""
    if found is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.estimate:.2g} ×"
    return f"{_ratio(found.estimate)} × ({_ratio(found.low)} to {_ratio(found.high)})"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def dollars(value: float | None) -> str:
    """US dollars, with as many digits as say something."""
    if value is None:
        return "unknown"
    if value == 0:
        return "$0"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


def says(found: Interval | None) -> str:
    """What a difference in score shows: `better`, `worse`, `no difference shown`."""
    return "nothing in common" if found is None else found.verdict("better", "worse")


def sign_test(found: Interval | None) -> str:
    """The sign test beside an interval: `p 0.031`, or a dash where there is none."""
    if found is None:
        return "–"
    p = found.signs.p
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"


MOST_NAMED = 8
"""How many of the questions that are left out are named."""


def left_out_words(found: Comparison) -> str:
    """The questions of a comparison that are in none of its figures; empty if there are none."""
    if not found.left_out:
        return ""
    named = ", ".join(found.left_out[:MOST_NAMED])
    more = len(found.left_out) - MOST_NAMED
    rest = f" and {more} more" if more > 0 else ""
    return (
        f"{counted(len(found.left_out), 'question')} left out, because one of the two could not "
        f"be marked: {named}{rest}."
    )


def comparison_words(found: Comparison) -> str:
    """One comparison as sentences."""
    score = found.score
    if score is None:
        words = f"{found.one} and {found.other} have no marked question in common."
        return f"{words} {left_out_words(found)}".strip()
    said = says(score)
    if said == NO_DIFFERENCE:
        parts = [f"{found.one} against {found.other}: {NO_DIFFERENCE}; {spread(score)} points."]
        if score.pairs < FEWEST_PAIRS:
            parts.append(f"It takes {FEWEST_PAIRS} questions to show one or an interval.")
        elif not score.spans:
            parts.append("The interval leaves out 0, but the sign test does not agree.")
    else:
        parts = [f"{found.one} is {said} than {found.other} by {spread(score)} points."]
    parts.append(
        f"{found.one} did better on {counted(found.helped, 'question')}, worse on {found.hurt}, "
        f"alike on {found.same} (sign test: {sign_test(score)})."
    )
    if found.left_out:
        parts.append(left_out_words(found))
    amounts = [
        f"{ratio.estimate:.1f} times the {what}"
        for what, ratio in (
            ("cost", found.cost),
            ("tokens", found.tokens),
            ("seconds", found.seconds),
        )
        if ratio is not None
    ]
    if amounts:
        parts.append(f"{found.one} took {_listed(amounts)}.")
    return " ".join(parts)


def verdict_words(evaluation: Evaluation) -> str:
    """The verdict in plain words: the first arm against the best of the others."""
    first, *others = evaluation.results.arms
    marked = [arm for arm in others if arm.score.score is not None]
    if not marked:
        return (
            f"{first.name} scored {points(first.score.score)} of 100 on "
            f"{len(evaluation.questions)} questions. There is nothing to compare it with."
        )
    best = max(marked, key=lambda arm: arm.score.score or 0.0)
    (found,) = [item for item in evaluation.results.comparisons if item.other == best.name]
    lead = "" if len(marked) == 1 else f"The best of the other arms is {best.name}. "
    return f"{lead}{comparison_words(found)} {_worth(first, best, found)}".strip()


def _worth(first: ArmFigures, best: ArmFigures, found: Comparison) -> str:
    """Whether what the first arm takes more is worth it, as far as that was shown."""
    score = found.score
    dearer = [
        what
        for what, ratio in (("money", found.cost), ("tokens", found.tokens))
        if ratio is not None and ratio.shown and ratio.estimate > 1
    ]
    if score is None or not dearer:
        return ""
    if score.shown and score.estimate > 0:
        return f"Whether {signed(score.estimate)} points are worth the {dearer[0]} is yours to say."
    if score.shown:
        return f"{first.name} takes more {dearer[0]} for less."
    return (
        f"On these questions nothing shows that {first.name} is worth more {dearer[0]} than "
        f"{best.name}; a small difference may need more questions to show."
    )


def caveats(evaluation: Evaluation) -> list[str]:
    """What to mind before these figures are quoted, in sentences."""
    questions, grader = evaluation.questions, evaluation.grader
    found = [
        f"{len(questions)} questions of {evaluation.dataset.name}: an interval speaks of other "
        "questions like these, and of nothing else."
    ]
    if len(questions) < FEW_QUESTIONS:
        found.append("So few questions show large differences only.")
    if grader is not None:
        found.append(
            f"One grader, {grader.model}, {_passes(grader.passes)}: another grader moves such "
            "scores by 10 to 25 points. Compare scores of this grader only."
        )
    if any(isinstance(question.marking, Check) for question in questions):
        found.append(
            "Checks by code see words, not sense: an answer that says more has more chances to "
            "say the right word, also beside a wrong one. Characters each are therefore told."
        )
    if any(isinstance(question.marking, Suite | Programs) for question in questions):
        found.append("Code counts as right when it passes its tests, and wrong otherwise.")
    pairs = len(evaluation.results.comparisons)
    if pairs:
        found.append(
            "An interval of 95 % holds the truth in about 95 of 100 such evaluations, and is "
            "widened so that it does in 90 however rare and bad the failures are that these "
            f"questions did not show. Fewer than {FEWEST_PAIRS} questions get none. A difference "
            "is called better or worse where an exact sign test (p of at most 0.05) agrees."
        )
    if pairs > 1:
        found.append(
            f"{pairs} comparisons, each with an interval of 95 %: of twenty pairs without a "
            "difference, one seems to have one."
        )
    if len(evaluation.results.arms) > 2:
        found.append("The best of several arms was picked by its score, which flatters it.")
    found.append(
        "Cost, tokens and seconds are those of an arm run by itself; arms shared the answers of "
        "the panelists they have in common. Seconds were measured with several answers under way."
    )
    found.append(
        "Every panelist was waited for, whatever the quorum. Fallbacks stood in as they do for a "
        "preset's users, but for nobody who was measured by himself."
    )
    if missing(evaluation):
        found.append(HOW_TO_GET_ONE)
    found += losses(evaluation)
    if grader is None:
        return [*found, "An answer that failed scores 0."]
    return [*found, f"Policy {evaluation.policy.name}: {evaluation.policy.text}"]


def losses(evaluation: Evaluation) -> list[str]:
    """What is missing from these figures, arm by arm, in sentences."""
    found = []
    for arm in evaluation.results.arms:
        score, lost = arm.score, []
        if score.failed:
            lost.append(f"{len(score.failed)} without an answer (scored 0)")
        if score.ungraded:
            lost.append(f"{len(score.ungraded)} that could not be marked (left out)")
        if score.unreadable:
            lost.append(f"{len(score.unreadable)} without a readable verdict (scored 0)")
        if score.unread:
            lost.append(f"{score.unread} of {score.verdicts} verdicts missing")
        if score.leaked and evaluation.dataset.draco:
            lost.append(f"{len(score.leaked)} with signs of contamination")
        if arm.degraded:
            lost.append(f"{arm.degraded} degraded")
        if lost:
            found.append(f"{arm.name}: {_listed(lost)}.")
    if evaluation.policy.bare_json and any(arm.score.unread for arm in evaluation.results.arms):
        found.append(
            "Verdicts are missing: --policy strict also reads them in prose, and asks once more."
        )
    if evaluation.dataset.draco and not evaluation.dataset.as_published:
        found.append("The file is not DRACO's as it was published.")
    return found


def _passes(number: int) -> str:
    return "one pass" if number == 1 else f"{number} passes"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
