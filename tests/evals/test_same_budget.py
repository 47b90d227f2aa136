"""One member alone with the panel's tokens: how many samples and revisions that is, and of what."""

from __future__ import annotations

import json

import pytest

from fusion_graph.errors import ConfigurationError
from fusion_graph.evals._same_budget import (
    REVISE,
    Tokens,
    pays_a_revision,
    samples_within,
    tokens,
)
from fusion_graph.evals.arms import open_arms
from tests.conftest import VERDICT
from tests.evals.evaluations import counts, evaluate, question_file, stack_file

ONE_ANSWER = {"prompt_tokens": 100, "completion_tokens": 20}
BUDGET = 3 * 120 + 440 + 560
"""What the panel below takes: three answers, a judge and a writer."""

BEGINNING = REVISE[:40]


@pytest.fixture
def stack(models, tmp_path):
    judged = {
        "text": json.dumps(VERDICT),
        "usage": {"prompt_tokens": 660, "completion_tokens": 40},
    }
    for name in "abc":
        text = f"Water is wet. Says {name}."
        models.script(
            name, {"text": text, "usage": ONE_ANSWER, "when_contains": {"Answer B:": judged}}
        )
    usage = {"prompt_tokens": 400, "completion_tokens": 40}
    models.script("j", {"text": json.dumps(VERDICT), "usage": usage})
    models.script("w", {"text": "Wet.", "usage": {"prompt_tokens": 500, "completion_tokens": 60}})
    return stack_file(models, tmp_path)


# How it is spent


def test_samples_are_as_many_as_fit_with_their_judge_by_hand():
    sample, judge = Tokens(100, 20), Tokens(400, 40)

    # N x (120 + 400 / 3) + 40: 1306.7 for five, 1560 for six.
    assert samples_within(1360, sample, judge, 3) == 5
    assert samples_within(1559, sample, judge, 3) == 5
    assert samples_within(1560, sample, judge, 3) == 6
    assert samples_within(546, sample, judge, 3) == 1
    assert samples_within(547, sample, judge, 3) == 2


def test_without_a_judge_in_the_panel_samples_are_counted_by_themselves():
    assert samples_within(360, Tokens(100, 20), Tokens(0, 0), 0) == 3
    assert samples_within(0, Tokens(100, 20), Tokens(0, 0), 0) == 1
    assert samples_within(10**9, Tokens(1, 1), Tokens(0, 0), 0) == 16


def test_a_revision_is_foreseen_to_read_what_was_written_and_take_what_the_last_turn_took():
    turns = [Tokens(100, 20), Tokens(150, 30)]

    assert pays_a_revision(300 + 210, turns)
    assert not pays_a_revision(300 + 209, turns)
    assert not pays_a_revision(10**9, [Tokens(0, 0)] * 16)


# Names


def test_the_same_budget_is_two_arms_and_each_can_be_asked_for_by_itself(stack):
    arms = open_arms([stack, f"{stack}:same-budget"])

    assert [arm.name.removeprefix(stack) for arm in arms] == [
        "",
        ":same-budget:samples",
        ":same-budget:revision",
    ]
    assert [arm.kind for arm in arms] == ["panel", "samples", "revision"]
    assert open_arms([arm.name for arm in arms]) == arms
    (_, of_b) = open_arms([stack, f"{stack}:same-budget:revision:b"])
    assert [member.model for member in of_b.settings.panel] == ["scripted:b"]


def test_a_budget_that_nobody_measures_is_refused_and_says_what_to_add(stack):
    with pytest.raises(ConfigurationError, match=r"Add .*s\.toml to --arms"):
        open_arms([f"{stack}:same-budget"])
    with pytest.raises(ConfigurationError, match="has no panelist 'z'"):
        open_arms([stack, f"{stack}:same-budget:samples:z"])


def test_programs_that_can_neither_judge_nor_revise_are_refused():
    with pytest.raises(ConfigurationError, match="an extractive program"):
        open_arms(["offline,offline:same-budget"])


def test_a_panel_without_its_check_is_the_panel_but_for_that(models, tmp_path):
    stack = stack_file(models, tmp_path, verify="repair", fallbacks=["scripted:f"])

    whole, unchecked = open_arms([stack, f"{stack}:no-verify"])

    assert (whole.configuration.verify, unchecked.configuration.verify) == ("repair", "off")
    assert unchecked.configuration.fallbacks == ["scripted:f"]
    assert unchecked.settings.panel == whole.settings.panel


# Answers


async def test_one_member_gets_the_panel_s_tokens_and_shares_its_first_answer(
    models, stack, tmp_path
):
    outcome = await evaluate(tmp_path, [stack, f"{stack}:same-budget"], question_file(tmp_path, 1))

    took = {
        item.arm.name.removeprefix(stack): tokens(item.answer.calls).all for item in outcome.marked
    }
    assert took == {
        "": BUDGET,
        ":same-budget:samples": 5 * 120 + 700,  # five answers, and itself as their judge
        ":same-budget:revision": 11 * 120,
    }
    assert max(took.values()) == BUDGET
    # a: once for the panel, which is also its first sample and its first turn.
    assert counts(models) == {"a": 1 + 4 + 1 + 10, "b": 1, "c": 1, "j": 1, "w": 1}
    assert [item.answer.arm for item in outcome.marked] == [
        item.arm.name for item in outcome.marked
    ]
    assert [item.answer.text for item in outcome.marked][1:] == ["Water is wet. Says a."] * 2


async def test_a_revision_reads_its_own_answer_and_is_told_to_review_it(models, stack, tmp_path):
    await evaluate(tmp_path, [stack, f"{stack}:same-budget:revision"], question_file(tmp_path, 1))

    turns = [call.body["messages"] for call in models.calls("a")]
    conversations = [[m for m in turn if m["role"] in ("user", "assistant")] for turn in turns]
    longest = max(conversations, key=len)
    assert [m["role"] for m in longest] == ["user", *["assistant", "user"] * 10]
    assert "How wet is water?" in str(longest[0]["content"])
    assert "Says a." in str(longest[1]["content"])
    assert all(BEGINNING in str(m["content"]) for m in longest[2::2])
    assert all("How wet is water?" in str(m["content"]) for m in longest[2::2])


async def test_where_a_revision_fails_the_answer_before_it_stands(models, stack, tmp_path):
    models.script(
        "a",
        {
            "text": "Water is wet. Says a.",
            "usage": ONE_ANSWER,
            "when_contains": {BEGINNING: {"status": 400, "error": {"message": "No more."}}},
        },
    )
    outcome = await evaluate(
        tmp_path, [stack, f"{stack}:same-budget:revision"], question_file(tmp_path, 1)
    )

    revised = outcome.marked[1].answer
    assert revised.text == "Water is wet. Says a."
    assert "panelist_failed" in revised.degradations
    assert revised.failure == ""


@pytest.mark.slow
async def test_asked_again_nothing_of_it_is_paid_twice(models, stack, tmp_path):
    arms, dataset = [stack, f"{stack}:same-budget"], question_file(tmp_path, 2)
    first = await evaluate(tmp_path, arms, dataset)
    asked = counts(models)

    again = await evaluate(tmp_path, arms, dataset)

    assert counts(models) == asked
    assert [item.answer for item in again.marked] == [item.answer for item in first.marked]
