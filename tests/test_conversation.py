"""The conversation as the panel hears it: whole, and free of other people's tools."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_graph import EmptyQuestion, create_fusion_graph
from fusion_graph.state.conversation import (
    TOLD_CHARACTERS,
    attachments,
    calls_as_text,
    cut_conversation,
    question_of,
    transcript,
)

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def call(name="ledger", args=None, id="call_1"):
    return {"name": name, "args": args or {}, "id": id, "type": "tool_call"}


def texts(messages) -> list[str]:
    return [message.text for message in messages]


# The question


def test_the_question_is_the_last_human_message():
    messages = [
        HumanMessage("First?"),
        AIMessage("Yes."),
        HumanMessage(" Second? "),
        AIMessage("…"),
    ]

    assert question_of(messages) == "Second?"


def test_the_question_may_be_in_blocks():
    message = HumanMessage([PICTURE, {"type": "text", "text": "What is this?"}])

    assert question_of([message]) == "What is this?"


def test_a_picture_alone_is_a_question():
    assert question_of([HumanMessage([PICTURE])])


NOTHING = {
    "no messages": [],
    "no human message": [SystemMessage("Be brief."), AIMessage("Hello.")],
    "a blank one": [HumanMessage(" \n\t ")],
    "a blank one after a good one": [HumanMessage("First?"), AIMessage("Yes."), HumanMessage("")],
    "blocks without text": [HumanMessage([{"type": "text", "text": "  "}])],
}


@pytest.mark.parametrize("messages", NOTHING.values(), ids=NOTHING)
def test_nothing_to_answer_is_an_error_of_one_line_before_any_call(models, panel_config, messages):
    with pytest.raises(EmptyQuestion) as caught:
        create_fusion_graph(panel_config()).invoke({"messages": messages})

    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert models.calls() == []


# Told


def test_a_conversation_without_tools_stays_as_it_is():
    messages = [
        SystemMessage("Be brief."),
        HumanMessage(["What?", PICTURE]),
        AIMessage("This."),
        HumanMessage("And?"),
    ]

    assert calls_as_text(messages) == messages


def test_a_call_and_its_result_become_one_text_where_the_call_was():
    messages = [
        HumanMessage("What did we sell?"),
        AIMessage("I look.", tool_calls=[call(args={"year": 2025})]),
        ToolMessage("41 boats", tool_call_id="call_1"),
        AIMessage("41 boats."),
        HumanMessage("A lot?"),
    ]

    after = calls_as_text(messages)
    assert [m.type for m in after] == ["human", "ai", "ai", "human"]
    assert after[1].text == 'I look.\n\n(Called ledger with {"year": 2025}. It returned: 41 boats)'
    assert after[2:] == messages[3:]


def test_parallel_calls_are_told_in_their_order_each_with_its_own_result():
    messages = [
        HumanMessage("Compare."),
        AIMessage("", tool_calls=[call("east", id="1"), call("west", id="2"), call("up", id="3")]),
        ToolMessage("WEST", tool_call_id="2"),
        ToolMessage("EAST", tool_call_id="1"),
    ]

    text = calls_as_text(messages)[1].text
    assert text.index("east") < text.index("EAST") < text.index("west") < text.index("WEST")
    assert "(Called up with {}. It returned: (no result yet))" in text


def test_a_call_whose_arguments_were_not_json_leaves_no_call_behind():
    bad = {"name": "ledger", "args": "{year", "id": "call_1", "error": "not JSON"}
    messages = [
        HumanMessage("What did we sell?"),
        AIMessage("I look.", invalid_tool_calls=[bad]),
        ToolMessage("The arguments are not JSON.", tool_call_id="call_1"),
        HumanMessage("Well?"),
    ]

    # ChatOpenAI sends invalid calls as calls; without their results providers refuse them.
    for message in calls_as_text(messages):
        assert not getattr(message, "tool_calls", None)
        assert not getattr(message, "invalid_tool_calls", None)
        assert not isinstance(message, ToolMessage)


def test_a_result_whose_call_was_trimmed_away_is_still_told():
    messages = [ToolMessage("41 boats", tool_call_id="gone"), HumanMessage("Is that a lot?")]

    assert "41 boats" in " ".join(texts(calls_as_text(messages)))


def test_a_long_result_is_cut_and_says_by_how_much():
    messages = [
        HumanMessage("Read it."),
        AIMessage("", tool_calls=[call()]),
        ToolMessage("x" * (TOLD_CHARACTERS + 500), tool_call_id="call_1"),
    ]

    text = calls_as_text(messages)[1].text
    assert text.count("x") == TOLD_CHARACTERS
    assert "500 characters left out" in text


def test_arguments_that_are_no_json_are_told_anyway():
    messages = [HumanMessage("Go."), AIMessage("", tool_calls=[call(args={"when": {1}})])]

    assert "{1}" in calls_as_text(messages)[1].text


def test_a_providers_own_baggage_stays_behind():
    answer = AIMessage("Yes.", additional_kwargs={"reasoning": {"id": "rs_1"}}, id="m1")

    after, _ = calls_as_text([answer, HumanMessage("And?")])
    assert (after.content, after.additional_kwargs, after.id) == ("Yes.", {}, "m1")


def test_the_callers_messages_are_not_changed():
    messages = [
        AIMessage("I look.", tool_calls=[call()]),
        ToolMessage("41", tool_call_id="call_1"),
    ]
    before = [message.model_copy(deep=True) for message in messages]

    calls_as_text(messages)
    assert messages == before


async def test_the_panel_is_asked_by_the_user_even_if_the_parents_model_spoke_last(
    models, panel_config
):
    # Several providers take a last assistant message as the beginning of the answer, or refuse it.
    history = [
        HumanMessage("What did we sell?"),
        AIMessage("", tool_calls=[call()]),
        ToolMessage("41 boats", tool_call_id="call_1"),
    ]

    await create_fusion_graph(panel_config()).ainvoke({"messages": history})

    sent = models.calls("a")[0].body["messages"]
    assert "41 boats" in str(sent)
    assert sent[-1]["role"] == "user"


# What is in it


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        (PICTURE, "image"),
        ({"type": "image", "base64": "…"}, "image"),
        ({"type": "input_audio", "input_audio": {}}, "audio"),
        ({"type": "file", "file": {}}, "file"),
        ({"type": "video", "url": "…"}, "video"),
    ],
)
def test_attachments_are_known_by_their_kind(block, kind):
    assert set(attachments([HumanMessage("Hello."), HumanMessage(["Look:", block])])) == {kind}


def test_text_is_no_attachment():
    messages = [HumanMessage("An image."), AIMessage([{"type": "text", "text": "file"}])]

    assert set(attachments(messages)) == set()


def test_the_transcript_says_who_said_what_and_names_attachments():
    messages = [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "What is this?"}, PICTURE]),
        AIMessage("A pixel."),
    ]

    assert transcript(messages) == (
        "Instructions: Be brief.\n\nUser: What is this? [image attached]\n\nAssistant: A pixel."
    )


# One system message


TWO_SYSTEMS = [
    SystemMessage("Be brief."),
    SystemMessage([{"type": "text", "text": "Speak of water alone."}]),
    HumanMessage("How wet is water?"),
]


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, ["a", "b", "c", "w"]),
        ({"invocation": "never"}, ["w"]),
        ({"invocation": "never", "response_format": {"type": "json_object"}}, ["w"]),
    ],
    ids=["panel and writer", "one model", "one model in the caller's format"],
)
async def test_two_leading_system_messages_are_sent_as_one(models, panel_config, fields, asked):
    await create_fusion_graph(panel_config(**fields)).ainvoke({"messages": TWO_SYSTEMS})

    for name in asked:
        (sent,) = models.calls(name)
        roles = [message["role"] for message in sent.body["messages"]]
        assert (roles[0], roles.count("system")) == ("system", 1)
        assert "Be brief.\n\nSpeak of water alone." in sent.body["messages"][0]["content"]


def test_a_later_system_message_stays_where_it_is():
    messages = [SystemMessage("One."), HumanMessage("Why?"), SystemMessage("Two.")]

    assert texts(calls_as_text(messages)) == ["One.", "Why?", "Two."]


# A conversation that is too long


def spoken(lengths) -> list:
    return [(HumanMessage if i % 2 == 0 else AIMessage)("x" * n) for i, n in enumerate(lengths)]


@settings(derandomize=True)
@given(
    st.lists(st.integers(0, 20_000), min_size=1, max_size=60),
    st.integers(4_000, 60_000),
    st.booleans(),
)
def test_a_conversation_is_cut_to_its_room_and_its_question_least(lengths, most, instructed):
    talk = spoken(lengths)
    messages = [SystemMessage("y" * 700), *talk] if instructed else talk
    question = [m for m in messages if isinstance(m, HumanMessage)][-1]

    kept = cut_conversation(messages, most)

    bare = [text.partition("\n[cut here")[0] for text in texts(kept)]
    assert sum(map(len, bare)) <= most + len("[99 earlier messages are left out]")
    asked = [text for text in bare if text.startswith("x" * min(len(question.text), most // 2))]
    assert asked
    assert isinstance(kept[0], SystemMessage) == instructed
    if sum(map(len, texts(messages))) <= most:
        assert kept == messages


def test_of_very_many_messages_the_last_are_kept_readable():
    kept = cut_conversation([*spoken([600] * 1_000), HumanMessage("Why?")], 20_000)

    assert kept[0].text == "[967 earlier messages are left out]"
    assert all(len(text) > 500 for text in texts(kept[1:-1]))
    assert kept[-1].text == "Why?"


def test_a_cut_message_keeps_its_picture_and_says_what_is_missing():
    (kept,) = cut_conversation([HumanMessage([{"type": "text", "text": "w" * 900}, PICTURE])], 400)

    assert kept.text == "w" * 400 + "\n[cut here: 500 more characters]"
    assert set(attachments([kept])) == {"image"}


# Handed over from agent to agent


def passed(args: dict[str, Any], said: str, text: str = "") -> list[Any]:
    call = {"name": "transfer_to_savings", "args": args, "id": "call_1"}
    return [AIMessage(text, tool_calls=[call]), ToolMessage(said, tool_call_id="call_1")]


def test_a_hand_over_is_left_out_and_the_conversation_ends_with_the_question():
    question = HumanMessage("How wet is water?")

    assert calls_as_text([question, *passed({}, "Successfully transferred to experts")]) == [
        question
    ]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"amount": 5}, "Successfully transferred to savings"),
        ({"task": "Look up the sea's"}, "Successfully transferred to experts"),
        ({}, "Successfully transferred to savings.\nNew balance: 5."),
        ({}, "Nothing was transferred to savings"),
    ],
)
def test_a_call_that_says_more_than_who_is_next_is_told(args, said):
    told = calls_as_text([HumanMessage("Go on."), *passed(args, said)])

    assert said in told[1].text
    assert [message.type for message in told] == ["human", "ai", "human"]


def test_other_calls_beside_a_hand_over_are_told():
    over, look = ({"name": n, "args": {}, "id": n} for n in ("transfer_to_b", "look"))
    turn = AIMessage("", tool_calls=[over, look])
    results = [
        ToolMessage("Successfully transferred to b", tool_call_id="transfer_to_b"),
        ToolMessage("41 boats", tool_call_id="look"),
    ]

    _, told, _ = calls_as_text([HumanMessage("Well?"), turn, *results])

    assert told.text == "(Called look with {}. It returned: 41 boats)"


def test_a_hand_over_whose_call_was_trimmed_away_is_left_out_too():
    question = HumanMessage("Well?")
    orphan = ToolMessage("Successfully transferred back to boss", tool_call_id="gone")

    assert calls_as_text([question, orphan]) == [question]


def test_the_names_of_agents_stay_behind():
    told = calls_as_text([AIMessage("Wet.", name="alice"), HumanMessage("Sure?", name="user_1")])

    assert [message.name for message in told] == [None, "user_1"]
