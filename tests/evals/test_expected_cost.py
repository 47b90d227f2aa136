"""What an evaluation is said to cost before it begins, against what it costs."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from fusion_graph.evals.arms import open_arms
from fusion_graph.evals.datasets import read_dataset
from fusion_graph.evals.expected_cost import expected_cost
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.runner import Plan, run
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Store
from tests.conftest import VERDICT
from tests.evals.evaluations import question_file, stack_file

PRICES = {name: {"input": 2.0, "output": 10.0} for name in "abcjwg"}
GRADER = GraderSettings(model="scripted:g", passes=2)


@pytest.fixture
def stack(models, tmp_path):
    """Path of a preset whose models bill by the token."""
    path = stack_file(models, tmp_path)
    lines = ["[providers.scripted.prices]"]
    lines += [
        f"{name} = {{ input = {p['input']}, output = {p['output']} }}" for name, p in PRICES.items()
    ]
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n" + "\n".join(lines))
    for name in "abc":
        models.script(name, f"Water is quite wet, says {name}.")
    models.script("j", json.dumps(VERDICT))
    models.script("w", "Water is wet, all told.")
    models.script("g", '{"verdict": "CORRECT", "justification": "It says wet."}')
    return path


@pytest.mark.parametrize(
    "arms",
    [
        [""],
        [":solo"],
        [":no-judge"],
        [":self"],
        [":best-of-3"],
        ["", ":same-budget"],
        ["", ":solo", ":no-judge", ":no-verify", ":self", ":best-of-3", ":same-budget"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("marked_by", ["grader", "code"])
@pytest.mark.slow
async def test_the_range_holds_what_every_kind_of_arm_costs(stack, tmp_path, arms, marked_by):
    marking = {"reference": "Wet."} if marked_by == "grader" else {}
    questions = read_dataset(question_file(tmp_path, 3, **marking)).questions
    plan = Plan(questions, open_arms([f"{stack}{how}" for how in arms]), GRADER)
    said = expected_cost(plan)
    spending = Spending(None)

    await run(plan, Store(tmp_path / "store"), spending, lambda done, total: None)

    assert not said.unknown
    assert said.low < spending.spent < said.high
    assert said.low < said.likely < said.high


async def test_an_answer_that_arms_share_is_expected_once(stack, tmp_path):
    questions = read_dataset(question_file(tmp_path, 3)).questions

    def likely(*arms: str) -> float:
        return expected_cost(
            Plan(questions, open_arms([f"{stack}{a}" for a in arms]), GRADER)
        ).likely

    assert likely("", ":solo") == pytest.approx(likely(""))
    assert likely(":solo") < likely("")
    assert likely("", ":self") > likely("")


async def test_a_check_by_a_model_is_expected_of_answers_that_a_writer_wrote(stack, tmp_path):
    questions = read_dataset(question_file(tmp_path, 3)).questions

    def likely(how: str) -> float:
        return expected_cost(Plan(questions, open_arms([f"{stack}{how}"]), GRADER)).likely

    hows = ("", ":self", ":no-judge", ":best-of-2", ":solo:a")
    file = Path(stack)
    file.write_text(file.read_text("utf-8").replace('"none"', '"corpus"'), "utf-8")
    before = {how: likely(how) for how in hows}
    file.write_text('verify = "model"\n' + file.read_text("utf-8"), "utf-8")

    assert {how for how in hows if likely(how) > before[how]} == {"", ":self", ":no-judge"}


async def test_a_price_that_nobody_knows_is_named_and_not_counted(models, stack, tmp_path):
    questions = read_dataset(question_file(tmp_path, 1, reference="Wet.")).questions
    arms = open_arms([stack])
    known = expected_cost(Plan(questions, arms, GRADER))

    said = expected_cost(Plan(questions, arms, dataclasses.replace(GRADER, model="scripted:x")))

    assert said.unknown == ("scripted:x",)
    assert 0 < said.likely < known.likely
