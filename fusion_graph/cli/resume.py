"""`fusion-graph resume`: a run that was cut off is finished, or all of them are listed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.ask import check_page
from fusion_graph.cli.exits import ANSWERED
from fusion_graph.cli.running import Output, show
from fusion_graph.text.phrases import clean

QUESTION_CHARACTERS = 80
"""How much of a question a list shows."""


def resume(name: str, output: Output) -> int:
    """Finish the run of a thread. Returns the exit code.

    Args:
        name: The thread.
        output: How the run is to be shown.

    Raises:
        ThreadError: There is no such thread.
        FusionError, OutputFailed: As `show`.
    """
    from fusion_graph.faces.threads import resume_thread

    if output.page is not None:
        check_page(output.page)
    return show(partial(resume_thread, name), output, name)


def show_threads() -> int:
    """List the threads kept here, one a line. Returns the exit code."""
    from fusion_graph.faces.threads import list_threads, threads_file

    threads = asyncio.run(list_threads())
    for thread in threads:
        state = "unfinished" if thread.unfinished else "done"
        question = clean(thread.question, QUESTION_CHARACTERS)
        write_out(f"{clean(thread.name)}\t{state}\t{question}\n")
    if not threads:
        write_out(f"No threads in {threads_file()}.\n")
    return ANSWERED


@app.command("resume")
def _resume(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="The thread; without one, all are listed."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole report as JSON instead.")
    ] = False,
    page: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE", help="Write the report to this file as a page."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no summary.")
    ] = False,
) -> Work:
    """Finish a run of ask --thread that was cut off, without paying again for what was done.

    [bold]Examples[/bold]

    fusion-graph ask --thread heating "Heat pump or pellets?"
    fusion-graph resume heating
    fusion-graph resume
    """

    if name is None:
        return show_threads
    return lambda: resume(name, Output(as_json, quiet, page))
