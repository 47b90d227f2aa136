"""Runs that last: killed and resumed, capped, marked by a grader, and nothing paid twice."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest

from fusion_graph.errors import CapReached, GraderUnavailable
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.store import Store
from tests import commands
from tests.evals import killing
from tests.evals.evaluations import (
    GRADER,
    PRICES,
    counts,
    evaluate,
    question_file,
    script,
    stack_file,
)

ARMS = ("", ":solo:a", ":self")
QUESTIONS = 4
NEEDED = {"a": 8, "b": 4, "c": 4, "j": 8, "w": 8}
"""Calls that the evaluation takes: a answers anew for self-fusion, which has a judge of its own."""

IN_FLIGHT = 4 * 3
"""Most calls under way at once: four answers, each with a panel of three."""

RESULTS = ("answers.jsonl", "seconds.jsonl", "results.json", "summary.md", "summary.html")


def command(stack: str, dataset: str, out: Path, *more: str) -> list[str]:
    arms = ",".join(f"{stack}{how}" for how in ARMS)
    return ["eval", "--dataset", dataset, "--arms", arms, "--out", str(out), *more]


def finish(given: list[str]) -> None:
    ended = commands.run_here(*given)
    assert ended.code == 0, ended.err


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in RESULTS}


def stored(out: Path) -> Counter[str]:
    """Calls by model that the store of a run holds."""
    found = (call["model"].partition(":")[2] for call in Store(out / "store").calls())
    return Counter(found)


@pytest.mark.slow
def test_a_killed_run_goes_on_without_making_a_kept_call_again(models, tmp_path):
    script(models, delay=0.03)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, QUESTIONS)
    whole = tmp_path / "whole"
    finish(command(stack, dataset, whole))
    assert counts(models) == NEEDED

    for arrived in (7, 25):
        out, before = tmp_path / str(arrived), len(models.calls())
        process = commands.start(*command(stack, dataset, out))
        models.calls(arrived=before + arrived)
        process.kill()
        made = models.calls(ended=len(models.calls()))[before:]
        kept = stored(out)
        finish(command(stack, dataset, out))
        again = Counter(call.model for call in models.calls()[before + len(made) :])

        assert again == Counter(NEEDED) - kept
        assert len(made) - kept.total() <= IN_FLIGHT
        assert (out / "answers.jsonl").read_bytes() == (whole / "answers.jsonl").read_bytes()

    first, before = contents(out), len(models.calls())
    finish(command(stack, dataset, out))
    assert contents(out) == first
    assert len(models.calls()) == before


# The benchmark `eval_kills` does this at every one of the calls.
KILLS = [
    ("j", 1),
    *(pytest.param(*at, marks=pytest.mark.slow) for at in (("a", 2), ("b", 6), ("w", 2), ("g", 2))),
]


@pytest.mark.parametrize(("model", "number"), KILLS)
def test_no_finished_call_is_made_again_wherever_a_run_is_killed(models, tmp_path, model, number):
    killing.script(models, None)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    killing.finish(killing.command(models, tmp_path, whole))
    assert counts(models) == killing.CALLS

    made = killing.killed(models, tmp_path, out, killing.Point(model, number))

    assert made == Counter(killing.CALLS) + Counter([model])  # the one that hung
    assert (out / "answers.jsonl").read_bytes() == (whole / "answers.jsonl").read_bytes()
    assert killing.figures(out) == killing.figures(whole)


def test_what_a_dying_process_left_half_written_is_no_record(models, tmp_path):
    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 1)
    out = tmp_path / "out"
    finish(command(stack, dataset, out))
    records = sorted((out / "store").rglob("*.json"))
    first = contents(out)

    for record in records[::2]:
        whole = record.read_text("utf-8")
        record.with_suffix(".unfinished").write_text(whole[: len(whole) // 2], "utf-8")
    finish(command(stack, dataset, out))

    assert sorted((out / "store").rglob("*.json")) == records
    assert contents(out) == first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a running process's files")
def test_a_disk_that_fills_up_costs_no_figure_and_is_told(models, tmp_path):
    import resource

    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 1)
    whole, out = tmp_path / "whole", tmp_path / "out"
    shown = commands.run_here(*command(stack, dataset, whole)).out
    before = len(models.calls())
    models.script("j", {"clock": 1, "text": "{}"})
    process = commands.start(*command(stack, dataset, out))
    models.calls("j", arrived=1 + sum(call.model == "j" for call in models.calls()[:before]))
    # As on a full disk: every file may be as large as it is, and no larger.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, 1))
    script(models)
    models.set_clock(1)
    done = process.wait()

    assert len(done.out.splitlines()) == len(shown.splitlines()) > len(ARMS)
    assert "pieces of finished work could not be kept" in done.err
    assert "the figures stand on standard output" in done.err
    assert done.code == 1
    assert "Traceback" not in done.err


@pytest.mark.slow
def test_results_are_the_same_bytes_however_many_answers_are_worked_on_at_once(models, tmp_path):
    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, QUESTIONS)
    out = tmp_path / "out"
    finish(command(stack, dataset, out, "--concurrency", "1"))
    first = contents(out)

    finish(command(stack, dataset, out, "--concurrency", "16", "--max-cost", "9"))

    assert contents(out) == first


async def test_more_questions_and_more_arms_pay_only_for_what_is_new(models, tmp_path):
    script(models)
    stack = stack_file(models, tmp_path)
    await evaluate(tmp_path, [stack], question_file(tmp_path, 2))
    assert counts(models) == {"a": 2, "b": 2, "c": 2, "j": 2, "w": 2}

    await evaluate(tmp_path, [stack, f"{stack}:solo"], question_file(tmp_path, 3))

    assert counts(models) == {"a": 3, "b": 3, "c": 3, "j": 3, "w": 3}


async def test_another_setting_of_a_panelist_is_another_answer(models, tmp_path):
    script(models)
    dataset = question_file(tmp_path, 1)
    await evaluate(tmp_path, [stack_file(models, tmp_path)], dataset)

    await evaluate(tmp_path, [stack_file(models, tmp_path, temperature=0.5)], dataset)
    assert counts(models)["a"] == 2
    assert counts(models)["j"] == 1  # it is shown the same: the answers came out alike

    await evaluate(tmp_path, [stack_file(models, tmp_path, criteria="safety")], dataset)
    assert counts(models)["a"] == 2
    assert counts(models)["j"] == 2


# The cap


@pytest.mark.slow
async def test_a_cap_stops_before_it_is_passed_by_more_than_what_was_under_way(models, tmp_path):
    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 10)
    each = sum(PRICES.values())

    outcome = await evaluate(tmp_path, [stack], dataset, cap=4.5 * each, concurrency=2)

    assert isinstance(outcome.stopped, CapReached)
    spent = sum(call["cost_usd"] or 0 for call in Store(tmp_path / "store").calls())
    assert 4.5 * each <= spent <= 4.5 * each + 2 * each
    assert 0 < len(outcome.marked) < 10
    assert sum(PRICES[name] * n for name, n in counts(models).items()) == pytest.approx(spent)

    outcome = await evaluate(tmp_path, [stack], dataset, cap=4.5 * each)
    assert sum(PRICES[name] * n for name, n in counts(models).items()) == pytest.approx(spent)

    outcome = await evaluate(tmp_path, [stack], dataset)
    assert outcome.stopped is None
    assert len(outcome.marked) == 10
    assert counts(models) == dict.fromkeys("abcjw", 10)


async def test_a_cap_that_is_enough_stops_nothing(models, tmp_path):
    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 3)

    outcome = await evaluate(tmp_path, [stack], dataset, cap=3.1 * sum(PRICES.values()))

    assert outcome.stopped is None
    assert len(outcome.marked) == 3


# The grader


def graded(name: str = "g") -> GraderSettings:
    return GraderSettings(model=f"scripted:{name}", passes=2)


async def test_verdicts_are_kept_and_the_marks_are_the_same_when_they_are_read_again(
    models, tmp_path
):
    script(models)
    models.script("g", {"text": '{"verdict": "CORRECT"}', "cost": 0.01})
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 2, reference="Wet.")

    first = await evaluate(tmp_path, [stack], dataset, grader=graded())
    assert counts(models)["g"] == 4

    second = await evaluate(tmp_path, [stack], dataset, grader=graded())
    assert counts(models)["g"] == 4
    assert second.marked == first.marked
    assert sum(len(item.grade.calls) for item in second.marked) == 4


async def test_another_grader_s_verdicts_are_never_read(models, tmp_path):
    script(models)
    for name in "gh":
        models.script(name, '{"verdict": "CORRECT"}')
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 1, reference="Wet.")

    await evaluate(tmp_path, [stack], dataset, grader=graded("g"))
    outcome = await evaluate(tmp_path, [stack], dataset, grader=graded("h"))

    assert counts(models)["h"] == 2
    assert outcome.marked[0].grade.grader["model"] == "scripted:h"


async def test_a_grader_that_did_not_answer_is_asked_again_the_next_time(models, tmp_path):
    script(models)
    models.script("g", {"status": 400}, {"text": '{"verdict": "CORRECT"}'})
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 1, reference="Wet.")

    first = await evaluate(tmp_path, [stack], dataset, grader=GRADER)
    second = await evaluate(tmp_path, [stack], dataset, grader=GRADER)

    assert first.marked[0].grade.passes[0][0].met is None
    assert second.marked[0].grade.passes[0][0].met is True
    assert counts(models) == {"a": 1, "b": 1, "c": 1, "g": 2, "j": 1, "w": 1}


async def test_a_grader_that_cannot_be_asked_stops_the_run_and_the_answers_are_kept(
    models, tmp_path
):
    script(models)
    models.script("g", {"status": 402})
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 1, reference="Wet.")

    with pytest.raises(GraderUnavailable):
        await evaluate(tmp_path, [stack], dataset)
    models.script("g", '{"verdict": "INCORRECT"}')
    await evaluate(tmp_path, [stack], dataset)

    assert counts(models)["w"] == 1


async def test_code_in_answers_is_run_once_and_its_verdict_kept(models, tmp_path):
    script(models)
    models.script("w", "```python\ndef f(x):\n    return 2 * x\n```")
    models.script("a", "```python\ndef f(x):\n    return 3 * x\n```")
    stack = stack_file(models, tmp_path)
    dataset = question_file(tmp_path, 1, tests="assert f(2) == 4")

    first = await evaluate(tmp_path, [stack, f"{stack}:solo:a"], dataset)
    second = await evaluate(tmp_path, [stack, f"{stack}:solo:a"], dataset)

    met = [item.grade.passes[0][0].met for item in first.marked]
    assert met == [True, False]
    assert [item.grade for item in second.marked] == [item.grade for item in first.marked]
