"""A writer's turn with calls survives a checkpoint and the process that made it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.commands import PATIENCE

from .conftest import PROVIDERS


async def talk_elsewhere(*words: str) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", "tests.native.talk", *words),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    async with asyncio.timeout(PATIENCE):
        told, _ = await process.communicate()
    assert process.returncode == 0
    return told.decode().splitlines()


@pytest.mark.slow
async def test_a_writer_goes_on_from_its_own_turn_in_another_process(
    native_server, models, panel_config, tmp_path
):
    panel_config()  # scripts the panel and the judge
    native = native_server.part(rounds=2)
    words = [str(tmp_path / "threads.sqlite"), native.root, models.base_url, *PROVIDERS]

    # Other people's libraries may warn as they are imported, and here a warning is an error.
    asked = await talk_elsewhere("ask", *words)
    told = await talk_elsewhere("result,result", *words)
    gone_on, answered = told[: len(PROVIDERS)], told[len(PROVIDERS) :]

    assert asked == [f"{provider}: 2 calls" for provider in PROVIDERS]
    assert gone_on == [f"{provider}: 1 calls" for provider in PROVIDERS]
    assert all("after 2 rounds" in answer for answer in answered)
    assert len(answered) == len(PROVIDERS)
    assert {call["status"] for call in native.log()} == {200}
    assert len(native.log()) == 3 * len(PROVIDERS)
