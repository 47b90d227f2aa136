"""Named runs that were cut off go on where they were, and nobody is paid twice.

On the command line: tests/cli/test_threads.py. Killed processes: tests/test_kills.py.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fusion_graph.faces.threads import ask_in_thread, list_threads, resume_thread
from tests.benchmarks.checkpoints import BYTES_PER_RUN, in_sqlite
from tests.conftest import VERDICT

QUESTION = "How wet is water?"
HANG = {"hang": True}


@pytest.fixture(autouse=True)
def file(monkeypatch, tmp_path):
    """The file that holds the threads."""
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path))
    return tmp_path / "threads.sqlite"


async def report(run: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The report at the end of a run."""
    return [event async for event in run][-1]["report"]


def asked(models, since: int) -> str:
    return "".join(sorted(call.model for call in models.calls()[since:]))


@pytest.mark.parametrize(
    ("hanging", "point", "left"), [("c", 3, "cjw"), ("j", 4, "jw"), ("w", 5, "w")]
)
@pytest.mark.parametrize("how", ["resumed", "asked again"])
async def test_a_run_that_was_cancelled_goes_on_and_pays_for_nobody_twice(
    models, panel_config, hanging, point, left, how
):
    # One at a time: when c is asked, a and b have been put on disk.
    config = panel_config(max_concurrency=1)
    answer = json.dumps(VERDICT) if hanging == "j" else f"The answer of {hanging}."
    models.script(hanging, HANG, answer)

    run = asyncio.create_task(report(ask_in_thread("t", config, QUESTION)))
    await asyncio.to_thread(models.calls, arrived=point, ended=point - 1)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    again = resume_thread("t") if how == "resumed" else ask_in_thread("t", config, QUESTION)
    record = await report(again)

    assert record["status"] == "ok"
    assert asked(models, since=point) == left
    assert record["usage"]["total"]["calls"] == 5


def cut_off_at(file: Any, step: int) -> None:
    """Make the file what it was just before the step after `step` was written down.

    All nodes of the step have ended, and their results are there.
    """
    with sqlite3.connect(file) as rows:
        kept = "json_extract(CAST(metadata AS TEXT), '$.step') <= ?"
        rows.execute(f"DELETE FROM checkpoints WHERE NOT {kept}", (step,))
        rows.execute(
            "DELETE FROM writes WHERE checkpoint_id NOT IN (SELECT checkpoint_id FROM checkpoints)"
        )
    rows.close()


STEPS = {
    "its question": (7, "abcjw"),
    "fan_out": (8, "abcjw"),
    "the panel": (9, "jw"),
    "join": (10, "jw"),
    "the judge": (11, "w"),
    "the writer": (12, ""),
}
"""LangGraph's steps of the second turn in a thread, and whom there is left to ask after each."""


@pytest.mark.parametrize("how", ["resumed", "asked again"])
@pytest.mark.parametrize(("step", "left"), STEPS.values(), ids=STEPS)
@pytest.mark.slow
async def test_a_run_cut_off_between_two_steps_is_not_taken_for_a_finished_one(
    models, panel_config, file, step, left, how
):
    config = panel_config()
    # A turn before it: its report must not pass for the answer.
    await report(ask_in_thread("t", config, "First?"))
    whole = await report(ask_in_thread("t", config, QUESTION))
    cut_off_at(file, step)
    before = len(models.calls())

    (thread,) = await list_threads()
    again = resume_thread("t") if how == "resumed" else ask_in_thread("t", config, QUESTION)
    record = await report(again)

    assert (thread.question, thread.unfinished) == (QUESTION, True)
    assert record["question"] == QUESTION
    assert asked(models, since=before) == left
    assert [a["content"] for a in record["answers"]] == [a["content"] for a in whole["answers"]]
    assert record["analysis"] == whole["analysis"]


@pytest.mark.parametrize(("case", "most"), BYTES_PER_RUN.items(), ids=str)
async def test_a_run_leaves_little_in_the_file(models, case, most):
    empty = await in_sqlite(models, None)
    assert await in_sqlite(models, case) - empty < most
