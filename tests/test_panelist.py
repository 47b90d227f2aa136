"""One panelist among three, with every way a model is known to misbehave.

Whatever the model does, the run ends, the others' work counts, and the report says what became
of this one: the server's own log is what it is checked against.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from typing import Any

import pytest
from langchain_core.tools import BaseTool, tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.prompts import ANSWER_NOW

QUESTION = {"messages": [("user", "How wet is water?")]}
AT_ONCE = {"Retry-After": "0"}
"""Spares a test that is not about waiting the backoff."""

FIVE = {
    "tool_calls": [{"name": "lookup", "args": {"query": f"query {n}"}} for n in range(5)],
    "cost": 0.001,
}
ONE = {"tool_calls": [{"name": "lookup", "args": {"query": "water"}}], "cost": 0.001}
ANSWER = {"text": "The answer of a.", "cost": 0.001}


class Lookup:
    """A tool that notes what it was asked.

    Attributes:
        ran: The queries, in the order in which they arrived.
    """

    def __init__(self, result: object = "Water is wet.") -> None:
        self.ran: list[str] = []
        self._result = result

    @property
    def tool(self) -> BaseTool:
        @tool
        async def lookup(query: str) -> Any:
            """Look something up."""
            self.ran.append(query)
            if isinstance(self._result, Exception):
                raise self._result
            return self._result

        return lookup


@pytest.fixture
def lookup() -> Lookup:
    return Lookup()


async def ask(models, config: dict[str, Any], tools: list[BaseTool] = ()) -> FusionReport:
    """The report of a run, after checking it against the server's log."""
    graph = create_fusion_graph(config, tools=list(tools))
    try:
        report = FusionReport.from_state(await graph.ainvoke(QUESTION))
    except AllPanelistsFailed as error:
        report = FusionReport.from_state({"fusion": error.report})
    calls = models.calls()
    asked = Counter(f"scripted:{call.model}" for call in calls)
    assert {name: used.calls for name, used in report.usage.models.items()} == asked
    assert report.usage.total.calls == len(calls)
    for call in calls:
        check_history(call.body["messages"])
    return report


def check_history(messages: list[dict[str, Any]]) -> None:
    """A strict provider takes it: every call has an id of its own and exactly one result."""
    ids: list[str] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert not waiting, f"calls without a result: {waiting}"
        for call in message.get("tool_calls") or ():
            waiting.append(call["id"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
        ids += waiting
    assert not waiting, f"calls without a result: {waiting}"
    assert all(ids)
    assert len(ids) == len(set(ids)), f"ids used twice: {ids}"


def failed(report: FusionReport) -> FusionReport:
    """Checks that `a` failed and that the run went on without it."""
    (failure,) = report.failures
    assert failure.name == "a"
    first, *others = report.answers
    assert (first.status, first.content, first.label) == ("failed", "", None)
    assert [answer.content for answer in others] == ["The answer of b.", "The answer of c."]
    assert report.status == "degraded"
    assert "panelist_failed" in [loss.code for loss in report.degradations]
    assert report.answer == "The final answer of the writer."
    return report


def answered(report: FusionReport, text: str = "The answer of a.") -> FusionReport:
    """Checks that `a` answered like everybody else."""
    assert report.failures == []
    assert report.answers[0].content == text
    assert report.answers[0].label in {"A", "B", "C"}
    assert report.answer == "The final answer of the writer."
    return report


def roles_of(call) -> list[str]:
    return [message["role"] for message in call.body["messages"]]


# Without tools: what a provider may send instead of an answer


@pytest.mark.parametrize(
    ("step", "reason", "http_status", "attempts"),
    [
        pytest.param({"status": 401}, "auth", 401, 1, id="401"),
        pytest.param({"status": 402}, "insufficient_credits", 402, 1, id="402"),
        pytest.param({"status": 403}, "auth", 403, 1, id="403"),
        pytest.param(
            {"status": 404, "error": {"message": "The model `a` does not exist"}},
            "invalid_model",
            404,
            1,
            id="404",
        ),
        pytest.param(
            {"status": 400, "error": {"message": "maximum context length exceeded"}},
            "context_length",
            400,
            1,
            id="context too long",
        ),
        pytest.param(
            {"status": 400, "error": {"message": "no", "code": "content_filter"}},
            "content_filter",
            400,
            1,
            id="prompt filtered",
        ),
        pytest.param(
            {"status": 429, "headers": AT_ONCE}, "rate_limited", 429, 3, id="429 for ever"
        ),
        pytest.param(
            {"status": 500, "headers": AT_ONCE}, "upstream_error", 500, 3, id="500 for ever"
        ),
        pytest.param(
            {"error": {"message": "upstream failed", "code": 502}},
            "upstream_error",
            502,
            3,
            id="200 with an error body for ever",
        ),
        pytest.param(
            {"error": {"message": "Key limit exceeded", "code": 402}},
            "insufficient_credits",
            402,
            1,
            id="200 with a 402 in its body",
        ),
        pytest.param(
            {"text": "never seen whole", "close_after": 20},
            "upstream_error",
            None,
            3,
            id="connection closed in the middle for ever",
        ),
        pytest.param({"text": "", "cost": 0.001}, "empty_answer", None, 3, id="blank"),
        pytest.param({"text": " \n\t ", "cost": 0.001}, "empty_answer", None, 3, id="white space"),
        pytest.param(
            {"text": "<think>Water… wet, I think.</think>", "cost": 0.001},
            "empty_answer",
            None,
            3,
            id="thinking around everything",
        ),
        pytest.param(
            {
                "text": "<think>Water is",
                "finish_reason": "length",
                "usage": {"completion_tokens": 16_000},
                "cost": 0.001,
            },
            "empty_answer",
            None,
            1,
            id="out of tokens while thinking",
        ),
        pytest.param(
            {
                "text": "",
                "finish_reason": "length",
                "usage": {"prompt_tokens": 4_000, "completion_tokens": 96},
                "cost": 0.001,
            },
            "context_length",
            None,
            1,
            id="out of context, far below the cap",
        ),
        pytest.param(
            {"text": "", "finish_reason": "content_filter", "cost": 0.001},
            "content_filter",
            None,
            1,
            id="reply filtered",
        ),
    ],
)
async def test_a_member_without_an_answer_is_a_typed_failure_of_its_own(
    models, panel_config, step, reason, http_status, attempts
):
    models.script("a", step)

    report = failed(await ask(models, panel_config()))

    (failure,) = report.failures
    assert (failure.reason, failure.http_status, failure.attempts) == (
        reason,
        http_status,
        attempts,
    )
    assert failure.detail
    assert len(models.calls("a")) == attempts
    assert report.answers[0].usage.calls == attempts
    assert (report.answers[0].cost_usd or 0) == pytest.approx(step.get("cost", 0) * attempts)


REFUSED = [
    pytest.param({"status": 500, "headers": AT_ONCE}, id="500"),
    pytest.param({"status": 429, "headers": AT_ONCE}, id="429"),
    pytest.param({"status": 408, "headers": AT_ONCE}, id="408"),
    pytest.param({"error": {"message": "upstream failed", "code": 502}}, id="200 with an error"),
]
BROKEN = [
    pytest.param({"malformed": '{"choices": [{"mess'}, id="half a JSON document"),
    pytest.param({"malformed": '{"object": "chat.completion"}'}, id="no choices"),
    pytest.param({"text": "never seen whole", "close_after": 20}, id="closed in the middle"),
    pytest.param({"close_after": 0}, id="closed before the body"),
]


@pytest.mark.parametrize("trouble", REFUSED)
async def test_trouble_that_passes_costs_one_more_call_and_nothing_else(
    models, panel_config, trouble
):
    models.script("a", trouble, ANSWER)

    report = answered(await ask(models, panel_config()))

    assert report.status == "ok"
    assert len(models.calls("a")) == 2
    assert report.answers[0].cost_usd == 0.001
    assert [row.outcome for row in report.timeline if row.name == "a"][-1] == "ok"


@pytest.mark.parametrize("trouble", BROKEN)
async def test_a_reply_that_broke_off_costs_nobody_knows_what(models, panel_config, trouble):
    models.script("a", trouble, ANSWER)

    report = answered(await ask(models, panel_config()))

    assert report.status == "ok"
    assert len(models.calls("a")) == 2
    assert report.answers[0].cost_usd is None
    assert report.usage.cost_known is False
    assert report.usage.models["scripted:a"].known_usd == 0.001


async def test_a_rate_limit_is_waited_for_as_long_as_it_asks(models, panel_config):
    models.script("a", {"status": 429, "headers": {"Retry-After": "0.3"}}, ANSWER)
    waits = []

    async for event in create_fusion_graph(panel_config()).astream(QUESTION, stream_mode="custom"):
        if event["type"] == "call.retried":
            waits.append((event["stage"], event["name"], event["reason"], event["seconds"]))

    assert waits == [("panel", "a", "rate_limited", 0.3)]
    assert [call.status for call in models.calls("a")] == [429, 200]


async def test_a_rate_limit_of_an_hour_fails_at_once(models, panel_config):
    models.script("a", {"status": 429, "headers": {"Retry-After": "3600"}})

    report = failed(await ask(models, panel_config()))

    assert (report.failures[0].reason, report.failures[0].attempts) == ("rate_limited", 1)


async def test_thinking_is_not_part_of_an_answer(models, panel_config):
    models.script("a", {"text": "<think>Hm, wet?</think>\n\nThe answer of a.", "cost": 0.001})

    report = answered(await ask(models, panel_config()))

    assert report.status == "ok"
    assert "Hm, wet?" not in json.dumps([call.body for call in models.calls("j")])


async def test_an_answer_that_ran_out_of_tokens_is_kept_and_marked(models, panel_config):
    models.script("a", {"text": "The answer of a.", "finish_reason": "length"})

    report = answered(await ask(models, panel_config()))

    assert [loss.code for loss in report.degradations] == ["answer_truncated"]
    assert report.status == "degraded"


async def test_an_answer_with_half_an_emoji_leaves_a_report_that_can_be_written(
    models, panel_config
):
    reply = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant"}}]}
    reply["choices"][0]["message"]["content"] = "Wet \ud83d water."
    models.script("a", {"malformed": json.dumps(reply)})

    report = await ask(models, panel_config())

    assert report.model_dump_json().encode()


# Refused parameters


async def test_a_refused_temperature_is_left_out_from_then_on_and_reported(
    models, panel_config, lookup
):
    models.script("a", ONE | {"refuse": ["temperature"]}, ANSWER | {"refuse": ["temperature"]})

    report = answered(await ask(models, panel_config(temperature=0.7), [lookup.tool]))

    calls = models.calls("a")
    assert [call.status for call in calls] == [400, 200, 200]
    assert [call.body.get("temperature") for call in calls] == [0.7, None, None]
    assert [(loss.code, loss.detail) for loss in report.degradations] == [
        ("parameter_refused", "a does not take temperature.")
    ]
    assert report.status == "degraded"
    assert [call.body["temperature"] for call in models.calls("b")] == [0.7]


async def test_every_refused_parameter_is_left_out(models, panel_config):
    models.script("a", ANSWER | {"refuse": ["temperature", "reasoning_effort", "max_tokens"]})

    config = panel_config(temperature=0.7, reasoning_effort="low")
    report = answered(await ask(models, config))

    assert [call.status for call in models.calls("a")] == [400, 400, 400, 200]
    assert {loss.detail for loss in report.degradations} == {
        "a does not take temperature.",
        "a does not take reasoning_effort.",
        "a does not take max_tokens.",
    }


async def test_a_400_that_goes_on_without_the_parameter_is_a_failure(models, panel_config):
    models.script("a", {"status": 400, "error": {"message": "temperature is not supported"}})

    report = failed(await ask(models, panel_config(temperature=0.7)))

    assert report.failures[0].reason == "bad_request"
    assert len(models.calls("a")) == 2


NO_TOOLS = {
    "status": 400,
    "malformed": json.dumps({"error": "registry.ollama.ai/library/m does not support tools"}),
}


async def test_a_member_whose_model_takes_no_tools_says_so_and_what_to_do(
    models, panel_config, lookup
):
    models.script("a", {"when_contains": {'"tools"': NO_TOOLS}, **ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    (loss,) = [loss for loss in report.degradations if loss.code == "tools_refused"]
    assert "registry.ollama.ai/library/m does not support tools → " in loss.detail
    assert "fallbacks" in loss.detail
    assert report.status == "degraded"


async def test_another_model_is_asked_where_one_takes_no_tools(models, panel_config, lookup):
    models.script("a", {"when_contains": {'"tools"': NO_TOOLS}, **ANSWER})
    models.script("spare", ONE, ANSWER)

    report = await ask(models, panel_config(fallbacks=["scripted:spare"]), [lookup.tool])

    (loss,) = [loss for loss in report.degradations if loss.code == "panelist_replaced"]
    assert "tools_refused: registry.ollama.ai/library/m does not support tools" in loss.detail
    assert [call.status for call in models.calls("a")] == [400]
    assert len(lookup.ran) == 1


async def test_a_refused_request_does_not_cost_a_member_its_tools(models, panel_config, lookup):
    words = "messages.1: tool_use ids were found without tools' results; reasoning is missing"
    models.script("a", {"status": 400, "error": {"message": words}})

    report = failed(await ask(models, panel_config(reasoning_effort="low"), [lookup.tool]))

    (failure,) = report.failures
    assert failure.reason == "bad_request"
    assert failure.detail.startswith(f"{words} → ")
    assert len(models.calls("a")) == 1


async def test_a_wait_that_the_provider_asks_for_is_no_silence(models, panel_config):
    models.script("a", {"status": 429, "headers": {"retry-after-ms": "1200"}}, ANSWER)

    report = answered(await ask(models, panel_config(panelist_stall=0.5)))

    assert len(models.calls("a")) == 2
    assert report.answers[0].status == "ok"


async def test_where_tool_choice_is_refused_the_cap_still_holds(models, panel_config, lookup):
    models.script("a", FIVE | {"refuse": ["tool_choice"], "when_no_tools": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    calls = models.calls("a")
    assert [call.body.get("tool_choice") for call in calls] == [None, None, "none", *[None] * 3]
    assert [call.status for call in calls] == [200, 200, 400, 200, 200, 200]
    assert "tools" not in calls[-1].body
    assert len(lookup.ran) == 8
    assert [(loss.code, loss.detail) for loss in report.degradations] == [
        ("parameter_refused", "a does not take tool_choice.")
    ]


# With tools: the cap


async def test_a_model_that_asks_for_five_at_a_time_gets_eight_and_answers(
    models, panel_config, lookup
):
    models.script("a", FIVE | {"when_tool_choice_none": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert sorted(lookup.ran) == sorted([f"query {n}" for n in range(5)] + FIRST_THREE)
    first, second, third = models.calls("a")
    assert roles_of(first) == ["system", "user"]
    assert roles_of(second) == ["system", "user", "assistant", *["tool"] * 5]
    assert roles_of(third) == [*roles_of(second), "assistant", *["tool"] * 5]
    assert [call.body.get("tool_choice") for call in (first, second, third)] == [None, None, "none"]
    refused = [message["content"] for message in third.body["messages"][-2:]]
    assert all(text.startswith("max_uses_exceeded") for text in refused)
    kept = Counter(call.status for call in report.answers[0].tool_calls)
    assert kept == {"ok": 8, "max_uses_exceeded": 2}
    assert report.answers[0].cost_usd == 0.003


FIRST_THREE = [f"query {n}" for n in range(3)]


@pytest.mark.parametrize("cap", [1, 5, 16])
async def test_the_cap_is_the_configured_one(models, panel_config, lookup, cap):
    models.script("a", FIVE | {"when_tool_choice_none": ANSWER})

    answered(await ask(models, panel_config(max_tool_calls=cap), [lookup.tool]))

    assert len(lookup.ran) == cap
    assert len(models.calls("a")) == -(-cap // 5) + 1


async def test_calls_made_one_by_one_count_the_same(models, panel_config, lookup):
    models.script("a", ONE | {"when_tool_choice_none": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert len(lookup.ran) == 8
    assert len(models.calls("a")) == 9
    assert report.answers[0].cost_usd == 0.009


async def test_a_model_that_ignores_tool_choice_is_told_and_then_asked_without_tools(
    models, panel_config, lookup
):
    models.script("a", FIVE | {"when_no_tools": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert len(lookup.ran) == 8
    *_, forbidden, told, flattened = models.calls("a")
    for call in (forbidden, told):
        assert (call.body["tool_choice"], bool(call.body["tools"])) == ("none", True)
    assert roles_of(told) == [*roles_of(forbidden), "assistant", *["tool"] * 5]
    assert all(ANSWER_NOW in message["content"] for message in told.body["messages"][-5:])
    assert not {"tools", "tool_choice"} & flattened.body.keys()
    assert roles_of(flattened) == ["system", "user"]
    assert len(models.calls("a")) == 5


async def test_a_flattened_history_holds_the_question_and_everything_found(models, panel_config):
    page = Lookup("Water is wet, says https://water.example/wet in full.")
    models.script("a", FIVE | {"when_no_tools": "Wet [1]."})

    report = await ask(models, panel_config(), [page.tool])

    said = models.calls("a")[-1].body["messages"][-1]["content"]
    assert said.startswith("How wet is water?")
    assert said.count("Water is wet, says") == 8
    assert 'lookup {"query": "query 4"}' in said
    assert said.endswith(ANSWER_NOW)
    assert "max_uses_exceeded" not in said
    assert report.answers[0].content == "Wet [1]."
    assert report.sources[0].cited_by == ["a"]


async def test_text_beside_forbidden_calls_is_not_taken_for_the_answer(
    models, panel_config, lookup
):
    models.script("a", FIVE | {"text": "Let me look further.", "when_no_tools": ANSWER})

    answered(await ask(models, panel_config(), [lookup.tool]))

    assert len(lookup.ran) == 8


async def test_a_model_that_calls_tools_whatever_it_is_told_ends_as_a_failure(
    models, panel_config, lookup
):
    models.script("a", FIVE)

    report = failed(await ask(models, panel_config(), [lookup.tool]))

    assert report.failures[0].reason == "empty_answer"
    assert len(lookup.ran) == 8
    assert len(models.calls("a")) == 5
    assert len(report.answers[0].tool_calls) == 10
    assert report.answers[0].cost_usd == 0.005


@pytest.mark.parametrize("silences", [1, 2])
async def test_a_model_that_falls_silent_at_the_cap_is_asked_as_it_was_and_then_told(
    models, panel_config, lookup, silences
):
    models.script("a", FIVE, FIVE, *[{"text": "", "cost": 0.001}] * silences, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    _, _, silent, *again = models.calls("a")
    assert again[0].body == silent.body
    assert all(call.body["tools"] == silent.body["tools"] for call in again)
    if silences == 2:
        assert again[1].body["messages"][:-1] == silent.body["messages"]
        assert again[1].body["messages"][-1] == {"role": "user", "content": ANSWER_NOW}
    assert report.answers[0].cost_usd == pytest.approx(0.001 * (3 + silences))


@pytest.mark.parametrize("silence", ["", "<think>I have looked enough.</think>"])
async def test_a_model_that_stays_silent_after_the_cap_is_a_failure(
    models, panel_config, lookup, silence
):
    models.script("a", FIVE, FIVE, {"text": silence, "cost": 0.001})

    report = failed(await ask(models, panel_config(), [lookup.tool]))

    assert report.failures[0].reason == "empty_answer"
    assert report.failures[0].attempts == 3
    assert len(models.calls("a")) == 5
    assert len(lookup.ran) == 8
    assert report.answers[0].cost_usd == 0.005


# With tools: silence, and calls that the provider refuses, do not throw research away

SILENT = {"text": "", "cost": 0.001}


@pytest.mark.parametrize("silences", [1, 2])
async def test_a_model_that_falls_silent_after_research_gets_two_more_chances(
    models, panel_config, lookup, silences
):
    models.script("a", ONE, *[SILENT] * silences, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert lookup.ran == ["water"]
    _, silent, *again = models.calls("a")
    assert again[0].body == silent.body
    if silences == 2:
        assert again[1].body["messages"][:-1] == silent.body["messages"]
        assert again[1].body["messages"][-1]["content"] == ANSWER_NOW
        assert again[1].body["tool_choice"] == "none"
    assert report.answers[0].cost_usd == pytest.approx(0.001 * (2 + silences))


async def test_a_model_that_wakes_up_goes_on_with_its_research(models, panel_config, lookup):
    models.script("a", ONE, SILENT, ONE, SILENT, ONE, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert len(lookup.ran) == 3
    assert len(models.calls("a")) == 6
    assert report.status == "ok"


async def test_a_model_that_stays_silent_after_research_fails_and_keeps_what_it_found(
    models, panel_config, lookup
):
    models.script("a", ONE, SILENT)

    report = failed(await ask(models, panel_config(), [lookup.tool]))

    assert (report.failures[0].reason, report.failures[0].attempts) == ("empty_answer", 3)
    assert [call.status for call in report.answers[0].tool_calls] == ["ok"]
    assert len(models.calls("a")) == 4
    assert report.answers[0].cost_usd == 0.004


async def test_a_reply_cut_off_while_silent_is_not_asked_for_again_as_it_was(
    models, panel_config, lookup
):
    cut = {"text": "<think>Let me", "finish_reason": "length", "cost": 0.001}
    models.script("a", ONE, cut, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert models.calls("a")[-1].body["messages"][-1]["content"] == ANSWER_NOW
    assert len(models.calls("a")) == 3


async def test_a_budget_that_is_spent_ends_the_asking(models, panel_config, lookup):
    models.script("a", ONE | {"cost": 1.0}, SILENT | {"cost": 1.0}, SILENT | {"cost": 1.0})

    config = panel_config(panel=["scripted:a"], max_cost_usd=1.5)
    report = await ask(models, config, [lookup.tool])

    assert [failure.reason for failure in report.failures] == ["over_budget"]
    assert len(models.calls("a")) == 2


GROQ = {
    "status": 400,
    "error": {
        "message": "Failed to call a function. Please adjust your prompt.",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": '{"name": "lookup", "arguments": {"q": "x"}}',
    },
}
UNREADABLE = [
    pytest.param(GROQ, id="Groq: 400"),
    pytest.param({"error": GROQ["error"]}, id="Groq: in a reply that began well"),
    pytest.param(
        {"text": "", "finish_reason": "MALFORMED_FUNCTION_CALL"}, id="Gemini: a finish reason"
    ),
    pytest.param(
        {"text": "I will look it up.", "finish_reason": "malformed_function_call"},
        id="Gemini: with words before it",
    ),
    pytest.param(
        {"status": 500, "error": {"message": "error parsing tool call: raw='{\"q', err=EOF"}},
        id="Ollama: 500",
    ),
]


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("unreadable", UNREADABLE)
async def test_a_call_that_the_provider_cannot_read_is_asked_for_again_explained_and_given_up(
    models, panel_config, lookup, unreadable, times
):
    models.script("a", ONE, *[unreadable] * times, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert lookup.ran == ["water"]
    _, first, *again = models.calls("a")
    assert len(again) == times
    assert again[0].body == first.body
    if times > 1:
        assert again[1].body["messages"][:-1] == first.body["messages"]
        assert 'lookup: {"query": string}' in again[1].body["messages"][-1]["content"]
    if times > 2:
        assert again[2].body["messages"][-1]["content"] == ANSWER_NOW
    assert report.answers[0].usage.calls == times + 2


async def test_a_call_that_can_be_read_at_last_is_run(models, panel_config, lookup):
    models.script("a", *[GROQ] * 3, ONE, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert lookup.ran == ["water"]
    assert report.status == "ok"


@pytest.mark.parametrize("research", [[], [ONE]])
async def test_a_model_of_which_no_call_can_ever_be_read_is_a_failure(
    models, panel_config, lookup, research
):
    models.script("a", *research, GROQ)

    report = failed(await ask(models, panel_config(), [lookup.tool]))

    assert len(models.calls("a")) == len(research) + 5
    assert report.failures[0].attempts == 5
    assert len(report.answers[0].tool_calls) == len(research)


# With tools: providers that want tools listed, and such that want none


async def test_tools_stay_listed_as_long_as_the_history_holds_calls(models, panel_config, lookup):
    models.script("a", ONE | {"when_no_tools": ANSWER})

    answered(await ask(models, panel_config(), [lookup.tool]))

    calls = models.calls("a")
    assert len(calls) == 8 + 3
    for call in calls:
        if any(message["role"] in ("tool", "assistant") for message in call.body["messages"]):
            assert call.body["tools"] == calls[0].body["tools"]
    assert "tools" not in calls[-1].body


async def test_a_provider_that_refuses_a_history_with_calls_is_asked_without_one(
    models, panel_config, lookup
):
    models.script("a", ONE, {"status": 400, "error": {"message": "no"}, "when_no_tools": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert [call.status for call in models.calls("a")] == [200, 400, 200]
    assert "Water is wet." in models.calls("a")[-1].body["messages"][-1]["content"]


async def test_over_eight_rounds_most_of_what_is_sent_was_sent_before(models, panel_config):
    page = Lookup("Water is wet, says https://water.example/wet. " + "It is. " * 3_000)
    models.script("a", ONE | {"when_tool_choice_none": ANSWER})

    answered(await ask(models, panel_config(), [page.tool]))

    calls = models.calls("a")
    assert len(calls) == 9
    sent = [json.dumps(call.body["messages"])[:-1] for call in calls]
    for before, after in itertools.pairwise(sent):
        assert after.startswith(before)
    assert len({json.dumps(call.body["tools"]) for call in calls}) == 1
    repeated = sum(len(text) for text in sent[:-1]) / sum(len(text) for text in sent)
    assert repeated >= 0.7


async def test_a_member_that_fails_after_research_keeps_its_research(models, panel_config, lookup):
    models.script("a", ONE, {"status": 402})

    report = failed(await ask(models, panel_config(), [lookup.tool]))

    assert report.failures[0].reason == "insufficient_credits"
    assert [(call.name, call.args) for call in report.answers[0].tool_calls] == [
        ("lookup", {"query": "water"})
    ]
    assert report.answers[0].cost_usd == 0.001


# With tools: calls that make no sense


@pytest.mark.parametrize(
    "call",
    [
        pytest.param({"name": "lookup", "args": '{"query": "wat'}, id="arguments cut off"),
        pytest.param({"name": "lookup", "args": "water"}, id="arguments that are no JSON"),
        pytest.param({"name": "lookup", "args": '["water"]'}, id="a list"),
        pytest.param({"name": "lookup", "args": '"water"'}, id="a string"),
        pytest.param({"name": "lookup", "args": "7"}, id="a number"),
        pytest.param({"name": "lookup", "args": "null"}, id="null"),
        pytest.param({"name": "lookup", "args": ""}, id="no arguments"),
        pytest.param({"name": "lookup", "args": {"question": "water"}}, id="a wrong argument"),
        pytest.param({"name": "lookup", "args": {"query": {}}}, id="an argument of a wrong type"),
        pytest.param({"name": "browse", "args": {"query": "water"}}, id="an unknown tool"),
        pytest.param({"name": "", "args": {"query": "water"}}, id="no name"),
    ],
)
async def test_a_call_that_cannot_be_run_is_answered_and_the_model_goes_on(
    models, panel_config, lookup, call
):
    models.script("a", {"tool_calls": [call], "cost": 0.001}, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert report.status == "ok"
    assert lookup.ran == []
    (record,) = report.answers[0].tool_calls
    assert record.status == "invalid_input"
    result = models.calls("a")[-1].body["messages"][-1]
    assert (result["role"], result["content"].partition(":")[0]) == ("tool", "invalid_input")
    assert report.answers[0].cost_usd == 0.002


async def test_a_model_that_sends_broken_arguments_for_ever_reaches_the_cap(
    models, panel_config, lookup
):
    broken = {"tool_calls": [{"name": "lookup", "args": '{"query'}] * 5}
    models.script("a", broken | {"when_tool_choice_none": ANSWER})

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert lookup.ran == []
    assert len(models.calls("a")) == 3
    kept = Counter(call.status for call in report.answers[0].tool_calls)
    assert kept == {"invalid_input": 8, "max_uses_exceeded": 2}


async def test_good_calls_run_beside_broken_ones(models, panel_config, lookup):
    batch = [
        {"name": "lookup", "args": '{"query'},
        {"name": "lookup", "args": {"query": "water"}},
        {"name": "browse", "args": {}},
    ]
    models.script("a", {"tool_calls": batch}, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert lookup.ran == ["water"]
    assert sorted(call.status for call in report.answers[0].tool_calls) == [
        "invalid_input",
        "invalid_input",
        "ok",
    ]


def calls_with_ids(*ids: str | None) -> dict[str, Any]:
    """A step whose tool calls carry just these ids; None leaves the id out."""
    calls: list[dict[str, Any]] = [
        {
            "type": "function",
            "function": {"name": "lookup", "arguments": json.dumps({"query": f"query {n}"})},
        }
        | ({} if id is None else {"id": id})
        for n, id in enumerate(ids)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {"malformed": json.dumps({"model": "a", "choices": [choice]})}


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([calls_with_ids("same", "same")], id="twice in a turn"),
        pytest.param([calls_with_ids("same"), calls_with_ids("same")], id="in every turn"),
        pytest.param([calls_with_ids(None, None)], id="missing"),
        pytest.param([calls_with_ids("", "")], id="empty"),
    ],
)
async def test_ids_that_are_missing_or_used_twice_are_replaced(models, panel_config, lookup, turns):
    models.script("a", *turns, ANSWER)

    report = answered(await ask(models, panel_config(), [lookup.tool]))

    assert len(lookup.ran) == 2
    assert [call.status for call in report.answers[0].tool_calls] == ["ok", "ok"]


# With tools: what a tool may do


@pytest.mark.parametrize("error", [ValueError, OSError, TimeoutError, asyncio.QueueEmpty])
async def test_a_tool_that_raises_is_told_to_the_model_and_noted(models, panel_config, error):
    broken = Lookup(error("the index is gone"))
    models.script("a", ONE, ANSWER)

    report = answered(await ask(models, panel_config(), [broken.tool]))

    assert broken.ran == ["water"]
    assert report.status == "ok"
    assert [call.status for call in report.answers[0].tool_calls] == ["unavailable"]
    result = models.calls("a")[-1].body["messages"][-1]["content"]
    assert result.startswith("unavailable: ")
    assert "the index is gone" in result


async def test_an_error_of_a_tool_does_not_carry_a_key_to_the_model(models, panel_config):
    models.script("a", ONE, ANSWER)

    broken = Lookup(ValueError("refused: Authorization Bearer sk-live-1234567890abcdef"))
    await ask(models, panel_config(), [broken.tool])

    assert "1234567890abcdef" not in json.dumps([call.body for call in models.calls()])


@pytest.mark.parametrize("result", [None, "", {"wet": True}, ["wet", 7], 7])
async def test_whatever_a_tool_returns_reaches_the_model_as_text(models, panel_config, result):
    models.script("a", ONE, ANSWER)

    report = answered(await ask(models, panel_config(), [Lookup(result).tool]))

    assert [call.status for call in report.answers[0].tool_calls] == ["ok"]
    assert isinstance(models.calls("a")[-1].body["messages"][-1]["content"], str)


async def test_a_synchronous_tool_is_run_too(models, panel_config):
    ran = []

    @tool
    def lookup(query: str) -> str:
        """Look something up."""
        ran.append(query)
        return "Water is wet."

    models.script("a", ONE, ANSWER)

    answered(await ask(models, panel_config(), [lookup]))

    assert ran == ["water"]


async def test_what_a_tool_found_becomes_numbered_sources(models, panel_config):
    page = Lookup("Water is wet, says https://water.example/wet in full.")
    models.script("a", ONE, "It is wet [1], some say dry [7].")

    report = await ask(models, panel_config(), [page.tool])

    assert report.answers[0].content == "It is wet [1], some say dry [7]."
    (source,) = report.sources
    assert (source.id, source.url, source.cited_by) == (1, "https://water.example/wet", ["a"])
    assert report.answers[0].tool_calls[0].source_ids == [1]
    assert [loss.code for loss in report.degradations] == ["unknown_citation"]


# Without the right to tools


async def test_a_cap_of_zero_offers_no_tools(models, panel_config, lookup):
    report = answered(await ask(models, panel_config(max_tool_calls=0), [lookup.tool]))

    assert report.status == "ok"
    assert not any({"tools", "tool_choice"} & call.body.keys() for call in models.calls())


async def test_a_member_without_tools_is_offered_none(models, panel_config, lookup):
    panel = [{"model": "scripted:a", "tools": False}, "scripted:b", "scripted:c"]

    answered(await ask(models, panel_config(panel=panel), [lookup.tool]))

    offered = {call.model: "tools" in call.body for call in models.calls()}
    assert offered == {"a": False, "b": True, "c": True, "j": False, "w": False}


@pytest.mark.parametrize("then", ["answers", "calls again"])
async def test_a_model_that_calls_tools_it_was_not_offered_gets_no_second_chance_to(
    models, panel_config, lookup, then
):
    models.script("a", FIVE, ANSWER if then == "answers" else FIVE)

    report = await ask(models, panel_config(max_tool_calls=0), [lookup.tool])

    if then == "answers":
        answered(report)
    else:
        assert failed(report).failures[0].reason == "empty_answer"
    assert lookup.ran == []
    assert len(models.calls("a")) == 2


# Time


async def test_a_member_that_hangs_is_given_up_and_its_research_kept(models, panel_config, lookup):
    models.script("a", ONE, {"hang": True})

    report = await ask(
        models, panel_config(panel=["scripted:a"], panelist_timeout=2), [lookup.tool]
    )

    (failure,) = report.failures
    assert (failure.reason, failure.http_status) == ("timed_out", None)
    assert "panelist_timeout" in failure.detail
    assert report.status == "error"
    assert [call.status for call in report.answers[0].tool_calls] == ["ok"]
    assert [row.outcome for row in report.timeline if row.what == "scripted:a"] == [
        "ok",
        "timed_out",
    ]
    hanging = models.calls("a", ended=2)[-1]
    assert hanging.disconnected


async def test_a_member_of_which_nothing_is_heard_is_given_up_long_before_its_time(
    models, panel_config, lookup
):
    models.script("a", ONE, {"hang": True})

    report = await ask(
        models, panel_config(panel=["scripted:a"], panelist_stall=0.5), [lookup.tool]
    )

    (failure,) = report.failures
    assert failure.reason == "timed_out"
    assert "panelist_stall" in failure.detail
    assert models.calls("a", ended=2)[-1].disconnected


async def test_a_member_that_keeps_writing_is_not_given_up(models, panel_config):
    models.script("a", {"text": "word " * 30, "rate": 10})

    report = await ask(models, panel_config(panel=["scripted:a"], panelist_stall=1.5))

    assert report.answers[0].seconds > 1.5
    assert report.status == "ok"


async def test_with_a_quorum_the_last_one_gets_its_grace_and_no_more(models, panel_config):
    models.script("a", {"hang": True})

    report = failed(await ask(models, panel_config(quorum=2, grace=0.1)))

    assert report.failures[0].reason == "timed_out"
    assert "grace" in report.failures[0].detail
    assert len(models.calls("j")) == 1
    assert models.calls("a", ended=1)[0].disconnected


async def test_a_late_answer_within_the_grace_counts(models, panel_config):
    models.script("a", ANSWER | {"delay": 0.2})

    report = answered(await ask(models, panel_config(quorum=1, grace=60)))

    assert report.status == "ok"


async def test_failures_do_not_fill_the_quorum(models, panel_config):
    models.script("a", {"status": 401})
    models.script("b", ANSWER | {"text": "The answer of b.", "delay": 0.2})

    report = failed(await ask(models, panel_config(quorum=2, grace=0)))

    assert [answer.status for answer in report.answers] == ["failed", "ok", "ok"]
