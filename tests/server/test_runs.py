"""Runs: told from any point, cut down when they are over, stopped, and forgotten in time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import FusionReport
from fusion_graph.errors import TooManyRuns
from fusion_graph.faces.server import run as module
from fusion_graph.faces.server.run import Run
from fusion_graph.faces.server.run_store import RunStore
from fusion_graph.faces.server.runs import Runs


@pytest.fixture
async def runs() -> AsyncIterator[Runs]:
    """Runs with nothing at work afterwards."""
    kept = Runs()
    yield kept
    await kept.close()


def begin(runs: Runs, config: dict[str, Any]) -> Run:
    question = "How wet is water?"
    return runs.start([("user", question)], config, model="fusion/x", question=question)


async def told(run: Run, after: int = 0) -> list[tuple[int, dict[str, Any]]]:
    return [item async for item in run.follow(after)]


async def test_a_run_goes_on_without_a_reader(runs: Runs, panel_config):
    run = begin(runs, panel_config())
    assert run.status == "running"
    assert (run.report, run.error) == (None, None)
    await run.ended()
    assert run.status == "ok"
    assert FusionReport.model_validate(run.report).answer == "The final answer of the writer."
    assert runs.get(run.id) is run
    assert runs.latest() == [run]


async def test_two_readers_are_told_the_same_from_the_beginning(runs: Runs, models, panel_config):
    run = begin(runs, panel_config())
    first, second = await asyncio.gather(told(run), told(run))
    assert first == second
    numbers = [number for number, _ in first]
    assert numbers == list(range(len(numbers)))
    types = [event["type"] for _, event in first]
    assert types[0] == "fusion.started"
    assert "answer.delta" in types
    assert types[-1] == "fusion.result"
    assert first[-1][1]["content"] == "The final answer of the writer."


async def test_a_reader_can_go_on_where_it_left(runs: Runs, models, panel_config):
    config = panel_config()
    models.script("w", {"hang": True})
    run = begin(runs, config)
    reader = run.follow()
    number, event = await anext(reader)
    while event["type"] != "analysis.completed":
        number, event = await anext(reader)
    await reader.aclose()
    await runs.cancel(run.id)
    later = await told(run, number + 1)
    assert [n for n, _ in later] == sorted(n for n, _ in later)
    assert all(n > number for n, _ in later)
    assert "analysis.completed" not in [event["type"] for _, event in later]


async def test_a_finished_run_keeps_whole_texts_and_no_pieces(runs: Runs, panel_config):
    run = begin(runs, panel_config())
    live = await told(run)
    again = await told(run)
    types = [event["type"] for _, event in again]
    assert not {"answer.delta", "panel.delta"} & set(types)
    assert types.count("panel.completed") == 3
    assert again == [item for item in live if item[1]["type"] not in module.PROVISIONAL]
    assert run.events == [event for _, event in again]
    assert await told(run, again[-1][0]) == [again[-1]]
    assert await told(run, 10**6) == []


async def test_a_reader_in_the_middle_is_not_cut_off(runs: Runs, panel_config):
    run = begin(runs, panel_config())
    reader = run.follow()
    await anext(reader)
    await run.ended()
    rest = [event["type"] async for _, event in reader]
    assert "answer.delta" in rest
    assert rest[-1] == "fusion.result"


async def test_a_run_that_fails_says_so_and_keeps_its_report(runs: Runs, models, panel_config):
    config = panel_config()
    for name in "abc":
        models.script(name, {"status": 402})
    run = begin(runs, config)
    events = await told(run)
    assert run.status == "error"
    assert run.error is not None
    assert run.error["code"] == "insufficient_credits"
    assert run.report is not None
    assert run.report["status"] == "error"
    assert events[-1][1]["type"] == "panel.failed"


async def test_a_cancelled_run_gives_up_its_calls(runs: Runs, models, panel_config):
    config = panel_config()
    for name in "abc":
        models.script(name, {"hang": True})
    run = begin(runs, config)
    await asyncio.to_thread(models.calls, arrived=3)
    assert await runs.cancel(run.id)
    assert run.status == "cancelled"
    assert run.error == {"code": "cancelled", "message": "The run was cancelled."}
    calls = await asyncio.to_thread(models.calls, ended=3)
    assert all(call.disconnected for call in calls)
    assert not await runs.cancel(run.id)
    assert not await runs.cancel("no such run")


async def test_a_run_cancelled_while_it_is_written_down_stops_no_other(
    tmp_path: Path, panel_config
) -> None:
    store = RunStore(tmp_path)
    await asyncio.to_thread(store.open)
    runs = Runs(store=store)
    with closing(sqlite3.connect(store.runs_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # the store waits for its turn, and the run for the store
        first = begin(runs, panel_config())
        await asyncio.sleep(0)
        assert await runs.cancel(first.id)
        other.execute("ROLLBACK")

    async with asyncio.timeout(60):
        second = begin(runs, panel_config())
        await second.ended()
        await runs.close()
    assert (first.status, second.status) == ("cancelled", "ok")
    assert store.lost == ""


async def test_a_run_cancelled_before_it_began_has_ended_too(runs: Runs, panel_config):
    run = begin(runs, panel_config())
    assert await runs.cancel(run.id)
    assert run.status == "cancelled"
    assert await told(run) == []


async def test_closing_stops_every_run(models, panel_config):
    config = panel_config()
    models.script("a", {"hang": True})
    runs = Runs()
    started = [begin(runs, config) for _ in range(3)]
    await asyncio.to_thread(models.calls, "a", arrived=3)
    await runs.close()
    assert {run.status for run in started} == {"cancelled"}


async def test_whose_client_the_servers_end_sends_away_is_interrupted_not_given_up(
    tmp_path: Path, models, panel_config
) -> None:
    models.script("a", {"hang": True})
    store = RunStore(tmp_path)
    await asyncio.to_thread(store.open)
    runs = Runs(store=store)
    await runs.open()
    run = begin(runs, panel_config())
    run.readers = 1
    await asyncio.to_thread(models.calls, "a", arrived=1)
    runs.will_close()
    run.leave()
    await run.ended()
    assert run.status == "interrupted"
    await runs.close()


async def test_the_oldest_finished_runs_are_forgotten(models, panel_config):
    config = panel_config()
    models.script("a", {"text": "Late.", "when_contains": {"wet": {"hang": True}}})
    runs = Runs(keep=2)
    hanging = begin(runs, config)
    done = []
    for _ in range(4):
        run = begin(runs, {**config, "panel": ["scripted:b"]})
        await run.ended()
        done.append(run)
    assert runs.latest() == [done[3], done[2], hanging]
    assert runs.get(done[0].id) is None
    await runs.close()


async def test_no_more_runs_than_allowed_are_at_work(models, panel_config):
    config = panel_config()
    models.script("a", {"hang": True})
    runs = Runs(at_once=1)
    run = begin(runs, config)
    with pytest.raises(TooManyRuns):
        begin(runs, config)
    await runs.cancel(run.id)
    begin(runs, config)
    await runs.close()


async def test_the_servers_own_places_stay_its_own(
    runs: Runs, models, panel_config: Callable[..., dict[str, Any]], tmp_path
):
    (tmp_path / "note.md").write_text("Water is wet.", "utf-8")
    config = panel_config(corpus=str(tmp_path), search="corpus")
    preset = tmp_path / "mine.toml"
    preset.write_text('panel = ["offline:keyword"]\n', "utf-8")
    run = begin(runs, {**config, "preset": str(preset)})
    events = await told(run)
    assert run.status == "degraded"  # nobody used a source, and that is told
    assert events[0][1]["preset"] == "mine"
    assert run.report is not None
    assert str(tmp_path) not in str(run.report)
    assert str(tmp_path) not in str(events)
    assert models.base_url not in str(run.report)
    FusionReport.model_validate(run.report)
