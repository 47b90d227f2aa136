"""The report for people: one self-contained HTML page, a text for terminals, a live view.

Nothing on the page runs and nothing is fetched: no scripts, fonts or images, and a policy in the
page that forbids them. What models, pages and users wrote is escaped throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from fusion_graph.report.model import RunReport

MOST_HEADLINE = 220
"""Characters of a question that stand as the page's heading; a longer one begins there."""


@dataclass(frozen=True)
class Question:
    """A question as a heading, and whole if that is not all of it."""

    headline: str
    whole: str | None


def render_report(report: RunReport) -> str:
    """A report as a self-contained HTML page (a full document).

    Args:
        report: The report of a run.
    """
    return _render(report, framed=False)


def render_frame(report: RunReport) -> str:
    """A report for a notebook: the page in a frame of its own.

    The notebook's styles do not reach into the frame, nor the page's out of it, and `sandbox`
    takes every right from the page but to open a link in a new tab. A page that runs nothing
    cannot tell its height: the frame has one that shows the answer, scrolls, and can be dragged.

    Args:
        report: The report of a run.
    """
    frame = Markup(
        '<iframe title="Report of a fusion-graph run" srcdoc="{}"'
        ' sandbox="allow-popups allow-popups-to-escape-sandbox"'
        ' style="width: 100%; height: 680px; border: 1px solid rgb(128 128 128 / .35);'
        ' border-radius: 8px; resize: vertical; overflow: auto"></iframe>'
    )
    return str(frame.format(_render(report, framed=True)))


def headline(question: str) -> Question:
    """The heading for a question: itself, or where it is long its beginning."""
    first = next((line for line in question.splitlines() if line.strip()), "").strip()
    if first == question.strip() and len(first) <= MOST_HEADLINE:
        return Question(first, None)
    if len(first) > MOST_HEADLINE:
        cut = first[:MOST_HEADLINE]
        first = (cut.rpartition(" ")[0] or cut) + "…"
    return Question(first, question.strip("\n"))


def _render(report: RunReport, *, framed: bool) -> str:
    # Jinja and the Markdown parser are loaded when a page is made, not with the package.
    from fusion_graph.report.html._citations import Citations
    from fusion_graph.report.html._environment import template
    from fusion_graph.report.html._markdown import markdown
    from fusion_graph.report.html._timeline import lay_out
    from fusion_graph.report.html._verdicts import Verdicts
    from fusion_graph.report.html.matrix import matrix
    from fusion_graph.report.html.panel import Panel
    from fusion_graph.report.html.strangers import readable
    from fusion_graph.text.claims import beside_claims

    citations = Citations(report.sources)
    known = frozenset(source.id for source in report.sources)
    panel = Panel.of(report)
    verdicts = Verdicts(report.claims)
    lost = [loss.model_dump() for loss in report.degradations]
    prose = partial(markdown, cite=citations.with_cards, known=known, below=2)
    page = template("report.html").render(
        report=report,
        question=headline(report.question),
        panel=panel,
        timeline=lay_out(report.timeline, panel.members, frozenset(report.usage.models)),
        cite=citations.with_cards,
        verdicts=verdicts,
        matrix=matrix(report, panel, verdicts.listed),
        lost=beside_claims(lost, [claim.model_dump() for claim in report.claims]),
        link=citations.with_links,
        prose=partial(prose, claimed=verdicts.in_answer()),
        answer_prose=partial(markdown, cite=citations.with_links, known=known, below=3),
        style=_style("report.css"),
        # In a frame, `#sources` would else be a place in the document around it.
        framed=framed,
    )
    return readable(page)


def _style(name: str) -> Markup:
    return Markup((files(__package__) / "templates" / name).read_text("utf-8"))  # noqa: S704
