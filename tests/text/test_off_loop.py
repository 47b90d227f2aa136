"""Long work beside the event loop: one piece at a time, and nothing of it stays."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from fusion_graph.text.off_loop import off_loop


async def test_long_pieces_of_work_take_turns():
    def meets_another() -> bool:
        try:
            meeting.wait(0.05)
        except threading.BrokenBarrierError:
            return False
        return True

    meeting = threading.Barrier(2)

    assert not any(await asyncio.gather(*(off_loop(True, meets_another) for _ in range(4))))


async def test_who_is_cancelled_while_waiting_or_at_work_keeps_nobody():
    begun, go_on = threading.Event(), threading.Event()

    def piece() -> None:
        begun.set()
        go_on.wait(60)

    first = asyncio.create_task(off_loop(True, piece))
    await asyncio.to_thread(begun.wait, 60)
    waiting = [asyncio.create_task(off_loop(True, str)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    first.cancel()
    try:
        assert await asyncio.gather(*waiting[1:]) == ["", ""]
    finally:
        go_on.set()
    for task in (first, waiting[0]):
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_loop_is_not_kept_after_its_end():
    async def several() -> weakref.ref[asyncio.AbstractEventLoop]:
        await asyncio.gather(*(off_loop(True, str) for _ in range(3)))
        return weakref.ref(asyncio.get_running_loop())

    loop = asyncio.run(several())
    gc.collect()

    assert loop() is None
