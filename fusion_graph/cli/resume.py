"""`fusion-graph resume`: a run that was cut off is finished, or all of them are listed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import typer

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.ask import check_page
from fusion_graph.cli.completion import thread_names
from fusion_graph.cli.exits import ANSWERED, complain
from fusion_graph.cli.running import Output, show
from fusion_graph.errors import ThreadError
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
    from fusion_graph.faces.threads import Keeping, resume_thread

    if output.page is not None:
        check_page(output.page)
    keeping = Keeping(waiting=complain)
    return show(partial(resume_thread, name, keeping), output, name, keeping)


def forget(name: str) -> int:
    """Remove a thread. Returns the exit code.

    Raises:
        ThreadError: There is no such thread, or the file cannot be written.
    """
    from fusion_graph.faces.threads import forget_thread

    if not asyncio.run(forget_thread(name)):
        raise ThreadError(f"There is no thread '{name}'.", "`fusion-graph resume` lists them.")
    complain(f"removed thread '{clean(name)}'")
    return ANSWERED


def show_threads() -> int:
    """List the threads kept here, one a line. Returns the exit code."""
    from fusion_graph.faces.threads import list_threads, threads_file

    threads = asyncio.run(list_threads())
    for thread in threads:
        state = "unfinished" if thread.unfinished else "done"
        question = clean(thread.question, QUESTION_CHARACTERS)
        if thread.problem:
            state, question = "unreadable", clean(thread.problem)
        write_out(f"{clean(thread.name)}\t{state}\t{question}\n")
    if not threads:
        write_out(f"No threads in {threads_file()}.\n")
    return ANSWERED


@app.command("resume")
def _resume(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="The thread; without one, all are listed.",
            autocompletion=thread_names,
        ),
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
    forgets: Annotated[
        bool, typer.Option("--forget", help="Remove the thread instead, with all that was said.")
    ] = False,
) -> Work:
    """Finish a run of ask --thread that was cut off, without paying again for what was done.

    [bold]Examples[/bold]

    fusion-graph ask --thread heating "Heat pump or pellets?"
    fusion-graph resume heating
    fusion-graph resume
    fusion-graph resume heating --forget
    """

    if name is None:
        if forgets:
            raise typer.BadParameter("name the thread that --forget is to remove")
        return show_threads
    if forgets:
        return lambda: forget(name)
    return lambda: resume(name, Output(as_json, quiet, page))
