"""Finished work on disk: whole or not there, and made once."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from fusion_graph.errors import ConfigurationError
from fusion_graph.evals.store import Store, folder_digest, key_of
from fusion_graph.models.journal import Journal
from fusion_graph.state import CallRecord


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_many_want_at_once_is_made_once_and_kept(tmp_path):
    store, key, made = Store(tmp_path), key_of("panel", "q"), []

    async def make(journal):
        made.append(1)
        await asyncio.sleep(0)
        return {"calls": [], "text": "wet"}

    found = await asyncio.gather(*(store.once(key, make) for _ in range(20)))

    assert len(made) == 1
    assert [record.fresh for record in found].count(True) == 1
    assert (await Store(tmp_path).once(key, make)).value == {"calls": [], "text": "wet"}
    assert len(made) == 1


async def test_what_fails_or_is_cancelled_leaves_nothing(tmp_path):
    store, key = Store(tmp_path), key_of("panel", "q")

    async def fail(journal):
        raise ValueError("no")

    async def hang(journal):
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="no"):
        await store.once(key, fail)
    task = asyncio.create_task(store.once(key, hang))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert files(tmp_path) == []

    async def make(journal):
        return {"calls": []}

    assert (await store.once(key, make)).fresh


@pytest.mark.parametrize("left", [b"", b'{"calls": [', b"[]", b"\xff"])
async def test_a_record_that_is_not_whole_is_made_again(tmp_path, left):
    store, key = Store(tmp_path), key_of("panel", "q")

    async def make(journal):
        return {"calls": [], "text": "wet"}

    await store.once(key, make)
    (path,) = files(tmp_path)
    path.write_bytes(left)

    assert list(store.calls()) == []
    assert (await store.once(key, make)).fresh
    assert not (await store.once(key, make)).fresh


def call(cost: float) -> CallRecord:
    return {
        "stage": "panel",
        "name": "a",
        "model": "scripted:a",
        "input_tokens": 1,
        "output_tokens": 1,
        "cost_usd": cost,
        "start": 0.0,
        "end": 1.0,
        "outcome": "ok",
        "left_out": [],
    }


async def test_steps_of_unfinished_work_are_there_the_next_time_and_counted_once(tmp_path):
    store, key, step = Store(tmp_path), key_of("panel", "q"), "call 1"

    async def breaks_off(journal):
        assert journal.next_call() == step
        assert journal.found(step) is None
        journal.keep(step, {"message": {}, "calls": [call(0.25)]})
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.once(key, breaks_off)
    assert [one["cost_usd"] for one in Store(tmp_path).calls()] == [0.25]

    (path,) = files(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"after": 100.0}) + "\n")

    async def goes_on(journal):
        assert journal.next_call() == step
        assert journal.seconds >= journal.seconds_before == 100.0
        return {"calls": [*journal.found(step)["calls"], call(0.5)]}

    await store.once(key, goes_on)

    assert [one["cost_usd"] for one in Store(tmp_path).calls()] == [0.25, 0.5]
    assert [path.suffix for path in files(tmp_path)] == [".json"]


@pytest.mark.parametrize("torn", [b'{"step": "call 2", "val', b"{}\n", b"\xff\n", b"[]"])
def test_a_step_that_was_being_written_is_no_step(tmp_path, torn):
    path = tmp_path / "work.steps"
    journal = Journal(path)
    journal.keep("call 1", {"message": {}, "calls": [call(0.25)]})
    whole = path.read_bytes()
    path.write_bytes(whole + torn)

    again = Journal(path)
    assert again.found("call 2") is None
    assert path.read_bytes() == whole
    again.keep("call 2", {"message": {}, "calls": []})

    assert Journal(path).found("call 1")["calls"] == [call(0.25)]
    assert Journal(path).found("call 2") == {"message": {}, "calls": []}


def test_a_key_names_everything_that_decides():
    keys = {
        key_of("panel", "q", {"model": "a"}, 0),
        key_of("judge", "q", {"model": "a"}, 0),
        key_of("panel", "p", {"model": "a"}, 0),
        key_of("panel", "q", {"model": "b"}, 0),
        key_of("panel", "q", {"model": "a"}, 1),
    }
    assert len(keys) == 5
    assert key_of("panel", {"x": 1, "y": 2}) == key_of("panel", {"y": 2, "x": 1})


def test_a_corpus_is_another_as_soon_as_a_file_changes(tmp_path):
    (tmp_path / "a.md").write_text("wet")
    before = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == before

    (tmp_path / "a.md").write_text("dry")
    changed = folder_digest(tmp_path)
    (tmp_path / "a.md").rename(tmp_path / "b.md")

    assert len({before, changed, folder_digest(tmp_path)}) == 3


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--out"):
        Store(tmp_path / "file" / "store")
