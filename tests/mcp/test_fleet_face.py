"""MCP servers in front of a fleet: what one has started is fetched and stopped at another."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.commands import Started, start
from tests.hosts import LANGGRAPH, langgraph_dev
from tests.mcp.client import PATIENCE
from tests.mcp.test_http import Session, message_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(LANGGRAPH is None, reason="langgraph-cli is not installed"),
]

ANSWER = "The final answer of the writer."


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A LangGraph server's address, and the folder of presets that it shares with its faces."""
    folder = tmp_path_factory.mktemp("fleet")
    with langgraph_dev(folder) as url:
        yield url, folder / "config"


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as client:
        yield client


@contextmanager
def face(fleet: tuple[str, Path], preset: str) -> Iterator[tuple[Started, str]]:
    """An MCP server in front of the fleet, and its address."""
    url, config = fleet
    folders = ("FUSION_GRAPH_CONFIG_DIR", "FUSION_GRAPH_DATA_DIR")
    environment = {**dict.fromkeys(folders, str(config)), "FUSION_FLEET_URL": url}
    process = start("mcp", "--http", "--port", "0", "--preset", preset, environment=environment)
    try:
        said = process.says("Ctrl-C stops it")
        assert "in the fleet at" in said, said
        yield process, said.split(" listens on ")[1].split(" ")[0]
        assert "Traceback" not in process.err
    finally:
        process.kill()


def test_a_task_of_one_server_is_fetched_stopped_and_read_at_another(fleet, models, offer, http):
    preset = offer(fleet[1])
    models.script("c", {"clock": 1, "text": "The answer of c."}, {"hang": True})
    asked = {"question": "How wet is water?", "preset": preset}
    with face(fleet, preset) as (first, one), face(fleet, preset) as (_, other):
        here, there = Session(http, one), Session(http, other)
        task = here.data("fusion_start", **asked)["task"]
        models.calls("c", arrived=1)
        assert there.data("fusion_result", task=task, wait_seconds=0)["status"] == "running"
        joined = there.data("fusion_start", **asked)
        assert (joined["task"], joined["joined"]) == (task, True)
        first.signal(signal.SIGKILL)
        models.set_clock(1)
        result = there.data("fusion_result", task=task)
        assert (result["status"], result["answer"]) == ("ok", ANSWER)
        assert len(models.calls()) == 5

        with face(fleet, preset) as (_, third):
            elsewhere = Session(http, third)
            assert elsewhere.data("fusion_result", task=task)["answer"] == ANSWER
            read: Any = {"uri": f"fusion://reports/{task}"}
            reply = elsewhere.send({"id": 9, "method": "resources/read", "params": read})
            (content,) = message_in(reply)["result"]["contents"]
            assert json.loads(content["text"])["answer"] == ANSWER
            # Who asks again after reading wants a new answer.
            again = elsewhere.data("fusion_start", **asked)
            assert again["task"] != task
            models.calls("c", arrived=2)
            assert there.data("fusion_cancel", task=again["task"])["status"] == "cancelled"
            ended = elsewhere.data("fusion_result", task=again["task"])
            assert ended["status"] == "cancelled"
            for hostile in ("*", "0" * 12, task[:4], f"{task}0", "../threads"):
                said = there.data("fusion_result", task=hostile)
                assert said["failure_reason"] == "task_not_found"
