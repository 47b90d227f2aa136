"""What goes with an answer may fail, the answer may not: full disks, broken files, two at once."""

from __future__ import annotations

import json
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langgraph.checkpoint.base import id as checkpoint_ids

from fusion_graph.langgraph_seams.checkpoint_order import come_after
from tests.commands import run_here, start

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
CALLS = 5


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def ask(
    preset: str, thread: str = "water", question: str = QUESTION, *more: str
) -> tuple[str, ...]:
    return ("ask", "--preset", preset, "--thread", thread, question, *more)


def edited(file: Path, statement: str, *values: Any) -> None:
    with sqlite3.connect(file) as rows:
        rows.execute(statement, values)
    rows.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a running process's files")
def test_a_disk_that_fills_up_during_a_run_costs_nothing_but_the_thread(
    models, preset_file, data_folder
):
    import resource

    preset = preset_file()
    run_here(*ask(preset))
    models.script("a", {"clock": 1, "text": "The answer of a."}, "The answer of a.")
    process = start(*ask(preset, "water", "And ice?"))
    models.calls("a", arrived=2)
    # As on a full disk: every file may be as large as it is, and no larger.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))
    models.set_clock(1)
    done = process.wait()

    assert (done.code, done.out.strip()) == (0, ANSWER)
    assert "warning: not kept in thread 'water'" in done.err
    assert "Traceback" not in done.err
    assert run_here("resume", "water").code == 0


@pytest.mark.parametrize("what", ["no database", "cut short", "no folder"])
def test_a_file_that_cannot_be_used_costs_no_answer_and_is_left_as_it_is(
    preset_file, data_folder, what
):
    preset, file = preset_file(), data_folder / "threads.sqlite"
    if what == "no folder":
        data_folder.write_text("a file")
    else:
        run_here(*ask(preset))
        whole = file.read_bytes()
        file.write_bytes(b"no database at all\n" * 99 if what == "no database" else whole[:9000])
        left = file.read_bytes()

    done = run_here(*ask(preset))
    resumed = run_here("resume", "water")

    assert (done.code, done.out.strip()) == (0, ANSWER)
    assert "warning: not kept in thread 'water'" in done.err
    assert resumed.code == 2
    assert "Traceback" not in done.err + resumed.err
    if what != "no folder":
        assert file.read_bytes() == left


def test_garbage_in_one_record_spoils_neither_the_list_nor_other_threads(preset_file, data_folder):
    preset = preset_file()
    for thread in ("water", "fire"):
        run_here(*ask(preset, thread))
    edited(
        data_folder / "threads.sqlite",
        "UPDATE checkpoints SET checkpoint = ? WHERE thread_id = 'water'",
        b"\xc1 garbage",
    )

    listed = run_here("resume").out.splitlines()
    spoilt, other = run_here("resume", "water"), run_here("resume", "fire")
    asked = run_here(*ask(preset))
    forgotten = run_here("resume", "water", "--forget")

    assert {line.split("\t")[0]: line.split("\t")[1] for line in listed} == {
        "fire": "done",
        "water": "unreadable",
    }
    assert spoilt.code == 2
    assert "fusion-graph resume water --forget" in spoilt.err
    assert (other.code, other.out.strip()) == (0, ANSWER)
    assert (asked.code, asked.out.strip()) == (0, ANSWER)
    assert "warning: not kept" in asked.err
    assert forgotten.code == 0
    assert [line.split("\t")[0] for line in run_here("resume").out.splitlines()] == ["fire"]
    assert run_here(*ask(preset)).err.count("warning") == 0


def test_a_thread_of_a_later_version_says_so_and_nobody_is_paid(models, preset_file, data_folder):
    preset = preset_file()
    run_here(*ask(preset))
    calls = len(models.calls())
    edited(
        data_folder / "threads.sqlite",
        "UPDATE checkpoints SET metadata = json_set(CAST(metadata AS TEXT), '$.fusion_format', 99)",
    )

    for done in (run_here(*ask(preset)), run_here("resume", "water")):
        assert done.code == 2
        assert "later version" in done.err
    assert len(models.calls()) == calls
    assert "\tunreadable\t" in run_here("resume").out


def test_two_processes_at_the_same_question_in_one_thread_pay_once(models, preset_file):
    preset = preset_file()
    models.script("a", {"clock": 1, "text": "The answer of a."})
    first = start(*ask(preset))
    models.calls("a", arrived=1)
    second = start(*ask(preset))
    assert "waiting for its end" in second.says("waiting for its end")
    models.set_clock(1)

    one, other = first.wait(), second.wait()

    assert (one.code, other.code) == (0, 0)
    assert one.out == other.out
    assert len(models.calls()) == CALLS


def test_who_waits_for_a_process_that_is_killed_finishes_its_run(models, preset_file):
    preset = preset_file(max_concurrency=1)
    models.script("c", {"hang": True}, "The answer of c.")
    first = start(*ask(preset))
    models.calls("c", arrived=1)
    second = start(*ask(preset))
    second.says("waiting for its end")
    first.signal(signal.SIGKILL)

    done = second.wait()

    assert (done.code, done.out.strip()) == (0, ANSWER)
    assert sorted(call.model for call in models.calls()) == list("abccjw")


def test_a_clock_that_was_set_back_loses_no_turn(models, preset_file):
    before = checkpoint_ids._last_v6_timestamp
    try:
        come_after(str(UUID(int=0x1FFF_FFFF_FFFF_6000_8000_0000_0000_0000)))  # some centuries on
        run_here(*ask(preset_file()))
    finally:
        checkpoint_ids._last_v6_timestamp = before
    models.script("w", "The second answer.")

    done = run_here(*ask(preset_file(), "water", "And ice?"))
    again = run_here("resume", "water")

    assert QUESTION in json.dumps(models.calls("a")[-1].body["messages"])
    assert done.out == again.out == "The second answer.\n"


def test_a_report_that_cannot_be_written_costs_no_answer(preset_file):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = run_here(*ask(preset_file()), "--report", "/dev/full")

    assert (done.code, done.out.strip()) == (0, ANSWER)
    assert "warning: the report was not written: /dev/full: No space left on device" in done.err
