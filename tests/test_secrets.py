"""Keys stay where they belong: no error, log, trace, checkpoint or report repeats them."""

from __future__ import annotations

import json
import logging
import traceback
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import SystemMessage
from langchain_core.tools import tool
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.schemas import Run
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fusion_graph import (
    AllPanelistsFailed,
    ConfigurationError,
    FusionConfig,
    FusionReport,
    Provider,
    create_fusion_graph,
)
from fusion_graph.models.open import open_model
from fusion_graph.models.secrets import scrub

QUESTION = "Is the secret ingredient of water wetness?"
THREAD = {"configurable": {"thread_id": "t"}}


class Secrets:
    """Keys of one test, of no shape that anybody could know by sight."""

    def __init__(self) -> None:
        self.key, self.header, self.basic, self.password = (
            f"{word}{token_hex(9)}" for word in ("horse", "battery", "staple", "correct")
        )

    def found_in(self, text: str) -> list[str]:
        """The names of those in a text."""
        return [name for name, secret in vars(self).items() if secret in text]


@pytest.fixture
def secrets(monkeypatch) -> Secrets:
    made = Secrets()
    monkeypatch.setenv("SCRIPTED_KEY", made.key)
    return made


@pytest.fixture
def config(models, panel_config, secrets) -> dict[str, Any]:
    """The scripted panel behind everything that can be secret of a provider."""
    address = models.base_url.replace("://", f"://me:{secrets.password}@")
    provider = {
        "api_key_env": "SCRIPTED_KEY",
        "headers": {"X-Team": secrets.header, "X-Gate": f"Token {secrets.basic}"},
    }
    locked = {**provider, "base_url": address}
    return panel_config(
        panel=["scripted:a", "scripted:b", "locked:c"],
        providers={"scripted": {**provider, "base_url": models.base_url}, "locked": locked},
    )


class Traces(BaseTracer):
    """Everything a tracer like LangSmith's would send away, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def _persist_run(self, run: Run) -> None:
        """Not called for inner runs; `_end_trace` is."""

    def _end_trace(self, run: Run) -> None:
        told = (run.inputs, run.outputs, run.serialized, run.extra, run.events, run.tags)
        self.text += f"{run.name} {run.error} {json.dumps(told, default=repr)}\n"
        super()._end_trace(run)


def repeating(secrets: Secrets) -> dict[str, list[dict[str, Any]]]:
    """Models whose provider sends back what it was sent, in all the places there are."""
    said = f"Not {secrets.key}, {secrets.header} nor {secrets.basic}!"
    headers = {"X-Echo": said, "WWW-Authenticate": said, "Retry-After": "0"}
    refused = {"message": said, "type": said, "param": said, "code": said}
    padding = "x" * 190  # an excerpt must not end in the middle of a key
    return {
        "a": [
            {"status": 500, "error": refused, "headers": headers},
            {"status": 401, "error": refused, "headers": headers},
        ],
        "b": [{"malformed": f"<p>{padding}{said}</p>"}],
        "c": [{"error": {**refused, "message": f"{said} Nor {secrets.password}!"}}],
        "j": [{"malformed": json.dumps(padding + said)}],
        "w": [{"status": 404, "error": refused, "headers": headers}],
    }


@pytest.mark.parametrize("failing", ["", "ab", "jw", "abc"], ids=["none", "a b", "j w", "all"])
async def test_nothing_that_a_run_leaves_behind_holds_a_secret(
    models, config, secrets, tmp_path, caplog, failing
):
    caplog.set_level(logging.DEBUG)
    for name in failing:
        models.script(name, *repeating(secrets)[name])
    traces = Traces()
    left: dict[str, str] = {}
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "t.sqlite")) as saver:
        graph = create_fusion_graph(config, checkpointer=saver)
        stream = graph.astream(
            {"messages": [("user", QUESTION)]},
            {**THREAD, "callbacks": [traces]},
            stream_mode=["custom", "messages", "updates", "values", "debug"],
            subgraphs=True,
        )
        left["stream"] = ""
        record: dict[str, Any] = {}
        try:
            async for part in stream:
                left["stream"] += repr(part)
        except AllPanelistsFailed as failed:
            left["error"] = f"{failed!r} {''.join(traceback.format_exception(failed))}"
            record = failed.report or {}
        state = await graph.aget_state(THREAD)
        left["state"] = repr(state)
        record = record or state.values["fusion"]
        left["open checkpoints"] = all_bytes(tmp_path)
    left["checkpoints"] = all_bytes(tmp_path)
    report = FusionReport.model_validate(record)
    left["report"] = f"{json.dumps(record)} {report!r} {report}"
    left["page"] = report.to_html()
    left["traces"] = traces.text
    left["logs"] = "".join(f"{r.getMessage()} {r.exc_text} {r.args}" for r in caplog.records)

    # The providers were told, and what came back was seen.
    for call in models.calls("a"):
        assert call.headers["authorization"] == f"Bearer {secrets.key}"
        assert call.headers["x-team"] == secrets.header
    assert models.calls("c")[0].headers["authorization"].startswith("Basic ")
    assert report.status == {"": "ok", "abc": "error"}.get(failing, "degraded")
    assert ("Not [key], [key] nor [key]!" in left["traces"]) == bool(failing)
    assert ("[key]! Nor [key]!" in left["traces"]) == ("c" in failing)
    assert "panel: a" in left["traces"]
    assert {name: secrets.found_in(text) for name, text in left.items()} == {
        name: [] for name in left
    }


def all_bytes(folder: Path) -> str:
    """All files of a folder, the write-ahead log included."""
    return "".join(path.read_bytes().decode("latin-1") for path in folder.iterdir())


async def test_what_stands_for_a_model_or_a_configuration_shows_no_secret(config, secrets):
    graph = create_fusion_graph(config)
    shown = [repr(graph), repr(FusionConfig(**config)), str(FusionConfig(**config))]
    for name in ("scripted", "locked"):
        provider = Provider(**config["providers"][name])
        model = await open_model(f"{name}:a", {name: provider})
        shown += [repr(provider), repr(model), repr(model.chat), str(model.chat)]
        shown += [json.dumps(dumpd(model.chat)), repr(model.chat._identifying_params)]

    assert [secrets.found_in(text) for text in shown] == [[]] * len(shown)


async def test_the_key_of_a_chat_model_that_was_handed_over_is_not_repeated(
    models, panel_config, secrets
):
    mine = ChatOpenAI(
        model="a",
        base_url=models.base_url,
        api_key=secrets.key,
        default_headers={"X-Team": secrets.header},
        max_retries=0,
    )
    said = f"Not {secrets.key}, {secrets.header}"
    models.script("a", {"status": 401, "error": {"message": said}})

    result = await create_fusion_graph(panel_config(panel=[mine, "scripted:b"])).ainvoke(
        {"messages": [("user", QUESTION)]}
    )

    (failure,) = FusionReport.from_state(result).failures
    assert failure.detail.startswith("Not [key], [key] → ")


async def test_a_tool_that_complains_with_its_key_does_not_tell_the_model(
    models, panel_config, secrets, monkeypatch
):
    monkeypatch.setenv("LIBRARY_TOKEN", secrets.basic)
    call = {"tool_calls": [{"name": "look_up", "args": {"query": "wet"}}]}
    models.script("a", call, "The answer of a.")

    @tool
    async def look_up(query: str) -> str:
        """Look something up."""
        raise OSError(f"GET https://library.example/?token={secrets.basic} failed")

    result = await create_fusion_graph(panel_config(), tools=[look_up]).ainvoke(
        {"messages": [("user", QUESTION)]}
    )

    told = json.dumps(models.calls("a")[1].body)
    assert "?token=[key] failed" in told
    assert secrets.found_in(told + json.dumps(result["fusion"])) == []


def test_only_what_is_long_enough_to_be_a_key_is_cut_out_of_messages(monkeypatch):
    monkeypatch.setenv("SHORT_KEY", "wet")
    monkeypatch.setenv("SOME_API_KEY", "longer-value")
    monkeypatch.setenv("KEYBOARD", "qwerty-layout")

    said = "wet longer-value qwerty-layout"
    assert scrub(said) == "wet [key] qwerty-layout"
    assert scrub("a longer-value-yet, wet", ["longer-value-yet", "wet"]) == "a [key], wet"


@pytest.mark.parametrize("rest", ["?key=", "#"])
def test_an_address_with_a_query_is_refused_and_not_repeated(secrets, rest):
    with pytest.raises(ConfigurationError, match="base_url") as refused:
        FusionConfig(providers={"x": {"base_url": f"http://h/v1{rest}{secrets.key}"}})

    assert "headers" in str(refused.value)
    assert secrets.found_in("".join(traceback.format_exception(refused.value))) == []


# What was asked and read is nobody's business either


async def test_questions_answers_and_pages_are_not_logged(models, panel_config, caplog):
    caplog.set_level(logging.INFO)
    call = {"tool_calls": [{"name": "look_up", "args": {"query": "moisture"}}]}
    models.script("a", call, "Water is marvellously moist.")
    models.script("b", {"status": 500})

    @tool
    async def look_up(query: str) -> str:
        """Look something up."""
        return "The page about puddles."

    history = [SystemMessage("Speak like a plumber."), ("user", QUESTION)]
    await create_fusion_graph(panel_config(), tools=[look_up]).ainvoke({"messages": history})

    logged = caplog.text
    assert "HTTP Request" in logged  # the HTTP client's own, which tell addresses alone
    private = ("ingredient", "plumber", "moisture", "marvellously", "puddles", "final answer")
    assert [word for word in private if word in logged] == []
