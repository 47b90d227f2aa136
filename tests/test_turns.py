"""What a provider put into a turn comes back in the next request: any fields, in any chunking."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fusion_graph import create_fusion_graph
from fusion_graph.config import Provider
from fusion_graph.models.open import open_model

STREAM = {"content-type": "text/event-stream"}
ASKED = [HumanMessage("How wet is water?")]

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
scalars = st.one_of(
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    st.one_of(scalars, st.none(), st.just("")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
telling = st.one_of(
    scalars,
    st.lists(values, min_size=1, max_size=3),
    st.dictionaries(texts.map(lambda key: f"k{key}"), values, min_size=1, max_size=3),
)
fields = st.dictionaries(texts.map(lambda name: f"x-{name}"), telling, max_size=4)


def pieces_of(draw: Any, value: Any) -> list[Any]:
    """A value as a stream may bring it: strings and lists cut anywhere, objects by their fields."""
    if isinstance(value, dict):
        return [{key: item} for key, item in value.items()]
    if not isinstance(value, str | list):
        return [value]
    cuts = draw(st.lists(st.integers(0, len(value)), max_size=3).map(sorted))
    ends = zip([0, *cuts], [*cuts, len(value)], strict=True)
    return [value[start:end] for start, end in ends if start < end]


@st.composite
def turns(draw: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """An assistant's message with calls and whatever else, and a stream that brings it."""
    extra, in_call = draw(fields), draw(fields)
    thoughts = draw(st.lists(texts, max_size=3))
    signed = [
        {"type": "reasoning.text", "text": text, "format": None, "index": at}
        for at, text in enumerate(thoughts)
    ]
    sealed = {"type": "reasoning.encrypted", "data": draw(texts), "index": 0, "id": "call00001"}
    known = {"reasoning_content": draw(texts), "reasoning_details": [*signed, sealed]}
    arguments = json.dumps({"query": draw(texts)})
    call = {
        "id": "call00001",
        "type": "function",
        "function": {"name": "lookup", "arguments": arguments},
        **in_call,
    }
    said = draw(st.one_of(st.none(), texts))
    message = {"role": "assistant", "content": said, **known, **extra, "tool_calls": [call]}

    lanes = [[{name: piece} for piece in pieces_of(draw, value)] for name, value in extra.items()]
    lanes.append([{"reasoning_content": p} for p in pieces_of(draw, known["reasoning_content"])])
    items = [
        {"reasoning_details": [{**item, "text": piece}]}
        for item in signed
        for piece in pieces_of(draw, item["text"])
    ]
    lanes.append([*items, {"reasoning_details": [sealed]}])
    lanes.append([{"content": piece} for piece in pieces_of(draw, said)] if said else [])
    opening = {"index": 0, "id": "call00001", "function": {"name": "lookup", "arguments": ""}}
    in_pieces = [{name: p} for name, value in in_call.items() for p in pieces_of(draw, value)]
    in_pieces += [{"function": {"arguments": p}} for p in pieces_of(draw, arguments)]
    parts = [opening, *({"index": 0, **piece} for piece in in_pieces)]
    lanes.append([{"tool_calls": [part]} for part in parts])
    deltas = []
    while lanes := [lane for lane in lanes if lane]:
        deltas.append(draw(st.sampled_from(lanes)).pop(0))
    return message, deltas


def stream_of(*deltas: dict[str, Any], finish: str | None = "tool_calls", **last: Any) -> str:
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}], **last})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def whole(message: dict[str, Any], finish: str = "tool_calls") -> str:
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})


async def sent_back(models: Any, body: str, stream: bool) -> dict[str, Any]:
    """The assistant's message of the request after a reply, as the server got it."""
    headers = STREAM if stream else {}
    models.script("m", {"malformed": body, "headers": headers}, "Very wet.")
    model = await open_model("scripted:m", {"scripted": Provider(base_url=models.base_url)})
    chat: Any = model.chat
    if stream:
        chat = chat.model_copy(update={"sink": lambda _: None})
    reply = await chat.complete(ASKED)
    results = [ToolMessage("Wet.", tool_call_id=call["id"]) for call in reply.tool_calls]
    await chat.complete([*ASKED, reply, *results])
    return models.calls("m")[-1].body["messages"][1]


@pytest.mark.slow
@settings(suppress_health_check=list(HealthCheck))
@given(turn=turns(), stream=st.booleans())
def test_any_mixture_of_fields_in_any_chunking_comes_back_as_it_was(model_server, turn, stream):
    message, deltas = turn
    models = model_server.scope()

    body = stream_of(*deltas) if stream else whole(message)
    back = asyncio.run(sent_back(models, body, stream))

    assert json.dumps(back, sort_keys=True) == json.dumps(message, sort_keys=True)
    models.clear()


@pytest.mark.parametrize("stream", [False, True])
async def test_what_says_nothing_is_not_sent_back(models, stream):
    call = {"id": "call00001", "type": "function", "index": 0}
    call["function"] = {"name": "lookup", "arguments": "{}"}
    message = {
        "role": "assistant",
        "content": "",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "reasoning_content": "",
        "tool_calls": [call],
    }

    back = await sent_back(models, stream_of(message) if stream else whole(message), stream)

    assert back == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "",
        "tool_calls": [{k: v for k, v in call.items() if k != "index"}],
    }


async def test_a_field_that_the_endpoint_does_not_take_back_is_left_out_and_stays_so(models):
    call = {"id": "call00001", "type": "function"}
    call["function"] = {"name": "lookup", "arguments": "{}"}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "Hm."}
    refusal = "'messages.1': property 'annotations' is unsupported"
    strict = {"text": "Wet.", "when_contains": {'"annotations"': {"status": 400, "error": refusal}}}
    models.script("m", {"malformed": whole(message | {"annotations": [{"x": 1}]})}, strict)
    model = await open_model("scripted:m", {"scripted": Provider(base_url=models.base_url)})

    reply = await model.chat.complete(ASKED)
    history = [*ASKED, reply, ToolMessage("Wet.", tool_call_id="call00001")]
    for _ in range(2):
        assert (await model.chat.complete(history)).text == "Wet."

    assert [c.body["messages"][1] for c in models.calls("m")[2:]] == [message, message]


async def test_a_panelists_turn_goes_back_with_its_calls(models, panel_config):
    @tool
    def lookup(query: str) -> str:
        """Look it up."""
        return "Wet."

    call = {"index": 0, "id": "call00001", "extra_content": {"google": {"thought_signature": "s"}}}
    call["function"] = {"name": "lookup", "arguments": '{"query": "water"}'}
    deltas = [{"reasoning_content": "I look "}, {"reasoning_content": "it up."}]
    deltas.append({"tool_calls": [call]})
    config = panel_config()
    models.script("a", {"malformed": stream_of(*deltas), "headers": STREAM}, "Very wet.")

    await create_fusion_graph(config, tools=[lookup]).ainvoke({"messages": ASKED})

    back = models.calls("a")[1].body["messages"]
    [turn] = [m for m in back if m["role"] == "assistant"]
    assert turn["reasoning_content"] == "I look it up."
    assert turn["tool_calls"][0]["extra_content"] == call["extra_content"]


async def test_a_writers_turn_goes_back_after_a_checkpoint(models, panel_config, tmp_path):
    panel = panel_config()
    book = {"type": "function", "function": {"name": "book", "parameters": {"type": "object"}}}
    call = {"index": 0, "id": "call00001", "extra_content": {"signature": "c2ln"}}
    call["function"] = {"name": "book", "arguments": '{"seats": 4}'}
    body = stream_of({"reasoning_details": [{"type": "x", "data": "b3A="}]}, {"tool_calls": [call]})
    models.script("w", {"malformed": body, "headers": STREAM})
    config, context = {"configurable": {"thread_id": "t"}}, {"writer_tools": [book]}
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "kept.db")) as saver:
        graph = create_fusion_graph(panel, checkpointer=saver)
        await graph.ainvoke({"messages": ASKED}, config, context=context)

    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "kept.db")) as saver:
        graph = create_fusion_graph(panel, checkpointer=saver)
        kept = (await graph.aget_state(config)).values
        called = kept["messages"][-1]
        called.response_metadata["fusion"] = kept["fusion"]
        models.script("w", "Booked.")
        results = [called, ToolMessage("Table 7.", tool_call_id="call00001")]
        await graph.ainvoke({"messages": results}, config, context=context)

    history = models.calls("w")[-1].body["messages"]
    [turn] = [m for m in history if m["role"] == "assistant"]
    assert turn["reasoning_details"] == [{"type": "x", "data": "b3A="}]
    assert turn["tool_calls"][0]["extra_content"] == {"signature": "c2ln"}
