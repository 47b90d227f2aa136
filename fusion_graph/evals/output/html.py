"""The summary as one HTML page that loads nothing and runs nothing."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fusion_graph.evals.output import _plots as plots
from fusion_graph.evals.output import certified, words
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.report.html.panel import hue
from fusion_graph.report.html.strangers import readable
from fusion_graph.text.phrases import paid


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("fusion_graph.evals.output"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "points": words.points,
        "signed": words.signed,
        "spread": words.spread,
        "times": words.times,
        "dollars": words.dollars,
        "paid": paid,
        "says": words.says,
        "sign_test": words.sign_test,
        "told": words.comparison_words,
        "hue": hue,
    }
    return environment


def render_html(evaluation: Evaluation) -> str:
    """The summary of an evaluation as a self-contained HTML page (a full document).

    Args:
        evaluation: What was found.
    """
    arms = evaluation.results.arms
    pairs = evaluation.results.comparisons
    page = (
        _environment()
        .get_template("summary.html")
        .render(
            evaluation=evaluation,
            arms=arms,
            pairs=pairs,
            verdict=words.verdict_words(evaluation),
            caveats=words.caveats(evaluation),
            texts={question.id: question.text for question in evaluation.questions},
            domains=sorted({name for arm in arms for name in arm.score.domains}),
            against_cost=plots.score_against_cost(arms),
            by_domain=plots.by_domain(arms),
            gains={pair.other: plots.gains(pair, arms[0].scores) for pair in pairs},
            certified=[
                (found, certified.certificate_words(found), certified.seat_rows(found))
                for found in evaluation.results.certificates
            ],
            seat_head=certified.SEAT_HEAD,
            described=[arm.described() for arm in evaluation.arms],
            style=_style("fusion_graph.report.html", "report.css")
            + _style(__package__, "summary.css"),
        )
    )
    return readable(page)


def _style(package: str, name: str) -> Markup:
    return Markup((files(package) / "templates" / name).read_text("utf-8"))  # noqa: S704
