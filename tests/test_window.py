"""Prompts cut to a model's context: whatever the history, it fits, and the question is whole."""

from __future__ import annotations

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_graph.errors import TooLong
from fusion_graph.models.fitting import Fitting, Window, ended_by
from fusion_graph.models.window import (
    REQUEST_TOKENS,
    fit,
    reply_room,
    shortened,
    text_tokens,
    tokens_of,
)

SYSTEM = SystemMessage("Answer the question, with your tools.")
QUESTION = HumanMessage("Which of the two pumps lasts longer, and why?")
BARE = tokens_of(SYSTEM) + tokens_of(QUESTION) + REQUEST_TOKENS

texts = st.text(st.sampled_from("ab 1€漢\n"), max_size=60).flatmap(
    lambda piece: st.integers(0, 200).map(lambda times: piece * times)
)


@st.composite
def rounds(draw: st.DrawFn) -> list[BaseMessage]:
    """Rounds of tool calls, some with several calls, each with its result."""
    history: list[BaseMessage] = []
    for number in range(draw(st.integers(0, 6))):
        ids = [f"call-{number}-{n}" for n in range(draw(st.integers(1, 3)))]
        calls = [{"name": "web_fetch", "args": {"url": "x" * 20}, "id": i} for i in ids]
        history.append(AIMessage(draw(texts), tool_calls=calls))
        history += [ToolMessage(draw(texts), tool_call_id=i, name="web_fetch") for i in ids]
    return history


talk = st.lists(st.tuples(texts, texts), max_size=4).map(
    lambda turns: [
        message for said, answer in turns for message in (HumanMessage(said), AIMessage(answer))
    ]
)


@given(earlier=talk, history=rounds(), spare=st.integers(0, 3_000))
def test_whatever_the_history_what_is_sent_fits_with_its_question_and_pairs(
    earlier, history, spare
):
    messages = [SYSTEM, *earlier, QUESTION, *history]
    room = BARE + spare
    try:
        plan = fit(messages, room)
    except TooLong:
        # Only what may not be cut is a reason: the latest calls and what is left of their results.
        last = [m for m in history if isinstance(m, AIMessage)][-1:]
        results = 60 * 3
        assert spare < sum(map(tokens_of, last)) + results
        return

    sent = list(plan.messages)
    assert sum(map(tokens_of, sent)) + REQUEST_TOKENS == plan.tokens <= room
    assert sent[0] is SYSTEM
    assert QUESTION in sent
    called = [call["id"] for m in sent if isinstance(m, AIMessage) for call in m.tool_calls]
    assert [m.tool_call_id for m in sent if isinstance(m, ToolMessage)] == called
    # What was there and is not there any more is told, to the character.
    missing = sum(len(m.text) for m in messages) - sum(len(m.text) for m in sent)
    assert sum(cut.before - cut.after for cut in plan.cuts) == missing
    if sum(map(tokens_of, messages)) + REQUEST_TOKENS <= room:
        assert sent == messages
        assert plan.cuts == ()


def test_earlier_results_give_way_before_the_latest_and_short_ones_stay():
    history: list[BaseMessage] = []
    for number, words in enumerate([40, 900, 700, 600]):
        call = {"name": "fetch", "args": {}, "id": f"c{number}"}
        text = f"[{number}] " + "word " * words
        history += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(text, tool_call_id=f"c{number}", name="fetch"),
        ]

    plan = fit([SYSTEM, QUESTION, *history], BARE + 3_000)
    results = [message.text for message in plan.messages if isinstance(message, ToolMessage)]

    assert [cut.key for cut in plan.cuts] == ["c1", "c2"]
    assert results[0] == history[1].text
    assert results[3] == history[7].text
    assert abs(len(results[1]) - len(results[2])) < 20
    assert "more characters]" in results[1]


def test_a_cut_result_keeps_the_mark_that_ends_a_strangers_words():
    page = (
        'Source [1].\n<untrusted 0f0f kind="page">\n' + "word " * 900 + "\n</untrusted 0f0f>\n"
        "Characters 0 to 4500 of 9000 shown; to read on, fetch it with offset=4500."
    )

    text = shortened(page, lambda text: text_tokens(text) <= 200)

    assert text_tokens(text) <= 200
    assert text.endswith(page[page.index("\n</untrusted") :])
    assert "more characters]" in text


def test_a_question_that_does_not_fit_is_never_cut():
    with pytest.raises(TooLong):
        fit([SYSTEM, HumanMessage("why " * 5_000)], 3_000)


@pytest.mark.parametrize(
    ("window", "cap", "room"), [(4096, 16_000, 1024), (4096, 300, 300), (200_000, 16_000, 16_000)]
)
def test_a_reply_gets_its_cap_or_a_quarter_of_the_context(window, cap, room):
    assert reply_room(window, cap) == room


REFUSALS = [
    ("request (5174 tokens) exceeds the available context size (4096 tokens)", 4096),
    ("This model's maximum context length is 8192 tokens. However, your request has 9,000", 8192),
    ("prompt is too long: 210000 tokens > 200000 maximum", 200_000),
    ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
     1_048_576),
]  # fmt: skip


@pytest.mark.parametrize(("words", "size"), REFUSALS)
def test_the_size_of_a_context_is_learned_from_a_refusal(words, size):
    window = Window()

    assert window.refused(words, 1_000)
    assert window.tokens == size
    assert window.scale > 1
    assert not window.refused(words, 1_000)


def test_a_servers_count_makes_room_and_takes_it_but_never_beyond_reason():
    window = Window(4096, "server")
    before = window.room(1_000)

    window.count(1_000, 740)
    more = window.room(1_000)
    window.count(1_000, 1_800)
    less = window.room(1_000)
    for _ in range(30):
        window.count(1_000, 3)

    assert less < before < more
    assert window.scale == pytest.approx(0.75)


def history(tokens: int) -> list[BaseMessage]:
    return [SYSTEM, HumanMessage("a plain word or two, " * (tokens * 4 // 21))]


@pytest.mark.parametrize(
    ("own", "read", "earlier", "told"),
    [
        (True, 4_000, None, True),  # of some 8,000
        (True, 7_000, None, False),
        (False, 4_000, None, False),  # a cloud refuses what is too long
        (True, 300, 7_900, False),  # counts what was not in its cache
        (True, 100, None, False),  # counts for form's sake
    ],
)
def test_a_prompt_cut_in_silence_is_told_and_a_count_of_new_tokens_is_not(own, read, earlier, told):
    window = Window(own=own, kind="ollama", last_read=earlier)
    fitting = Fitting("a")

    fitting.read("ollama:qwen3", window, history(8_000), read)

    assert [loss["code"] for loss in fitting.losses] == ["prompt_cut_by_server"] * told
    if told:
        detail = fitting.losses[0]["detail"]
        assert "4,000 tokens of at least" in detail
        assert "OLLAMA_CONTEXT_LENGTH=" in detail
        assert window.tokens == 4096


def test_a_short_prompt_is_cut_by_nobody():
    window = Window(own=True)
    fitting = Fitting("a")

    fitting.read("x:y", window, history(1_500), 300)

    assert fitting.losses == []
    assert window.tokens is None


def test_a_long_run_of_one_character_is_no_proof_of_a_cut():
    window = Window(own=True)
    fitting = Fitting("a")

    fitting.read("x:y", window, [HumanMessage("-" * 30_000 + " " * 30_000)], 400)

    assert fitting.losses == []


def reply(read: int, wrote: int) -> AIMessage:
    usage = {"input_tokens": read, "output_tokens": wrote, "total_tokens": read + wrote}
    return AIMessage("", usage_metadata=usage)


@pytest.mark.parametrize(
    ("window", "sent", "message", "said"),
    [
        (Window(4096, "server"), 350, reply(3_000, 350), ""),  # the cap that was asked for
        (Window(4096, "server"), 96, reply(4_000, 96), "context length of its model (4,096"),
        (Window(own=True), 350, reply(4_000, 96), "context length at its server (about 4,096"),
        (Window(), 350, reply(4_000, 96), "the token limit of its server (96 of 350"),
        (Window(), 350, AIMessage("no count"), ""),
    ],
)
def test_what_ended_a_reply_is_the_cap_the_context_or_the_server(window, sent, message, said):
    assert said in ended_by(window, 350, sent, message)
    assert bool(said) == bool(ended_by(window, 350, sent, message))


def test_cuts_are_told_once_for_each_model_with_what_to_do():
    window = Window(4096, "server", kind="llamacpp")
    fitting = Fitting("qwen")
    results = [
        ToolMessage("word " * 5_000, tool_call_id=f"c{n}", name="web_fetch") for n in range(2)
    ]
    calls = [{"name": "web_fetch", "args": {}, "id": f"c{n}"} for n in range(2)]
    messages = [SYSTEM, QUESTION, AIMessage("", tool_calls=calls), *results]

    sent, most = fitting.plan("llamacpp:qwen", window, messages, [], 16_000)
    again = fitting.plan("llamacpp:qwen", window, messages, [], 16_000)

    assert again[0] == sent
    assert most is not None
    assert most >= 700
    (loss,) = json.loads(json.dumps(fitting.losses))
    assert loss["code"] == "context_cut"
    assert "qwen: cut to fit the context of llamacpp:qwen (4,096 tokens)" in loss["detail"]
    assert "a result of web_fetch (2 times) from 50,000 to " in loss["detail"]
    assert "llama-server with -c 32768" in loss["detail"]
