"""Finished work on disk: whole or not there, and made once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fusion_graph.errors import ConfigurationError
from fusion_graph.evals.store import Store, folder_digest, key_of


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_many_want_at_once_is_made_once_and_kept(tmp_path):
    store, key, made = Store(tmp_path), key_of("panel", "q"), []

    async def make():
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

    async def fail():
        raise ValueError("no")

    async def hang():
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="no"):
        await store.once(key, fail)
    task = asyncio.create_task(store.once(key, hang))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert files(tmp_path) == []

    async def make():
        return {"calls": []}

    assert (await store.once(key, make)).fresh


@pytest.mark.parametrize("left", [b"", b'{"calls": [', b"[]", b"\xff"])
async def test_a_record_that_is_not_whole_is_made_again(tmp_path, left):
    store, key = Store(tmp_path), key_of("panel", "q")

    async def make():
        return {"calls": [], "text": "wet"}

    await store.once(key, make)
    (path,) = files(tmp_path)
    path.write_bytes(left)

    assert list(store.calls()) == []
    assert (await store.once(key, make)).fresh
    assert not (await store.once(key, make)).fresh


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
