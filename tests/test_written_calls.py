"""Calls of tools that came as text, in every family's dress: they run, and are never an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.text.written_calls import WEB_TOOLS, written_calls
from tests.depth import in_depth

OFFERED: Any = {
    "look_up": {"topic": {"type": "string"}, "most": {"type": "integer"}},
    "open_page": {"address": {"type": "string"}},
}
ONE = [("look_up", {"topic": "tides"})]
JSON = '{"name": "look_up", "arguments": {"topic": "tides"}}'


def read(text: str, offered: Any = OFFERED) -> list[tuple[str, Any]]:
    return [(call.name, call.args) for call in written_calls(text, offered).calls]


DRESSES = {
    "Hermes": f"<tool_call>\n{JSON}\n</tool_call>",
    "Hermes, left open": f"<tool_call>\n{JSON}",
    "Hermes, cut": "<tool_call>\n" + JSON[:-3],
    "Hermes with Python quotes": "<tool_call>{'name': 'look_up', 'arguments': {'topic': 'tides'}}",
    "Qwen2.5-Coder": f"<tools>\n{JSON}\n</tools>",
    "Qwen3-Coder": "<tool_call>\n<function=look_up>\n<parameter=topic>\ntides\n</parameter>\n"
    "</function>\n</tool_call>",
    "Qwen3-Coder without its frame": "<function=look_up><parameter=topic>tides</parameter>",
    "Llama 3.1": '<function=look_up>{"topic": "tides"}</function>',
    "Llama 3.1 over Groq": '<function=look_up({"topic": "tides"})></function>',
    "Llama 3": '<|python_tag|>{"name": "look_up", "parameters": {"topic": "tides"}}',
    "Llama 3 as Python": '<|python_tag|>look_up.call(topic="tides")',
    "Llama 3 bare": '{"name": "look_up", "parameters": {"topic": "tides"}}',
    "GLM": "<tool_call>look_up\n<arg_key>topic</arg_key>\n<arg_value>tides</arg_value>\n"
    "</tool_call>",
    "function_call": '<function_call>{"name": "look_up", "arguments": "{\\"topic\\": \\"tides\\"}"}'
    "</function_call>",
    "Kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.look_up:0"
    '<|tool_call_argument_begin|>{"topic": "tides"}<|tool_call_end|><|tool_calls_section_end|>',
    "Kimi without a name": "<|tool_calls_section_begin|><|tool_call_begin|> call_1 "
    '<|tool_call_argument_begin|> {"topic": "tides"} <|tool_call_end|>',
    "DeepSeek V3.1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>look_up<｜tool▁sep｜>"
    '{"topic": "tides"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "DeepSeek R1": "<｜tool▁calls▁begin｜>"
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>look_up\n"
    '```json\n{"topic": "tides"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    "DeepSeek V3.2": '<｜DSML｜function_calls>\n<｜DSML｜invoke name="look_up">\n'
    "<｜DSML｜parameter "
    'name="topic" string="true">tides</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
    "</｜DSML｜function_calls>",
    "DeepSeek V4": '<｜｜DSML｜｜tool_calls><｜｜DSML｜｜invoke name="look_up">{"topic": "tides"}'
    "</｜｜DSML｜｜invoke></｜｜DSML｜｜tool_calls>",
    "Mistral": f"[TOOL_CALLS][{JSON}]",
    "Ministral": '[TOOL_CALLS]look_up[ARGS]{"topic": "tides"}',
    "gpt-oss": "<|channel|>commentary to=functions.look_up <|constrain|>json<|message|>"
    '{"topic": "tides"}<|call|>',
    "MiniMax": '<minimax:tool_call>\n<invoke name="look_up">\n<parameter name="topic">tides'
    "</parameter>\n</invoke>\n</minimax:tool_call>",
    "Gemma 4": '<|tool_call>call:look_up{topic:<|"|>tides<|"|>}<tool_call|>',
    "LFM2": '<|tool_call_start|>[look_up(topic="tides")]<|tool_call_end|>',
    "ReAct": 'Action: look_up\nAction Input: {"topic": "tides"}\nObservation:',
    "bare": JSON,
    "bare, with another's keys": '{"action": "look_up", "action_input": {"topic": "tides"}}',
    "bare, under its name": '{"look_up": {"topic": "tides"}}',
    "bare, flat": '{"name": "look_up", "topic": "tides"}',
    "bare, doubled braces": '{{"name": "look_up", "arguments": {{"topic": "tides"}}}}',
    "bare, OpenAI's own": '{"tool_calls": [{"id": "1", "type": "function", "function": {"name": '
    '"look_up", "arguments": "{\\"topic\\": \\"tides\\"}"}}]}',
    "bare, cut": JSON[:-1],
    "a list": f"[{JSON}]",
    "fenced": f"```json\n{JSON}\n```",
    "fenced after a word": f"I will look that up first.\n\n```json\n{JSON}\n```",
    "markup in a fence": f"```xml\n<tool_call>{JSON}</tool_call>\n```",
    "as Python": 'look_up(topic="tides")',
    "as Python in a fence": '```python\nlook_up("tides")\n```',
}


@pytest.mark.parametrize("text", DRESSES.values(), ids=DRESSES)
def test_a_call_is_read_in_every_familys_dress(text):
    found = written_calls(text, OFFERED)

    assert [(call.name, call.args) for call in found.calls] == ONE
    assert found.rest in ("", "I will look that up first.")


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>look_up<arg_key>topic</arg_key><arg_value>7</arg_value><arg_key>most</arg_key>"
        "<arg_value>3</arg_value></tool_call>",
        "<function=look_up><parameter=topic>7</parameter><parameter=most>3</parameter></function>",
    ],
)
def test_an_argument_in_tags_has_the_type_its_tool_wants(text):
    assert read(text) == [("look_up", {"topic": "7", "most": 3})]


@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{JSON}</tool_call>\n<tool_call>{JSON}</tool_call>",
        f"{JSON}\n{JSON}",
        f"{JSON}; {JSON}",
        f"[{JSON}, {JSON}]",
        f"```json\n{JSON}\n```\nand\n```json\n{JSON}\n```",
    ],
)
def test_several_calls_are_read_in_their_order(text):
    assert read(text) == ONE * 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("functions.look_up", "look_up"),
        ("Look-Up", "look_up"),
        ("look_up:3", "look_up"),
        ("elsewhere", "elsewhere"),
    ],
)
def test_a_name_is_the_offered_one_however_a_family_writes_it(written, meant):
    text = f'<tool_call>{{"name": "{written}", "arguments": {{}}}}</tool_call>'

    assert read(text) == [(meant, {})]


def test_odd_escapes_in_a_call_written_as_python_warn_nobody():
    assert read('look_up(topic="\\d+ tides")') == [("look_up", {"topic": "\\d+ tides"})]


def test_arguments_that_are_no_object_are_told_as_such_and_not_run():
    assert read('<tool_call>{"name": "look_up", "arguments": 7}</tool_call>') == [("look_up", None)]


PROSE = "Tides follow the moon, and the sun a little. " * 8

ANSWERS = {
    "prose": PROSE,
    "JSON that somebody asked for": '{"name": "Ada", "arguments": ["pro", "contra"]}',
    "JSON about a tool": '{"name": "look_up", "description": "finds things"}',
    "JSON about a person": '{"name": "Ada", "age": 36}',
    "a list of numbers": "[1, 2, 3]",
    "a citation": "[1] says so.",
    "an explanation in a fence": f"{PROSE}\n```json\n{JSON}\n```\n{PROSE}",
    "an explanation in backticks": f"Write `<tool_call>{JSON}</tool_call>` to call it.",
    "an explanation with bare JSON in backticks": f"Write `{JSON}` to call it.",
    "a word about a tag": "The <tool_call> tag opens a call.",
    "a word about Mistral": "[TOOL_CALLS] means that calls follow.",
    "another program": 'print("tides")',
    "a formula": "f(x) = {1, 2}",
    "HTML": 'The <function name="x"> element does not exist.',
}


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_only_looks_like_a_call_stays_whole(text):
    found = written_calls(text, OFFERED)

    assert (found.found, found.rest) == (False, text)


def test_bare_json_is_no_call_where_the_tool_does_not_exist():
    assert not written_calls(JSON, WEB_TOOLS).found


@pytest.mark.parametrize("tag", ["</tool_call>", "<｜tool▁calls▁end｜>", "<|call|>"])
def test_half_a_call_is_taken_out_of_an_answer(tag):
    assert written_calls(f"It is wet.{tag}", OFFERED).rest == "It is wet."


@pytest.mark.parametrize(
    "text",
    [
        *("<tool_call>{" * 8_000, "{" * 90_000, '{"name":' * 10_000, "`" * 100_000, "f(" * 30_000),
        *('<invoke name="a">' * 5_000, "```\n{" * 10_000, '<tool_call>{"a":' + "{ " * 30_000),
        *("<" * 200_000, "<function=" * 20_000, "Action: a\n" * 20_000, "</tool_call>" * 20_000),
    ],
    ids=lambda text: text[:12],
)
def test_a_long_tangle_is_read_in_reasonable_time(text):
    # Quadratic reading of these would take minutes, and fail the suite by its length alone.
    written_calls(text, OFFERED)


# In a run


QUESTION = {"messages": [("user", "How wet is water?")]}
CALL = '{"name": "lookup", "arguments": {"query": "water"}}'


@pytest.fixture
def lookup():
    """A tool, and what it was asked."""
    asked: list[str] = []

    @tool
    async def lookup(query: str) -> str:
        """Look something up."""
        asked.append(query)
        return "Water is wet."

    return lookup, asked


async def ask(config, tools) -> FusionReport:
    result = await create_fusion_graph(config, tools=tools).ainvoke(QUESTION)
    return FusionReport.from_state(result)


def of(report: FusionReport, name: str) -> Any:
    return next(answer for answer in report.answers if answer.name == name)


@pytest.mark.parametrize("chunks", ["word", 1, in_depth(7), in_depth(1_000)])
@pytest.mark.parametrize(
    "text",
    [
        f"<tool_call>{CALL}</tool_call>",
        CALL,
        f"```json\n{CALL}\n```",
        f"Let me look.\n<tool_call>{CALL}",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>lookup<｜tool▁sep｜>{"query": "water"}'
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ],
)
async def test_a_call_written_as_text_runs_and_goes_back_as_a_call(
    models, panel_config, lookup, text, chunks
):
    found, asked = lookup
    models.script("a", {"text": text, "chunks": chunks}, "The answer of a.")

    report = await ask(panel_config(), [found])

    member = of(report, "a")
    assert (member.status, member.content) == ("ok", "The answer of a.")
    assert [call.status for call in member.tool_calls] == ["ok"]
    assert asked == ["water"]
    second = models.calls("a")[1].body["messages"]
    turn, result = second[-2:]
    (call,) = turn["tool_calls"]
    assert call["function"]["name"] == "lookup"
    assert json.loads(call["function"]["arguments"]) == {"query": "water"}
    assert call["id"] == result["tool_call_id"]
    assert len(call["id"]) == 9
    assert call["id"].isalnum()
    assert turn.get("content") in (None, "", "Let me look.")


async def test_what_a_member_thought_beside_a_written_call_goes_back_with_it(
    models, panel_config, lookup
):
    step = {"text": f"<tool_call>{CALL}</tool_call>", "reasoning": "I should look."}
    models.script("a", step, "The answer of a.")

    await ask(panel_config(), [lookup[0]])

    turn = models.calls("a")[1].body["messages"][-2]
    assert turn.get("reasoning", "I should look.") == "I should look."
    assert "tool_call>" not in json.dumps(turn)


async def test_a_written_call_where_no_tools_are_is_no_answer(models, panel_config):
    models.script("a", f"<tool_call>{CALL}</tool_call>")

    report = await ask(panel_config(), [])

    member = of(report, "a")
    assert (member.status, member.failure.reason) == ("failed", "empty_answer")
    assert "tool call as text" in member.failure.detail


async def test_a_stray_call_is_taken_out_of_a_whole_answer(models, panel_config):
    models.script("a", f"Water is wet, and remains so.\n<tool_call>{CALL}</tool_call>")

    report = await ask(panel_config(), [])

    assert of(report, "a").content == "Water is wet, and remains so."


@pytest.mark.parametrize("chunks", ["word", 1, 5, 1_000])
async def test_nobody_sees_markup_of_calls_while_an_answer_streams(models, panel_config, chunks):
    text = f"Water is wet, and remains so.\n<tool_call>{CALL}</tool_call>"
    for name in ("a", "w"):
        models.script(name, {"text": text, "chunks": chunks})
    seen: dict[str, str] = {"a": "", "w": ""}

    graph = create_fusion_graph(panel_config())
    async for mode, data in graph.astream(QUESTION, stream_mode=["custom", "messages"]):
        if mode == "messages":
            seen["w"] += data[0].text
        elif data["type"] == "panel.delta" and data["name"] == "a":
            seen["a"] += data["text"]

    assert {name: said.strip() for name, said in seen.items()} == dict.fromkeys(
        seen, "Water is wet, and remains so."
    )
