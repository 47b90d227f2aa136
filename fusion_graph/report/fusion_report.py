"""FusionReport: what a run did, as data that draws itself for people."""

from __future__ import annotations

from typing import Any

from fusion_graph.report.model import RunReport


class FusionReport(RunReport):
    """What a run did: the question, the answer, who said what, what it cost, what was lost.

    Example:
        >>> from fusion_graph import FusionReport, create_fusion_graph
        >>> graph = create_fusion_graph("offline")
        >>> result = graph.invoke({"messages": [("user", "What is DRACO?")]})
        >>> report = FusionReport.from_state(result)
        >>> report.status
        'ok'
        >>> [answer.name for answer in report.answers]
        ['keyword', 'figures', 'central']
    """

    def to_html(self) -> str:
        """The report as one self-contained HTML page, which loads nothing and runs nothing."""
        from fusion_graph.report.html.page import render_report

        return render_report(self)

    def to_text(self) -> str:
        """The report as plain text, for a terminal, a log or a mail."""
        from fusion_graph.report.text import render_text

        return render_text(self)

    def _repr_html_(self) -> str:
        """The report in a notebook's output."""
        from fusion_graph.report.html.page import render_frame

        return render_frame(self)

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """The report in IPython on a terminal, and beside the page in a notebook's file."""
        printer.text(self.to_text().rstrip())
