"""A provider's own turn: carried in the message, sent back where it fits, renamed everywhere."""

from __future__ import annotations

import re

import pytest
from langchain_core.messages import AIMessage, HumanMessage, messages_from_dict, messages_to_dict
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from fusion_graph.models.reply import (
    items_for,
    new_call_id,
    turn_of,
    with_call_ids,
    with_turn,
    without_turn,
)

SIGNED = {
    "role": "assistant",
    "content": None,
    "reasoning_details": [
        {"type": "reasoning.text", "text": "Hm.", "index": 0},
        {"type": "reasoning.encrypted", "data": "b3BhcXVl", "id": "c1", "index": 0},
    ],
    "tool_calls": [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "lookup", "arguments": '{"id": "c1"}'},
            "extra_content": {"google": {"thought_signature": "c2ln"}},
        },
        {"id": "c2", "type": "function", "function": {"name": "lookup", "arguments": "{"}},
    ],
}


def message(**fields) -> AIMessage:
    call = {"name": "lookup", "args": {"id": "c1"}, "id": "c1", "type": "tool_call"}
    bad = {"name": "lookup", "args": "{", "id": "c2", "error": None, "type": "invalid_tool_call"}
    return AIMessage(**{"content": "", "tool_calls": [call], "invalid_tool_calls": [bad], **fields})


def test_a_turn_comes_back_from_the_message_it_was_put_into():
    carried = with_turn(message(additional_kwargs={"refusal": None}), "chat", [SIGNED])

    assert turn_of(carried)["items"] == [SIGNED]
    assert turn_of(carried)["protocol"] == "chat"
    assert carried.additional_kwargs["refusal"] is None
    assert turn_of(without_turn(carried)) is None
    assert without_turn(carried).additional_kwargs == {"refusal": None}


@pytest.mark.parametrize(
    "through",
    [
        lambda m: JsonPlusSerializer().loads_typed(JsonPlusSerializer().dumps_typed(m)),
        lambda m: AIMessage.model_validate(m.model_dump(mode="json")),
        lambda m: messages_from_dict(messages_to_dict([m]))[0],
    ],
    ids=["checkpoint", "journal", "messages"],
)
def test_a_turn_survives_everything_that_keeps_a_message(through):
    assert turn_of(through(with_turn(message(), "chat", [SIGNED])))["items"] == [SIGNED]


def test_a_turn_goes_only_where_it_came_from():
    whole = {**SIGNED, "tool_calls": SIGNED["tool_calls"][:1]}
    carried = with_turn(message(invalid_tool_calls=[]), "chat", [whole], model="kimi")

    assert items_for(carried, "chat", "kimi") == [whole]
    assert items_for(carried, "chat", "gpt") is None
    assert items_for(carried, "responses", "kimi") is None
    assert items_for(message(), "chat", "kimi") is None


@pytest.mark.parametrize(
    "edited",
    [
        None,
        "text",
        {},
        {"protocol": "chat"},
        {"protocol": "chat", "items": []},
        {"protocol": "chat", "items": ["text"]},
        {"protocol": "smoke", "items": [SIGNED]},
    ],
)
def test_what_is_no_turn_is_not_taken_for_one(edited):
    assert turn_of(AIMessage("Hm.", additional_kwargs={"provider_turn": edited})) is None


def test_only_a_models_own_message_carries_a_turn():
    turn = {"protocol": "chat", "items": [SIGNED]}

    assert turn_of(HumanMessage("Hm.", additional_kwargs={"provider_turn": turn})) is None


def test_new_ids_stand_everywhere_a_call_is_named_and_nowhere_else():
    named = message(
        content=[
            {"type": "thinking", "thinking": "c1", "signature": "c2ln"},
            {"type": "tool_use", "id": "c1", "name": "lookup", "input": {"id": "c1"}},
            {"type": "function_call", "id": "fc_1", "call_id": "c2", "arguments": "{"},
            {"type": "text", "text": "c1"},
        ],
        additional_kwargs={"signatures": {"c1": "c2ln"}, "c1": "kept", "note": "c1"},
    )

    renamed = with_call_ids(with_turn(named, "chat", [SIGNED]), ["n1", "n2"])

    assert renamed.tool_calls[0]["id"] == "n1"
    assert renamed.invalid_tool_calls[0]["id"] == "n2"
    assert renamed.content == [
        {"type": "thinking", "thinking": "c1", "signature": "c2ln"},
        {"type": "tool_use", "id": "n1", "name": "lookup", "input": {"id": "c1"}},
        {"type": "function_call", "id": "fc_1", "call_id": "n2", "arguments": "{"},
        {"type": "text", "text": "c1"},
    ]
    assert renamed.additional_kwargs["signatures"] == {"n1": "c2ln"}
    assert renamed.additional_kwargs["c1"] == "kept"
    assert renamed.additional_kwargs["note"] == "c1"
    [turn] = turn_of(renamed)["items"]
    assert [call["id"] for call in turn["tool_calls"]] == ["n1", "n2"]
    assert turn["tool_calls"][0]["function"]["arguments"] == '{"id": "c1"}'
    assert turn["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert turn["reasoning_details"][1] == {**SIGNED["reasoning_details"][1], "id": "n1"}
    assert turn_of(named) is None
    assert SIGNED["tool_calls"][0]["id"] == "c1"


@pytest.mark.parametrize("said", ["", None, "same", ...])
def test_calls_whose_ids_do_not_tell_them_apart_are_told_by_their_order(said):
    raw = [{"function": {"name": name, "arguments": "{}"}} for name in ("a", "b")]
    items = [
        {"role": "assistant", "tool_calls": [c if said is ... else c | {"id": said} for c in raw]}
    ]
    old = None if said is ... else said
    calls = [{"name": name, "args": {}, "id": old, "type": "tool_call"} for name in ("a", "b")]

    renamed = with_call_ids(with_turn(AIMessage("", tool_calls=calls), "chat", items), ["1", "2"])

    assert [(c["name"], c["id"]) for c in renamed.tool_calls] == [("a", "1"), ("b", "2")]
    [turn] = turn_of(renamed)["items"]
    assert [(c["function"]["name"], c["id"]) for c in turn["tool_calls"]] == [
        ("a", "1"),
        ("b", "2"),
    ]


def test_items_of_the_responses_api_keep_their_own_ids():
    items = [
        {"type": "reasoning", "id": "rs_1", "encrypted_content": "b3BhcXVl"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "c1",
            "name": "lookup",
            "arguments": "{}",
        },
        {
            "type": "function_call",
            "id": "fc_2",
            "call_id": "c2",
            "name": "lookup",
            "arguments": "{",
        },
    ]

    renamed = with_call_ids(with_turn(message(), "responses", items), ["n1", "n2"])

    assert turn_of(renamed)["items"] == [
        items[0],
        {**items[1], "call_id": "n1"},
        {**items[2], "call_id": "n2"},
    ]


def test_ids_and_calls_must_be_as_many():
    with pytest.raises(ValueError, match="2 calls"):
        with_call_ids(message(), ["only"])


@pytest.mark.parametrize("arguments", ["{", "[1]", "null", "", None, 7, "[" * 3000])
def test_arguments_no_server_takes_go_back_empty_and_all_else_as_it_came(arguments):
    call = {"id": "c1", "function": {"name": "lookup", "arguments": arguments}, "signature": "c2ln"}
    read = message(tool_calls=[{"name": "lookup", "args": {}, "id": "c1"}], invalid_tool_calls=[])
    carried = with_turn(read, "chat", [{"role": "assistant", "tool_calls": [call]}])

    [item] = items_for(carried, "chat")

    assert item["tool_calls"][0]["function"] == {"name": "lookup", "arguments": "{}"}
    assert item["tool_calls"][0]["signature"] == "c2ln"


def test_arguments_that_came_as_an_object_go_back_as_its_text():
    call = {"id": "c1", "function": {"name": "lookup", "arguments": {"query": "nässe"}}}
    args = {"query": "nässe"}
    read = AIMessage("", tool_calls=[{"name": "lookup", "args": args, "id": "c1"}])
    carried = with_turn(read, "chat", [{"role": "assistant", "tool_calls": [call]}])

    [item] = items_for(carried, "chat")

    assert item["tool_calls"][0]["function"]["arguments"] == '{"query": "nässe"}'


def test_ids_that_are_made_up_are_nine_letters_or_digits():
    made = {new_call_id() for _ in range(200)}

    assert len(made) == 200
    assert all(re.fullmatch("[A-Za-z0-9]{9}", call_id) for call_id in made)


@pytest.mark.parametrize(
    "edit",
    [
        {"tool_calls": []},
        {"tool_calls": [{"name": "lookup", "args": {"id": "other"}, "id": "c1"}]},
        {"tool_calls": [{"name": "lookup", "args": {"id": "c1"}, "id": "other"}]},
    ],
    ids=["dropped", "other arguments", "another id"],
)
def test_a_turn_whose_calls_were_edited_since_is_not_sent_in_their_place(edit):
    whole = {**SIGNED, "tool_calls": SIGNED["tool_calls"][:1]}
    carried = with_turn(message(invalid_tool_calls=[]), "chat", [whole])

    assert items_for(carried, "chat") == [whole]
    assert items_for(carried.model_copy(update=edit), "chat") is None
