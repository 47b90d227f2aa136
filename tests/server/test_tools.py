"""The caller's own tools and formats: called by the writer, run by the client, gone on from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.conftest import MESSAGES, text_of

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather somewhere.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALL = {"name": "get_weather", "args": {"city": "Oslo"}, "id": "call_0"}


def ask(client: Any, model: str, messages: Any, *, stream: bool, **more: Any) -> Any:
    """A completion's message and finish reason, put together from chunks where it streams."""
    options = {"model": model, "messages": messages, "tools": [WEATHER], **more}
    if not stream:
        choice = client.chat.completions.create(**options).choices[0]
        return choice.message.model_dump(exclude_none=True), choice.finish_reason
    chunks = list(client.chat.completions.create(stream=True, **options))
    calls = [
        call.model_dump(exclude={"index"})
        for chunk in chunks
        for call in chunk.choices[0].delta.tool_calls or ()
    ]
    message: Any = {"role": "assistant", "content": text_of(chunks)}
    return message | ({"tool_calls": calls} if calls else {}), chunks[-1].choices[0].finish_reason


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_round_trip_asks_the_panel_once(client, models, offer, stream):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It rains in Oslo."})

    answer, finish = ask(client, model, MESSAGES, stream=stream)
    assert finish == "tool_calls"
    (call,) = answer["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"city": "Oslo"}
    assert call["id"] != "call_0"  # the model's own would be another client's as well

    result = {"role": "tool", "tool_call_id": call["id"], "content": "Rain, 4 degrees."}
    final, finish = ask(client, model, [*MESSAGES, answer, result], stream=stream)
    assert finish == "stop"
    assert final["content"] == "It rains in Oslo."
    assert "tool_calls" not in final

    assert [len(models.calls(name)) for name in "abcj"] == [1, 1, 1, 1]
    first, second = models.calls("w")
    assert first.body["tools"][0]["function"]["name"] == "get_weather"
    *_, made, returned = second.body["messages"]
    assert made["tool_calls"][0]["id"] == returned["tool_call_id"] == "call_0"
    assert returned["content"] == "Rain, 4 degrees."
    assert "The answer of a." in json.dumps(second.body["messages"])


def test_the_panel_gets_no_tools_of_the_callers(client, models, offer):
    ask(client, offer(), MESSAGES, stream=False)
    for name in "abcj":
        assert "tools" not in models.calls(name)[0].body


def test_the_choice_of_a_tool_reaches_the_writer(client, models, offer):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [CALL]})
    choice = {"type": "function", "function": {"name": "get_weather"}}
    ask(client, model, MESSAGES, stream=False, tool_choice=choice)
    assert models.calls("w")[0].body["tool_choice"] == choice


def test_two_clients_whose_calls_have_one_id_are_kept_apart(client, models, offer):
    model = offer()
    for name in "abc":
        models.script(name, {"text": "{model} saw {marker}."})
    models.script("w", {"text": "", "tool_calls": [CALL]})
    asked = {}
    for marker in ("MARK-one", "MARK-two"):
        messages: Any = [{"role": "user", "content": f"What about {marker}?"}]
        answer, _ = ask(client, model, messages, stream=False)
        asked[marker] = [*messages, answer]
    models.script("w", {"text": "Done."})
    for marker, messages in asked.items():
        id = messages[-1]["tool_calls"][0]["id"]
        result = {"role": "tool", "tool_call_id": id, "content": "Rain."}
        ask(client, model, [*messages, result], stream=False)
        sent = json.dumps(models.calls("w")[-1].body["messages"])
        assert f"a saw {marker}." in sent
        assert len({"MARK-one", "MARK-two"} & set(sent.replace(".", " ").split())) <= 1


def test_results_of_calls_that_nobody_remembers_are_for_the_panel(client, models, offer):
    model = offer()
    messages: Any = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_from_elsewhere",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": "{broken"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_from_elsewhere", "content": "Rain, 4 degrees."},
    ]
    final, _ = ask(client, model, messages, stream=False)
    assert final["content"] == "The final answer of the writer."
    for name in "abc":
        told = json.dumps(models.calls(name)[0].body["messages"])
        assert "get_weather" in told
        assert "Rain, 4 degrees." in told


@pytest.mark.parametrize("stream", [False, True])
def test_one_call_at_a_time_if_the_client_wants_it_so(client, models, offer, stream):
    model = offer()
    second = {**CALL, "id": "call_1", "args": {"city": "Rome"}}
    models.script("w", {"text": "", "tool_calls": [CALL, second]})
    both, _ = ask(client, model, MESSAGES, stream=stream)
    one, _ = ask(client, model, MESSAGES, stream=stream, parallel_tool_calls=False)
    assert len(both["tool_calls"]) == 2
    assert [json.loads(call["function"]["arguments"])["city"] for call in one["tool_calls"]] == [
        "Oslo"
    ]


def test_arguments_that_are_no_json_are_the_clients_to_judge(client, models, offer):
    model = offer()
    broken = {**CALL, "id": "call_1", "args": '{"city": "Os'}
    models.script("w", {"text": "", "tool_calls": [CALL, broken]})
    answer, finish = ask(client, model, MESSAGES, stream=False)
    assert finish == "tool_calls"
    arguments = [call["function"]["arguments"] for call in answer["tool_calls"]]
    assert arguments[1] == '{"city": "Os'


FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {
        "name": "wetness",
        "schema": {"type": "object", "properties": {"wet": {"type": "boolean"}}},
    },
}


def test_a_format_is_the_writers_alone(client, models, offer):
    model = offer()
    models.script("w", {"text": '{"wet": true}'})
    done = client.chat.completions.create(model=model, messages=MESSAGES, response_format=FORMAT)
    assert json.loads(done.choices[0].message.content) == {"wet": True}
    assert models.calls("w")[0].body["response_format"] == FORMAT
    for name in "abc":
        assert "response_format" not in models.calls(name)[0].body


def test_an_answer_in_a_format_streams_whole_also_after_a_broken_draft(client, models, offer):
    model = offer()
    models.script("w", {"text": '{"wet": fal', "close_after": 1}, {"text": '{"wet": true}'})
    chunks = list(
        client.chat.completions.create(
            model=model, messages=MESSAGES, response_format={"type": "json_object"}, stream=True
        )
    )
    assert json.loads(text_of(chunks)) == {"wet": True}


def test_text_as_format_asks_for_nothing(client, models, offer):
    client.chat.completions.create(
        model=offer(), messages=MESSAGES, response_format={"type": "text"}
    )
    assert "response_format" not in models.calls("w")[0].body


def test_one_model_may_answer_with_the_tools(client, models, offer):
    model = offer(invocation="never")
    models.script("w", {"text": "", "tool_calls": [CALL]}, {"text": "It rains."})
    answer, finish = ask(client, model, MESSAGES, stream=True)
    assert finish == "tool_calls"
    id = answer["tool_calls"][0]["id"]
    result = {"role": "tool", "tool_call_id": id, "content": "Rain."}
    final, _ = ask(client, model, [*MESSAGES, answer, result], stream=True)
    assert final["content"] == "It rains."
    assert models.calls("a") == []
