"""Tests that hang fail, and say where."""

from __future__ import annotations

import asyncio

import pytest

from tests.patience import limited


async def somebody_else() -> None:
    await asyncio.Event().wait()


async def hanging() -> None:
    other = asyncio.create_task(somebody_else())
    try:
        await asyncio.Event().wait()
    finally:
        other.cancel()


async def test_a_test_that_hangs_fails_and_tells_where_everybody_waits():
    with pytest.raises(TimeoutError) as failed:
        await limited(hanging, 0.05)()

    (note,) = failed.value.__notes__
    assert "somebody_else (" in note
    assert "hanging (" in note
    assert "Event.wait (" in note


async def test_a_test_that_ends_is_not_held_up():
    async def quick(given: int) -> int:
        return given

    assert await limited(quick)(7) == 7
