"""Finished work on disk: whole or not there, and made once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fusion_graph.errors import ConfigurationError
from fusion_graph.evals.store import MARK, Store, folder_digest, key_of


def files(folder: Path) -> list[Path]:
    """The records in a folder, whole or not."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != MARK]


async def test_what_many_want_at_once_is_made_once_and_kept(tmp_path):
    store, key, made = Store(tmp_path), key_of("panel", "q"), []

    async def make():
        made.append(1)
        await asyncio.sleep(0)
        return {"calls": [], "text": "wet"}

    found = await asyncio.gather(*(store.once(key, make) for _ in range(20)))

    assert len(made) == 1
    assert all(record == found[0] for record in found)
    assert await Store(tmp_path).once(key, make) == {"calls": [], "text": "wet"}
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

    assert await store.once(key, make) == {"calls": []}


@pytest.mark.parametrize("left", [b"", b'{"calls": [', b"[]", b"\xff"])
async def test_a_record_that_is_not_whole_is_made_again(tmp_path, left):
    store, key, made = Store(tmp_path), key_of("panel", "q"), []

    async def make():
        made.append(1)
        return {"calls": [], "text": "wet"}

    await store.once(key, make)
    (path,) = files(tmp_path)
    path.write_bytes(left)

    assert list(store.calls()) == []
    for _ in range(2):
        assert await store.once(key, make) == {"calls": [], "text": "wet"}
    assert len(made) == 2


@pytest.mark.parametrize("marked", [None, "1", "3"])
async def test_a_folder_of_another_version_is_refused_and_left_as_it_is(tmp_path, marked):
    """Its records would be taken for others, or for none, and everything be paid a second time."""
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "abcdef.json").write_text('{"calls": [], "content": "wet"}')
    if marked is not None:
        (tmp_path / MARK).write_text(marked)

    with pytest.raises(ConfigurationError, match="another version") as caught:
        Store(tmp_path)

    assert "another folder, or delete that one" in str(caught.value)
    assert [path.name for path in files(tmp_path)] == ["abcdef.json"]


async def test_a_folder_that_this_version_made_is_gone_on_with(tmp_path):
    async def make():
        return {"calls": []}

    await Store(tmp_path).once(key_of("panel", "q"), make)

    assert await Store(tmp_path).once(key_of("panel", "q"), make) == {"calls": []}
    assert len(files(tmp_path)) == 1


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
