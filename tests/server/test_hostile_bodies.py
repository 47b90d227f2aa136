"""Whatever stands in a body, each protocol reads it or says which field is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._signing import PREFIX, Signer
from fusion_graph.faces.server.protocols import CHAT, COMPLETIONS, MESSAGES, RESPONSES
from fusion_graph.faces.server.protocols._continuing import continued
from fusion_graph.faces.server.protocols._kept_responses import KeptResponses
from fusion_graph.faces.server.protocols._pending import PendingCalls
from fusion_graph.faces.server.protocols._side_calls import is_side_call

FUNCTION: Any = {"name": "look", "description": "d", "parameters": {"type": "object"}}
PICTURE = "data:image/png;base64,iVBORw0KGgo="
TEXT = "data:text/plain;base64,aGk="
SIGNER = Signer("a secret")

BODIES: dict[str, tuple[Any, Any]] = {
    "chat": (
        CHAT,
        {
            "model": "fusion/offline",
            "messages": [
                {"role": "system", "content": "s"},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "t"},
                        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
                        {"type": "file", "file": {"file_data": TEXT, "filename": "a"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "look", "arguments": "{}"},
                        }
                    ],
                    "reasoning_details": [
                        {
                            "type": "reasoning.server_tool_call",
                            "tool_name": "openrouter:fusion",
                            "id": "fusion_1",
                            "arguments": "{}",
                            "result": '{"deliberation": "fg1.x.y"}',
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "r"},
            ],
            "tools": [{"type": "function", "function": FUNCTION}, {"type": "openrouter:fusion"}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
            "plugins": [{"id": "fusion", "preset": "general-high", "analysis_models": ["a/b"]}],
            "reasoning": {"effort": "low", "exclude": False},
            "stop": ["x"],
            "stream": True,
            "stream_options": {"include_usage": True},
            "fusion": {"progress": True},
        },
    ),
    "messages": (
        MESSAGES,
        {
            "model": "fusion/offline",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "s"}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "t"},
                        {"type": "image", "source": {"type": "url", "url": PICTURE}},
                        {"type": "document", "source": {"type": "text", "data": "d"}},
                        {
                            "type": "document",
                            "source": {"type": "content", "content": [{"type": "text"}]},
                        },
                        {"type": "search_result", "title": "t", "content": [{"type": "text"}]},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "t", "signature": "s"},
                        {"type": "redacted_thinking", "data": "fg1.x.y"},
                        {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "content": [
                                {"type": "text", "text": "r"},
                                {"type": "document", "source": {"type": "text", "data": "d"}},
                                {"type": "tool_reference", "tool_name": "n"},
                                {
                                    "type": "search_result",
                                    "content": [
                                        {"type": "image", "source": {"type": "url", "url": PICTURE}}
                                    ],
                                },
                            ],
                        },
                        {"type": "text", "text": "<system-reminder>x</system-reminder>"},
                    ],
                },
            ],
            "tools": [{"name": "look", "input_schema": {}}],
            "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {}}},
            "stop_sequences": ["x"],
            "stream": True,
            "fusion": {"progress": False},
        },
    ),
    "responses": (
        RESPONSES,
        {
            "model": "fusion/offline",
            "instructions": "i",
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "t"},
                        {"type": "input_image", "image_url": PICTURE, "detail": "low"},
                        {"type": "input_file", "file_data": TEXT, "filename": "a"},
                    ],
                },
                {"type": "reasoning", "id": "rs_1", "encrypted_content": "fg1.x.y"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text"}]},
                {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "text"}]},
                {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "i"},
                {"type": "custom_tool_call_output", "call_id": "d", "output": "o"},
            ],
            "tools": [
                {"type": "function", **FUNCTION},
                {"type": "custom", "name": "p", "format": {"type": "grammar"}},
                {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "x"}]},
                {"type": "openrouter:fusion", "parameters": {"analysis_models": ["a/b"]}},
            ],
            "tool_choice": {"type": "allowed_tools", "mode": "auto"},
            "reasoning": {"effort": "low", "summary": "auto"},
            "text": {"format": {"type": "json_schema", "schema": {}, "name": "n"}},
            "include": ["x"],
            "stream": True,
            "fusion": {"events": True},
        },
    ),
    "completions": (
        COMPLETIONS,
        {"model": "fusion/offline", "prompt": ["t"], "stop": ["x"], "fusion": {"progress": True}},
    ),
}


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a body."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield (*path, key)
            yield from places(value, (*path, key))


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A body with something else in one place; nothing, where it is `...`."""
    body = copy.deepcopy(body)
    *before, last = path
    inner = body
    for key in before:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return body


def go_through(wire: Any, body: Any) -> None:
    """As far as a request goes before a run begins."""
    kept, streamed = KeptResponses(), body
    if wire is RESPONSES:
        streamed = kept.whole(body)
    asked = wire.read(streamed)
    assert asked.tokens() > 0
    is_side_call(asked)
    continued(asked, PendingCalls(), SIGNER)


VALUES = st.sampled_from(
    [
        *(..., None, True, 0, -1, 1e300, 10**30, "", "x", "fg1..", "data:;base64,"),
        *([], {}, [[]], [{}], [None], ["x", 7], {"type": []}, {"id": {}}),
        *({"type": "text", "text": 7}, {"type": "item_reference", "id": "x"}),
    ]
)


@pytest.mark.slow
@pytest.mark.parametrize("name", BODIES)
def test_a_body_with_one_wrong_thing_is_read_or_the_field_is_named(name):
    wire, body = BODIES[name]
    wire.read(body)
    paths = list(places(body))

    @settings(max_examples=400, deadline=None)
    @given(path=st.sampled_from(paths), value=VALUES, further=st.sampled_from(paths))
    def each(path: Any, value: Any, further: Any) -> None:
        wrong = changed(body, path, value)
        if further[: len(path)] != path and path[: len(further)] != further:
            with suppress(KeyError, IndexError):  # the list has become shorter
                wrong = changed(wrong, further, value)
        try:
            go_through(wire, wrong)
        except ApiError as error:
            assert 400 <= error.status < 500
            assert error.param
            json.dumps(wire.error(error))

    each()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
def test_nothing_but_what_was_sealed_can_be_opened(text):
    for given_text in (text, f"{PREFIX}{text}"):
        assert SIGNER.open(given_text) is None


def test_what_was_sealed_opens_with_its_own_secret_alone():
    data = {"invoked": True, "text": "ä" * 1_000}
    sealed = SIGNER.seal(data)
    assert len(sealed) < 200
    assert Signer("a secret").open(sealed) == data
    for other in (Signer("another"), Signer("a secret ")):
        assert other.open(sealed) is None
