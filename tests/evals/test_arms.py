"""Arms: what their names mean, and that what they share is asked and paid once."""

from __future__ import annotations

import json

import pytest

from fusion_graph.errors import ArmUnavailable, ConfigurationError, MissingKey
from fusion_graph.evals._answering import elapsed
from fusion_graph.evals._draco import BLOCKED_PAGES
from fusion_graph.evals._scoring import score
from fusion_graph.evals.arms import open_arms
from fusion_graph.evals.tallies import STRICT
from tests.evals.evaluations import counts, evaluate, question_file, script, stack_file


def panel(arm) -> list[str]:
    return [member.model for member in arm.settings.panel]


@pytest.fixture
def stack(models, tmp_path):
    script(models)
    return stack_file(models, tmp_path)


# Names


def test_each_form_of_a_name_asks_whom_it_says(stack):
    names = ["", ":no-judge", ":self", ":best-of-3", ":solo:b", ":solo"]
    arms = open_arms([",".join(f"{stack}{name}" for name in names[:5])])

    assert [arm.kind for arm in arms] == ["panel", "no-judge", "self", "best-of", "solo"]
    a, b, c = "scripted:a", "scripted:b", "scripted:c"
    assert [panel(arm) for arm in arms] == [[a, b, c], [a, b, c], [a, a], [a, a, a], [b]]
    assert [arm.repetitions for arm in arms] == [[0, 0, 0], [0, 0, 0], [0, 1], [0, 1, 2], [0]]
    assert [panel(arm) for arm in open_arms([f"{stack}:solo"])] == [[a], [b], [c]]


def test_an_arm_can_be_asked_for_by_the_name_it_was_given(stack):
    arms = open_arms([stack, f"{stack}:solo", f"{stack}:self", f"{stack}:best-of-2"])

    assert open_arms([arm.name for arm in arms]) == arms


def test_a_model_alone_gets_the_tools_and_limits_of_the_first_stack(models, tmp_path):
    stack = stack_file(models, tmp_path, max_tool_calls=3, temperature=0.5)

    arm = open_arms(["scripted:z", stack])[0]

    assert (arm.kind, panel(arm)) == ("solo", ["scripted:z"])
    settings = arm.settings
    assert (settings.search, settings.max_tool_calls, settings.temperature) == ("none", 3, 0.5)
    assert "scripted" in settings.providers


def test_a_panel_of_one_model_twice_has_one_solo_arm_and_two_answers(models, tmp_path):
    stack = stack_file(models, tmp_path, panel=["scripted:a", "scripted:a"])

    both, solo = open_arms([stack, f"{stack}:solo"])

    assert both.repetitions == [0, 1]
    assert panel(solo) == ["scripted:a"]


def test_an_arm_is_its_stack_but_for_what_would_make_it_another(models, tmp_path):
    given = {
        "quorum": 3,
        "grace": 1,
        "fallbacks": ["scripted:f"],
        "invocation": "auto",
        "verify": "model",
    }
    stack = stack_file(models, tmp_path, **given)

    def made_with(how: str) -> list:
        (arm,) = open_arms([f"{stack}{how}"])
        settings = arm.configuration
        names = ("quorum", "fallbacks", "invocation", "verify")
        assert settings.grace == 3600
        assert arm.described()["settings"]["grace"] == 3600
        return [getattr(settings, name) for name in names]

    assert made_with("") == [3, ["scripted:f"], "auto", "model"]
    assert made_with(":no-judge") == [3, ["scripted:f"], "always", "model"]
    assert made_with(":self") == [None, [], "always", "model"]
    assert made_with(":best-of-2") == [None, [], "always", "code"]
    assert made_with(":solo:a") == [None, [], "always", "code"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nonsuch", "There is no preset 'nonsuch'"),
        ("offline,offline", "names offline twice"),
        ("offline:best-of-1", "asks for 1 answers"),
        ("offline:best-of-99", "Give 2 to 16"),
        ("offline:solo:nobody", "It has keyword, figures, central"),
        ("offline,nobody:model", "nobody:model"),
        (" , ", "names nobody"),
    ],
)
def test_a_name_that_means_nothing_is_refused_and_says_what_would_be_right(given, says):
    with pytest.raises(ConfigurationError) as caught:
        open_arms([given])
    assert says in str(caught.value)


def test_a_missing_key_is_found_before_anybody_is_asked_and_only_where_it_is_needed(
    models, tmp_path
):
    stack = stack_file(models, tmp_path, judge="openai:gpt-5.5")

    with pytest.raises(MissingKey, match="OPENAI_API_KEY"):
        open_arms([stack])
    assert len(open_arms([f"{stack}:solo", f"{stack}:no-judge"])) == 4


def test_pages_with_draco_s_rubrics_are_kept_from_its_arms():
    plain, guarded = (open_arms(["offline"], draco=draco)[0] for draco in (False, True))

    assert plain.settings.blocked_domains == []
    assert guarded.settings.blocked_domains == list(BLOCKED_PAGES)


# Answers


async def test_arms_that_ask_the_same_panelist_share_its_answer(models, stack, tmp_path):
    names = [stack, *(f"{stack}:{how}" for how in ("solo", "no-judge", "self", "best-of-3"))]

    outcome = await evaluate(tmp_path, names, question_file(tmp_path, 1))

    assert len(outcome.marked) == 7
    # a: once for everybody, once more for self, twice more for the best of three.
    assert counts(models) == {"a": 3, "b": 1, "c": 1, "j": 3, "w": 3}
    spent = {item.arm.name.removeprefix(stack): len(item.answer.calls) for item in outcome.marked}
    assert spent[""] == 5
    assert spent[":no-judge"] == 4
    assert spent[":self"] == 4
    assert spent[":best-of-3"] == 4
    assert spent[":solo:a"] == 1


async def test_a_solo_answer_is_the_panelist_s_own_and_a_panel_s_the_writer_s(
    models, stack, tmp_path
):
    outcome = await evaluate(tmp_path, [stack, f"{stack}:solo:a"], question_file(tmp_path, 1))

    texts = [item.answer.text for item in outcome.marked]
    assert texts == ["Water is wet. So says the writer.", "Water is wet. Says a."]


async def test_an_adaptive_arm_asks_two_and_the_third_only_where_they_do_not_agree(
    models, stack, tmp_path
):
    clash = {
        "topic": "t",
        "stances": [{"label": "A", "stance": "x"}, {"label": "B", "stance": "y"}],
    }
    agreed = {"consensus": [{"point": "Wet.", "labels": ["A", "B"], "sources": []}]}
    for name in "ab":
        models.script(name, "Wet.")
    for verdict, third in ((agreed, 0), ({"contradictions": [clash]}, 1)):
        models.script("j", json.dumps(verdict))
        folder = tmp_path / str(third)
        folder.mkdir()
        outcome = await evaluate(folder, [f"{stack}:adaptive"], question_file(folder, 1))

        assert len(models.calls("c")) == third
        assert outcome.marked[0].answer.text == "Water is wet. So says the writer."


async def test_without_a_judge_the_writer_sees_the_answers_and_no_comparison(
    models, stack, tmp_path
):
    await evaluate(tmp_path, [f"{stack}:no-judge"], question_file(tmp_path, 1))

    (call,) = models.calls("w")
    assert models.calls("j") == []
    assert all(words in json.dumps(call.body) for words in ("Says a", "is dry.", "Says c"))
    assert "The judge's comparison" not in json.dumps(call.body)


async def test_with_and_without_a_judge_the_answers_are_read_in_the_same_order(
    models, stack, tmp_path
):
    await evaluate(tmp_path, [stack, f"{stack}:no-judge"], question_file(tmp_path, 4))

    def order(body) -> list[int]:
        text = json.dumps(body)
        return [text.index(words) for words in ("Says a", "is dry.", "Says c")]

    by_question: dict[str, list] = {}
    for call in models.calls("w"):
        question = next(m["content"] for m in call.body["messages"] if m["role"] == "user")
        ranks = sorted(range(3), key=order(call.body).__getitem__)
        by_question.setdefault(question, []).append(ranks)
    assert all(one == other for one, other in by_question.values())


async def test_the_best_of_several_is_the_one_in_most_points_of_the_consensus(
    models, stack, tmp_path
):
    verdict = {
        "consensus": [
            {"point": "Wet.", "labels": ["A", "B"], "sources": []},
            {"point": "Very.", "labels": ["B", "C"], "sources": []},
        ],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [],
    }
    models.script("j", json.dumps(verdict))
    models.script("a", "The wetness is {n}.")

    outcome = await evaluate(tmp_path, [f"{stack}:best-of-3"], question_file(tmp_path, 1))

    (item,) = outcome.marked
    shown = models.calls("j")[0].body["messages"][-1]["content"]
    _, _, after = shown.partition("Answer B:")
    assert item.answer.text in after.partition("Answer C:")[0]
    assert models.calls("w") == []


async def test_a_panelist_that_fails_scores_zero_alone_and_leaves_a_panel_of_the_others(
    models, stack, tmp_path
):
    models.script("a", {"status": 400, "error": {"message": "No such luck."}})

    outcome = await evaluate(
        tmp_path, [stack, f"{stack}:solo:a", f"{stack}:self"], question_file(tmp_path, 2)
    )

    by_arm = {item.arm.name.removeprefix(stack): item for item in outcome.marked}
    solo = by_arm[":solo:a"]
    assert solo.answer.text is None
    assert "No such luck." in solo.answer.failure
    assert score(solo.question, solo.grade, STRICT).score == 0.0
    assert by_arm[":self"].grade.status == "failed"
    assert by_arm[""].grade.status == "graded"
    assert "panelist_failed" in by_arm[""].answer.degradations


@pytest.mark.parametrize("name", ["a", "j", "w"])
async def test_a_model_that_cannot_be_asked_at_all_stops_the_run_and_scores_nobody_zero(
    name, models, stack, tmp_path
):
    models.script(name, {"status": 401})

    with pytest.raises(ArmUnavailable, match=f"scripted:{name}.*auth"):
        await evaluate(tmp_path, [stack], question_file(tmp_path, 3))

    script(models)
    outcome = await evaluate(tmp_path, [stack], question_file(tmp_path, 3))
    assert all(item.grade.status == "graded" for item in outcome.marked)


@pytest.mark.parametrize(("at_once", "seconds"), [(None, 3), (1, 6), (2, 4), (5, 3)])
def test_a_panel_takes_as_long_as_its_slots_do(at_once, seconds):
    assert elapsed([1, 2, 3], at_once) == seconds
