"""`eval`: arms on the same questions."""

from __future__ import annotations

from typing import Annotated

import typer

from fusion_graph.cli.commands.app import Work, app
from fusion_graph.cli.options import OUTPUT, RUN, STACK

_QUESTIONS, _MARKING = "What is asked", "Who marks"


@app.command("eval")
def _eval(
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="FILE",
            rich_help_panel=_QUESTIONS,
            help="A question set as JSONL, DRACO's test.jsonl, or offline for the bundled one.",
        ),
    ],
    arms: Annotated[
        list[str],
        typer.Option(
            "--arms",
            metavar="ARMS",
            rich_help_panel=STACK,
            help="Who answers, with commas: a preset's name or file; with :solo, :solo:NAME, "
            ":no-judge, :self or :best-of-N behind it; or a model alone, provider:model. The "
            "others are compared with the first.",
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
    fusion-graph eval --dataset mine.jsonl --arms ./mine.toml,./mine.toml:no-judge

    [bold]Exit codes[/bold]

    0 done
    2 wrong usage or configuration, or a model that cannot be asked
    4 stopped at --max-cost; the same command with a higher one goes on
    130 interrupted; the same command goes on
    """
    from fusion_graph.cli.eval import EvaluationRequest, evaluate

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
        quiet=quiet,
    )
    return lambda: evaluate(request)
