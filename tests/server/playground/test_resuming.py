"""A run that a restart has interrupted, in a real browser: it says so, and goes on by a button."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from playwright.async_api import expect

from tests.server.conftest import running
from tests.server.playground.visiting import Open

pytestmark = pytest.mark.slow


async def test_an_interrupted_run_goes_on_by_a_button(
    models, offer: Callable[..., str], visit: Open, tmp_path
):
    preset = offer(tmp_path)
    models.script("j", {"hang": True})
    with running(tmp_path) as server:
        body = {
            "question": "How wet is water?",
            "fusion": {"preset": preset.removeprefix("fusion/")},
        }
        id = server.request("POST", "/api/runs", json=body).json()["id"]
        models.calls("j", arrived=1)
        server.stop(signal.SIGTERM)
    models.script("j", "Nothing to compare.")
    with running(tmp_path) as server:
        seen = await visit(server, f"?run={id}")
        await seen.ended("interrupted")
        await expect(seen.progress).to_contain_text("the server was stopped")
        await expect(seen.panelist("a")).to_contain_text("The answer of a.")
        await seen.page.get_by_role("button", name="Go on").click()
        await seen.ended("degraded")
        await expect(seen.answer).to_contain_text("The final answer of the writer.")
        await expect(seen.page.get_by_role("button", name="Go on")).to_be_hidden()
        seen.assert_quiet()
    assert len(models.calls("a")) == 1
