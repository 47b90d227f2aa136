"""`fusion-graph eval`: arms answer a question set, and what is shown by it. Stops and resumes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.eval_progress import Bar, open_bar
from fusion_graph.cli.eval_tables import shown
from fusion_graph.cli.exits import ANSWERED
from fusion_graph.cli.interruptible import run_to_end
from fusion_graph.cli.options import (
    OUTPUT,
    RUN,
    STACK,
)
from fusion_graph.errors import ConfigurationError, FusionError, OutputFailed
from fusion_graph.text.phrases import clean

if TYPE_CHECKING:
    from fusion_graph.errors import CapReached
    from fusion_graph.evals.datasets import Dataset
    from fusion_graph.evals.expected_cost import ExpectedCost
    from fusion_graph.evals.output.finished import Evaluation
    from fusion_graph.evals.runner import Outcome, Plan
    from fusion_graph.evals.spending import Spending
    from fusion_graph.evals.store import Store

STOPPED = 4
"""Exit code where the spending cap was reached before the end."""

OFFLINE = "offline"
"""Names the question set that comes with the package, over its bundled corpus."""

STORE = "store"
"""Folder of finished work within the output folder."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What was asked for on the command line.

    Attributes:
        dataset: A file, `offline`, or the name of a published set.
        arms: As given, with commas or one by one.
        grader: `provider:model`; None for the default.
        policy: Name of the policy.
        passes: How often the grader marks each answer; None for the default.
        limit: Only the first so many questions.
        sample: Only so many questions, drawn by the seed.
        seed: Of the sample.
        out: Output folder; None for one named after the question set.
        max_cost: Most US dollars in all, earlier runs in the same folder included.
        concurrency: Answers worked on at once.
        unconfined: Run answers in code without bubblewrap around them.
        record: Add what was found to the user's track record.
        quiet: No progress.
    """

    dataset: str
    arms: Sequence[str]
    grader: str | None = None
    policy: str = "openrouter"
    passes: int | None = None
    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    out: str | None = None
    max_cost: float | None = None
    concurrency: int = 4
    unconfined: bool = False
    record: bool = False
    quiet: bool = False


def evaluate(request: EvaluationRequest) -> int:
    """Run an evaluation, or the rest of one, and print what it shows. Returns the exit code.

    Raises:
        ConfigurationError: The question set, an arm or an option cannot work; nothing is paid.
        ArmUnavailable, GraderUnavailable: A model cannot be asked; what was finished is kept.
        OutputFailed: The results could not be written.
    """
    from fusion_graph.evals.datasets import select
    from fusion_graph.evals.expected_cost import expected_cost
    from fusion_graph.evals.spending import Spending
    from fusion_graph.evals.store import Store

    dataset = _dataset(request.dataset)
    questions = select(
        dataset.questions, limit=request.limit, sample=request.sample, seed=request.seed
    )
    plan = _plan(request, dataset, questions)
    folder = Path(request.out or f"eval-{Path(request.dataset).stem}")
    store = Store(folder / STORE)
    spending = Spending(request.max_cost, store.calls())
    expected = expected_cost(plan)
    bar = open_bar(spending, None if expected.unknown else expected.likely, quiet=request.quiet)
    bar.note(_expected(expected, request.max_cost, len(plan.questions) * len(plan.arms)))
    bar.tell(0, len(plan.questions) * len(plan.arms))
    outcome = _carried_out(plan, store, spending, bar, folder)
    if outcome.stopped is not None:
        bar.note(_stopped(outcome.stopped, outcome, len(plan.arms)))
        return STOPPED
    evaluation = _evaluation(request, dataset, plan, outcome)
    # Before the files: a disk may be full.
    write_out(shown(evaluation))
    if request.record:
        bar.note(_recorded(evaluation))
    _write(folder, evaluation)
    bar.note(f"results: {folder / 'summary.html'}, summary.md, results.json, answers.jsonl")
    return ANSWERED


def _dataset(given: str) -> Dataset:
    """The question set of that name, or of that file.

    Raises:
        ConfigurationError: There is none, or its package is not installed.
    """
    from fusion_graph.evals.datasets import dataset_of, read_dataset
    from fusion_graph.evals.published import PUBLISHED, read_published

    if given == OFFLINE:
        bundled = resources.files("fusion_graph.evals") / "offline_questions.jsonl"
        return read_dataset(Path(str(bundled)))
    if given in PUBLISHED:
        return dataset_of(read_published(given))
    path = Path(given).expanduser()
    if not path.exists():
        raise ConfigurationError(
            f"--dataset: there is no file {given}.",
            f"Give a JSONL file of questions, {OFFLINE} for the bundled set, or one of "
            f"{', '.join(PUBLISHED)} for a published one.",
        )
    return read_dataset(path)


def _plan(request: EvaluationRequest, dataset: Dataset, questions: Sequence[Any]) -> Plan:
    from fusion_graph.evals.arms import open_arms
    from fusion_graph.evals.grader import GraderSettings
    from fusion_graph.evals.runner import Plan
    from fusion_graph.evals.tallies import POLICIES
    from fusion_graph.sandbox import Limits

    if request.policy not in POLICIES:
        raise ConfigurationError(
            f"--policy is {request.policy}.", f"It is one of {', '.join(POLICIES)}."
        )
    policy = POLICIES[request.policy]
    given: dict[str, Any] = {"model": request.grader, "passes": request.passes}
    grader = GraderSettings(
        rereads=policy.rereads,
        bare_json=policy.bare_json,
        **{k: v for k, v in given.items() if v is not None},
    )
    arms = open_arms(request.arms, draco=dataset.draco)
    plan = Plan(
        questions, arms, grader, request.concurrency, Limits(confined=not request.unconfined)
    )
    try:
        plan.check()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"--grader: {error.problem}",
            "Its answers are to be marked by a model: name one that can be asked with --grader.",
        ) from None
    return plan


def _expected(expected: ExpectedCost, cap: float | None, answers: int) -> str:
    """What the whole will cost, in words, and whether the cap will let it."""
    known = f"${expected.likely:.4f} in all, grading included"
    spread = f"(${expected.low:.4f} to ${expected.high:.4f}); what is kept already costs nothing"
    words = f"{answers} answers, about {known} {spread}"
    if expected.unknown:
        names = ", ".join(map(clean, expected.unknown))
        words = f"{answers} answers, cost unknown: nobody knows the price of {names}"
        if expected.high:
            words += f"; the other models about {known} {spread}"
    if cap is not None and cap < expected.likely:
        words += f"; --max-cost {cap:g} will probably stop it before the end"
    return f"{words}."


def _carried_out(plan: Plan, store: Store, spending: Spending, bar: Bar, folder: Path) -> Outcome:
    from fusion_graph.evals.runner import run

    try:
        outcome = run_to_end(run(plan, store, spending, bar.tell))
        if lost := store.unwritten.records:
            bar.note(
                f"warning: {len(lost)} pieces of finished work could not be kept in {folder} "
                f"({store.unwritten.problem}): they count here, and another run would pay for them "
                "again. Make room."
            )
        return outcome
    except KeyboardInterrupt:
        bar.close()
        bar.note(f"What was finished is kept in {folder}: the same command goes on from there.")
        raise
    except FusionError:
        bar.close()
        raise
    finally:
        bar.close()


def _stopped(cap: CapReached, outcome: Outcome, arms: int) -> str:
    done = len(outcome.marked)
    per_question: dict[str, int] = {}
    for item in outcome.marked:
        per_question[item.question.id] = per_question.get(item.question.id, 0) + 1
    whole = 0
    for count in per_question.values():  # in the order of the questions
        if count < arms:
            break
        whole += 1
    figures = f"; --limit {whole} shows figures of the first {whole} at no cost" if whole else ""
    return (
        f"stopped: --max-cost {cap.cap:g} is reached, ${cap.spent:.4f} spent, {done} of "
        f"{outcome.total} answers marked. Everything is kept: the same command with a higher "
        f"--max-cost goes on{figures}."
    )


def _evaluation(
    request: EvaluationRequest, dataset: Dataset, plan: Plan, outcome: Outcome
) -> Evaluation:
    from fusion_graph.evals.comparison import compare
    from fusion_graph.evals.output.finished import Evaluation
    from fusion_graph.evals.tallies import POLICIES
    from fusion_graph.report.build import versions

    policy = POLICIES[request.policy]
    results = compare(outcome.marked, [arm.name for arm in plan.arms], policy)
    return Evaluation(
        command=command(request, grader=plan.grader.model if plan.wants_grader else None),
        dataset=dataset,
        questions=plan.questions,
        arms=plan.arms,
        grader=plan.grader if plan.wants_grader else None,
        policy=policy,
        marked=outcome.marked,
        results=results,
        versions=dict(versions()),
    )


def command(request: EvaluationRequest, grader: str | None) -> str:
    """The command line that makes the same figures: without what only says how it is run."""
    arms = ",".join(item.strip() for item in request.arms)
    parts = ["fusion-graph", "eval", "--dataset", request.dataset, "--arms", arms]
    options: Mapping[str, Any] = {
        "--grader": grader,
        "--policy": request.policy if grader is not None else None,
        "--passes": request.passes if grader is not None else None,
        "--limit": request.limit,
        "--sample": request.sample,
        "--seed": request.seed if request.sample is not None else None,
    }
    for name, value in options.items():
        if value is not None:
            parts += [name, str(value)]
    if request.unconfined:
        parts.append("--unconfined")
    return shlex.join(parts)


def _write(folder: Path, evaluation: Evaluation) -> None:
    from fusion_graph.evals.output import write_results

    try:
        write_results(folder, evaluation)
    except OSError as error:
        raise OutputFailed(
            f"{folder}: {error.strerror or error}; the figures stand on standard output"
        ) from error


def _recorded(evaluation: Evaluation) -> str:
    """Add the answers to the track record, and say so, or why that was not possible."""
    from fusion_graph.cost.track_record import append, record_file
    from fusion_graph.evals.recorded import entries_of

    entries = entries_of(evaluation.marked, evaluation.results.scores, evaluation.dataset)
    path = record_file()
    try:
        append(entries, path)
    except OSError as error:
        return f"warning: not recorded: {path}: {error.strerror or error}"
    return f"recorded: {len(entries)} answers in {path}; fusion-graph stacks shows them"


_QUESTIONS, _MARKING = "What is asked", "Who marks"


@app.command("eval")
def _eval(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="FILE",
            rich_help_panel=_QUESTIONS,
            help="A question set as JSONL, DRACO's test.jsonl, offline for the bundled one, or "
            "humaneval, fanoutqa or perlfaq from their packages.",
        ),
    ],
    arms: Annotated[
        list[str],
        typer.Option(
            "--arms",
            metavar="ARMS",
            rich_help_panel=STACK,
            help="Who answers, with commas: a preset's name or file; with :solo, :solo:NAME, "
            ":adaptive, :no-judge, :no-verify, :self, :best-of-N or :same-budget behind it; or a "
            "model alone, provider:model. The others are compared with the first.",
        ),
    ],
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            rich_help_panel=_QUESTIONS,
            help="Only the first N questions, of the sample if there is one.",
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            min=1,
            rich_help_panel=_QUESTIONS,
            help="Only N questions, drawn by --seed; a larger sample contains a smaller one.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", min=0, rich_help_panel=_QUESTIONS, help="Of the sample."
        ),
    ] = 0,
    grader: Annotated[
        str | None,
        typer.Option(
            "--grader",
            metavar="MODEL",
            rich_help_panel=_MARKING,
            help="The model that marks what code cannot. Default: OpenRouter's for DRACO.",
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            "--policy",
            metavar="NAME",
            rich_help_panel=_MARKING,
            help="A verdict that cannot be read: openrouter leaves it out, strict counts it "
            "against the answer.",
        ),
    ] = "openrouter",
    passes: Annotated[
        int | None,
        typer.Option(
            "--passes",
            metavar="N",
            min=1,
            rich_help_panel=_MARKING,
            help="How often the grader marks each answer. Default 3.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="DIR",
            rich_help_panel=OUTPUT,
            help="Folder of the results and of all finished work. Default: eval-NAME here.",
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            "--max-cost",
            metavar="USD",
            min=0.0,
            rich_help_panel=RUN,
            help="Most dollars in all, earlier runs in the same folder included.",
        ),
    ] = None,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            max=256,
            rich_help_panel=RUN,
            help="Answers worked on at the same time.",
        ),
    ] = 4,
    unconfined: Annotated[
        bool,
        typer.Option(
            "--unconfined",
            rich_help_panel=_MARKING,
            help="Run answers in code as you, without bubblewrap around them: your files and "
            "network are theirs.",
        ),
    ] = False,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            rich_help_panel=OUTPUT,
            help="Add who was right where, at what cost, to your track record: fusion-graph stacks "
            "shows it.",
        ),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", rich_help_panel=OUTPUT, help="No progress.")
    ] = False,
) -> Work:
    """Find out on your own questions whether a panel beats one model, and at what cost.

    Everything finished is kept: give the same command again after a stop, and nothing is paid
    twice. Panelists' answers are shared between arms.

    [bold]Examples[/bold]

    fusion-graph eval --dataset offline --arms offline,offline:solo
    fusion-graph eval --dataset mine.jsonl --arms budget,budget:solo,openai:gpt-5.5 --max-cost 5
    fusion-graph eval --dataset test.jsonl --arms quality,quality:self --sample 20 --seed 1
    fusion-graph eval --dataset mine.jsonl --arms ./mine.toml,./mine.toml:same-budget

    [bold]Exit codes[/bold]

    0 done
    2 wrong usage or configuration, or a model that cannot be asked
    4 stopped at --max-cost; the same command with a higher one goes on
    130 interrupted; the same command goes on
    """

    request = EvaluationRequest(
        dataset=dataset,
        arms=arms,
        grader=grader,
        policy=policy,
        passes=passes,
        limit=limit,
        sample=sample,
        seed=seed,
        out=out,
        max_cost=max_cost,
        concurrency=concurrency,
        unconfined=unconfined,
        record=record,
        quiet=quiet,
    )
    return lambda: evaluate(request)
