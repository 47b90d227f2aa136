"""What a reader sees of a model's text: whole, and however it is cut into pieces as it comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.text.echoes import EXAMPLE_QUOTE, without_echoes
from fusion_graph.text.thinking import VisibleTokens, without_thinking

NONCE = "0123456789abcdef"
PROPERTY = settings(deadline=None, derandomize=True)


def shown(pieces: list[str]) -> str:
    """What a reader is left with, after what was called void."""
    said: list[str] = []
    tokens = VisibleTokens(said.append, void=said.clear, nonce=NONCE)
    for piece in pieces:
        tokens.take(piece)
    tokens.end()
    return " ".join("".join(said).split()).replace(" .", ".")


CASES = {
    "Water is wet.": "Water is wet.",
    "let me think</think>Water is wet.": "Water is wet.",
    "one</think>two</think>Water is wet.": "Water is wet.",
    "hm</thinking>Water is wet.": "Water is wet.",
    "hm</reasoning>\n\nWater is wet.": "Water is wet.",
    "<think>a</think>Water <think>b</think>is wet.": "Water is wet.",
    "```py\nx = 1\n</think>\nWater is wet.\n```py\ny\n```": "Water is wet. ```py y ```",
    "Write `</think>` to end it.": "Write `</think>` to end it.",
    "Code:\n```html\n<think>x</think>\n```\nDone.": "Code: ```html <think>x</think> ``` Done.",
    "◁think▷a◁/think▷Water is wet.": "Water is wet.",
    "[THINK]a[/THINK]Water is wet.": "Water is wet.",
    "<seed:think>a</seed:think>Water is wet.": "Water is wet.",
    "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>"
    "Water is wet.<|return|>": "Water is wet.",
    "Where a < b, water is <b>wet</b> [1].": "Where a < b, water is <b>wet</b> [1].",
    f'<untrusted {NONCE} kind="answer" label="A">\nWater is wet.\n</untrusted {NONCE}>': (
        "Water is wet."
    ),
    f"Water is wet.\n(untrusted {NONCE})": "Water is wet.",
    "Water is wet.\n</untrusted>": "Water is wet.",
    f"Water {NONCE} is wet.": "Water is wet.",
    f"Water is wet {EXAMPLE_QUOTE}.": "Water is wet.",
    "Water is wet [3: “the exact words”].": "Water is wet.",
    'Water is wet [3: "the exact words of it"].': 'Water is wet [3: "the exact words of it"].',
    "Water (untrusted sources say) is wet.": "Water (untrusted sources say) is wet.",
    '{"name": "Ada", "age": 36}': '{"name": "Ada", "age": 36}',
    '{"wet": true}': '{"wet": true}',
}


@pytest.mark.parametrize("text", CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 1_000])
def test_a_reader_sees_the_same_however_the_text_is_cut(text, size):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    assert shown(pieces) == CASES[text]
    whole, _ = without_echoes(without_thinking(text), NONCE)
    if "<|" not in text:
        assert " ".join(whole.split()) == CASES[text]


@PROPERTY
@given(st.lists(st.sampled_from(["a", " ", "\n", "<", "th", "ink>", "</", "`", "[", "b c", "("])))
def test_no_text_is_lost_that_is_no_tag(pieces):
    text = "".join(pieces)
    if "think>" in text:
        return

    assert shown(pieces) == " ".join(text.split()).replace(" .", ".")


MARKER = f"<untrusted {NONCE}>"
PARTS = ["Water", "is", ".", " ", "\n", "\n\n", NONCE, MARKER, EXAMPLE_QUOTE, "[1]"]


@PROPERTY
@given(st.lists(st.sampled_from(PARTS), max_size=20), st.integers(1, 12))
def test_an_echo_leaves_the_same_gap_in_a_stream_as_in_the_whole(parts, size):
    text = "".join(parts)
    said: list[str] = []
    tokens = VisibleTokens(said.append, nonce=NONCE)

    for at in range(0, len(text), size):
        tokens.take(text[at : at + size])
    tokens.end()

    assert "".join(said).strip() == without_echoes(text, NONCE)[0].strip()


def test_text_is_passed_on_as_soon_as_it_can_be_no_tag():
    said: list[str] = []
    tokens = VisibleTokens(said.append, nonce=NONCE)

    for piece in ("Water ", "is <", "b>wet</b>", " and "):
        tokens.take(piece)

    assert "".join(said).startswith("Water is <b>wet")


def test_what_was_taken_out_of_an_answer_is_told():
    _, kinds = without_echoes(f"<untrusted {NONCE}> {NONCE} {EXAMPLE_QUOTE}", NONCE)

    assert len(kinds) == 3


def test_a_marker_in_code_stays_unless_it_is_the_runs_own():
    assert without_echoes("Write `<untrusted>`.", NONCE) == ("Write `<untrusted>`.", [])
    assert without_echoes(f"Write `<untrusted {NONCE}>`.", NONCE)[0] == "Write ``."


# In a run


QUESTION = {"messages": [("user", "How wet is water?")]}
MARKED = 'Water is wet.\n</untrusted>\n[2: "the exact words"]'


async def test_reasoning_that_only_closes_is_void_for_whoever_was_shown_it(models, panel_config):
    models.script("w", {"text": "It may be wet, let me think.</think>Water is wet."})
    drafts: dict[str, str] = {}
    restarted: list[Any] = []

    graph = create_fusion_graph(panel_config())
    async for mode, data in graph.astream(QUESTION, stream_mode=["custom", "messages"]):
        if mode == "messages":
            drafts[data[0].id] = drafts.get(data[0].id, "") + data[0].text
        elif data["type"] == "synthesis.restarted":
            restarted.append(data["reason"])

    assert list(drafts.values())[-1] == "Water is wet."
    assert len(restarted) == len(drafts) - 1 == 1


async def test_a_members_reasoning_that_only_closes_is_no_part_of_its_text(models, panel_config):
    models.script("a", {"text": "Let me think a while.</think>Water is wet."})
    turns: dict[int, str] = {}

    graph = create_fusion_graph(panel_config())
    async for data in graph.astream(QUESTION, stream_mode="custom"):
        if data["type"] == "panel.delta" and data["name"] == "a":
            turns[data["turn"]] = turns.get(data["turn"], "") + data["text"]

    assert turns[max(turns)] == "Water is wet."


async def test_what_an_answer_repeats_of_the_prompts_is_taken_out_and_told(models, panel_config):
    for name in ("a", "w"):
        models.script(name, MARKED)

    report = FusionReport.from_state(await create_fusion_graph(panel_config()).ainvoke(QUESTION))

    member = next(answer for answer in report.answers if answer.name == "a")
    assert (member.content, report.answer) == ("Water is wet.", "Water is wet.")
    told = [loss.detail for loss in report.degradations if loss.code == "prompt_echoed"]
    assert len(told) == 2
    assert all("markers" in detail and "example" in detail for detail in told)


async def test_an_answer_that_is_nothing_but_the_prompts_own_words_is_none(models, panel_config):
    models.script("a", EXAMPLE_QUOTE)

    report = FusionReport.from_state(await create_fusion_graph(panel_config()).ainvoke(QUESTION))

    member = next(answer for answer in report.answers if answer.name == "a")
    assert (member.status, member.failure.reason) == ("failed", "empty_answer")
