"""The final answer: cited, streamed, and there in every case, with a note where it is less."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.tools import tool

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from fusion_graph.evidence import cited
from fusion_graph.text.thinking import VisibleTokens, without_thinking

QUESTION = {"messages": [("user", "How wet is water?")]}
AT_ONCE = {"Retry-After": "0"}
FINAL = "The final answer of the writer."
DOWN = {"status": 500, "headers": AT_ONCE}


async def ask(
    models, config: dict[str, Any], tools: list[Any] | None = None
) -> tuple[FusionReport, str]:
    """The report of a run, after a look at the server's log, and what its message says."""
    result = await create_fusion_graph(config, tools=tools or []).ainvoke(QUESTION)
    report = FusionReport.from_state(result)
    assert report.usage.total.calls == len(models.calls())
    written = [call for call in models.calls() if call.model not in "abcj"]
    assert all(call.stream for call in written)
    if written:
        assert report.usage.stages["synthesis"].calls == len(written)
    return report, result["messages"][-1].content


async def watch(config: dict[str, Any]) -> tuple[list[tuple[str, str]], list[dict], dict]:
    """A run's streamed pieces as `(message id, text)`, its events and its final state."""
    pieces: list[tuple[str, str]] = []
    events: list[dict[str, Any]] = []
    state: dict[str, Any] = {}
    modes = ["messages", "custom", "values"]
    async for mode, data in create_fusion_graph(config).astream(QUESTION, stream_mode=modes):
        if mode == "messages":
            pieces.append((data[0].id, data[0].text))
        elif mode == "custom":
            events.append(data)
        else:
            state = data
    return pieces, events, state


def text_of(pieces: list[tuple[str, str]], message_id: str) -> str:
    return "".join(text for id, text in pieces if id == message_id)


def listed_sources(content: str) -> list[tuple[int, str]]:
    """The ids and addresses of the source list under an answer."""
    lines = re.findall(r"^\[(\d+)\] .* — (\S+)", content, re.MULTILINE)
    return [(int(id), url) for id, url in lines]


def codes(report: FusionReport) -> list[str]:
    return [loss.code for loss in report.degradations]


async def test_a_picture_of_an_address_that_is_no_source_is_never_shown(models, panel_config):
    leak = "![chart](http://leak.example/p.png?q=secret)"
    models.script(
        "w", f"Water {leak} is wet. `{leak}` shows how.\n\nAnd <img src='http://x'> more."
    )

    pieces, _, state = await watch(panel_config())

    final = state["messages"][-1]
    assert final.content == (
        f"Water !\\{leak[1:]} is wet. `{leak}` shows how.\n\nAnd &lt;img src='http://x'> more."
    )
    assert text_of(pieces, final.id) == final.content
    assert state["fusion"]["answer"] == final.content


async def test_an_answer_in_a_format_of_the_callers_is_left_alone(models, panel_config):
    written = json.dumps({"md": "![x](http://elsewhere.example/p.png)"})
    models.script("w", written)

    _, _, state = await watch(panel_config(response_format={"type": "json_object"}))

    assert state["messages"][-1].content == written


@tool
async def lookup(query: str) -> str:
    """Look something up."""
    return f"Water is wet, says https://{query}.example/wet in full."


def researched(models, *names: str) -> None:
    """Makes each of these panelists cite a page of its own."""
    for name in names:
        models.script(
            name,
            {"tool_calls": [{"name": "lookup", "args": {"query": name}}], "cost": 0.001},
            {"text": f"The answer of {name} [1].", "cost": 0.001},
        )


# Citations


async def test_citations_of_unknown_sources_stay_and_are_told(models, panel_config):
    config = panel_config()
    researched(models, "a", "b")
    models.script("w", "It is wet [2], very wet [1, 7], and dry [9]. See [1](https://made.up).")

    report, content = await ask(models, config, [lookup])

    assert report.answer == "It is wet [2], very wet [1][7], and dry [9]. See [1](https://made.up)."
    (loss,) = report.degradations
    assert (loss.code, "7" in loss.detail, "9" in loss.detail) == ("unknown_citation", True, True)
    answer, _, listed = content.partition("\n\nSources:\n")
    assert answer == report.answer
    assert listed_sources(listed) == [(source.id, source.url) for source in report.sources]


async def test_only_cited_sources_are_listed(models, panel_config):
    config = panel_config()
    researched(models, "a", "b", "c")
    models.script("w", "It is wet [3].")

    report, content = await ask(models, config, [lookup])

    assert report.status == "ok"
    assert len(report.sources) == 3
    assert listed_sources(content) == [(3, report.sources[2].url)]


async def test_an_answer_without_citations_has_no_list(models, panel_config):
    _, content = await ask(models, panel_config())

    assert content == FINAL


# How the writer is asked


async def test_the_writer_is_streamed_and_has_no_tools(models, panel_config):
    config = panel_config(temperature=0.9, reasoning_effort="low")

    await watch(config)

    assert {call.model: call.stream for call in models.calls()} == {
        "a": True,
        "b": True,
        "c": True,
        "j": False,
        "w": True,
    }
    (call,) = models.calls("w")
    assert not {"tools", "tool_choice", "temperature"} & call.body.keys()
    assert call.body["reasoning_effort"] == "low"


async def test_the_writer_reads_labels_not_names(models, panel_config):
    panel = [
        {"model": f"scripted:{m}", "name": f"member {n}"} for m, n in zip("abc", "QRS", strict=True)
    ]

    await ask(models, panel_config(panel=panel))

    shown = json.dumps(models.calls("w")[0].body["messages"])
    assert "member" not in shown.replace("members", "")
    assert "scripted" not in shown
    assert "How wet" in shown
    assert all(f"The answer of {name}." in shown for name in "abc")


# What is streamed


async def test_what_was_streamed_is_what_the_message_says(models, panel_config):
    pieces, _, state = await watch(panel_config())

    message = state["messages"][-1]
    assert {id for id, _ in pieces} == {message.id}
    assert text_of(pieces, message.id) == message.content == FINAL
    assert len(pieces) > 3


@pytest.mark.parametrize("chunks", ["word", 1, 3, 1000])
async def test_thinking_is_never_streamed(models, panel_config, chunks):
    config = panel_config()
    models.script("w", {"text": f"<think>Hm, a SECRET < b?</think>\n\n{FINAL}", "chunks": chunks})

    pieces, _, state = await watch(config)

    message = state["messages"][-1]
    assert text_of(pieces, message.id) == message.content == FINAL
    assert "SECRET" not in "".join(text for _, text in pieces)
    assert state["fusion"]["status"] == "ok"


async def test_a_note_is_streamed_with_the_answer_it_belongs_to(models, panel_config):
    config = panel_config()
    models.script("j", {"status": 401})

    pieces, _, state = await watch(config)

    message = state["messages"][-1]
    assert message.content.startswith("> No comparison was possible")
    assert text_of(pieces, message.id) == message.content


async def test_a_stream_broken_in_the_middle_is_void_and_written_anew(models, panel_config):
    config = panel_config()
    models.script(
        "w",
        {"text": FINAL, "close_after": 3},
        {"text": FINAL, "cost": 0.003},
    )

    pieces, events, state = await watch(config)

    message = state["messages"][-1]
    assert message.content == FINAL
    assert text_of(pieces, message.id) == FINAL
    (void,) = {id for id, _ in pieces} - {message.id}
    assert text_of(pieces, void) == "The final answer"
    (restart,) = [event for event in events if event["type"] == "synthesis.restarted"]
    assert restart["model"] == "scripted:w"
    report = FusionReport.from_state(state)
    assert report.usage.stages["synthesis"].calls == len(models.calls("w")) == 2
    assert [row.outcome for row in report.timeline if row.stage == "synthesis"] == [
        "upstream_error",
        "ok",
    ]


async def test_a_stream_that_broke_before_its_first_word_restarts_nothing(models, panel_config):
    config = panel_config()
    models.script("w", {"text": FINAL, "close_after": 0}, FINAL)

    pieces, events, state = await watch(config)

    assert {id for id, _ in pieces} == {state["messages"][-1].id}
    assert "synthesis.restarted" not in [event["type"] for event in events]


async def test_half_an_answer_of_a_writer_that_gives_up_is_void(models, panel_config):
    config = panel_config(fallbacks=["scripted:f"], synthesis_timeout=2)
    models.script("w", {"text": "Half of it and then never the rest", "rate": 0.5})
    models.script("f", FINAL)

    pieces, events, state = await watch(config)

    message = state["messages"][-1]
    assert message.content == FINAL
    assert text_of(pieces, message.id) == FINAL
    assert [e["model"] for e in events if e["type"] == "synthesis.restarted"] == ["scripted:w"]
    report = FusionReport.from_state(state)
    assert codes(report) == ["synthesis_upstream_error"]
    assert "synthesis_timeout" in report.degradations[0].detail
    assert models.calls("w", ended=1)[0].disconnected


# Writers that fail


@pytest.mark.parametrize(
    ("step", "calls"),
    [
        pytest.param(DOWN, 3, id="500 for ever"),
        pytest.param({"status": 401}, 1, id="401"),
        pytest.param({"text": ""}, 2, id="blank"),
        pytest.param({"text": "<think>Only thoughts.</think>"}, 2, id="thinking alone"),
        pytest.param({"text": "", "finish_reason": "length"}, 1, id="cut while silent"),
        pytest.param({"error": {"message": "no credits", "code": 402}}, 1, id="402 inside a 200"),
    ],
)
async def test_a_fallback_writes_where_the_writer_cannot(models, panel_config, step, calls):
    models.script("f", {"text": "The answer of the fallback.", "cost": 0.005})
    config = panel_config(fallbacks=["scripted:f"])
    models.script("w", step)

    report, content = await ask(models, config)

    assert report.answer == content == "The answer of the fallback."
    assert codes(report) == ["synthesis_upstream_error"]
    assert report.degradations[0].detail.startswith("scripted:w: ")
    assert report.status == "degraded"
    assert report.analysis is not None
    assert (len(models.calls("w")), len(models.calls("f"))) == (calls, 1)
    assert report.usage.models["scripted:f"].cost_usd == 0.005


@pytest.mark.parametrize("trouble", [DOWN, {"text": ""}])
async def test_a_writer_that_recovers_loses_nothing(models, panel_config, trouble):
    config = panel_config()
    models.script("w", trouble, FINAL)

    report, content = await ask(models, config)

    assert (report.status, content) == ("ok", FINAL)


async def test_without_any_writer_the_most_agreed_answer_is_passed_on_with_a_note(
    models, panel_config
):
    models.script("f", {"status": 402})
    config = panel_config(fallbacks=["scripted:f"])
    point = {"point": "Water is wet.", "labels": ["B", "C"], "sources": []}
    other = {"point": "Ice is cold.", "labels": ["A", "C"], "sources": []}
    models.script("j", json.dumps({"consensus": [point, other]}))
    models.script("w", DOWN)

    report, content = await ask(models, config)

    (best,) = (answer for answer in report.answers if answer.label == "C")
    assert report.answer == best.content
    note, _, rest = content.partition("\n\n")
    assert note.startswith("> The writer failed")
    assert best.name in note
    assert rest == best.content
    assert codes(report) == [
        "synthesis_upstream_error",
        "synthesis_upstream_error",
        "synthesis_failed",
    ]
    assert report.status == "degraded"
    assert report.usage.stages["synthesis"].calls == 4


async def test_without_judge_and_writer_there_is_still_an_answer(models, panel_config):
    config = panel_config()
    models.script("j", {"status": 401})
    models.script("w", {"status": 401})

    report, content = await ask(models, config)

    assert report.answer in {f"The answer of {name}." for name in "abc"}
    assert content.startswith("> The writer failed")
    assert codes(report) == [
        "judge_upstream_error",
        "synthesis_upstream_error",
        "synthesis_failed",
    ]


# Few survivors


async def test_a_single_survivor_is_passed_on_with_a_note_and_no_more_calls(models, panel_config):
    config = panel_config()
    researched(models, "b")
    models.script("a", {"status": 401})
    models.script("c", {"text": ""})

    report, content = await ask(models, config, [lookup])

    assert report.answer == "The answer of b [1]."
    note, answer, listed = content.split("\n\n")
    assert note.startswith("> Only one of 3 panelists answered, b:")
    assert answer == report.answer
    assert listed_sources(listed) == [(1, "https://b.example/wet")]
    assert {call.model for call in models.calls()} == {"a", "b", "c"}
    assert report.status == "degraded"
    assert sorted(codes(report)) == ["panelist_failed", "panelist_failed", "single_survivor"]
    assert report.analysis is None
    assert report.usage.stages.keys() == {"panel"}


async def test_a_panel_of_one_is_no_loss(models, panel_config):
    report, content = await ask(models, panel_config(panel=["scripted:a"]))

    assert (report.status, content) == ("ok", "The answer of a.")
    assert len(models.calls()) == 1


async def test_two_survivors_are_compared(models, panel_config):
    config = panel_config()
    models.script("a", {"status": 401})
    models.script("j", json.dumps({"blind_spots": ["Salt water"]}))

    report, content = await ask(models, config)

    assert (codes(report), content) == (["panelist_failed"], FINAL)
    assert report.answers[0].label is None
    assert {answer.label for answer in report.answers[1:]} == {"A", "B"}


async def test_a_single_survivor_is_streamed_as_one_message(models, panel_config):
    config = panel_config()
    for name in "ac":
        models.script(name, {"status": 401})

    pieces, _, state = await watch(config)

    message = state["messages"][-1]
    assert {id for id, _ in pieces} == {message.id}
    assert text_of(pieces, message.id) == message.content


def fail_all(models, config: dict[str, Any]) -> dict[str, Any]:
    models.script("a", {"status": 401})
    models.script("b", {"status": 402})
    models.script("c", {"text": "", "cost": 0.001})
    return config


async def test_no_survivor_is_an_error_with_every_reason_and_the_report(models, panel_config):
    graph = create_fusion_graph(fail_all(models, panel_config()))

    with pytest.raises(AllPanelistsFailed) as caught:
        await graph.ainvoke(QUESTION)

    error = caught.value
    assert [(name, failure["reason"]) for name, failure in error.members] == [
        ("a", "auth"),
        ("b", "insufficient_credits"),
        ("c", "empty_answer"),
    ]
    for word in ("a: auth", "b: insufficient_credits", "c: empty_answer"):
        assert word in str(error)
    assert "\n" not in str(error)
    report = FusionReport.model_validate(error.report)
    assert (report.status, report.answer) == ("error", "")
    assert [failure.name for failure in report.failures] == ["a", "b", "c"]
    assert report.usage.total.calls == len(models.calls()) == 5
    assert report.usage.total.cost_usd == 0.003


def test_no_survivor_is_the_same_error_without_a_loop(models, panel_config):
    graph = create_fusion_graph(fail_all(models, panel_config()))

    with pytest.raises(AllPanelistsFailed) as caught:
        graph.invoke(QUESTION)

    assert len(caught.value.members) == 3
    assert caught.value.report["status"] == "error"


# Thinking in a stream


def shown(text: str, cuts: list[int] = ()) -> str:
    """What is passed on of a text that arrives in pieces."""
    heard: list[str] = []
    tokens = VisibleTokens(heard.append)
    bounds = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(bounds):
        tokens.take(text[start:end])
    tokens.end()
    return "".join(heard)


VISIBLE = st.lists(
    st.sampled_from(["Water", " ", "\n", "<", "< b", "<thin", "</th", "</", "<b", "is"])
).map("".join)
THOUGHT = st.lists(st.sampled_from(["SECRET", " ", "\n", "<", "</", "</th", "<b"])).map(
    lambda parts: f"<think>{''.join(parts)}</think>"
)
TEXTS = st.lists(st.one_of(VISIBLE, THOUGHT)).map("".join)
CUTS = st.lists(st.integers(0, 10_000), max_size=30)


@settings(deadline=None, derandomize=True)
@given(TEXTS, CUTS, st.booleans())
def test_however_a_stream_is_cut_its_thoughts_stay_unseen(text, cuts, left_open):
    if left_open:
        text += "<think>SECRET at the end"

    heard = shown(text, cuts)

    assert "SECRET" not in heard
    assert "<think>" not in heard
    assert heard.strip() == without_thinking(text)


@settings(deadline=None, derandomize=True)
@given(st.text(), CUTS)
def test_however_a_stream_is_cut_the_same_is_seen(text, cuts):
    assert shown(text, cuts) == shown(text)


@pytest.mark.parametrize("tag", ["think", "thinking", "reasoning", "Think", "THINKING"])
def test_what_is_streamed_is_what_the_final_text_keeps(tag):
    text = f"<{tag}>SECRET thoughts</{tag}>Water is wet, a < b."

    assert without_thinking(text) == "Water is wet, a < b."
    for size in (1, 4, 100):
        assert shown(text, list(range(0, len(text), size))) == "Water is wet, a < b."


def test_plain_words_are_passed_on_as_they_come():
    heard: list[str] = []
    tokens = VisibleTokens(heard.append, before="> A note.\n\n")

    for piece in ("\n", "Water", " is", " a <", " b"):
        tokens.take(piece)

    assert heard == ["> A note.\n\nWater", " is", " a", " < b"]


def test_a_note_is_not_said_alone():
    heard: list[str] = []
    tokens = VisibleTokens(heard.append, before="> A note.\n\n")

    tokens.take("<think>Nothing to say.</think> \n")
    tokens.end()

    assert heard == []


BRACKETS = (
    "On [0, 1] it is bounded, so $x_{[1]}$ and x[1] = arr[2].\n\n"
    '```json\n{"ids": [1, 2]}\n```\n\n'
    'Sent {"ids": [1, 2, 3], "k": [1]} for the vector [1, 2]:\n\n'
    "    y = [1]\n\n"
    "- [ ] see [it [1]](https://wet.example)\n- [x] ^[1-2]+$\n\n"
    r"\[ [1] \] and \(f([2])\), since [2024]."
)


@pytest.mark.parametrize("sourced", [True, False])
async def test_brackets_that_cite_nothing_reach_the_reader_as_they_were_written(
    sourced, models, panel_config
):
    if sourced:
        researched(models, "b")
        look = {"tool_calls": [{"name": "lookup", "args": {"query": "a"}}], "cost": 0.001}
        models.script("a", look, {"text": BRACKETS})
    else:
        models.script("a", {"text": BRACKETS})
    models.script("w", {"text": BRACKETS})

    report, content = await ask(models, panel_config(), [lookup] if sourced else [])

    assert report.answer == BRACKETS
    assert content == BRACKETS
    assert report.answers[0].content == BRACKETS
    assert "unknown_citation" not in codes(report)


async def test_a_panelists_own_number_never_points_at_what_another_read(models, panel_config):
    researched(models, "a", "b")
    models.script("b", {"text": "It is dry [2], as [1] and 【1†source】 say."})
    models.script("w", {"text": "It is wet [1]."})

    report, _ = await ask(models, panel_config(), [lookup])

    urls = {source.id: source.url for source in report.sources}
    told = next(a.content for a in report.answers if a.name == "b")
    assert all("//b." in urls[n] for n in cited(told, urls))
    assert "unknown_citation" in codes(report)
