"""`fusion-graph resume`: a run that was cut off is finished, or all of them are listed."""

from __future__ import annotations

import asyncio
from functools import partial

from fusion_graph.cli.answer import write_out
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
