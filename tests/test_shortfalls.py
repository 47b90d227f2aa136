"""What is told of an answer that is a stub, or that speaks of what its reader never saw."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from fusion_graph.nodes.shortfalls import shortfalls

LONG = "Water is wet because it clings to what it touches. " * 12


def codes(question: str, text: str, *answers: str) -> list[str]:
    survivors: Any = [
        {"label": label, "name": f"model {label}", "content": answer}
        for label, answer in zip("ABC", answers, strict=False)
    ]
    return [loss["code"] for loss in shortfalls(question, text, survivors)]


def test_a_line_beside_whole_answers_is_a_stub():
    assert codes("How wet is water?", "Here is the final answer.", LONG, LONG) == ["answer_stub"]


@pytest.mark.parametrize(
    ("question", "text", "answers"),
    [
        ("How wet is water?", "Very.", (LONG, "Very.")),
        ("Answer in one word: how wet is water?", "Very.", (LONG, LONG)),
        ("Is water wet? Yes or no.", "Yes.", (LONG, LONG)),
        ("How wet is water?", "Water is as wet as can be. " * 5, (LONG, LONG)),
        ("How wet is water?", "Very.", ("Quite wet.", "Rather wet.")),
        ("How wet is water?", "", (LONG, LONG)),
    ],
)
def test_an_answer_that_may_be_short_is_no_stub(question, text, answers):
    assert codes(question, text, *answers) == []


def test_a_label_that_no_reader_knows_is_told_unless_the_question_has_it():
    assert codes("How wet?", "As Answer B says, very.", "Very.", "Quite.") == ["labels_mentioned"]
    assert codes("Is Answer B right?", "Answer B is right.", "Yes.", "No.") == []
    assert codes("How wet?", "The answer is A.", "Very.", "Quite.") == []


BACK = "Do not use quotes that were altered or not found on their\npage: go by what is there."
OPENED = "The panel's work on the request above.\n\nWater is wet."


@pytest.mark.parametrize("text", [BACK, OPENED])
def test_instructions_said_back_are_told_unless_somebody_else_said_them_first(text):
    assert codes("How wet?", text, "Very.", "Quite.") == ["instructions_repeated"]
    assert codes(f"Who wrote this? {text}", text, "You.", "They.") == []
    assert codes("How wet?", text, text, "Quite.") == []


def test_words_that_the_instructions_share_with_any_answer_are_not_told():
    text = "Two of three say that water is wet; where they disagree, one rests on a list."
    assert codes("How wet?", text, "Very.", "Quite.") == []


async def test_a_stub_is_in_the_report_of_a_run(models, panel_config):
    for name in "abc":
        models.script(name, LONG)
    models.script("w", "Here is the final answer.")

    state = await create_fusion_graph(panel_config()).ainvoke(
        {"messages": [("user", "How wet is water?")]}
    )

    report = FusionReport.from_state(state)
    assert [loss.code for loss in report.degradations] == ["answer_stub"]
