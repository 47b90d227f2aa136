"""ChatFusion: one model to whoever calls it, a whole panel inside."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_core.tracers import BaseTracer
from pydantic import BaseModel

from fusion_graph import (
    AllPanelistsFailed,
    ChatFusion,
    ConfigurationError,
    EmptyQuestion,
    FusionConfig,
    FusionRecursion,
    FusionReport,
    MissingKey,
    Panelist,
    UnknownPreset,
    create_fusion_graph,
)
from fusion_graph.run.recursion import inside_fusion

QUESTION = "How wet is water?"
ANSWER = "The final answer of the writer."
FACES = ("invoke", "ainvoke", "stream", "astream")
faces = pytest.mark.parametrize("face", FACES)
whole_faces = pytest.mark.parametrize("face", ["invoke", "ainvoke"])
streams = pytest.mark.parametrize("face", ["stream", "astream"])


async def pieces(model, face: str, question: Any = QUESTION, **options: Any) -> list[Any]:
    """What a call gives, in one piece or in many, through any of the four faces."""
    if face == "invoke":
        return [await asyncio.to_thread(model.invoke, question, **options)]
    if face == "ainvoke":
        return [await model.ainvoke(question, **options)]
    if face == "stream":
        return await asyncio.to_thread(lambda: list(model.stream(question, **options)))
    return [chunk async for chunk in model.astream(question, **options)]


async def said(model, face: str, question: Any = QUESTION, **options: Any) -> Any:
    """The message that the pieces add up to."""
    first, *rest = await pieces(model, face, question, **options)
    for piece in rest:
        first += piece
    return first


def asked(models) -> list[str]:
    return sorted(call.model for call in models.calls())


# An answer


@faces
async def test_the_message_holds_the_answer_the_totals_and_the_report(panel_config, face):
    message = await said(ChatFusion(config=panel_config()), face)

    assert message.text == ANSWER
    report = FusionReport.model_validate(message.response_metadata["fusion"])
    assert (report.status, report.answer, report.question) == ("ok", ANSWER, QUESTION)
    total = report.usage.total
    assert total.calls == 5
    assert message.usage_metadata == {
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "total_tokens": total.input_tokens + total.output_tokens,
    }
    assert message.response_metadata["fusion_status"] == "ok"
    assert message.response_metadata["finish_reason"] == "stop"


@streams
async def test_the_writers_words_stream_as_they_come(panel_config, face):
    chunks = await pieces(ChatFusion(config=panel_config()), face)

    words = ["The", " final", " answer", " of", " the", " writer."]
    assert [chunk.content for chunk in chunks if chunk.content] == words
    assert len({chunk.id for chunk in chunks}) == 1
    assert [bool(chunk.usage_metadata) for chunk in chunks] == [False] * 6 + [True]
    assert chunks[-1].chunk_position == "last"


async def test_the_name_of_a_model_is_its_presets(panel_config):
    assert ChatFusion(preset="budget").model_name == "fusion/budget"
    mine = ChatFusion(config=panel_config())
    assert mine.model_name == "fusion"
    # Totals of a run under the writer's own name would be somebody else's bill.
    assert (await mine.ainvoke(QUESTION)).response_metadata["model_name"] == "fusion"


async def test_the_conversation_is_taken_word_for_word(models, panel_config):
    again = HumanMessage("Really?", id="same")
    history = [HumanMessage(QUESTION), AIMessage("Very."), again, AIMessage("Yes."), again]

    await ChatFusion(config=panel_config()).ainvoke(history)

    sent = models.calls("a")[0].body["messages"][1:]
    assert [m["content"] for m in sent] == [QUESTION, "Very.", "Really?", "Yes.", "Really?"]
    assert again.id == "same"


async def test_a_picture_reaches_the_panel_and_the_writer(models, panel_config):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}

    await ChatFusion(config=panel_config()).ainvoke([HumanMessage([picture])])

    for name in "abcw":
        assert picture in models.calls(name)[0].body["messages"][1]["content"]


def test_several_questions_at_once(panel_config):
    answers = ChatFusion(config=panel_config()).batch([QUESTION] * 4)
    assert [answer.text for answer in answers] == [ANSWER] * 4


async def test_a_synchronous_call_inside_a_running_loop(panel_config):
    model = ChatFusion(config=panel_config())

    assert model.invoke(QUESTION).text == ANSWER
    assert "".join(chunk.text for chunk in model.stream(QUESTION)) == ANSWER


# Settings


async def test_the_temperature_is_the_panels(models, panel_config):
    await ChatFusion(config=panel_config(), temperature=0.3).ainvoke(QUESTION)

    sent = {call.model: call.body.get("temperature") for call in models.calls()}
    assert sent == {"a": 0.3, "b": 0.3, "c": 0.3, "j": 0.0, "w": None}


@pytest.mark.parametrize("given", ["set", "called"])
async def test_max_tokens_limits_the_writer_and_nobody_else(models, panel_config, given):
    if given == "set":
        await ChatFusion(config=panel_config(), max_tokens=100).ainvoke(QUESTION)
    else:
        await ChatFusion(config=panel_config()).ainvoke(QUESTION, max_tokens=100)

    sent = {call.model: call.body["max_tokens"] for call in models.calls()}
    assert sent == dict.fromkeys("abcj", 16_000) | {"w": 100}


async def test_any_field_may_be_given_to_one_call_or_bound(models, panel_config):
    model = ChatFusion(config=panel_config())

    one = await model.ainvoke(QUESTION, invocation="never")
    two = await model.bind(panel=["scripted:b"]).ainvoke(QUESTION)

    assert one.response_metadata["fusion"]["invoked"] is False
    assert [a["name"] for a in two.response_metadata["fusion"]["answers"]] == ["b"]


async def test_another_preset_for_one_call_is_another_model():
    message = await ChatFusion(preset="budget").ainvoke("What is DRACO?", model="fusion/offline")
    assert message.response_metadata["fusion"]["preset"] == "offline"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"config": {"panle": []}}, "Unknown field 'panle'"),
        ({"pressed": "budget"}, "Unknown field 'pressed'"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": 5}, "temperature"),
        ({"config": 5}, "type int"),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_it(given, problem):
    with pytest.raises(ConfigurationError, match=problem):
        ChatFusion(**given)


async def test_a_wrong_setting_of_a_call_is_one_too(panel_config):
    model = ChatFusion(config=panel_config())

    with pytest.raises(ConfigurationError, match="Unknown field 'parallel_tool_calls'"):
        model.bind_tools([], parallel_tool_calls=False)
    with pytest.raises(ConfigurationError, match="Unknown field 'presence_penalty'"):
        await model.ainvoke(QUESTION, presence_penalty=1)
    with pytest.raises(UnknownPreset, match="nonsense"):
        await model.ainvoke(QUESTION, model="nonsense")
    with pytest.raises(UnknownPreset, match="nonsense"):
        ChatFusion(preset="nonsense")


# Stop


@faces
@pytest.mark.parametrize(
    ("stop", "left"),
    [
        (["answer"], "The final "),
        (["wer of the w"], "The final ans"),
        (["absent", "riter", "The f"], ""),
        (["writer.."], ANSWER),
        ([""], ANSWER),
    ],
)
@pytest.mark.slow
async def test_the_answer_ends_before_a_stop_text(panel_config, face, stop, left):
    assert (await said(ChatFusion(config=panel_config()), face, stop=stop)).text == left
    assert (await said(ChatFusion(config=panel_config(), stop=stop), face)).text == left


@streams
async def test_what_is_told_before_the_end_is_never_part_of_a_stop_text(models, panel_config, face):
    models.script("w", {"text": "a STO b STOP c", "chunks": 1})

    chunks = await pieces(ChatFusion(config=panel_config()), face, stop=["STOP"])
    assert "".join(chunk.text for chunk in chunks) == "a STO b "


# A writer that breaks off


BREAKS_OFF = ({"text": "This will not be finished.", "close_after": 3}, ANSWER)


@whole_faces
async def test_a_whole_answer_knows_nothing_of_one_that_broke_off(models, panel_config, face):
    models.script("w", *BREAKS_OFF)
    assert (await said(ChatFusion(config=panel_config()), face)).text == ANSWER


@streams
async def test_a_stream_says_that_what_it_said_is_void(models, panel_config, face):
    models.script("w", *BREAKS_OFF)

    message = await said(ChatFusion(config=panel_config()), face)

    void, mark, rest = message.text.partition("[The writer broke off.")
    assert void.startswith("This ")
    assert "void" in mark + rest
    assert rest.endswith(f"\n\n{ANSWER}")
    assert message.response_metadata["fusion"]["answer"] == ANSWER


@streams
async def test_a_stream_of_json_holds_no_void_half(models, panel_config, face):
    half = {"text": '{"wet": true, "why": "it is"}', "close_after": 3}
    models.script("w", half, '{"wet": true}')

    message = await said(
        ChatFusion(config=panel_config()), face, response_format={"type": "json_object"}
    )
    assert json.loads(message.text) == {"wet": True}


# Tools of the caller


@tool
def ledger(year: int) -> str:
    """What was sold in a year."""
    return f"41 boats in {year}"


CALL = {"tool_calls": [{"name": "ledger", "args": {"year": 2025}, "id": "call_1"}]}


@faces
async def test_the_writer_alone_has_the_tools_and_its_calls_are_the_message(
    models, panel_config, face
):
    models.script("w", CALL)

    message = await said(ChatFusion(config=panel_config()).bind_tools([ledger]), face)

    assert message.tool_calls == [
        {"name": "ledger", "args": {"year": 2025}, "id": "call_1", "type": "tool_call"}
    ]
    assert message.response_metadata["finish_reason"] == "tool_calls"
    for call in models.calls():
        names = [item["function"]["name"] for item in call.body.get("tools") or ()]
        assert names == (["ledger"] if call.model == "w" else [])


@faces
async def test_with_the_results_the_writer_goes_on_and_nobody_is_asked_again(
    models, panel_config, face
):
    models.script("w", CALL, "We sold 41 boats.")
    model = ChatFusion(config=panel_config()).bind_tools([ledger])
    history: list[Any] = [HumanMessage("What did we sell?")]
    order = await said(model, face, history)
    if isinstance(order, AIMessageChunk):
        order = AIMessage(**order.model_dump(exclude={"type", "tool_call_chunks"}))
    history += [order, ledger.invoke(order.tool_calls[0])]

    message = await said(model, face, history)

    assert message.text == "We sold 41 boats."
    assert asked(models) == ["a", "b", "c", "j", "w", "w"]
    sent = models.calls("w")[1].body["messages"]
    assert "41 boats in 2025" in [m["content"] for m in sent if m["role"] == "tool"]
    report = message.response_metadata["fusion"]
    assert [answer["name"] for answer in report["answers"]] == ["a", "b", "c"]
    assert report["usage"]["total"]["calls"] == 1


async def test_results_without_a_report_are_told_to_a_new_panel(models, panel_config):
    order = AIMessage("", tool_calls=[{"name": "ledger", "args": {}, "id": "call_1"}])
    history = [HumanMessage(QUESTION), order, ToolMessage("41 boats", tool_call_id="call_1")]

    message = await ChatFusion(config=panel_config()).bind_tools([ledger]).ainvoke(history)

    assert message.text == ANSWER
    assert asked(models) == ["a", "b", "c", "j", "w"]
    assert "41 boats" in json.dumps(models.calls("a")[0].body)


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("any", "required"),
        ("required", "required"),
        (True, "required"),
        (False, "none"),
        ("ledger", {"type": "function", "function": {"name": "ledger"}}),
        (
            {"type": "function", "function": {"name": "ledger"}},
            {"type": "function", "function": {"name": "ledger"}},
        ),
    ],
)
async def test_a_tool_choice_reaches_the_writer_as_openai_writes_it(
    models, panel_config, choice, sent
):
    model = ChatFusion(config=panel_config()).bind_tools([ledger], tool_choice=choice)
    await model.ainvoke(QUESTION)
    assert models.calls("w")[0].body["tool_choice"] == sent


@faces
async def test_broken_arguments_are_never_mended_into_a_call(models, panel_config, face):
    broken_call = {"name": "ledger", "args": '{"year": 20', "id": "call_1"}
    models.script("w", {"text": "I look it up.", "tool_calls": [broken_call]})

    message = await said(ChatFusion(config=panel_config()).bind_tools([ledger]), face)

    assert (message.text, message.tool_calls) == ("I look it up.", [])
    (broken,) = message.invalid_tool_calls
    assert (broken["name"], broken["id"]) == ("ledger", "call_1")


# Answers in a form


class Wetness(BaseModel):
    """How wet something is."""

    degree: int


@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
async def test_a_form_is_asked_of_the_writer_and_read(models, panel_config, method):
    call = {"tool_calls": [{"name": "Wetness", "args": {"degree": 9}}]}
    models.script("w", call if method == "function_calling" else '{"degree": 9}')
    model = ChatFusion(config=panel_config()).with_structured_output(Wetness, method=method)

    assert await model.ainvoke(QUESTION) == Wetness(degree=9)
    assert model.invoke(QUESTION) == Wetness(degree=9)

    wants = {call.model: call.body.get("response_format") for call in models.calls()}
    types = {"json_schema": "json_schema", "json_mode": "json_object"}
    assert (wants["w"] or {}).get("type") == types.get(method)
    assert wants["a"] is None


async def test_with_the_raw_message_a_wrong_form_is_no_error(models, panel_config):
    models.script("w", "Quite wet.")
    model = ChatFusion(config=panel_config()).with_structured_output(
        Wetness, method="json_schema", strict=True, include_raw=True
    )

    result = await model.ainvoke(QUESTION)

    assert (result["raw"].text, result["parsed"]) == ("Quite wet.", None)
    assert result["parsing_error"] is not None
    schema = models.calls("w")[0].body["response_format"]["json_schema"]
    assert (schema["name"], schema["strict"]) == ("Wetness", True)


def test_an_unknown_method_is_refused(panel_config):
    with pytest.raises(ValueError, match="function_calling, json_schema, json_mode"):
        ChatFusion(config=panel_config()).with_structured_output(Wetness, method="telepathy")


# Failures


@faces
async def test_a_failed_panel_raises_its_own_error_with_the_report(models, panel_config, face):
    for name in "abc":
        models.script(name, {"status": 401})

    with pytest.raises(AllPanelistsFailed) as caught:
        await said(ChatFusion(config=panel_config()), face)
    assert [name for name, _ in caught.value.members] == ["a", "b", "c"]
    assert FusionReport.model_validate(caught.value.report).status == "error"


@faces
async def test_a_missing_key_and_an_empty_question_are_their_own_errors(panel_config, face):
    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        await said(ChatFusion(preset="openai"), face)
    with pytest.raises(EmptyQuestion):
        await said(ChatFusion(config=panel_config()), face, [AIMessage("Hello.")])


@faces
async def test_inside_a_fusion_it_is_refused(models, panel_config, face):
    model = ChatFusion(config=panel_config())

    with inside_fusion(), pytest.raises(FusionRecursion, match="fusion_recursion"):
        await said(model, face)
    assert models.calls() == []


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test_as_a_panelist_it_fails_with_that_reason_and_the_others_go_on(
    models, panel_config, face
):
    nested = Panelist(model=ChatFusion(config=panel_config()), name="nested")
    graph = create_fusion_graph(panel_config(panel=["scripted:a", "scripted:b", nested]))

    if face == "invoke":
        record = (await asyncio.to_thread(graph.invoke, {"messages": [QUESTION]}))["fusion"]
    else:
        record = (await graph.ainvoke({"messages": [QUESTION]}))["fusion"]

    (failure,) = record["failures"]
    assert failure["name"] == "nested"
    assert "fusion_recursion" in failure["detail"]
    assert asked(models) == ["a", "b", "j", "w"]


@pytest.mark.parametrize("role", ["judge", "synthesizer"])
async def test_as_judge_or_writer_it_is_refused_too(models, panel_config, role):
    graph = create_fusion_graph(panel_config(**{role: ChatFusion(config=panel_config())}))

    record = (await graph.ainvoke({"messages": [QUESTION]}))["fusion"]

    assert record["status"] == "degraded"
    assert any("fusion_recursion" in loss["detail"] for loss in record["degradations"])
    assert len(models.calls()) == 4


# Leaving early


@streams
async def test_leaving_a_stream_stops_the_run(models, panel_config, face):
    models.script("w", {"text": "So much to say. " * 500, "rate": 20})
    model = ChatFusion(config=panel_config())

    if face == "astream":
        stream = model.astream(QUESTION)
        assert (await anext(stream)).text == "So"
        await stream.aclose()
    else:

        def leave() -> None:
            stream = model.stream(QUESTION)
            assert next(stream).text == "So"
            stream.close()

        await asyncio.to_thread(leave)

    (call,) = await asyncio.to_thread(models.calls, "w", ended=1)
    assert call.disconnected


async def test_a_cancelled_call_stops_the_run(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    running = asyncio.create_task(ChatFusion(config=panel_config()).ainvoke(QUESTION))
    await asyncio.to_thread(models.calls, arrived=3)

    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    calls = await asyncio.to_thread(models.calls, ended=3)
    assert all(call.disconnected for call in calls)


# What others see of it


class Tree(BaseTracer):
    """Names of runs, each with what ran inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        self.roots.append(run)


def names(run: Any) -> set[str]:
    return {run.name}.union(*map(names, run.child_runs))


@whole_faces
async def test_a_tracer_sees_what_goes_on_inside(panel_config, face):
    tracer = Tree()

    await said(ChatFusion(config=panel_config()), face, config={"callbacks": [tracer]})

    (root,) = tracer.roots
    assert (root.name, root.run_type) == ("ChatFusion", "llm")
    inside = {"fan_out", "panelist", "judge", "synthesis", "panel: a", "judge: judge"}
    assert names(root) >= inside


@faces
async def test_a_counter_of_tokens_counts_once(panel_config, face):
    counter = UsageMetadataCallbackHandler()

    message = await said(ChatFusion(config=panel_config()), face, config={"callbacks": [counter]})

    assert counter.usage_metadata == {"fusion": message.usage_metadata}


def test_keys_in_headers_are_told_to_nobody(panel_config):
    providers = panel_config()["providers"]
    providers["scripted"]["headers"] = {"x-api-key": "very-secret"}
    tracer = Tree()
    model = ChatFusion(config=panel_config(providers=providers))

    message = model.invoke(QUESTION, config={"callbacks": [tracer]})

    shown = [model, model._identifying_params, message, tracer.roots[0].serialized]
    assert "very-secret" not in str([*shown, tracer.roots[0].extra])


def test_different_panels_never_share_a_cached_answer(models, panel_config):
    cache = InMemoryCache()
    one = ChatFusion(config=panel_config(), cache=cache)
    two = ChatFusion(config=panel_config(panel=["scripted:b"]), cache=cache)

    first, again, other = one.invoke(QUESTION), one.invoke(QUESTION), two.invoke(QUESTION)

    assert again.response_metadata["fusion"] == first.response_metadata["fusion"]
    assert len(other.response_metadata["fusion"]["answers"]) == 1
    assert len(models.calls("a")) == 1


def test_it_can_be_pickled(panel_config):
    model = ChatFusion(config=FusionConfig(**panel_config()), temperature=0.5, stop=["x"])

    again = pickle.loads(pickle.dumps(model))

    assert again._identifying_params == model._identifying_params
    assert again.invoke(QUESTION).text == ANSWER


def test_tokens_can_be_counted_about(panel_config):
    model = ChatFusion(config=panel_config())

    assert 50 <= model.get_num_tokens("word " * 100) <= 300
    assert model.get_num_tokens_from_messages([HumanMessage("word " * 100)], [ledger]) > 100


def test_its_traces_name_it(panel_config):
    params = ChatFusion(preset="offline", temperature=0.5)._get_ls_params(stop=["x"])

    assert params["ls_provider"] == "fusion"
    assert params["ls_model_name"] == "fusion/offline"
    assert (params["ls_temperature"], params["ls_stop"]) == (0.5, ["x"])
