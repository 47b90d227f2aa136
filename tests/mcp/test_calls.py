"""Calls over standard streams: what a client gets, and what becomes of a call that it gives up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.mcp.client import TIMED_OUT, Client
from tests.scripted_models.client import Scope

QUESTION = "How wet is water?"
HELD = {"hang": True}

Offer = Callable[..., str]


def paid(models: Scope) -> dict[str, int]:
    """How many calls each model has had."""
    return {name: len(models.calls(name)) for name in ("a", "b", "c", "j", "w")}


ONCE = {"a": 1, "b": 1, "c": 1, "j": 1, "w": 1}


def test_a_call_gives_the_answer_as_text_and_the_panel_as_data(
    client: Client, offer: Offer
) -> None:
    preset = offer()
    result = client.answer("fusion", question=QUESTION, preset=preset)

    assert result["isError"] is False
    text, data = result["content"][0]["text"], result["structuredContent"]
    assert text.startswith("The final answer of the writer.")
    assert "The panel disagreed: How wet" in text
    assert "Salt water" in text
    assert data["resources"]["report"] in text
    assert data["status"] == "ok"
    assert data["answer"] == "The final answer of the writer."
    assert data["preset"] == f"fusion/{preset}"
    assert [response["model"] for response in data["responses"]] == ["a", "b", "c"]
    assert data["analysis"]["blind_spots"] == ["Salt water"]
    assert data["cost"]["usd"] == pytest.approx(0.008)
    assert data["cost"]["calls"] == 5


def test_progress_says_who_does_what_and_names_the_task(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    models.script("b", HELD)
    asked = client.call("fusion", question=QUESTION, preset=preset)
    said = client.told(asked, "a: answered")
    assert "b: asked" in said
    # Nothing happens any more, and still it is told.
    quiet = client.progress(asked)[-1]
    client.wait_for(
        lambda m: (
            m.get("params", {}).get("progressToken") == asked
            and m["params"]["progress"] > quiet["progress"] + 3
        )
    )
    task = said.rpartition("task ")[2]
    stopped = client.answer("fusion_cancel", task=task)

    told = client.progress(asked)
    assert stopped["structuredContent"] == {"status": "cancelled", "task": task}
    assert client.result(asked)["structuredContent"]["status"] == "cancelled"
    words = [one["message"] for one in told]
    assert words[0] == "preparing the panel"  # it has no task yet
    named = [line for line in words if line != words[0]]
    assert all(len(line) <= 200 and line.endswith(task) for line in named)
    steps = [one["progress"] for one in told]
    assert steps == sorted(set(steps))


def test_a_call_cut_by_the_clients_own_limit_is_joined_and_not_paid_again(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    models.script("c", {"text": "Late.", "delay": 3.0, "cost": 0.001})
    cut = client.call("fusion", question=QUESTION, preset=preset)
    models.calls("c", arrived=1)
    client.told(cut, "task")
    client.give_up(cut, TIMED_OUT)

    again = client.answer("fusion", question=f"  {QUESTION}\n", preset=preset)
    assert again["structuredContent"]["status"] == "ok"
    assert again["structuredContent"]["task"] in client.progress(cut)[-1]["message"]
    assert "was joined" in again["content"][0]["text"]
    assert paid(models) == ONCE


@pytest.mark.parametrize("reason", ["request timeout", "timed out after 60s"])
def test_a_cut_run_that_ended_unread_is_handed_out_by_its_task(
    client: Client, offer: Offer, models: Scope, reason: str
) -> None:
    preset = offer()
    models.script("c", {"text": "Late.", "delay": 1.0, "cost": 0.001})
    cut = client.call("fusion", question=QUESTION, preset=preset)
    task = client.told(cut, "task ").rpartition("task ")[2]
    client.give_up(cut, reason)
    models.calls("w", ended=1)

    fetched = client.answer("fusion_result", task=task)
    assert fetched["structuredContent"]["answer"] == "The final answer of the writer."
    assert paid(models) == ONCE


@pytest.mark.parametrize(
    "reason", [None, "User cancelled", "AbortError: This operation was aborted"]
)
def test_a_call_that_its_user_cancels_stops_its_models(
    client: Client, offer: Offer, models: Scope, reason: str | None
) -> None:
    preset = offer()
    models.script("b", HELD)
    asked = client.call("fusion", question=QUESTION, preset=preset)
    models.calls("b", arrived=1)
    client.give_up(asked, reason)

    assert models.calls("b", ended=1)[0].disconnected
    assert paid(models)["w"] == 0
    again = client.call("fusion", question=QUESTION, preset=preset)
    assert len(models.calls("b", arrived=2)) == 2
    client.give_up(again, reason)
    models.calls("b", ended=2)


def test_two_calls_at_once_share_a_run_until_both_are_cancelled(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    models.script("b", HELD)
    first = client.call("fusion", question=QUESTION, preset=preset)
    models.calls("b", arrived=1)
    second = client.call("fusion", question=QUESTION, preset=preset)
    task = client.told(second, "task ").rpartition("task ")[2]
    assert client.told(first, "task ").endswith(task)
    client.give_up(first, None)
    standing = client.answer("fusion_result", task=task, wait_seconds=0)
    assert standing["structuredContent"]["status"] == "running"
    assert "b: asked" in standing["structuredContent"]["doing"]
    client.give_up(second, None)
    assert models.calls("b", ended=1)[0].disconnected
    assert len(models.calls("b")) == 1


def test_a_result_that_was_read_is_not_handed_out_again(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    for _ in range(2):
        client.answer("fusion", question=QUESTION, preset=preset)
    assert paid(models) == dict.fromkeys(ONCE, 2)


def test_an_answer_that_crossed_the_clients_cut_on_its_way_counts_as_unread(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    asked = client.call("fusion", question=QUESTION, preset=preset)
    client.result(asked)
    client.give_up(asked, TIMED_OUT)
    again = client.answer("fusion", question=QUESTION, preset=preset)
    assert again["structuredContent"]["status"] == "ok"
    assert paid(models) == ONCE


def test_a_started_task_goes_on_by_itself_and_is_fetched(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    models.script("c", {"text": "Late.", "delay": 1.0, "cost": 0.001})
    started = client.answer("fusion_start", question=QUESTION, preset=preset)["structuredContent"]
    assert (started["status"], started["joined"]) == ("running", False)
    again = client.answer("fusion_start", question=QUESTION, preset=preset)["structuredContent"]
    assert (again["task"], again["joined"]) == (started["task"], True)
    waiting = client.call("fusion", question=QUESTION, preset=preset)
    client.told(waiting, started["task"])
    client.give_up(waiting, None)  # its own call, not the task

    fetched = client.answer("fusion_result", task=started["task"])
    assert fetched["structuredContent"]["status"] == "ok"
    late = client.answer("fusion_cancel", task=started["task"])
    assert "had ended already" in late["content"][0]["text"]
    assert paid(models) == ONCE


def test_reports_are_resources(client: Client, offer: Offer) -> None:
    data = client.answer("fusion", question=QUESTION, preset=offer())["structuredContent"]
    listed = {r["uri"]: r for r in client.result(client.ask("resources/list"))["resources"]}

    def read(kind: str) -> Any:
        uri = data["resources"][kind]
        assert uri in listed
        (content,) = client.result(client.ask("resources/read", {"uri": uri}))["contents"]
        assert (content["uri"], content["mimeType"]) == (uri, listed[uri]["mimeType"])
        return content["text"]

    report = json.loads(read("report"))
    assert report["question"] == QUESTION
    assert report["config"]["providers"] == {}
    assert read("answer") == "The final answer of the writer."
    assert read("html").startswith("<!doctype html>")
    templates = client.result(client.ask("resources/templates/list"))["resourceTemplates"]
    shapes = {
        data["resources"][template["name"]]: template["uriTemplate"] for template in templates
    }
    assert {shape.replace("{task}", data["task"]): shape for shape in shapes.values()} == shapes


@pytest.mark.parametrize(
    "uri", ["fusion://reports/feedbeef", "fusion://reports/../x", "file:///etc/passwd", "x"]
)
def test_an_address_without_a_report_is_refused(client: Client, uri: str) -> None:
    error = client.response(client.ask("resources/read", {"uri": uri}))["error"]
    assert uri in error["message"]


def test_a_panel_that_fails_whole_says_of_each_member_why(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    result = client.answer("fusion", question=QUESTION, preset=preset)
    data = result["structuredContent"]
    assert result["isError"] is True
    assert data["status"] == "error"
    assert data["failure_reason"] == "all_panelists_failed"
    assert "a: auth" in result["content"][0]["text"]
    report = client.result(client.ask("resources/read", {"uri": data["resources"]["report"]}))
    assert json.loads(report["contents"][0]["text"])["status"] == "error"


def test_the_longest_result_stays_under_what_clients_take(
    client: Client, offer: Offer, models: Scope
) -> None:
    preset = offer()
    for name in "abc":
        models.script(name, {"text": f"水は濡れている。Water is wet, says {name}. " * 1_000})
    models.script("w", {"text": "水は濡れている。Water is wet. " * 3_000})
    asked = client.call("fusion", question=QUESTION, preset=preset)
    result = client.result(asked)
    data = result["structuredContent"]
    # A token is three bytes or more: see faces/mcp/result.py.
    size = len(json.dumps(result, ensure_ascii=False).encode()) / 3
    assert 10_000 < size < 25_000
    assert data["resources"]["answer"] in data["answer"]
    assert data["resources"]["answer"] in result["content"][0]["text"]
    whole = client.result(client.ask("resources/read", {"uri": data["resources"]["answer"]}))
    assert len(whole["contents"][0]["text"]) > 60_000


HOSTILE: list[tuple[str, dict[str, Any], str]] = [
    ("fusion", {}, "question"),
    ("fusion", {"question": ""}, "question"),
    ("fusion", {"question": " \n"}, "question"),
    ("fusion", {"question": 7}, "question"),
    ("fusion", {"question": ["a"]}, "question"),
    ("fusion", {"question": "x" * 400_001}, "400,000"),
    ("fusion", {"question": "Why?", "preset": "../../etc/passwd"}, "is no preset on offer"),
    ("fusion", {"question": "Why?", "preset": "/etc/hosts.toml"}, "is no preset on offer"),
    ("fusion", {"question": "Why?", "preset": {"panel": ["a"]}}, "preset"),
    ("fusion", {"question": "Why?", "preset": "budget"}, "OPENROUTER_API_KEY"),
    ("fusion", {"question": "Why?", "max_cost_usd": 1e9}, "max_cost_usd"),
    ("fusion_start", {"question": None}, "question"),
    ("fusion_result", {"task": "feedbeef"}, "feedbeef"),
    ("fusion_result", {"task": "x", "wait_seconds": -1}, "wait_seconds"),
    ("fusion_result", {"task": "x", "wait_seconds": 10**400}, "wait_seconds"),
    ("fusion_result", {"task": "x", "wait_seconds": True}, "wait_seconds"),
    ("fusion_result", {"task": "x", "wait_seconds": "10"}, "wait_seconds"),
    ("fusion_cancel", {"task": "*"}, "'*'"),
    ("fusion_cancel", {"id": "1"}, "id"),
]


@pytest.mark.parametrize(("tool", "arguments", "named"), HOSTILE)
def test_wrong_arguments_are_refused_by_name(
    client: Client, tool: str, arguments: dict[str, Any], named: str
) -> None:
    asked = client.ask("tools/call", {"name": tool, "arguments": arguments})
    result = client.result(asked)
    assert result["isError"] is True
    assert named in result["content"][0]["text"]
    assert len(result["content"][0]["text"]) < 2_500
    assert result["structuredContent"]["status"] == "error"


def test_an_unknown_tool_is_refused_with_those_there_are(client: Client) -> None:
    error = client.response(client.call("fusion_all"))["error"]
    assert "fusion_result" in error["message"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"hello", -32700),
        (b'{"jsonrpc":', -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700),
        (b"[]", -32600),
        (b'"x"', -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"2.0","method":"tools/call","params":[1]}', -32600),
    ],
)
def test_a_line_that_is_no_message_is_answered_and_costs_nothing(
    client: Client, line: bytes, code: int
) -> None:
    before = len(client.messages)
    client.send(line)
    client.result(client.ask("ping"))
    new = client.messages[before:]
    assert [m["error"]["code"] for m in new if "error" in m] == [code]


def test_half_an_emoji_is_mended_and_not_dropped(client: Client, offer: Offer) -> None:
    preset = offer()
    client.send(
        b'{"jsonrpc":"2.0","id":"half","method":"tools/call","params":{"name":"fusion",'
        b'"arguments":{"question":"Wet \\ud83d?","preset":"' + preset.encode() + b'"}}}'
    )
    data = client.response("half")["result"]["structuredContent"]
    assert data["status"] == "ok"
    report = client.result(client.ask("resources/read", {"uri": data["resources"]["report"]}))
    assert json.loads(report["contents"][0]["text"])["question"] == "Wet \ufffd?"
