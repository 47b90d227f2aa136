"""What the view of a run shows besides its workers: how the run stands, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from markupsafe import Markup

from fusion_graph.judgement import Analysis
from fusion_graph.report.html._environment import template
from fusion_graph.report.html._verdicts import Verdicts
from fusion_graph.report.html._workers import Condition
from fusion_graph.report.html.matrix import Matrix, matrix
from fusion_graph.report.html.panel import Panel
from fusion_graph.text.claims import Told, beside_claims

if TYPE_CHECKING:
    from fusion_graph.report.html.live import LiveRun
    from fusion_graph.report.model import ReportedSource, ReportedTotals, RunReport

RunStatus = Literal["running", "ok", "degraded", "error", "cancelled", "interrupted"]


@dataclass
class RunPage:
    """A run as its view shows it.

    Attributes:
        run: The state, from the run's events.
        question: What was asked.
        files: What is attached to it: name and kind of each.
        status: How the run stands, or how it ended.
        error: What it ended with, if it failed.
        report: Its report, once it has one.
        report_address: Where that is as a page.
        took: How long it took, as who kept it says; seconds.
    """

    run: LiveRun
    question: str
    files: Sequence[Mapping[str, Any]] = ()
    status: RunStatus = "running"
    error: str = ""
    report: RunReport | None = None
    report_address: str = ""
    took: float = 0.0

    @property
    def seconds(self) -> float:
        """How long the run took."""
        return self.run.seconds or self.took

    @property
    def panel(self) -> Panel:
        """Who is in the panel, and who has answered."""
        if self.report is not None:
            return Panel.of(self.report)
        members = self.run.panel.items()
        return Panel((name, member.condition == "done") for name, member in members)

    @property
    def analysis(self) -> Analysis | None:
        """What the judge found, if it has."""
        if self.report is not None:
            return self.report.analysis
        found = self.run.analysis
        return None if found is None else Analysis.model_validate(found)

    @property
    def judge_usage(self) -> ReportedTotals | None:
        """What the judge's calls used, once a report says so."""
        return None if self.report is None else self.report.usage.stages.get("judge")

    @cached_property
    def verdicts(self) -> Verdicts:
        """What the check said of the answer's claims."""
        return Verdicts(self.report.claims if self.report else (), "cards.html")

    @property
    def matrix(self) -> Matrix | None:
        """Who said what, once a report says so."""
        if self.report is None:
            return None
        return matrix(self.report, self.panel, self.verdicts.listed)

    @property
    def lost(self) -> list[Told]:
        """What the run had to do without, but for what its claims say themselves."""
        if self.report is None:
            return []
        losses = [loss.model_dump() for loss in self.report.degradations]
        return beside_claims(losses, [claim.model_dump() for claim in self.report.claims])

    @property
    def folds(self) -> bool:
        """Whether the panel leaves the space to the answer."""
        return self.run.answering or self.report is not None

    @property
    def judge_state(self) -> Condition:
        """How the judge stands."""
        if self.run.judge is not None and self.run.judge.condition in ("done", "failed"):
            return self.run.judge.condition
        if self.analysis is not None:
            return "done"
        # Once the answer has begun, a judge that has not has no more to say.
        if self.status != "running" or self.run.answering:
            return "stopped"
        return "waiting" if self.run.judge is None else "working"

    @property
    def answer_state(self) -> Condition:
        """How the answer stands."""
        if self.report is not None and self.report.answer:
            return "done"
        if self.status != "running":
            return "stopped"
        return "working" if self.run.answering else "waiting"

    @property
    def why_no_answer(self) -> str:
        """Why there is no answer."""
        if self.status == "cancelled":
            return "cancelled"
        if self.status == "interrupted":
            return "interrupted"
        if self.report is not None and self.status != "error":
            return "none: the writer called tools of the application that asked"
        return "was not written"


class Cites:
    """Draws citations as raised links to the list of sources, and keeps which it has drawn.

    Args:
        sources: Those that can be cited.
    """

    def __init__(self, sources: Sequence[ReportedSource] = ()) -> None:
        self._sources = {source.id: source for source in sources}
        self._used: set[int] = set()
        self._macros: Any = template("cards.html").module

    @property
    def known(self) -> frozenset[int]:
        """The numbers that lead somewhere."""
        return frozenset(self._sources)

    def __call__(self, ids: Sequence[int], words: str | None = None) -> Markup:
        """The marks of the sources among these that there are, after the words quoted."""
        known = [n for n in ids if n in self._sources]
        quoted = Markup("“{}”").format(words) if words else Markup()
        return quoted + Markup().join(map(self._mark, known))

    def marks(self, ids: Sequence[int]) -> Markup:
        """The marks of these sources; one that there is not stays a number."""
        written = Markup("[{}]").format
        return Markup().join(self._mark(n) if n in self._sources else written(n) for n in ids)

    def listed(self) -> list[ReportedSource]:
        """The sources of which a mark has been drawn."""
        return [source for n, source in self._sources.items() if n in self._used]

    def _mark(self, n: int) -> Markup:
        self._used.add(n)
        return cast(Markup, self._macros.cited(self._sources[n]))
