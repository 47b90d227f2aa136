"""The cards of a run that is watched: drawn as it goes on, and sent piece by piece to a page.

Each piece is the HTML of one element, named by its id, and replaces what is inside that element;
of a text that grows only its last blocks. Nothing in a piece runs or loads anything: what models,
pages and users wrote is escaped throughout, and styles are the page's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from fusion_graph.report.html._environment import template
from fusion_graph.report.html._growing import GrowingText
from fusion_graph.report.html._raised import raised
from fusion_graph.report.html._run_page import Cites, RunPage, RunStatus
from fusion_graph.report.html.live import LiveRun
from fusion_graph.report.html.strangers import readable
from fusion_graph.report.html.thread import NO_THREAD, Thread

if TYPE_CHECKING:
    from fusion_graph.report.html._workers import Worker
    from fusion_graph.report.model import RunReport

Piece = dict[str, Any]
"""`{id, html}`: an element to put in the place of the one of that id. With `keep`: the elements
to put into that one after so many that stay."""

ARTICLE = "part-run"
"""The element that holds all others."""


class Cards:
    """Draws a run's cards from its events.

    Args:
        question: What was asked.
        thread: What was asked and answered before, drawn by `thread.thread`.
        files: What is attached to the question: name and kind of each.
    """

    def __init__(
        self,
        question: str,
        thread: Thread = NO_THREAD,
        files: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self._page = RunPage(LiveRun(), question, files)
        self._thread = thread
        self._macros: Any = template("cards.html").module
        self._texts: dict[str, GrowingText] = {}
        self._sent: dict[str, str] = {}
        self._touched: set[str] = set()

    def take(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Take what happened since the last drawing."""
        run = self._page.run
        for event in events:
            run.take(event)
            self._touched.add(str(event.get("name")))
            self._touched.update(map(str, event.get("names", ())))

    def changes(self) -> list[Piece]:
        """Draw what has changed since the last drawing; all of it the first time."""
        run = self._page.run
        if not self._sent or any(f"card-{n}" not in self._sent for n, _ in self._numbered()):
            return self.whole()
        drawn = [
            (f"card-{number}", self._panelist(worker, number))
            for name, (number, worker) in zip(run.panel, self._numbered(), strict=True)
            if name in self._touched
        ]
        drawn += [
            ("card-judge", self._macros.judge(self._page, Cites())),
            ("card-answer", self._macros.answer(self._page)),
            (ARTICLE, self._frame(kept=True)),
        ]
        pieces: list[Piece] = [
            {"id": id, "html": html}
            for id, drawn_html in drawn
            if (html := str(drawn_html)) != self._sent.get(id)
        ]
        self._sent |= {piece["id"]: piece["html"] for piece in pieces}
        for id, text in self._written():
            if change := self._text(id).draw(text):
                pieces.append({"id": id, "keep": change.keep, "html": change.html})
        self._touched.clear()
        return [{**piece, "html": readable(piece["html"])} for piece in pieces]

    def whole(self) -> list[Piece]:
        """Draw all of it as it stands."""
        for id, text in self._written():
            self._text(id).draw(text)
        panelists = [
            self._panelist(worker, number, self._text(f"prose-{number}").html)
            for number, worker in self._numbered()
        ]
        cites = Cites()
        judge = self._macros.judge(self._page, cites)
        answer = self._macros.answer(self._page, cites, self._text("prose-answer").html)
        self._sent = {
            ARTICLE: str(self._frame(kept=True)),
            "card-judge": str(judge),
            "card-answer": str(self._macros.answer(self._page)),
        }
        for number, worker in self._numbered():
            self._sent[f"card-{number}"] = str(self._panelist(worker, number))
        self._touched.clear()
        return [self._article(panelists, judge, answer)]

    def end(
        self,
        status: RunStatus,
        *,
        report: RunReport | None,
        report_address: str,
        error: str,
        seconds: float,
    ) -> list[Piece]:
        """Draw all of it as it ended: the texts with their citations and what was checked of them.

        Args:
            status: How the run ended.
            report: Its report, if it has one.
            report_address: Where that is as a page.
            error: What went wrong, in words; empty if nothing did.
            seconds: How long it took, where no event says so.
        """
        page = self._page
        page.status, page.error, page.took = status, error, seconds
        page.report, page.report_address = report, report_address
        for member in page.run.panel.values():
            if not member.ended:
                cut = status in ("cancelled", "interrupted")
                member.end("stopped", status if cut else "stopped")
        for answer in report.answers if report else ():
            if answer.name in page.run.panel and answer.usage.calls:
                cost = self._macros.spent(answer.cost_usd, answer.usage)
                page.run.panel[answer.name].cost = str(cost).strip()
        cites = Cites(report.sources if report else ())
        # In the order of the page: the list of sources comes after all that cites them.
        texts = self._reported(cites)
        panelists = [
            self._panelist(worker, number, texts[f"prose-{number}"])
            for number, worker in self._numbered()
        ]
        judge = self._macros.judge(page, cites)
        answer = self._macros.answer(page, cites, texts["prose-answer"])
        return [self._article(panelists, judge, answer)]

    def _reported(self, cites: Cites) -> dict[str, Markup]:
        """The texts as the report has them; those that it has not, as they were written."""
        texts = {}
        for id, text in self._written():
            self._text(id).draw(text)
            texts[id] = self._text(id).html
        report = self._page.report
        if report is None:
            return texts
        numbers = {name: number for number, name in enumerate(self._page.run.panel, start=1)}
        for answer in report.answers:
            if answer.status == "ok" and answer.name in numbers:
                texts[f"prose-{numbers[answer.name]}"] = raised(answer.content, cites)
        if report.answer:
            claimed = self._page.verdicts.in_answer()
            texts["prose-answer"] = raised(report.answer, cites, claimed)
        return texts

    def _numbered(self) -> list[tuple[int, Worker]]:
        return list(enumerate(self._page.run.panel.values(), start=1))

    def _written(self) -> list[tuple[str, str]]:
        """Every text that somebody has written, with the id of its element."""
        texts = [(f"prose-{number}", worker.writing) for number, worker in self._numbered()]
        return [*texts, ("prose-answer", self._page.run.answer)]

    def _text(self, id: str) -> GrowingText:
        return self._texts.setdefault(id, GrowingText())

    def _panelist(self, worker: Worker, number: int, prose: Markup | None = None) -> Markup:
        return Markup(self._macros.panelist(worker, number, self._page.folds, prose))  # noqa: S704

    def _frame(self, *, kept: bool) -> Markup:
        """The article around the cards, which stay as they are."""
        folds = self._page.folds
        panelists = [
            self._macros.panelist(worker, number, folds, kept=True)
            for number, worker in self._numbered()
        ]
        cards = SimpleNamespace(
            panelists=Markup().join(panelists),
            judge=self._macros.judge(self._page, Cites(), kept=True),
            answer=self._macros.answer(self._page, kept=True),
            thread=self._thread.kept,
        )
        return Markup(self._macros.article(self._page, cards, kept=kept))  # noqa: S704

    def _article(self, panelists: list[Markup], judge: Markup, answer: Markup) -> Piece:
        cards = SimpleNamespace(
            panelists=Markup().join(panelists),
            judge=judge,
            answer=answer,
            thread=self._thread.whole,
        )
        html = str(self._macros.article(self._page, cards))
        return {"id": ARTICLE, "html": readable(html)}
