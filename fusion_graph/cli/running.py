"""A run on the command line: its events become progress, its words the answer, its end a report."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from fusion_graph.cli.answer import Answer, write_report
from fusion_graph.cli.exits import ANSWERED, RunInterrupted, complain
from fusion_graph.cli.interruptible import run_to_end
from fusion_graph.cli.progress import Progress, open_progress
from fusion_graph.cli.report import save_page
from fusion_graph.errors import AllPanelistsFailed, OutputFailed, RunLogError
from fusion_graph.text.phrases import clean, cut_off, summary

if TYPE_CHECKING:
    from fusion_graph.faces.threads import Keeping

Events = Callable[[], AsyncIterator[dict[str, Any]]]
"""Begins a run, and gives its events to the `fusion.result`."""


@dataclass(frozen=True)
class Output:
    """How a run is to be shown.

    Attributes:
        as_json: Whether the report is wanted instead of the answer.
        quiet: Whether nothing is to be said on standard error.
        page: File that the run's report is written to as a page; None for no file.
        file: File that takes the answer, or the report as JSON, instead of standard output.
    """

    as_json: bool = False
    quiet: bool = False
    page: str | None = None
    file: str | None = None


@dataclass
class _End:
    """How a run ended: its report, the text of its last message, and its seconds."""

    report: dict[str, Any]
    content: str
    took: float


def show(
    events: Events, output: Output, thread: str | None = None, keeping: Keeping | None = None
) -> int:
    """Run to the end and show it. Returns the exit code.

    What only goes with the answer (its thread, its page) fails with a warning: the answer is paid.

    Args:
        events: Begins the run.
        output: How it is to be shown.
        thread: The thread that keeps it; None for none.
        keeping: Whether the thread does keep it.

    Raises:
        AllPanelistsFailed: Nobody answered; with `as_json` its report has been printed, and its
            page is written like any other.
        OutputFailed: Standard output, or the file in its place, takes no more.
        RunInterrupted: Somebody stopped it.
    """
    began = time.monotonic()
    seen: list[Mapping[str, Any]] = []
    answer = None if output.as_json else Answer(output.file)
    progress = open_progress(quiet=output.quiet)
    try:
        end = run_to_end(_follow(events, progress, answer, seen))
    except AllPanelistsFailed as failed:
        progress.close()
        if output.as_json and failed.report is not None:
            write_report(failed.report, output.file)
        if failed.report is not None:
            _log(failed.report, time.monotonic() - began, thread)
            if output.page is not None:
                _save_page(output.page, failed.report, progress)
        raise
    except BaseException as error:
        progress.close()
        if answer is not None and answer.terminal:
            answer.end_line()
        if isinstance(error, KeyboardInterrupt):
            kept = None if keeping is not None and keeping.lost else thread
            raise _interrupted(seen, time.monotonic() - began, kept) from None
        raise
    finally:
        if keeping is not None and keeping.lost:
            progress.close()
            complain(f"warning: not kept in thread '{clean(str(thread))}': {clean(keeping.lost)}")
    progress.close()
    _log(end.report, end.took or time.monotonic() - began, thread)
    corrected = False
    if answer is None:
        write_report(end.report, output.file)
    else:
        corrected = not answer.finish(end.content)
        if answer.terminal:
            progress.note("")
    for line in [*summary(end.report, end.took), *left_out(end.report)]:
        progress.note(line)
    if corrected:
        progress.note("  The text above was corrected when it was done: --json has the final one.")
    if output.file is not None:
        progress.note(f"answer: {output.file}")
    if output.page is not None:
        _save_page(output.page, end.report, progress)
    return ANSWERED


def left_out(report: Mapping[str, Any]) -> list[str]:
    """A line for each file of the searched folder that nobody read, with why."""
    folder = (report.get("config") or {}).get("corpus")
    if not folder:
        return []
    from fusion_tools.corpus import open_corpus
    from fusion_tools.errors import CorpusError

    try:
        return [f"  not read: {clean(note)}" for note in open_corpus(folder).notes]
    except CorpusError:  # it went away meanwhile
        return []


def _interrupted(seen: list[Mapping[str, Any]], took: float, thread: str | None) -> RunInterrupted:
    # A run that had not begun is kept nowhere.
    known = thread and seen
    remedy = f"`fusion-graph resume {quote(str(thread))}` goes on from there." if known else ""
    return RunInterrupted(cut_off(seen, took), remedy)


def _log(report: Mapping[str, Any], took: float, thread: str | None) -> None:
    from fusion_graph.faces.run_log import is_on, log_run

    if not is_on():
        return
    try:
        log_run(report, took, thread or "")
    except RunLogError as failed:
        complain(f"warning: the run was not logged: {failed}")


def _save_page(path: str, report: Mapping[str, Any], progress: Progress) -> None:
    try:
        save_page(path, report)
    except OutputFailed as failed:
        complain(f"warning: the report was not written: {failed}")
    else:
        progress.note(f"report: {path}")


async def _follow(
    events: Events, progress: Progress, answer: Answer | None, seen: list[Mapping[str, Any]]
) -> _End:
    took = 0.0
    end: _End | None = None
    stream: Any = events()
    async with aclosing(stream) as parts:
        async for event in parts:
            seen.append(event)
            match event["type"]:
                case "fusion.result":
                    end = _End(event["report"], event["message"].text, took)
                case "answer.delta":
                    _take_text(event, progress, answer)
                case "fusion.completed":
                    took = event["at"]
                case _:
                    _take_event(event, progress, answer)
    assert end is not None
    return end


def _take_text(event: Mapping[str, Any], progress: Progress, answer: Answer | None) -> None:
    if answer is None:
        return
    if answer.terminal and not answer.begun:
        progress.close()  # the board and the answer would write over each other
        progress.note("")
    answer.take(event["message_id"], event["text"])


def _take_event(event: Mapping[str, Any], progress: Progress, answer: Answer | None) -> None:
    if answer is not None:
        if event["type"] == "synthesis.restarted":
            answer.void()
        if answer.terminal:
            answer.end_line()
    progress.event(event)
