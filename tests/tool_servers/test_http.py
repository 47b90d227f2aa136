"""A user's own MCP server over streamable HTTP: asked like one that is started, and let go."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from tests.tool_servers.conftest import PATIENCE, Weather
from tests.tool_servers.test_stdio import QUESTION, calls, preset

pytestmark = pytest.mark.slow


class Served:
    """The weather server on a port.

    url: where it is served.
    """

    def __init__(self, weather: Weather) -> None:
        words = weather.table("--http")
        self.process = subprocess.Popen(
            [*words["command"], *words["args"]], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        for line in self.process.stderr:  # uvicorn says when it listens
            if found := re.search(r"Uvicorn running on (http://[\d.:]+)", line):
                self.url = f"{found[1]}/mcp"
                break
        else:
            raise RuntimeError("the server did not start")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def served(weather: Weather) -> Iterator[Served]:
    server = Served(weather)
    yield server
    server.end()


async def ask(config: object) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))


async def test_three_panelists_ask_a_server_at_an_address_of_a_preset(
    models, panel_config, weather: Weather, served: Served, tmp_path: Path
):
    for name in "abc":
        models.script(name, calls("forecast", city="Oslo"), {"text": "Light rain [1]."})
    report = await ask(preset(tmp_path, panel_config(), {"url": served.url}))
    assert report.degradations == []
    assert report.status == "ok"
    assert weather.noted("asked") == ["Oslo"] * 3
    [source] = report.sources
    assert (source.url, len(source.cited_by)) == ("mcp://weather/forecast?city%3DOslo", 3)
    assert report.config["tools"]["weather"]["url"] == served.url


async def test_a_server_that_dies_is_told_and_every_answer_stays(models, panel_config, served):
    models.script("a", calls("die"), calls("forecast", city="Oslo"), {"text": "Without it."})
    report = await ask(panel_config(tools={"weather": served.url}))
    assert [member.status for member in report.answers] == ["ok"] * 3
    assert [call.status for call in report.answers[0].tool_calls] == ["unavailable"] * 2
    [loss] = report.degradations
    assert loss.code == "tool_server_failed"


async def test_an_address_where_nobody_answers_is_told(panel_config):
    report = await ask(panel_config(tools={"weather": "http://127.0.0.1:9/mcp"}))
    [loss] = report.degradations
    assert loss.code == "tool_server_failed"
    assert loss.detail.startswith("The MCP server weather did not start: ")
    assert [member.status for member in report.answers] == ["ok"] * 3
