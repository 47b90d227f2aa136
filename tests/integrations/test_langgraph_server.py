"""The graph on a LangGraph server, as Studio drives it: `langgraph dev`, started for real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from fusion_graph import FusionConfig
from fusion_graph.config.presets import load
from fusion_graph.config.presets.files import SHIPPED
from fusion_graph.prompts import CRITERIA
from tests.conftest import VERDICT
from tests.examples import run_page
from tests.hosts import PATIENCE

pytestmark = pytest.mark.slow  # a server of LangGraph, 10 s of a processor

QUESTION = {"messages": [{"role": "user", "content": "How wet is water?"}]}
RESEARCHABLE = {"messages": [{"role": "user", "content": "What is self-fusion?"}]}
OFFLINE = {"preset": "offline"}

_opener = build_opener(ProxyHandler({}))


@pytest.fixture
async def client(server: str) -> AsyncIterator[Any]:
    """The client that Studio's users have."""
    from langgraph_sdk import get_client

    async with get_client(url=server, api_key=None) as client:
        yield client


async def _thread(client: Any) -> str:
    return str((await client.threads.create())["thread_id"])


async def _before(client: Any, thread: str, node: str) -> dict[str, Any]:
    """The checkpoint at which a node was next."""
    history = await client.threads.get_history(thread)
    return dict(next(state for state in history if state["next"] == [node])["checkpoint"])


# What Studio is told about the graph


async def test_without_a_key_the_graph_is_there_with_a_description(client):
    (assistant,) = await client.assistants.search(metadata={"created_by": "system"})

    assert assistant["graph_id"] == "fusion"
    assert "panel" in assistant["description"]


@pytest.fixture
async def schemas(client) -> dict[str, Any]:
    (assistant,) = await client.assistants.search(
        graph_id="fusion", metadata={"created_by": "system"}
    )
    return dict(await client.assistants.get_schemas(assistant["assistant_id"]))


@pytest.mark.parametrize("part", ["config_schema", "context_schema"])
async def test_every_setting_comes_with_title_help_default_control_and_nodes(client, schemas, part):
    nodes = {node["id"] for node in (await client.assistants.get_graph("fusion"))["nodes"]}
    fields = schemas[part]["properties"]

    assert fields.keys() == FusionConfig.model_fields.keys()
    for name, default in FusionConfig().model_dump(mode="json").items():
        field = fields[name]
        assert field["title"] != name, name
        assert len(field["description"]) > 10, name
        assert "\n" not in field["description"], name
        assert field["default"] == default, name
        assert field["langgraph_nodes"], name
        assert set(field["langgraph_nodes"]) <= nodes, name
        control = field["x_oap_ui_config"]
        assert control["type"] in CONTROLS, name
        assert control["default"] == default, name
        assert "label" not in control, name  # the platform takes it for the field's name


CONTROLS = {"text", "textarea", "number", "boolean", "slider", "select", "json"}


async def test_presets_models_and_criteria_are_choices_that_leave_room_for_others(schemas):
    fields = schemas["context_schema"]["properties"]

    offered = {
        name: field["anyOf"][0]["enum"] for name, field in fields.items() if "examples" in field
    }
    assert offered.keys() == {"preset", "judge", "synthesizer", "verifier", "criteria"}
    assert set(offered["preset"]) == set(SHIPPED)
    assert set(offered["criteria"]) == set(CRITERIA)
    quality = load("quality").fields
    assert {quality["judge"], *(m.model for m in quality["panel"])} <= set(offered["judge"])
    for name in offered:
        assert fields[name]["anyOf"][1]["type"] == "string"
        assert "enum" not in fields[name]["anyOf"][1]
    assert fields["invocation"]["enum"] == ["always", "never", "auto"]


async def test_the_drawing_shows_the_panelists_loop(client):
    drawn = await client.assistants.get_graph("fusion", xray=True)

    edges = {(edge["source"], edge["target"]) for edge in drawn["edges"]}
    assert {("panelist:model", "panelist:tools"), ("panelist:tools", "panelist:model")} <= edges
    assert {("join", "judge"), ("judge", "synthesis")} <= edges
    (assistant,) = await client.assistants.search(metadata={"created_by": "system"})
    subgraphs = await client.assistants.get_subgraphs(assistant["assistant_id"])
    assert list(subgraphs) == ["panelist"]


async def test_the_state_is_what_a_run_fills_and_nothing_else(schemas):
    assert list(schemas["state_schema"]["properties"]) == [
        "messages",
        "run",
        "answers",
        "joined",
        "judgement",
        "scouting",
        "recheck",
        "rechecked",
        "trials",
        "written",
        "fusion",
    ]
    assert list(schemas["input_schema"]["properties"]) == ["messages"]


# Runs


async def test_a_run_streams_events_and_tokens_and_leaves_its_report_in_the_state(client):
    thread = await _thread(client)
    events, tokens = [], []
    async for part in client.runs.stream(
        thread, "fusion", input=RESEARCHABLE, context=OFFLINE,
        stream_mode=["custom", "messages-tuple"], stream_subgraphs=True,
    ):  # fmt: skip
        assert part.event != "error", part.data
        if part.event.startswith("custom"):
            events.append(part.data)
        elif part.event.startswith("messages"):
            tokens.append(part.data[0])

    kinds = [event["type"] for event in events]
    assert (kinds[0], kinds[-1]) == ("fusion.started", "fusion.completed")
    assert {"panel.added", "panel.tool", "panel.completed", "analysis.completed"} < set(kinds)
    assert {e["name"] for e in events if e["type"] == "panel.completed"} == {
        "keyword", "figures", "central",
    }  # fmt: skip
    state = await client.threads.get_state(thread)
    answer = state["values"]["messages"][-1]
    assert len(tokens) > 5
    assert {token["id"] for token in tokens} == {answer["id"]}
    assert "".join(token["content"] for token in tokens) == answer["content"]
    report = state["values"]["fusion"]
    assert (report["status"], report["preset"], report["thread_id"]) == ("ok", "offline", thread)
    assert report["sources"]
    assert state["next"] == []


async def test_stepping_through_tells_the_panelists_apart_by_name_and_model(client, panel_config):
    thread = await _thread(client)
    sent = [
        part.data["input"]
        async for part in client.runs.stream(
            thread, "fusion", input=QUESTION, context=panel_config(), stream_mode="tasks"
        )
        if part.event == "tasks" and part.data["name"] == "panelist" and "input" in part.data
    ]

    members = [("a", "scripted:a"), ("b", "scripted:b"), ("c", "scripted:c")]
    assert [tuple(task.values())[:2] for task in sent] == members
    history = await client.threads.get_history(thread)
    assert [state["next"] for state in history] == [
        [], ["verify"], ["synthesis"], ["judge"], ["join"], ["panelist"] * 3, ["fan_out"],
        ["__start__"],
    ]  # fmt: skip
    worked = next(state for state in history if state["next"] == ["panelist"] * 3)
    (answers,) = zip(*(task["result"]["answers"] for task in worked["tasks"]), strict=True)
    assert sorted(tuple(answer.values())[:2] for answer in answers) == members


async def test_a_stateless_run_gives_answer_and_report(client, panel_config):
    result = await client.runs.wait(None, "fusion", input=QUESTION, context=panel_config())

    assert result["messages"][-1]["content"] == "The final answer of the writer."
    assert result["fusion"]["status"] == "ok"
    assert result.keys() == {"messages", "fusion"}


async def test_an_assistant_saved_from_a_form_runs_with_what_was_chosen_in_it(client):
    """A form sends every field: defaults, nulls, and empty text where one was cleared."""
    form = FusionConfig().model_dump(mode="json")
    form |= {"preset": "offline", "max_tool_calls": 2, "judge": "", "corpus": ""}
    assistant = await client.assistants.create("fusion", context=form, name="Two calls")

    result = await client.runs.wait(None, assistant["assistant_id"], input=RESEARCHABLE)

    assert result["fusion"]["status"] == "ok"
    assert result["fusion"]["config"]["judge"] == "offline:judge"
    assert result["fusion"]["config"]["max_tool_calls"] == 2
    assert max(len(answer["tool_calls"]) for answer in result["fusion"]["answers"]) <= 2


async def test_a_second_turn_on_a_thread_answers_the_second_question(client, models, panel_config):
    thread = await _thread(client)
    await client.runs.wait(thread, "fusion", input=QUESTION, context=panel_config())
    again = {"messages": [{"role": "user", "content": "And how dry?"}]}
    result = await client.runs.wait(thread, "fusion", input=again, context=panel_config())

    assert len(result["messages"]) == 4
    assert result["fusion"]["question"] == "And how dry?"
    texts = [message["content"] for message in models.calls("a")[-1].body["messages"][1:]]
    assert texts == ["How wet is water?", "The final answer of the writer.", "And how dry?"]


async def test_two_runs_at_once_keep_to_their_own_questions(client, models, panel_config):
    for name in "abcw":
        models.script(name, {"text": "About {marker}."})

    async def ask(marker: str) -> Any:
        question = {"messages": [{"role": "user", "content": f"What is {marker}?"}]}
        thread = await _thread(client)
        return await client.runs.wait(thread, "fusion", input=question, context=panel_config())

    one, two = await asyncio.gather(ask("MARK-one"), ask("MARK-two"))

    assert one["messages"][-1]["content"] == "About MARK-one."
    assert two["messages"][-1]["content"] == "About MARK-two."
    assert one["fusion"]["thread_id"] != two["fusion"]["thread_id"]


async def test_a_cancelled_run_lets_go_of_its_models_and_another_one_goes_on(
    client, models, panel_config
):
    thread = await _thread(client)
    models.script("slow", {"hang": True})
    slow = panel_config(panel=["scripted:slow", "scripted:slow"])
    run = await client.runs.create(thread, "fusion", input=QUESTION, context=slow)
    await asyncio.to_thread(models.calls, "slow", arrived=2)

    other = await client.runs.wait(None, "fusion", input=QUESTION, context=panel_config())
    assert other["fusion"]["status"] == "ok"
    await client.runs.cancel(thread, run["run_id"], wait=True)

    calls = await asyncio.to_thread(models.calls, "slow", ended=2)
    assert [call.disconnected for call in calls] == [True, True]


# Stopping before the writer, and going back to the judge

EDITED = {
    "consensus": [{"point": "Water is very wet INDEED.", "models": ["a", "b"], "sources": []}],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


async def test_an_analysis_edited_before_synthesis_is_what_the_writer_works_from(
    client, models, panel_config
):
    thread, context = await _thread(client), panel_config()
    await client.runs.wait(
        thread, "fusion", input=QUESTION, context=context, interrupt_before=["synthesis"]
    )
    state = await client.threads.get_state(thread)
    assert state["next"] == ["synthesis"]
    assert models.calls("w") == []
    judgement = state["values"]["judgement"]
    assert judgement["analysis"]["blind_spots"] == VERDICT["blind_spots"]

    edited = {"judgement": judgement | {"analysis": EDITED}}
    await client.threads.update_state(thread, edited, as_node="judge")
    result = await client.runs.wait(thread, "fusion", input=None, context=context)

    assert [call.model for call in models.calls()][3:] == ["j", "w"]
    material = json.dumps(models.calls("w")[0].body)
    assert "INDEED" in material
    assert "Salt water" not in material
    assert result["messages"][-1]["content"] == "The final answer of the writer."
    assert result["fusion"]["analysis"] == EDITED
    assert result["fusion"]["usage"]["stages"]["judge"]["calls"] == 1


async def test_a_malformed_edit_is_named_in_one_line_and_can_be_mended(
    client, models, panel_config
):
    thread, context = await _thread(client), panel_config()
    await client.runs.wait(
        thread, "fusion", input=QUESTION, context=context, interrupt_before=["synthesis"]
    )
    half = {"analysis": {"consensus": [{"point": "Water is wet."}]}}
    await client.threads.update_state(thread, {"judgement": half}, as_node="judge")

    error = await _error_of(client, thread, input=None, context=context)
    assert error["error"] == "InvalidEdit"
    assert "'judgement.analysis.consensus.0.models': field required" in error["message"]
    assert models.calls("w") == []

    await client.threads.update_state(thread, {"judgement": {"analysis": EDITED}}, as_node="judge")
    result = await client.runs.wait(thread, "fusion", input=None, context=context)
    assert result["fusion"]["analysis"] == EDITED


async def test_back_at_the_judge_another_configuration_judges_and_the_panel_is_not_paid_again(
    client, models, panel_config
):
    thread, context = await _thread(client), panel_config()
    models.script("j2", {"text": json.dumps(VERDICT | {"blind_spots": ["Heavy water"]})})
    first = await client.runs.wait(thread, "fusion", input=QUESTION, context=context)
    paid = len(models.calls())
    back = await _before(client, thread, "judge")

    again = await client.runs.wait(
        thread, "fusion", input=None, checkpoint=back, context=context | {"judge": "scripted:j2"}
    )
    assert [call.model for call in models.calls()[paid:]] == ["j2", "w"]
    assert again["fusion"]["analysis"]["blind_spots"] == ["Heavy water"]
    assert again["fusion"]["config"]["judge"] == "scripted:j2"
    assert len(again["messages"]) == len(first["messages"]) == 2

    offline = await client.runs.wait(thread, "fusion", input=None, checkpoint=back, context=OFFLINE)
    assert len(models.calls()) == paid + 2
    assert offline["fusion"]["config"]["judge"] == "offline:judge"
    assert [answer["model"] for answer in offline["fusion"]["answers"]] == [
        "scripted:a", "scripted:b", "scripted:c",
    ]  # fmt: skip


# Errors


async def _error_of(client: Any, thread: str | None, **run: Any) -> dict[str, str]:
    parts = [part async for part in client.runs.stream(thread, "fusion", **run)]
    assert parts[-1].event == "error", parts[-1]
    return dict(parts[-1].data)


ERRORS = {
    "unknown preset": (QUESTION, {"preset": "nonsense"}, "UnknownPreset", ["nonsense", "budget"]),
    "wrong value": (QUESTION, {"grace": -1}, "ConfigurationError", ["grace", "-1"]),
    "no key": (QUESTION, {"preset": "budget"}, "MissingKey", ["OPENROUTER_API_KEY"]),
    "no server": (QUESTION, {"preset": "local"}, "ConfigurationError", ["Ollama", "127.0.0.1:9"]),
    "no folder": (
        QUESTION,
        {"preset": "offline", "corpus": "/nowhere/to/be/found"},
        "ConfigurationError",
        ["/nowhere/to/be/found", "does not exist"],
    ),
    "no question": ({"messages": []}, OFFLINE, "EmptyQuestion", ["nothing to answer"]),
    "no input": ({}, OFFLINE, "EmptyQuestion", ["nothing to answer"]),
}


@pytest.mark.parametrize(("input", "context", "kind", "words"), ERRORS.values(), ids=ERRORS)
async def test_what_cannot_work_is_told_in_one_line(client, input, context, kind, words):
    thread = await _thread(client)

    error = await _error_of(client, thread, input=input, context=context)

    assert error["error"] == kind
    assert not [word for word in words if word not in error["message"]], error
    assert "\n" not in error["message"]
    assert (await client.threads.get(thread))["status"] == "error"


async def test_when_nobody_answered_everybodys_reason_is_told_and_their_work_is_kept(
    client, models, panel_config
):
    models.script("a", {"status": 401})
    models.script("b", {"status": 402})
    models.script("c", {"text": ""})
    thread = await _thread(client)

    error = await _error_of(client, thread, input=QUESTION, context=panel_config())

    assert error["error"] == "AllPanelistsFailed"
    for words in ("a: auth", "b: insufficient_credits", "c: empty_answer"):
        assert words in error["message"]
    state = await client.threads.get_state(thread)
    assert "c: empty_answer" in state["tasks"][0]["error"]
    reasons = {answer["name"]: answer["failure"]["reason"] for answer in state["values"]["answers"]}
    assert reasons == {"a": "auth", "b": "insufficient_credits", "c": "empty_answer"}


async def test_a_run_resumed_without_its_models_says_what_to_do(client, panel_config):
    thread = await _thread(client)
    await client.runs.wait(
        thread, "fusion", input=QUESTION, context=panel_config(), interrupt_before=["judge"]
    )

    error = await _error_of(client, thread, input=None)

    assert error["error"] == "ConfigurationError"
    assert "same context" in error["message"]


# What is served beside LangGraph's own API


def _fetch(url: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json", **headers})
    try:
        with _opener.open(request, timeout=PATIENCE) as reply:
            return reply.status, json.load(reply)
    except HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_the_openai_endpoint_is_mounted(server):
    _, models = _fetch(f"{server}/v1/models")
    assert "fusion/offline" in [model["id"] for model in models["data"]]

    status, reply = _fetch(
        f"{server}/v1/chat/completions", {"model": "fusion/offline", **RESEARCHABLE}
    )
    assert status == 200
    assert "Sources:" in reply["choices"][0]["message"]["content"]


@pytest.mark.parametrize("path", ["/assistants/search", "/runs/wait", "/v1/chat/completions"])
def test_a_web_page_of_another_site_may_start_nothing(server, path):
    body = {"assistant_id": "fusion", "model": "fusion/offline", "input": RESEARCHABLE}

    for origin in ("http://evil.example", "https://evilsmith.langchain.com", "null"):
        # As text: that is what a page may send without asking the server first.
        status, _ = _fetch(server + path, body, origin=origin, **{"content-type": "text/plain"})
        assert status == 403, origin


@pytest.mark.parametrize(
    "origin",
    ["https://smith.langchain.com", "https://eu.smith.langchain.com", "http://localhost:3000"],
)
def test_studio_and_pages_of_this_machine_are_welcome(server, origin):
    status, assistants = _fetch(f"{server}/assistants/search", {}, origin=origin)

    assert status == 200
    assert assistants[0]["graph_id"] == "fusion"


def test_the_example_edits_the_analysis_and_judges_again(server):
    run_page("docs/how-to/studio.md", port_2024=server)


# Its MCP server


async def test_an_mcp_client_gets_the_answer_and_no_repr_of_the_state(server: str) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{server}/mcp") as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        asked: Any = {"question": "What is self-fusion?", "preset": "offline"}
        result = await session.call_tool("fusion", asked)
    told = result.model_dump(mode="json", by_alias=True)
    assert told["content"][0]["text"].startswith("Self-fusion is a panel in which")
    assert told["structuredContent"]["status"] == "ok"
