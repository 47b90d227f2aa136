"""`fusion-graph log`: the runs of this machine, in a list, or one of them again."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fusion_graph.cli.answer import speaks_utf8, write_out, write_report
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import ANSWERED, complain
from fusion_graph.errors import RunLogError
from fusion_graph.text.phrases import clean, counted
from fusion_graph.text.printable import printable

if TYPE_CHECKING:
    from fusion_graph.faces.run_log import LoggedRun

QUESTION_CHARACTERS = 80
"""How much of a question a list shows."""


def show_log(most: int, as_json: bool) -> int:
    """List the last runs, one a line. Returns the exit code.

    Raises:
        RunLogError: The log cannot be read.
    """
    from fusion_graph.faces.run_log import is_on, latest_runs, log_file

    runs = latest_runs(most)
    if as_json:
        data = [asdict(run) for run in runs]
        write_out(json.dumps(data, indent=2, ensure_ascii=not speaks_utf8()) + "\n")
        return ANSWERED
    write_out("".join(f"{_line(run)}\n" for run in runs))
    if not runs:
        off = "" if is_on() else "; FUSION_GRAPH_LOG is off"
        write_out(f"No runs in {log_file()}{off}.\n")
    return ANSWERED


def show_run(id: str, as_json: bool) -> int:
    """Print the answer of a run, or its report as JSON. Returns the exit code.

    Raises:
        RunLogError: There is no such run, or it cannot be read.
    """
    from fusion_graph.faces.run_log import logged_report

    report = logged_report(id)
    if report is None:
        raise RunLogError(
            f"No run, or more than one, has an id that begins with '{id}'.",
            "`fusion-graph log` lists them.",
        )
    if as_json:
        write_report(report)
    else:
        answer = report.get("answer")
        said = "No panelist answered." if answer is None else str(answer)
        write_out(printable(said) + "\n")
    return ANSWERED


def clear() -> int:
    """Remove all runs from the log. Returns the exit code.

    Raises:
        RunLogError: The log cannot be written.
    """
    from fusion_graph.faces.run_log import clear_log

    complain(f"removed {counted(clear_log(), 'run')} from the log")
    return ANSWERED


def _line(run: LoggedRun) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.at))
    thread = f"[{clean(run.thread)}] " if run.thread else ""
    question = clean(run.question, QUESTION_CHARACTERS)
    parts = (run.id, when, run.status, run.cost, f"{run.seconds:.1f} s", f"{thread}{question}")
    return "\t".join(parts)


@app.command("log")
def _log(
    id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="A run's id, or how it begins; without one, a list."),
    ] = None,
    most: Annotated[
        int, typer.Option("--number", "-n", metavar="N", min=1, help="How many runs are listed.")
    ] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="The list, or the run's whole report, as JSON.")
    ] = False,
    clears: Annotated[bool, typer.Option("--clear", help="Remove all runs from the log.")] = False,
) -> Work:
    """List the runs of this machine, or show one again.

    Every run of ask and resume is logged, with its report; FUSION_GRAPH_LOG=off keeps none.

    [bold]Examples[/bold]

    fusion-graph log
    fusion-graph log 3fa2
    fusion-graph log 3fa2 --json | fusion-graph report - > run.html
    fusion-graph log --clear
    """

    if clears:
        if id is not None:
            raise typer.BadParameter("--clear removes all runs; give it without an id")
        return clear
    if id is None:
        return lambda: show_log(most, as_json)
    return lambda: show_run(id, as_json)
