"""Ctrl-C and SIGTERM while a model hangs."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any

import pytest

from fusion_graph.faces.threads import ask_in_thread, resume_thread
from fusion_graph.text.phrases import cut_off
from tests.commands import start


async def goes_on(how: str, question: str = "How wet is water?") -> dict[str, Any]:
    """The report of a thread's run that is resumed, or asked for again."""
    again = resume_thread("wet water")
    if how == "ask":
        again = ask_in_thread("wet water", {}, question)
    return [event async for event in again][-1]["report"]


@pytest.mark.parametrize(
    ("stop", "code", "word", "hanging", "done", "left"),
    [
        (signal.SIGINT, 130, "interrupted", "c", "2 of 3 of the panel had answered", "cjw"),
        (
            *(signal.SIGTERM, 143, "terminated", "j"),
            "3 of 3 of the panel had answered, the judge was at work",
            "jw",
        ),
    ],
)
def test_it_says_what_was_done_gives_up_its_calls_and_the_thread_goes_on_from_there(
    models, preset_file, tmp_path, monkeypatch, stop, code, word, hanging, done, left
):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    # One at a time: when c is asked, a and b have been put on disk.
    preset = preset_file(max_concurrency=1)
    if hanging == "j":
        # It hangs when asked again: by then the command has surely heard that it is at work.
        models.script("j", "They agree.", {"hang": True}, '{"consensus": []}')
    else:
        models.script("c", {"hang": True}, "The answer of c.")
    asked = 3 if hanging == "c" else 5

    command = ("ask", "-p", preset, "--thread", "wet water", "How wet is water?")
    process = start(*command)
    models.calls(arrived=asked, ended=asked - 1)
    process.signal(stop)
    ended = process.wait()

    assert (ended.code, ended.out) == (code, "")
    assert "Traceback" not in ended.err
    said, remedy = ended.err.splitlines()[-2:]
    assert re.fullmatch(rf"{word} after [0-9.]+ s: {done}; \d calls for \$0\.\d+, .*", said), said
    assert remedy == "  `fusion-graph resume 'wet water'` goes on from there."
    assert [c.model for c in models.calls(ended=asked) if c.disconnected] == [hanging]

    report = asyncio.run(goes_on("resume" if hanging == "j" else "ask"))
    assert report["status"] == "ok"
    assert "".join(call.model for call in models.calls()[asked:]) == left


# What is said of a run that was cut off


STARTED = {"type": "fusion.started", "panel": ["a", "b", "c"], "invoked": True}
ANSWERED = {"type": "panel.completed", "calls": 2, "cost_usd": 0.001}
FAILED = {"type": "panel.failed", "calls": 1, "cost_usd": 0.0}


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([], "after 2.5 s, before anybody had answered"),
        ([STARTED], "after 2.5 s: 0 of 3 of the panel had answered"),
        (
            [STARTED, ANSWERED, FAILED],
            "after 2.5 s: 1 of 3 of the panel had answered, 1 had failed; 3 calls for $0.0010, "
            "besides what was under way",
        ),
        (
            [STARTED, ANSWERED, {**ANSWERED, "cost_usd": None}],
            "after 2.5 s: 2 of 3 of the panel had answered; 4 calls at a cost unknown, besides "
            "what was under way",
        ),
        (
            [{**STARTED, "panel": ["w"], "invoked": False}],
            "after 2.5 s: one model was at work",
        ),
        # A resumed run tells only what was left to do.
        (
            [FAILED, {"type": "synthesis.in_progress"}],
            "after 2.5 s: 0 more of the panel had answered, 1 had failed, the writer was at work; "
            "1 call for $0, besides what was under way",
        ),
    ],
)
def test_an_interrupted_run_says_what_was_done(events, said):
    assert cut_off(events, 2.5) == said
