"""A fusion as a node of somebody else's graph: with and without memory, turn after turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel

from fusion_graph import (
    AllPanelistsFailed,
    ConfigurationError,
    FusionConfig,
    FusionReport,
    create_fusion_graph,
)
from tests.depth import in_depth

THREAD = {"configurable": {"thread_id": "t"}}
TURNS = ("First question?", "Second question?", "Third question?")
ANSWER = "The final answer of the writer."


class WithReport(MessagesState):
    """A parent that also wants the report."""

    fusion: dict[str, Any]


def parent(fusion, checkpointer=None, schema=MessagesState, context_schema=None):
    """The smallest graph with a fusion in it."""
    builder = StateGraph(schema, context_schema=context_schema)
    builder.add_node("fusion", fusion)
    builder.add_edge(START, "fusion")
    builder.add_edge("fusion", END)
    return builder.compile(checkpointer=checkpointer)


def ask(question: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(question)]}


def said(call) -> list[tuple[str, Any]]:
    """Role and content of what a call sent."""
    return [(message["role"], message["content"]) for message in call.body["messages"]]


def conversation(*questions: str) -> list[str]:
    """The texts of a conversation in which all but the last question were answered."""
    return [text for question in questions for text in (question, ANSWER)][:-1]


def check_three_turns(results: list[dict[str, Any]], models) -> None:
    """Each turn added one answer, and the panel heard every turn in full."""
    assert [len(result["messages"]) for result in results] == [2, 4, 6]
    assert [m.content for m in results[-1]["messages"]] == [*conversation(*TURNS), ANSWER]
    assert len(models.calls()) == 15
    for turn, call in enumerate(models.calls("a"), start=1):
        roles, texts = zip(*said(call), strict=True)
        assert roles == ("system", *["user", "assistant"] * (turn - 1), "user")
        assert list(texts[1:]) == conversation(*TURNS[:turn])


# A parent with `messages` alone


def test_the_answer_is_one_message_more_and_nothing_else(panel_config):
    result = parent(create_fusion_graph(panel_config())).invoke(ask("How wet is water?"))

    assert result.keys() == {"messages"}
    assert [type(m) for m in result["messages"]] == [HumanMessage, AIMessage]
    assert result["messages"][-1].content == ANSWER


def test_without_a_checkpointer_the_caller_carries_the_conversation(models, panel_config):
    graph = parent(create_fusion_graph(panel_config()))

    results, messages = [], []
    for question in TURNS:
        messages = graph.invoke({"messages": [*messages, HumanMessage(question)]})["messages"]
        results.append({"messages": messages})
    check_three_turns(results, models)


@contextmanager
def in_memory(path):
    yield InMemorySaver()


@contextmanager
def sqlite(path):
    with SqliteSaver.from_conn_string(str(path / "threads.sqlite")) as saver:
        yield saver


@asynccontextmanager
async def async_in_memory(path):
    yield InMemorySaver()


@asynccontextmanager
async def async_sqlite(path):
    async with AsyncSqliteSaver.from_conn_string(str(path / "threads.sqlite")) as saver:
        yield saver


# None: as the parent's. False: the fusion keeps nothing. True: it keeps its own memory.
@pytest.mark.parametrize("own", [None, in_depth(False), True])
@pytest.mark.parametrize("open_saver", [in_memory, sqlite])
def test_three_turns_in_a_thread_accumulate_nothing(
    models, panel_config, tmp_path, open_saver, own
):
    with open_saver(tmp_path) as saver:
        graph = parent(create_fusion_graph(panel_config(), checkpointer=own), saver, WithReport)
        results = [graph.invoke(ask(question), THREAD) for question in TURNS]

    check_three_turns(results, models)
    for question, result in zip(TURNS, results, strict=True):
        report = FusionReport.from_state(result)
        assert report.question == question
        assert len(report.answers) == 3
        assert report.usage.total.calls == 5
        assert report.thread_id == "t"


@pytest.mark.parametrize("own", [None, in_depth(True)])
@pytest.mark.parametrize("open_saver", [async_in_memory, async_sqlite])
async def test_three_turns_in_a_thread_accumulate_nothing_asynchronously(
    models, panel_config, tmp_path, open_saver, own
):
    async with open_saver(tmp_path) as saver:
        graph = parent(create_fusion_graph(panel_config(), checkpointer=own), saver)
        results = [await graph.ainvoke(ask(question), THREAD) for question in TURNS]

    check_three_turns(results, models)


def test_threads_know_nothing_of_each_other(models, panel_config):
    graph = parent(create_fusion_graph(panel_config()), InMemorySaver())

    for thread in ("one", "two"):
        graph.invoke(ask(f"Question of {thread}?"), {"configurable": {"thread_id": thread}})
    assert [said(call)[1:] for call in models.calls("a")] == [
        [("user", "Question of one?")],
        [("user", "Question of two?")],
    ]


def test_the_parents_other_nodes_and_keys_are_left_alone(panel_config):
    class Notes(MessagesState):
        notes: list[str]
        answers: str
        run: int

    builder = StateGraph(Notes)
    builder.add_node("before", lambda state: {"notes": ["before"]})
    builder.add_node("fusion", create_fusion_graph(panel_config()))
    builder.add_node("after", lambda state: {"notes": [*state["notes"], "after"]})
    builder.add_edge(START, "before")
    builder.add_edge("before", "fusion")
    builder.add_edge("fusion", "after")
    start = {**ask("How wet is water?"), "answers": "mine", "run": 5}

    # The fusion has keys `answers` and `run` of its own, which are nobody else's business.
    result = builder.compile().invoke(start)
    assert result["notes"] == ["before", "after"]
    assert (result["answers"], result["run"]) == ("mine", 5)
    assert result["messages"][-1].content == ANSWER


def test_a_node_may_call_the_fusion_from_a_state_of_another_shape(panel_config):
    class Other(TypedDict):
        topic: str
        text: str

    fusion = create_fusion_graph(panel_config())

    def write(state: Other) -> dict[str, str]:
        return {"text": fusion.invoke(ask(f"What about {state['topic']}?"))["messages"][-1].content}

    builder = StateGraph(Other)
    builder.add_node("write", write)
    builder.add_edge(START, "write")
    graph = builder.compile(checkpointer=InMemorySaver())
    for _ in range(2):
        assert graph.invoke({"topic": "water", "text": ""}, THREAD)["text"] == ANSWER


def test_two_fusions_side_by_side_both_answer(models, panel_config):
    builder = StateGraph(MessagesState)
    for name in ("left", "right"):
        builder.add_node(name, create_fusion_graph(panel_config(), name=name))
        builder.add_edge(START, name)

    result = builder.compile().invoke(ask("How wet is water?"))
    assert [m.content for m in result["messages"]] == ["How wet is water?", ANSWER, ANSWER]
    assert len(models.calls()) == 10


async def test_a_failed_panel_reaches_the_parent_as_its_own_error(models, panel_config):
    for name in "abc":
        models.script(name, {"status": 401})

    with pytest.raises(AllPanelistsFailed) as caught:
        await parent(create_fusion_graph(panel_config())).ainvoke(ask("How wet is water?"))
    assert [name for name, _ in caught.value.members] == ["a", "b", "c"]


def test_the_next_turn_after_a_failed_one_is_a_clean_one(models, panel_config):
    graph = create_fusion_graph(panel_config(), checkpointer=InMemorySaver())
    graph.invoke(ask(TURNS[0]), THREAD)
    for name in "abc":
        models.script(name, {"status": 401}, "Back again.")
    with pytest.raises(AllPanelistsFailed):
        graph.invoke(ask(TURNS[1]), THREAD)

    report = FusionReport.from_state(graph.invoke(ask(TURNS[2]), THREAD))
    assert report.status == "ok"
    assert [answer.content for answer in report.answers] == ["Back again."] * 3


# The conversation


PIXEL = "data:image/png;base64,iVBORw0KGgo="


def test_the_conversation_reaches_the_panel_whole(models, panel_config):
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    history = [
        SystemMessage("Speak like a lawyer."),
        HumanMessage("Who are you?"),
        AIMessage("A lawyer."),
        HumanMessage([{"type": "text", "text": "What is this?"}, picture]),
    ]

    parent(create_fusion_graph(panel_config())).invoke({"messages": history})

    for name in "abc":
        (system, brief), *rest = said(models.calls(name)[0])
        assert system == "system"
        assert "Speak like a lawyer." in brief
        assert rest == [
            ("user", "Who are you?"),
            ("assistant", "A lawyer."),
            ("user", [{"type": "text", "text": "What is this?"}, picture]),
        ]


def test_an_image_in_langchains_own_form_reaches_the_panel_as_image_url(models, panel_config):
    block = {"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}

    create_fusion_graph(panel_config()).invoke({"messages": [HumanMessage([block])]})

    (sent,) = models.calls("a")[0].body["messages"][-1]["content"]
    assert (sent["type"], sent["image_url"]["url"]) == ("image_url", PIXEL)


def test_the_writer_sees_the_picture_and_the_instructions_too(models, panel_config):
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    history = [SystemMessage("Speak like a lawyer."), HumanMessage([picture])]

    create_fusion_graph(panel_config()).invoke({"messages": history})

    (_, brief), (_, asked), *_ = said(models.calls("w")[0])
    assert "Speak like a lawyer." in brief
    assert asked == [picture]


def test_the_parents_tool_calls_and_results_are_told_as_text(models, panel_config):
    history = [
        HumanMessage("What did we sell?"),
        AIMessage(
            "I look.", tool_calls=[{"name": "ledger", "args": {"year": 2025}, "id": "call_1"}]
        ),
        ToolMessage("41 boats", tool_call_id="call_1"),
        AIMessage("41 boats."),
        HumanMessage("And is that a lot?"),
    ]

    parent(create_fusion_graph(panel_config())).invoke({"messages": history})

    for call in models.calls():
        assert not [m for m in call.body["messages"] if m["role"] == "tool" or "tool_calls" in m]
        if call.model in "abc":
            (_, told) = said(call)[2]
            assert all(word in told for word in ("I look.", "ledger", "2025", "41 boats"))


# Contexts of a parent


def test_a_parents_context_of_fusion_fields_configures_the_fusion(panel_config):
    class Knobs(TypedDict):
        seed: int

    for schema, context in [
        (Knobs, {"seed": 99}),
        (Knobs, {"user_id": "u", "seed": 99}),
        (FusionConfig, {"seed": 99}),
        (FusionConfig, FusionConfig(seed=99)),
    ]:
        graph = parent(
            create_fusion_graph(panel_config()), schema=WithReport, context_schema=schema
        )
        result = graph.invoke(ask("How wet is water?"), context=context)
        assert result["fusion"]["seed"] == 99


class AsTypedDict(TypedDict, total=False):
    user_id: str
    seed: Any


@dataclass
class AsDataclass:
    user_id: str = "u"
    seed: Any = "not a number"


class AsModel(BaseModel):
    user_id: str = "u"
    seed: Any = "not a number"


@pytest.mark.parametrize(
    ("schema", "context"),
    [
        (AsTypedDict, {"user_id": "u"}),
        (AsTypedDict, {"user_id": "u", "seed": "not a number"}),
        (None, {"user_id": "u"}),
        (AsDataclass, AsDataclass()),
        (AsDataclass, {"user_id": "u"}),
        (AsModel, AsModel()),
        (AsModel, {"user_id": "u"}),
        (AsTypedDict, {}),
        (AsTypedDict, None),
    ],
)
def test_a_parents_context_of_another_shape_is_none_of_the_fusions_business(
    panel_config, schema, context
):
    graph = parent(create_fusion_graph(panel_config()), schema=WithReport, context_schema=schema)

    result = graph.invoke(ask("How wet is water?"), context=context)
    assert result["messages"][-1].content == ANSWER
    assert result["fusion"]["seed"] == 7


def test_a_typo_in_a_parents_fusion_context_is_still_refused(models, panel_config):
    graph = parent(create_fusion_graph(panel_config()), context_schema=FusionConfig)

    with pytest.raises(ConfigurationError, match="sede"):
        graph.invoke(ask("How wet is water?"), context={"sede": 1})
    assert models.calls() == []


# Standing alone, with a checkpointer of its own


def test_a_fusion_of_its_own_keeps_a_thread(models, panel_config, tmp_path):
    with sqlite(tmp_path) as saver:
        graph = create_fusion_graph(panel_config(), checkpointer=saver)
        results, kept = [], []
        for question in TURNS:
            results.append(graph.invoke(ask(question), THREAD))
            kept.append(graph.get_state(THREAD).values)

    check_three_turns(results, models)
    assert [result.keys() for result in results] == [{"messages", "fusion"}] * 3
    assert [len(values["answers"]) for values in kept] == [3, 3, 3]
    assert [values["fusion"]["question"] for values in kept] == list(TURNS)


READER = """
import json, logging, sys
from langgraph.checkpoint.sqlite import SqliteSaver
from fusion_graph import FusionReport, create_fusion_graph

logging.basicConfig(level=logging.WARNING)
path, config = sys.argv[1], json.loads(sys.argv[2])
with SqliteSaver.from_conn_string(path) as saver:
    graph = create_fusion_graph(config, checkpointer=saver)
    def thread(name): return {"configurable": {"thread_id": name}}
    done = graph.get_state(thread("done")).values
    FusionReport.from_state(done)
    stopped = graph.get_state(thread("stopped"))
    went_on = graph.invoke(None, thread("stopped"))
    print(json.dumps({
        "done": done["fusion"],
        "messages": [[m.type, m.content] for m in done["messages"]],
        "next": stopped.next,
        "history": len(list(graph.get_state_history(thread("done")))),
        "went_on": went_on["fusion"],
    }))
"""


@pytest.mark.slow
def test_a_thread_is_read_and_resumed_by_another_process_without_a_warning(
    models, panel_config, tmp_path
):
    config = panel_config()
    path = tmp_path / "threads.sqlite"
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    history = [SystemMessage("Be brief."), HumanMessage(["What is this?", picture])]
    with SqliteSaver.from_conn_string(str(path)) as saver:
        graph = create_fusion_graph(config, checkpointer=saver)
        done, stopped = ({"configurable": {"thread_id": n}} for n in ("done", "stopped"))
        result = graph.invoke({"messages": history}, done)
        graph.invoke(ask("How wet is water?"), stopped, interrupt_before=["judge"])
    before = len(models.calls())

    reader = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, str(path), json.dumps(config)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert reader.stderr == ""
    read = json.loads(reader.stdout)
    assert read["done"] == result["fusion"]
    assert read["messages"] == [[m.type, m.content] for m in result["messages"]]
    assert read["history"] > 5
    assert read["next"] == ["judge"]
    # The panel was paid by the process that is gone; only judge and writer were asked again.
    assert [call.model for call in models.calls()[before:]] == ["j", "w"]
    assert read["went_on"]["usage"]["total"]["calls"] == 5
    assert read["went_on"]["answer"] == ANSWER
