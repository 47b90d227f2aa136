"""The live view: events in, a picture out."""

from __future__ import annotations

import re

import pytest

from fusion_graph import create_fusion_graph
from fusion_graph.faces.follow import follow
from fusion_graph.report.html._live_events import TELLERS
from fusion_graph.report.html._workers import TAIL
from fusion_graph.report.html.live import LiveRun
from fusion_graph.state.events import EVENTS
from tests.page.hostile import PAYLOADS
from tests.page.opening import open_page

STARTED = {
    "type": "fusion.started",
    "question": "How wet is water?",
    "preset": "budget",
    "preset_reason": "",
    "panel": ["a", "b"],
    "invoked": True,
    "reason": "",
}


def after(*events: dict[str, object]) -> LiveRun:
    run = LiveRun()
    for event in (STARTED, *events):
        run.take(event)
    return run


def words(run: LiveRun) -> str:
    html = re.sub("<style>.*?</style>", "", run.to_html(3), flags=re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", html).split())


def test_before_anything_happened_there_is_a_picture_already():
    assert "starting" in words(LiveRun())


def test_everybody_stands_there_from_the_start_in_panel_order():
    run = after()

    assert [worker.name for worker in run.workers] == ["a", "b"]
    assert "How wet is water? panel of 2, preset budget · 3 s" in words(run)


def test_a_panelist_shows_what_it_searches_reads_and_writes():
    search = {"type": "panel.tool", "name": "a", "tool": "web_search", "args": {"query": "wet"}}
    page = {"url": "https://water.example/wet"}
    fetch = {"type": "panel.tool", "name": "a", "tool": "web_fetch", "args": page}
    done = {"type": "panel.tool.completed", "name": "a", "tool": "web_search", "status": "ok"}

    run = after({"type": "panel.added", "name": "a", "model": "x:a"}, search)
    assert run.panel["a"].doing == 'searching "wet"'
    run.take(done)
    run.take(fetch)
    assert run.panel["a"].doing == "reading water.example/wet"
    assert run.panel["a"].latest == ['searching "wet"']
    run.take({"type": "panel.delta", "name": "a", "turn": 2, "text": "Water is "})
    run.take({"type": "panel.delta", "name": "a", "turn": 2, "text": "wet."})
    assert "Water is wet." in words(run)
    run.take({"type": "panel.delta", "name": "a", "turn": 3, "text": "No."})
    assert "Water is wet." not in words(run)


def test_of_a_long_text_the_end_is_shown():
    run = after({"type": "panel.delta", "name": "a", "turn": 1, "text": "word " * 9000 + "END"})

    assert run.panel["a"].tail.endswith("END")
    assert len(run.panel["a"].tail) == TAIL + 1


def test_a_new_message_voids_the_answer_before_it():
    run = after({"type": "answer.delta", "message_id": "1", "text": "Wrong"})
    run.take({"type": "synthesis.restarted", "model": "x:w", "reason": "broke off"})
    run.take({"type": "answer.delta", "message_id": "2", "text": "Right "})
    run.take({"type": "answer.delta", "message_id": "2", "text": "**so**"})

    assert run.answer == "Right **so**"
    assert "<strong>so</strong>" in run.to_html(1)


def test_failures_waits_and_replacements_are_said():
    failed = {"reason": "rate_limited", "detail": "Slow down.", "seconds": 2.0}
    retried = {"stage": "panel", "name": "b", "reason": "timed_out", "seconds": 4}
    run = after(
        {"type": "panel.failed", "name": "a", "model": "x:a", **failed},
        {"type": "call.retried", **retried},
    )
    assert "failed: rate_limited: Slow down." in words(run)
    assert "trying again in 4.0 s" in words(run)

    run.take({"type": "fusion.waiting", "stage": "panel", "name": "b", "seconds": 10.2})
    assert "silent for 10 s" in run.panel["b"].doing
    run.take({"type": "fusion.waiting", "stage": "panel", "name": "a", "seconds": 10.2})
    assert "failed" in run.panel["a"].doing

    run.take({"type": "panel.replaced", "name": "a", "by": "y:other"})
    assert run.panel["a"].doing == "asking y:other instead"


def test_the_check_of_the_answer_is_shown_and_a_writer_that_mends_it_is_at_work_again():
    run = after(
        {"type": "synthesis.in_progress", "model": "x:w"},
        {"type": "verify.in_progress", "claims": 3, "model": "x:v"},
    )
    assert run.writer is not None
    assert run.writer.condition == "done"
    assert "check checking 3 claims of the answer (x:v)" in words(run)
    run.take({"type": "fusion.waiting", "stage": "verify", "name": "verifier", "seconds": 11})
    assert "check still at it, silent for 11 s" in words(run)

    run.take({"type": "synthesis.restarted", "model": "x:w", "reason": "1 sentence is false"})
    assert run.writer.condition == "working"
    run.take({"type": "verify.in_progress", "claims": 2})
    run.take({"type": "verify.completed", "claims": [], "supported": 2, "repaired": True})
    assert "✓ the answer was mended; 2 claims checked: 2 supported" in words(run)
    run.take({"type": "verify.failed", "detail": "It broke."})
    assert "✗ failed: It broke." in words(run)


def test_the_trial_of_the_panels_code_is_shown_with_what_became_of_each():
    run = after({"type": "fusion.waiting", "stage": "tests", "name": "tester", "seconds": 11})
    assert "code still at it, silent for 11 s" in words(run)
    run.take({"type": "code.proposed", "tests": 3, "by": ["a", "b"]})
    assert "code running, 3 tests proposed by a, b" in words(run)
    assert run.progress == "The panel’s code is run: 3 tests proposed by a, b"

    nothing = {"given": None, "failed": 0, "broken": ""}
    tried = [
        {**nothing, "name": "a", "passed": 2, "failed": 1},
        {**nothing, "name": "b", "passed": 0, "broken": "<b>no</b> function"},
    ]
    run.take({"type": "code.tried", "candidates": tried, "best": ["a"], "reason": ""})
    assert "✓ a: passes 2 of 3 proposed tests; b: cannot be run" in words(run)
    assert "<b>no" not in run.to_html(3)
    assert run.progress == "The panel’s code was run; best: a"
    run.take({"type": "code.tried", "candidates": tried, "best": [], "reason": ""})
    assert run.code is not None
    assert run.code.condition == "failed"


def test_every_event_of_a_run_has_its_place_in_the_picture():
    assert EVENTS.keys() <= TELLERS.keys()


def test_events_of_later_versions_change_nothing():
    run = after()
    before = run.to_html(1)

    run.take({"type": "panel.sang", "name": "a", "song": "la"})
    run.take({})

    assert run.to_html(1) == before


def test_a_panelist_called_judge_is_not_the_judge():
    run = after({"type": "panel.added", "name": "judge", "model": "x:j"})
    run.take({"type": "analysis.in_progress", "model": "x:k", "answers": 2})
    run.take({"type": "fusion.waiting", "stage": "judge", "name": "judge", "seconds": 11})

    assert run.panel["judge"].doing == "thinking"
    assert run.judge is not None
    assert "silent" in run.judge.doing


async def test_a_whole_run_ends_with_everybody_done(models, panel_config):
    models.script("b", {"status": 402})
    run = LiveRun()

    async for event in follow(create_fusion_graph(panel_config()), [("user", "How wet is water?")]):
        run.take(event)
        assert run.to_html(1)

    states = {worker.name: worker.condition for worker in run.workers}
    assert states == {"a": "done", "b": "failed", "c": "done", "judge": "done", "writer": "done"}
    assert run.ended
    assert run.answer == "The final answer of the writer."
    assert "1 contradiction" in words(run)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_texts_are_escaped(payload):
    html = hostile(payload)

    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", html))
    assert tags <= {"div", "style", "p", "span", "i", "bdi", "h5", "em", "strong"}
    html.encode("utf-8")


async def test_hostile_texts_do_nothing_in_a_browser(browser_page, tmp_path):
    page = "<!doctype html>" + "".join(map(hostile, PAYLOADS.values()))

    seen = await open_page(browser_page, page, tmp_path)

    assert seen.nothing, seen
    assert await browser_page.evaluate("window.pwned") is None


def hostile(payload: str) -> str:
    run = LiveRun()
    tool = {"type": "panel.tool", "tool": "web_search", "args": {"query": payload}}
    for event in (
        STARTED | {"question": payload, "panel": [payload, "b", "c"], "preset": payload},
        {"type": "panel.added", "name": payload, "model": payload},
        tool | {"name": payload},
        tool | {"name": payload, "tool": payload},
        {"type": "panel.delta", "name": payload, "turn": 1, "text": payload},
        {"type": "panel.failed", "name": "b", "reason": payload, "detail": payload, "seconds": 1},
        {"type": "call.retried", "stage": "panel", "name": "c", "reason": payload, "seconds": 1},
        {"type": "analysis.in_progress", "model": payload, "answers": 2},
        {"type": "analysis.failed", "code": payload, "detail": payload},
        {"type": "synthesis.in_progress", "model": payload},
        {"type": "answer.delta", "message_id": "1", "text": f"# {payload}\n\n{payload} [1]"},
        {"type": "verify.in_progress", "claims": 1, "model": payload},
        {"type": "verify.failed", "detail": payload},
    ):
        run.take(event)
    return run.to_html(1)
