"""Completions of a text as OpenAI's own client sees them."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from fusion_graph import FusionReport
from tests.server.conftest import Server

FINAL = "The final answer of the writer."


def test_a_prompt_is_a_question_and_its_answer_a_text(client, models, offer):
    model = offer()
    done = client.completions.create(model=model, prompt="How wet is water?", max_tokens=300)
    assert (done.object, done.model) == ("text_completion", model)
    assert (done.choices[0].text, done.choices[0].finish_reason) == (FINAL, "stop")
    assert 0 < done.usage.completion_tokens < done.usage.total_tokens < 100
    assert FusionReport.model_validate(done.fusion).status == "ok"
    assert models.calls("w")[0].body["max_tokens"] == 300
    assert "How wet is water?" in json.dumps(models.calls("a")[0].body)


def test_a_stream_brings_the_text_in_pieces(client, offer):
    chunks = list(client.completions.create(model=offer(), prompt=["How wet?"], stream=True))
    pieces = [chunk.choices[0].text for chunk in chunks if chunk.choices[0].text]
    assert "".join(pieces) == FINAL
    assert len(pieces) > 1
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stop_text_ends_it(client, models, offer):
    model = offer()
    models.script("w", {"text": "One. Two."})
    done = client.completions.create(model=model, prompt="Count.", stop=". T")
    assert done.choices[0].text == "One"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": " "}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"suffix": "the end"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 3}, "best_of"),
        ({"logprobs": 2}, "logprobs"),
    ],
    ids=lambda value: json.dumps(value),
)
def test_a_wrong_field_is_400_and_named(server: Server, change, param):
    body: Any = {"model": "fusion/offline", "prompt": "How wet?", **change}
    body = {name: value for name, value in body.items() if value is not None}
    reply = server.request("POST", "/v1/completions", json=body)
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param


def test_when_nobody_answers_the_client_raises(client, models, offer):
    model = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    with pytest.raises(openai.APIError, match="No panelist answered"):
        list(client.completions.create(model=model, prompt="How wet?", stream=True))
