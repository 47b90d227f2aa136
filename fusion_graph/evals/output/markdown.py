"""The summary as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from fusion_graph.evals.comparison import Comparison
from fusion_graph.evals.output import certified
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.evals.output.words import (
    caveats,
    comparison_words,
    dollars,
    points,
    says,
    sign_test,
    spread,
    times,
    verdict_words,
)
from fusion_graph.report.html.strangers import readable
from fusion_graph.text.phrases import paid

MOST_QUESTIONS = 8
"""How many questions are named on each side of a comparison."""

QUESTION_CHARACTERS = 100
"""How much of a question stands in a list."""


def render_markdown(evaluation: Evaluation) -> str:
    """The summary of an evaluation, as Markdown."""
    first = evaluation.results.arms[0].name
    parts = [
        f"# {_plain(first)} on {_plain(evaluation.dataset.name)}",
        f"**{_plain(verdict_words(evaluation))}**",
        _code(evaluation.command),
        "## Scores",
        _arms(evaluation),
    ]
    pairs = evaluation.results.comparisons
    if pairs:
        parts += [f"## {_plain(first)} against the others", _pairs(pairs)]
        parts += [f"- {_plain(comparison_words(pair))}" for pair in pairs]
    parts += _certificates(evaluation)
    parts += _domains(evaluation)
    for pair in pairs:
        parts += _sides(evaluation, pair)
    parts += ["## What to mind", *(f"- {_plain(line)}" for line in caveats(evaluation))]
    parts += ["## To make these figures again", *_facts(evaluation)]
    return readable(_joined(parts) + "\n")


def _arms(evaluation: Evaluation) -> str:
    rows = [
        [
            _plain(arm.name),
            points(arm.score.score),
            points(arm.score.pass_rate),
            str(arm.score.questions),
            str(len(arm.score.failed)),
            str(len(arm.score.ungraded)),
            paid(dollars(arm.cost), arm.calls, arm.plan_calls),
            f"{arm.tokens_in_all:,.0f}",
            f"{arm.seconds_each:.2f}",
            f"{arm.characters:,.0f}",
            f"{arm.calls:,}",
        ]
        for arm in evaluation.results.arms
    ]
    head = [
        "arm",
        "score",
        "pass rate",
        "questions",
        "failed",
        "left out",
        "cost",
        "tokens",
        "s each",
        "characters each",
        "calls",
    ]
    return _table(head, rows)


def _pairs(pairs: Sequence[Comparison]) -> str:
    rows = [
        [
            _plain(pair.other),
            spread(pair.score),
            sign_test(pair.score),
            says(pair.score),
            times(pair.cost),
            times(pair.tokens),
            times(pair.seconds),
            f"{pair.helped} / {pair.hurt} / {pair.same}",
            str(len(pair.left_out)),
        ]
        for pair in pairs
    ]
    head = [
        "against",
        "points (95 %)",
        "sign test",
        "shown",
        "cost",
        "tokens",
        "seconds",
        "better / worse / alike",
        "left out",
    ]
    return _table(head, rows)


def _certificates(evaluation: Evaluation) -> list[str]:
    parts = []
    for found in evaluation.results.certificates:
        parts.append(f"## What the answers of {_plain(found.preset)}'s members allow")
        parts += [f"- {_plain(line)}" for line in certified.certificate_words(found)]
        rows = [[_plain(cell) for cell in row] for row in certified.seat_rows(found)]
        parts.append(_table(certified.SEAT_HEAD, rows))
    return parts


def _domains(evaluation: Evaluation) -> list[str]:
    arms = evaluation.results.arms
    names = sorted({name for arm in arms for name in arm.score.domains})
    if not names:
        return []
    rows = []
    for name in names:
        found = [arm.score.domains.get(name) for arm in arms]
        count = max((mean.questions for mean in found if mean), default=0)
        rows.append(
            [_plain(name), str(count), *(points(mean.mean if mean else None) for mean in found)]
        )
    return ["## By domain", _table(["domain", "questions", *(_plain(a.name) for a in arms)], rows)]


def _sides(evaluation: Evaluation, pair: Comparison) -> list[str]:
    """The questions on which the first arm won and lost most."""
    texts = {question.id: question.text for question in evaluation.questions}
    better = [item for item in pair.gains if item[1] > 0][:MOST_QUESTIONS]
    worse = [item for item in reversed(pair.gains) if item[1] < 0][:MOST_QUESTIONS]
    if not better and not worse:
        return []
    parts = [f"## Where {_plain(pair.one)} did better or worse than {_plain(pair.other)}"]
    for title, items in (("Better:", better), ("Worse:", worse)):
        if items:
            parts.append(title)
            parts += [
                f"- {gain:+.0f} {_plain(question)}: {_plain(texts[question], QUESTION_CHARACTERS)}"
                for question, gain in items
            ]
    return parts


def _facts(evaluation: Evaluation) -> list[str]:
    dataset = evaluation.dataset
    lines = [
        f"- Question set: {_plain(dataset.name)}, SHA-256 {dataset.sha256}; "
        f"{len(evaluation.questions)} of {len(dataset.questions)} questions",
        *(
            f"- {_plain(arm.name)}: {arm.described()['does']}; panel "
            f"{_plain(', '.join(_models(arm.described()['settings'])))}"
            + (f"; corpus SHA-256 {arm.corpus}" if arm.corpus else "")
            for arm in evaluation.arms
        ),
    ]
    if evaluation.grader is not None:
        told = "; ".join(f"{k} {v}" for k, v in evaluation.grader.identity().items())
        lines.append(f"- Grader: {_plain(told)}; passes {evaluation.grader.passes}")
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    lines.append(f"- Versions: {versions}")
    lines.append("- Every setting and every figure: results.json; every answer: answers.jsonl")
    return lines


def _models(settings: dict[str, object]) -> list[str]:
    panel = settings["panel"]
    return [str(member["model"]) for member in panel] if isinstance(panel, list) else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """A block of code that its text cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{' '.join(text.split())}\n{fence}"


def _plain(text: str, limit: int | None = None) -> str:
    """A stranger's words as one line, of which no character is Markdown or HTML."""
    line = " ".join(text.split())
    if limit is not None and len(line) > limit:
        line = f"{line[: limit - 1]}…"
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", line)


def _joined(parts: Sequence[str]) -> str:
    """Blocks with a blank line between, items of a list without."""
    text = parts[0]
    for before, part in pairwise(parts):
        text += ("\n" if before.startswith("- ") and part.startswith("- ") else "\n\n") + part
    return text
