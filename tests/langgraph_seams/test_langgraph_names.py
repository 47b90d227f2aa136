"""Private names of LangGraph: there, and doing what the seams rely on."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import pytest
from langchain_core.runnables.config import set_config_context
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from fusion_graph.errors import IncompatibleLibrary
from fusion_graph.langgraph_seams.checkpoint_order import come_after
from fusion_graph.langgraph_seams.node_checkpoint import checkpoint_of_node
from fusion_graph.langgraph_seams.state_reads import DURABILITY, read_state, without_checkpoints
from fusion_graph.langgraph_seams.sync import (
    Node,
    StoppableBuilder,
    StoppableGraph,
    show_inside,
)
from tests.langgraph_seams.mending import relied_on

langgraph = partial(relied_on, "langgraph")


def add(left: list[str], right: list[str]) -> list[str]:
    return left + right


class Shared(TypedDict):
    question: str
    seen: Annotated[list[str], add]


def spread(_: Shared) -> list[Send]:
    return [Send("member", {"number": n}) for n in range(2)]


def one_step(step: Any, **compiled: Any) -> Any:
    graph = StateGraph(Shared)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_edge("step", END)
    return graph.compile(**compiled)


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test___pregel_read_shows_a_node_the_state_that_was_not_sent_to_it(face):
    def member(sent: Any) -> dict[str, Any]:
        (question,) = read_state("question")
        return {"seen": [f"{sent['number']}: {question}"]}

    graph = StateGraph(Shared)
    graph.add_node("member", member)
    graph.add_conditional_edges(START, spread, ["member"])
    compiled = graph.compile()
    with langgraph("__pregel_read", "state_reads", "see how ToolNode reads the state of a Send."):
        given: Any = {"question": "Why?", "seen": []}
        end = compiled.invoke(given) if face == "invoke" else await compiled.ainvoke(given)
        assert end["seen"] == ["0: Why?", "1: Why?"]


def test_without___pregel_read_the_error_names_the_library_and_the_version_to_install():
    with (
        set_config_context({"configurable": {}}) as variables,
        pytest.raises(IncompatibleLibrary, match=r"langgraph 1\..*`__pregel_read`.*langgraph=="),
    ):
        variables.run(read_state, "question")


def test___pregel_durability_is_handed_down_and_sync_fails_without_the_seam():
    inner = one_step(lambda state: {"seen": [state["question"]]}, checkpointer=False)
    handed_down = []

    def around(state: Shared, *, mended: bool) -> dict[str, Any]:
        inherited = get_config()["configurable"]
        handed_down.append(inherited.get(DURABILITY))
        own = without_checkpoints(inherited) if mended else None
        return inner.invoke(state, {"configurable": own} if own is not None else None)

    def run(mended: bool) -> Any:
        graph = one_step(partial(around, mended=mended), checkpointer=InMemorySaver())
        config: Any = {"configurable": {"thread_id": "t"}}
        return graph.invoke({"question": "Why?", "seen": []}, config, durability="sync")

    name = "__pregel_durability"
    with langgraph(name, "state_reads", "see which key of `configurable` holds `durability`."):
        assert run(mended=True)["seen"] == ["Why?"]
        assert handed_down == ["sync"]
    with (
        langgraph(name, "state_reads", "`without_checkpoints` is needed no longer; delete it."),
        pytest.raises(AttributeError),
    ):
        run(mended=False)


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test___pregel_checkpointer_gives_a_node_the_place_its_work_is_kept_in(face):
    seen: list[dict[str, Any]] = []

    async def work(_: Shared) -> dict[str, Any]:
        checkpoint = checkpoint_of_node()
        assert checkpoint is not None
        seen.append(await checkpoint.read("kind"))
        await checkpoint.write("kind", str(UUID(int=len(seen))), len(seen))
        if len(seen) == 1:
            raise OSError("the first time it fails")
        return {"seen": ["done"]}

    graph = one_step(Node(work), checkpointer=InMemorySaver())
    outer = one_step(graph, checkpointer=InMemorySaver())
    how = "see what `PregelLoop.put_writes` saves under, and what a node's config has of it."
    with langgraph("__pregel_checkpointer, checkpoint_map", "node_checkpoint", how):
        for compiled in (graph, outer):
            seen.clear()
            config: Any = {"configurable": {"thread_id": "t"}}
            given: Any = {"question": "", "seen": []}
            for _ in range(2):
                with suppress(OSError):
                    if face == "invoke":
                        result = compiled.invoke(given, config)
                    else:
                        result = await compiled.ainvoke(given, config)
                given = None
            assert seen == [{}, {str(UUID(int=1)): 1}]
            assert result["seen"][-1] == "done"


async def say(_: Shared) -> dict[str, Any]:
    return {"seen": ["said"]}


def test___class___of_a_compiled_graph_can_be_one_of_ours():
    builder = StoppableBuilder(Shared)
    builder.add_node("say", Node(say))
    builder.add_edge(START, "say")
    how = "give `compile` our class some other way, as a copy of its fields."
    with langgraph("CompiledStateGraph.__class__", "sync", how):
        compiled = builder.compile(name="ours")
        assert type(compiled) is StoppableGraph
        assert compiled.get_name() == "ours"
        assert compiled.invoke({"question": "", "seen": []})["seen"] == ["said"]
        streamed = compiled.stream({"question": "", "seen": []}, stream_mode="values")
        assert [values["seen"] for values in streamed][-1] == ["said"]


def test_subgraphs_of_a_node_are_what_xray_draws():
    inner = one_step(lambda _: {})
    outer = one_step(lambda _: {})
    how = "see where Pregel.get_subgraphs looks, and put the drawn graph there."
    with langgraph("PregelNode.subgraphs", "sync", how):
        show_inside(outer, "step", inner)
        assert "step:step" in outer.get_graph(xray=True).nodes
        assert outer.invoke({"question": "", "seen": []})["seen"] == []


def test__last_v6_timestamp_has_new_checkpoints_sort_after_a_given_one():
    from langgraph.checkpoint.base import id as ids

    with relied_on(
        "langgraph-checkpoint", "_last_v6_timestamp", "checkpoint_order", "see `uuid6`."
    ):
        before = ids._last_v6_timestamp
        try:
            late = "1fffffff-ffff-6abc-8000-000000000000"
            come_after(late)
            assert late < str(ids.uuid6()) < str(ids.uuid6())
            for other in ("no id", "00000000-0000-4000-8000-000000000000"):
                come_after(other)
        finally:
            ids._last_v6_timestamp = before
