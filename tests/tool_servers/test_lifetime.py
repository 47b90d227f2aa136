"""One start a run, whoever asks, and an end with it, however it ends."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from tests.commands import start
from tests.conftest import VERDICT
from tests.tool_servers.conftest import Weather
from tests.tool_servers.test_stdio import QUESTION, calls, preset

pytestmark = pytest.mark.slow

ONE = calls("forecast", city="Oslo")


async def test_members_one_after_the_other_and_the_judge_share_one_start(
    models, panel_config, weather: Weather
):
    for name in "abc":
        models.script(name, ONE, {"text": "Light rain [1]."})
    models.script("j", ONE, {"text": json.dumps(VERDICT)})
    config = panel_config(max_concurrency=1, judge_tools=True, tools={"weather": weather.table()})
    report = FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))
    assert report.status == "ok"
    assert len(weather.noted("asked")) == 4
    assert len(weather.started) == 1
    weather.wait_for_its_end()


async def test_a_server_that_dies_while_the_judge_is_at_work_is_told(
    models, panel_config, weather: Weather
):
    models.script("j", calls("die"), {"text": json.dumps(VERDICT)})
    config = panel_config(judge_tools=True, tools={"weather": weather.table()})
    report = FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))
    assert report.analysis is not None
    assert [loss.code for loss in report.degradations] == ["tool_server_failed"]
    weather.wait_for_its_end()


async def test_tools_of_the_callers_own_stay_beside(models, panel_config, weather: Weather):
    def weather_forecast(city: str) -> str:
        """Tell tomorrow's weather by looking out of the window."""
        return f"{city}: sun."

    models.script("a", ONE, {"text": "Sun."})
    config = panel_config(tools={"weather": weather.table()})
    graph = create_fusion_graph(config, tools=[tool(weather_forecast)])
    await graph.ainvoke(QUESTION)
    offered = [one["function"]["name"] for one in models.calls("a")[0].body["tools"]]
    assert offered[:2] == ["weather_forecast", "weather_forecast_2"]
    assert not weather.noted("asked"), "the caller's own goes by its name"


async def test_one_model_alone_has_the_tools_too(models, panel_config, weather: Weather):
    models.script("w", ONE, {"text": "Light rain [1]."})
    config = panel_config(invocation="never", tools={"weather": weather.table()})
    report = FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))
    assert [source.title for source in report.sources] == ["weather forecast: city=Oslo"]
    weather.wait_for_its_end()


async def test_a_run_that_nobody_answers_leaves_no_process(models, panel_config, weather: Weather):
    for name in "abc":
        models.script(name, ONE, {"status": 401})
    graph = create_fusion_graph(panel_config(tools={"weather": weather.table()}))
    with pytest.raises(AllPanelistsFailed):
        await graph.ainvoke(QUESTION)
    weather.wait_for_its_end()


def test_a_synchronous_run_leaves_no_process(models, panel_config, weather: Weather):
    models.script("a", ONE, {"text": "Light rain [1]."})
    graph = create_fusion_graph(panel_config(tools={"weather": weather.table()}))
    assert graph.invoke(QUESTION)["fusion"]["status"] == "ok"
    weather.wait_for_its_end()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_ended_or_killed_leaves_no_process(
    models, panel_config, weather: Weather, tmp_path, how: signal.Signals
):
    models.script("a", ONE, {"hang": True})
    path = preset(tmp_path, panel_config(), weather.table("--child"))
    command = start("ask", "--preset", path, "How will the weather be?")
    models.calls("a", arrived=2)
    command.signal(how)
    command.wait()
    weather.wait_for_its_end()
    assert len(weather.started) == 2


def test_a_tool_of_the_command_line_is_asked(models, panel_config, weather: Weather, tmp_path):
    models.script("a", ONE, {"text": "Light rain [1]."})
    table: dict[str, Any] = weather.table()
    path = preset(tmp_path, panel_config(), {"url": "http://127.0.0.1:9/mcp"})
    line = " ".join(table["command"])
    command = start("ask", "--json", "--preset", path, "--tool", f"weather={line}", "How wet?")
    ended = command.wait()
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["sources"][0]["title"] == "weather forecast: city=Oslo"
    assert "Traceback" not in ended.err
    weather.wait_for_its_end()


async def test_two_runs_at_once_have_a_server_each(models, panel_config, weather: Weather):
    models.script("a", ONE, {"text": "Light rain [1]."}, ONE, {"text": "Light rain [1]."})
    graph = create_fusion_graph(panel_config(tools={"weather": weather.table()}))
    await asyncio.gather(graph.ainvoke(QUESTION), graph.ainvoke(QUESTION))
    assert len(weather.started) == 2
    weather.wait_for_its_end()
