"""`fusion-graph code`: Python code from the panel, chosen by running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from fusion_graph.cli.app import Work, app
from fusion_graph.cli.ask import check_page, configuration
from fusion_graph.cli.exits import ANSWERED, NO_ANSWER
from fusion_graph.cli.options import (
    RUN,
    CorpusOption,
    DebugOption,
    JsonOption,
    JudgeOption,
    MaxCostOption,
    MaxToolCallsOption,
    PanelOption,
    PresetOption,
    QuestionArgument,
    QuietOption,
    ReportOption,
    SearchOption,
)
from fusion_graph.cli.question import read_question
from fusion_graph.cli.running import Output, show
from fusion_graph.errors import ConfigurationError

LANGUAGES = ("python",)


@dataclass(frozen=True)
class CodeRequest:
    """What was asked for on the command line.

    Attributes:
        question: Its words, or `-` for standard input.
        tests: File of the tests that the code has to pass; None for none.
        language: The code's language.
        unconfined: Whether code may run without bubblewrap.
        options: `FusionConfig` fields by name; None where an option was not given.
        output: How the run is to be shown.
    """

    question: str | Sequence[str]
    tests: str | None
    language: str
    unconfined: bool
    options: Mapping[str, Any]
    output: Output = field(default_factory=Output)


def code(request: CodeRequest) -> int:
    """Have the panel write code, and print the answer whose code did best. Returns the exit code.

    Raises:
        ConfigurationError: An option, the tests or the preset cannot work.
        SandboxUnavailable: Code cannot be confined here, and `--unconfined` was not given.
        EmptyQuestion: There is no question.
        FusionError, OutputFailed: As `show`.
    """
    if request.language not in LANGUAGES:
        raise ConfigurationError(
            f"--language is {request.language}.",
            f"Only {', '.join(LANGUAGES)} can be run; `fusion-graph ask` answers for any language.",
        )
    question = str(read_question(request.question).text)
    config = configuration(request.options)
    config |= {"criteria": "code", "invocation": "always", "panel_policy": "full"}
    if "search" not in config:
        config["search"] = "none"
    if request.tests is not None:
        config["tests"] = _read_tests(request.tests)
        # Names and arguments stand there, which the question may leave open.
        question += f"\n\nIt has to pass these tests:\n\n```python\n{config['tests'].strip()}\n```"
    if request.output.page is not None:
        check_page(request.output.page)
    from fusion_graph.faces.follow import follow
    from fusion_graph.graph import create_fusion_graph

    run_code: Any = "unconfined" if request.unconfined else "sandbox"
    graph = create_fusion_graph(config, run_code=run_code)
    chosen: list[bool] = []

    async def events() -> Any:
        async for event in follow(graph, [("user", question)]):
            if event["type"] == "fusion.result":
                chosen.append(bool((event["report"].get("code") or {}).get("best")))
            yield event

    ended = show(partial(events), request.output)
    return ended if ended != ANSWERED or any(chosen) else NO_ANSWER


def _read_tests(name: str) -> str:
    from fusion_graph.coding import suite_of

    try:
        text = Path(name).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(
            f"--tests: {name} cannot be read ({why}).",
            "Give a file of Python tests, such as `assert double(2) == 4`.",
        ) from None
    try:
        suite_of(text)
    except ConfigurationError as error:
        problem = error.problem.removeprefix("tests: ")
        raise ConfigurationError(f"--tests {name}: {problem}", error.remedy) from None
    return text


@app.command("code")
def _code(
    words: QuestionArgument = None,
    tests: Annotated[
        str | None,
        typer.Option(
            "--tests",
            metavar="FILE",
            rich_help_panel=RUN,
            help="Python tests that the code has to pass: asserts, test functions or TestCases.",
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            "--language", metavar="NAME", rich_help_panel=RUN, help="The language: python."
        ),
    ] = "python",
    unconfined: Annotated[
        bool,
        typer.Option(
            "--unconfined",
            rich_help_panel=RUN,
            help="Run the models' code as you, without bubblewrap around it.",
        ),
    ] = False,
    preset: PresetOption = None,
    panel: PanelOption = None,
    judge: JudgeOption = None,
    corpus: CorpusOption = None,
    search: SearchOption = None,
    max_tool_calls: MaxToolCallsOption = None,
    max_cost: MaxCostOption = None,
    as_json: JsonOption = False,
    page: ReportOption = None,
    quiet: QuietOption = False,
    _debug: DebugOption = False,
) -> Work:
    """Have the panel write Python code, and choose it by running it.

    Each member's code runs in a sandbox, against your tests and those that the other members
    propose. Yours are a veto: code that fails one is never handed over. Members are asked once to
    mend what fails, and the best answer is printed as it stands, never a blend of several.

    [bold]Examples[/bold]

    fusion-graph code "Write slug(title): lower case, words joined by hyphens"
    fusion-graph code --tests test_slug.py "Write slug(title) as the tests ask" > answer.md
    fusion-graph code --json --quiet "…" | jq .code.candidates

    [bold]Exit codes[/bold]

    0 code was chosen
    2 wrong usage or configuration, or no sandbox
    3 no panelist answered, or no code passes
    130 interrupted
    """
    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "max_cost_usd": max_cost,
    }
    output = Output(as_json, quiet, page)
    request = CodeRequest(words or (), tests, language, unconfined, options, output)
    return lambda: code(request)
