"""Every known refusal of a provider, over HTTP: what it means, what is left out, what is told."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from fusion_graph.config import Provider
from fusion_graph.errors import ARROW, CallFailed
from fusion_graph.models._refusals import REFUSALS
from fusion_graph.models.calls import Caller
from fusion_graph.models.failures import (
    malformed_call,
    wants_responses,
    wants_tools_listed,
)
from fusion_graph.models.model import Model
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from tests.known_refusals import EXAMPLES

ROWS = {row.name: row for row in REFUSALS}
SAYS_NOTHING = "Provider returned error"
EVERYTHING = Options(
    tools=[{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object"}}}],
    tool_choice="auto",
    temperature=0.0,
    reasoning_effort="low",
    max_tokens=16_000,
    response_formats=({"type": "json_object"},),
)
FAILING = [e for e in EXAMPLES if ROWS[e[0]].means != "parameter_refused"]
LEFT_OUT = [e for e in EXAMPLES if ROWS[e[0]].means == "parameter_refused"]


def called(examples: list[tuple[str, int, Any]]) -> Any:
    ids = [f"{name} {status}" for name, status, _ in examples]
    return pytest.mark.parametrize(("name", "status", "body"), examples, ids=ids)


@pytest.fixture
def ask(models):
    """`await ask(status, body)`: what a caller gets of a model that first answers so."""

    async def make(status: int, body: Any, *, again: bool = False) -> tuple[Any, Model, Caller]:
        text = body if isinstance(body, str) else json.dumps(body)
        error = {"status": status, "malformed": text, "headers": {"retry-after-ms": "0"}}
        models.script("m", error, *([] if again else ["Wet."]))
        known = {"scripted": Provider(base_url=models.base_url)}
        model = await open_model("scripted:m", known)
        caller = Caller("panel", "m", time.time(), lambda type, **data: None)
        try:
            reply = await caller.ask(model, [HumanMessage("How wet is water?")], EVERYTHING)
        except CallFailed as failed:
            return failed, model, caller
        return reply, model, caller

    return make


def test_every_row_has_its_example():
    assert {name for name, _, _ in EXAMPLES} == set(ROWS)
    assert len(ROWS) == len(REFUSALS)


def test_every_row_says_whose_words_they_are():
    assert all(row.source and (row.codes or row.words or row.statuses) for row in REFUSALS)


@called(FAILING)
async def test_a_failure_has_the_providers_words_and_what_to_do_next(
    models, ask, name, status, body
):
    row = ROWS[name]

    failed, _, _ = await ask(status, body, again=True)

    failure = failed.failure
    reason = row.means if row.means not in ("responses_wanted", "tools_wanted") else "bad_request"
    assert failure["reason"] == reason
    assert failure["http_status"] == status
    words, arrow, remedy = failure["detail"].rpartition(ARROW)
    assert words
    assert arrow
    assert len(remedy) > 10
    assert SAYS_NOTHING not in words or "no more than" in words
    assert row.remedy in remedy
    if row.means == "responses_wanted":
        return  # asked in the other protocol: see below
    retried = row.again if row.again is not None else status in (429, 502, 503)
    assert len(models.calls("m")) == (3 if retried and reason != "malformed_call" else 1)


@called(LEFT_OUT)
async def test_what_a_model_does_not_take_is_left_out_and_nothing_else(
    models, ask, name, status, body
):
    parameter = ROWS[name].parameter

    reply, model, _ = await ask(status, body)

    first, second = models.calls("m")
    gone = {"tools": {"tools", "tool_choice"}}.get(parameter, {parameter})
    assert reply.text == "Wet."
    if parameter == "max_tokens" and parameter in second.body:
        # The refusal told the context's size: a smaller reply fits, and is still bounded.
        assert second.body[parameter] < first.body[parameter]
        return
    assert first.body.keys() - second.body.keys() == gone
    if parameter != "response_format":
        assert model.refused == {parameter}


@called([e for e in EXAMPLES if ROWS[e[0]].means in ("malformed_call", "tools_wanted")])
async def test_what_the_loop_answers_itself_is_told_to_it(ask, name, status, body):
    failed, _, _ = await ask(status, body, again=True)

    error = failed.__cause__
    assert malformed_call(error) is (ROWS[name].means == "malformed_call")
    assert wants_tools_listed(error) is (ROWS[name].means == "tools_wanted")


@called([e for e in EXAMPLES if ROWS[e[0]].means == "responses_wanted"])
async def test_another_protocol_is_asked_for_and_no_tool_is_lost(models, ask, name, status, body):
    failed, _, _ = await ask(status, body, again=True)

    assert wants_responses(failed.__cause__)
    assert [call.api for call in models.calls("m")][:2] == ["chat", "responses"]
    assert all(call.body["tools"] for call in models.calls("m"))
