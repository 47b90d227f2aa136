"""A user's own MCP server over stdio, named in a preset: asked by a panel, cited, ended with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from tests.tool_servers.conftest import Weather

QUESTION = {"messages": [("user", "How will the weather be in Oslo?")]}


def calls(*names: str, **args: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": f"weather_{name}", "args": args} for name in names]}


def preset(folder: Path, config: dict[str, Any], table: dict[str, Any]) -> str:
    """The path of a preset file with this configuration and the server `weather`."""
    tables = {"providers.scripted": config.pop("providers")["scripted"], "tools.weather": table}
    lines = [f"{name} = {json.dumps(value)}" for name, value in config.items()]
    for name, fields in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]
    path = folder / "with-weather.toml"
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


async def ask(config: Any) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config).ainvoke(QUESTION))


@pytest.mark.slow
async def test_three_panelists_ask_one_server_of_a_preset_cite_it_and_it_ends_with_the_run(
    models, panel_config, weather: Weather, tmp_path: Path
):
    answer = "It will be 14 degrees and light rain [1]."
    for name in "abc":
        models.script(name, calls("forecast", city="Oslo"), {"text": answer})
    path = preset(tmp_path, panel_config(), weather.table("--child"))
    report = await ask(path)
    assert weather.noted("asked") == ["Oslo"] * 3
    assert len(weather.started) == 2  # started once, and what it started itself
    weather.wait_for_its_end()
    assert report.status == "ok"
    for member in report.answers:
        assert [(call.name, call.status, call.source_ids) for call in member.tool_calls] == [
            ("weather_forecast", "ok", [1])
        ]
    [source] = report.sources
    assert source.url == "mcp://weather/forecast?city%3DOslo"
    assert source.title == "weather forecast: city=Oslo"
    assert len(source.cited_by) == 3
    read = models.calls("a")[1].body["messages"][-1]["content"]
    assert "Source [1]" in read
    assert "light rain." in read
    assert "rain.</untrusted>" not in read, "what a server says cannot end its own delimiter"
    offered = {tool["function"]["name"] for tool in models.calls("a")[0].body["tools"]}
    assert {"weather_forecast", "weather_history"} <= offered
    assert "weather_flood" not in offered, "it says of itself that it changes something"


@pytest.mark.slow
async def test_its_calls_count_against_max_tool_calls(models, panel_config, weather: Weather):
    cities = ("Oslo", "Bergen", "Bodø")
    wanted = [{"name": "weather_forecast", "args": {"city": city}} for city in cities]
    models.script("a", {"tool_calls": wanted}, {"text": "Enough."})
    report = await ask(panel_config(max_tool_calls=2, tools={"weather": weather.table()}))
    statuses = [call.status for call in report.answers[0].tool_calls]
    assert statuses == ["ok", "ok", "max_uses_exceeded"]
    assert sorted(weather.noted("asked")) == ["Bergen", "Oslo"]


@pytest.mark.slow
async def test_a_list_of_pages_becomes_sources_of_their_own(models, panel_config, weather):
    models.script(
        "a", calls("almanac", year=2025), calls("stations"), {"text": "It rained on 112 days [1]."}
    )
    report = await ask(panel_config(tools={"weather": weather.table()}))
    assert {source.url: source.title for source in report.sources} == {
        "https://almanac.example/2025/rain": "Rain in 2025",
    }
    assert [call.status for call in report.answers[0].tool_calls] == ["ok", "ok"]


@pytest.mark.slow
async def test_megabytes_and_errors_are_told_to_the_model_and_cost_nobody_an_answer(
    models, panel_config, weather: Weather
):
    models.script("a", calls("history"), calls("broken"), {"text": "The answer of a."})
    report = await ask(panel_config(tools={"weather": weather.table()}))
    assert report.status == "ok"
    assert [call.status for call in report.answers[0].tool_calls] == ["ok", "unavailable"]
    messages = models.calls("a")[2].body["messages"]
    long, broken = (message["content"] for message in messages if message["role"] == "tool")
    assert len(long) < 30_000
    assert "these are the first" in long
    assert "the barometer fell" in broken
    assert "fell</untrusted>" not in broken


@pytest.mark.slow
async def test_a_server_that_dies_is_told_and_every_answer_stays(
    models, panel_config, weather: Weather
):
    for name in "abc":
        models.script(name, calls("die"), calls("forecast", city="Oslo"), {"text": "Without it."})
    report = await ask(panel_config(tools={"weather": weather.table()}))
    assert [member.content for member in report.answers] == ["Without it."] * 3
    assert {call.status for member in report.answers for call in member.tool_calls} == {
        "unavailable"
    }
    [loss] = [loss for loss in report.degradations if loss.code == "tool_server_failed"]
    assert loss.detail.startswith("The MCP server weather ")
    assert report.status == "degraded"
    weather.wait_for_its_end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"command": "no-such-program-anywhere --serve"}, "no-such-program-anywhere"),
        ({"command": "false"}, "did not start"),
        ({"command": "sleep 600", "start_timeout": 0.5}, "start_timeout"),
    ],
    ids=["not there", "ends at once", "says nothing"],
)
async def test_a_server_that_does_not_start_is_told_and_the_run_goes_on(panel_config, table, told):
    report = await ask(panel_config(tools={"weather": table}))
    [loss] = report.degradations
    assert loss.code == "tool_server_failed"
    assert told in loss.detail
    assert [member.status for member in report.answers] == ["ok"] * 3


@pytest.mark.slow
async def test_a_call_that_hangs_is_given_up(models, panel_config, weather: Weather):
    models.script("a", calls("slow"), calls("forecast", city="Oslo"), {"text": "After all."})
    report = await ask(panel_config(tools={"weather": weather.table(timeout=0.5)}))
    assert [call.status for call in report.answers[0].tool_calls] == ["unavailable", "ok"]
    [loss] = report.degradations
    assert "slow within 0.5 s" in loss.detail


@pytest.mark.slow
async def test_a_cancelled_run_leaves_no_process(models, panel_config, weather: Weather):
    models.script("a", calls("forecast", city="Oslo"), {"hang": True})
    graph = create_fusion_graph(panel_config(tools={"weather": weather.table("--child")}))
    run = asyncio.create_task(graph.ainvoke(QUESTION))
    await asyncio.to_thread(models.calls, "a", arrived=2)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.to_thread(weather.wait_for_its_end)
    assert len(weather.started) == 2


@pytest.mark.slow
async def test_it_sees_the_variables_that_are_named_and_no_other_key(
    models, panel_config, weather: Weather, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-a-server")
    monkeypatch.setenv("WEATHER_TOKEN", "of-the-weather-service")
    models.script("a", calls("environment"), {"text": "Seen."})
    table = weather.table(env={"TOKEN": "WEATHER_TOKEN"})
    report = await ask(panel_config(tools={"weather": table}))
    seen = models.calls("a")[1].body["messages"][-1]["content"]
    assert "TOKEN=of-the-weather-service" in seen
    assert "sk-not-for-a-server" not in seen
    assert report.config["tools"]["weather"]["command"] == Path(table["command"][0]).name
