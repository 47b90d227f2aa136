"""A run that stood still goes on with the configuration it began with, or says what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from fusion_graph import ConfigurationError, create_fusion_graph
from fusion_graph.run.settings import GraphConfig
from tests.depth import in_depth

QUESTION = {"messages": [("user", "How wet is water?")]}
THREAD: Any = {"configurable": {"thread_id": "t"}}


def graph_of(config: dict[str, Any]) -> Any:
    return create_fusion_graph(config, checkpointer=InMemorySaver())


async def stopped(graph: Any, context: Any, before: str) -> None:
    await graph.ainvoke(QUESTION, THREAD, context=context, interrupt_before=[before])


async def refused(graph: Any, context: Any = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        await graph.ainvoke(None, THREAD, context=context)
    told = str(caught.value)
    assert "\n" not in told
    return told


@pytest.mark.parametrize("before", ["panelist", "join", "judge", "synthesis", "verify"])
@pytest.mark.parametrize("size", [2, in_depth(3)])
async def test_without_the_panel_of_its_context_a_run_says_so_and_asks_nobody(
    models, panel_config, before, size
):
    """The graph's own panel is of three: another number was a zip() error, the same wrong names."""
    for name in "xyz":
        models.script(name, f"The answer of {name}.")
    panel = [f"scripted:{name}" for name in "xyz"[:size]]
    graph = graph_of(panel_config())
    await stopped(graph, {"panel": panel}, before)
    asked = len(models.calls())

    told = await refused(graph)

    assert f"missing now: panel (panel: {', '.join(panel)})" in told
    assert "Give the same context again" in told
    assert len(models.calls()) == asked

    result = await graph.ainvoke(None, THREAD, context={"panel": panel})
    assert [answer["model"] for answer in result["fusion"]["answers"]] == panel


@pytest.mark.parametrize("field", ["judge", "max_cost_usd", "criteria"])
async def test_every_field_of_the_context_is_missed(panel_config, field):
    values = {"judge": "scripted:j", "max_cost_usd": 5, "criteria": "code"}
    graph = graph_of(panel_config())
    await stopped(graph, values, "judge")
    rest = {name: value for name, value in values.items() if name != field}

    assert f"missing now: {field}." in await refused(graph, rest)


async def test_a_preset_named_in_the_context_is_remembered():
    graph = create_fusion_graph({"search": "none"}, checkpointer=InMemorySaver())
    await stopped(graph, {"preset": "offline"}, "judge")

    result = await graph.ainvoke(None, THREAD)

    assert result["fusion"]["preset"] == "offline"


async def test_a_panel_that_is_to_be_asked_is_not_changed_under_its_names(models, panel_config):
    graph = graph_of(panel_config())
    await stopped(graph, {"panel": ["scripted:a", "scripted:b"]}, "panelist")

    told = await refused(graph, {"panel": ["scripted:b", "scripted:c"]})

    assert "began with scripted:a, scripted:b, and would go on with scripted:b, scripted:c" in told
    assert models.calls() == []


async def test_a_graph_made_with_other_models_does_not_take_up_a_run(models, panel_config):
    saver = InMemorySaver()
    first = create_fusion_graph(panel_config(), checkpointer=saver)
    await stopped(first, None, "panelist")
    other = create_fusion_graph(panel_config(panel=["scripted:a"]), checkpointer=saver)

    assert "would go on with scripted:a." in await refused(other)
    assert models.calls() == []


async def test_the_one_model_is_not_changed_under_its_name(models, panel_config):
    graph = graph_of(panel_config(invocation="never"))
    await stopped(graph, {"synthesizer": "scripted:w"}, "direct")

    told = await refused(graph, {"synthesizer": "scripted:a"})

    assert "began with scripted:w, and would go on with scripted:a" in told
    assert models.calls() == []


@pytest.mark.parametrize("key", ["discovered", "stack"])
def test_models_that_a_preset_found_when_the_run_began_are_kept(monkeypatch, key):
    """Checkpoints of earlier versions hold them under `stack`; the keys of then may be gone."""
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = {"panel": ["x:one", "x:two"], "judge": "x:one", "synthesizer": "x:one"}
    run: Any = {"preset": "auto", "invoked": True, "members": ["one", "two"], key: found}

    settings = GraphConfig("auto").resume(None, run)

    assert [member.model for member in settings.panel] == found["panel"]
    with pytest.raises(ConfigurationError):
        GraphConfig("auto").resume(None, {**run, key: None})
