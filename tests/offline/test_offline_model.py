"""What the keyless models are as LangChain chat models."""

from __future__ import annotations

import subprocess
import sys

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.tools import tool

from fusion_graph.offline import NAMES, offline_model


@tool
def web_search(query: str) -> str:
    """Search."""
    return query


@pytest.mark.parametrize("name", NAMES)
async def test_each_answers_the_same_synchronously_and_not(name: str) -> None:
    model = offline_model(name)
    sync, later = model.invoke("How hot is tea?"), await model.ainvoke("How hot is tea?")
    assert sync.text == later.text != ""
    assert sync.response_metadata["model_name"] == f"offline:{name}"


def test_another_name_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'gpt'.*keyword, figures, central, judge, writer"):
        offline_model("gpt")


@pytest.mark.parametrize("name", NAMES)
def test_the_profile_says_what_goes_in(name: str) -> None:
    profile = offline_model(name).profile
    assert profile is not None
    assert profile["tool_calling"]
    for kind in ("image_inputs", "audio_inputs", "pdf_inputs", "video_inputs"):
        assert profile[kind] is False  # type: ignore[literal-required]


def test_usage_counts_the_words() -> None:
    call = ToolCall(name="web_search", args={"query": "hot tea"}, id="1")
    reply = offline_model("keyword").invoke(
        [HumanMessage("How hot is tea?"), AIMessage("", tool_calls=[call]), HumanMessage("And?")]
    )
    usage = reply.usage_metadata
    assert usage is not None
    assert usage["input_tokens"] == 4 + 3 + 1
    assert usage["output_tokens"] == len(reply.text.split())
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_tools_come_bound_or_as_arguments() -> None:
    described = {
        "type": "function",
        "function": {
            "name": "web_search",
            "description": "Search.",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        },
    }
    model = offline_model("keyword")
    replies = [
        model.bind_tools([web_search]).invoke("How hot is tea?"),
        model.bind_tools([described], tool_choice="auto").invoke("How hot is tea?"),
        model.invoke("How hot is tea?", tools=[described]),
        model.invoke("How hot is tea?", tools=[described], tool_choice="required"),
    ]
    assert [[call["name"] for call in r.tool_calls] for r in replies] == [["web_search"]] * 4
    assert model.invoke("How hot is tea?", tools=[described], tool_choice="none").tool_calls == []


def test_call_ids_are_new_in_a_conversation() -> None:
    model = offline_model("figures").bind_tools([web_search])
    first = model.invoke("How hot is tea?")
    second = model.invoke([HumanMessage("How hot is tea?"), first, HumanMessage("And coffee?")])
    ids = [call["id"] for reply in (first, second) for call in reply.tool_calls]
    assert len(set(ids)) == len(ids) == 4


def test_naming_the_models_imports_nothing_heavy() -> None:
    code = (
        "import sys, fusion_graph.offline as o; o.NAMES; "
        "print([m for m in ('langchain_core', 'rapidfuzz', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
