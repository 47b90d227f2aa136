"""`fusion-graph ask`: one question, from the command line's words to the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import typer

from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import complain
from fusion_graph.cli.options import (
    OUTPUT,
    RUN,
    AttachOption,
    CorpusOption,
    DebugOption,
    InvocationOption,
    JsonOption,
    JudgeOption,
    MaxCostOption,
    MaxToolCallsOption,
    PanelOption,
    PanelPolicyOption,
    PresetOption,
    QuestionArgument,
    QuietOption,
    ReportOption,
    SearchOption,
    SynthesizerOption,
    ToolOption,
)
from fusion_graph.cli.question import read_question
from fusion_graph.cli.report import STANDARD, check_writable
from fusion_graph.cli.running import Output, show
from fusion_graph.errors import ConfigurationError

OPTIONS = {"max_cost_usd": "max-cost", "run_timeout": "timeout", "tools": "tool"}
"""Options that are not called after their field."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        words: The question's, or `-` for standard input.
        options: `FusionConfig` fields by name; None where an option was not given.
        output: How the run is to be shown.
        thread: Name of the thread that the run belongs to and is kept in; None for none.
        attached: Files that go with the question.
    """

    words: Sequence[str]
    options: Mapping[str, Any]
    output: Output = field(default_factory=Output)
    thread: str | None = None
    attached: Sequence[str] = ()


def ask(request: Request) -> int:
    """Answer a question. Returns the exit code.

    Raises:
        ConfigurationError: An option or the preset cannot work.
        EmptyQuestion: There is no question.
        FusionError, OutputFailed: As `show`.
    """
    config = configuration(request.options)
    if request.output.page is not None:
        check_page(request.output.page)
    if request.output.file is not None:
        check_writable(request.output.file)
    question = read_question(request.words, request.attached)
    # Imported before the event loop runs: there Ctrl-C would wait for the end of the import.
    if request.thread is not None:
        from fusion_graph.faces.threads import Keeping, ask_in_thread

        keeping = Keeping(waiting=complain)
        begin = partial(ask_in_thread, request.thread, config, question, keeping)
        return show(begin, request.output, request.thread, keeping)
    from fusion_graph.faces.follow import follow
    from fusion_graph.graph import create_fusion_graph

    graph = create_fusion_graph(config)
    return show(partial(follow, graph, [question]), request.output)


def check_page(path: str) -> None:
    """Refuse a page that could not be written, before anything is paid for what it tells.

    Raises:
        ConfigurationError: It is standard output, or no file that can be written.
    """
    if path == STANDARD:
        raise ConfigurationError(
            "--report wants a file: standard output is the answer's.",
            "`fusion-graph ask --json … | fusion-graph report -` writes the page there.",
        )
    check_writable(path)


def configuration(options: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that the options ask for, checked as far as it can be without a run.

    Raises:
        ConfigurationError: An option's value is wrong, named by its option; or the preset is
            unknown or cannot be read.
    """
    from fusion_graph.config import FusionConfig
    from fusion_graph.config.presets import load

    fields = {name: value for name, value in options.items() if value is not None}
    if "panel" in fields:
        fields["panel"] = split_models(fields["panel"])
    if "tools" in fields:
        fields["tools"] = named_servers(fields["tools"])
    if "corpus" in fields and fields.setdefault("search", "corpus") != "corpus":
        raise ConfigurationError(
            f"--corpus searches a folder and --search {fields['search']} elsewhere.",
            "Give one of the two.",
        )
    try:
        FusionConfig(**fields)
    except ConfigurationError as error:
        raise ConfigurationError(named_by_option(error.problem), error.remedy) from None
    if "preset" in fields:
        load(fields["preset"])
    return fields


def split_models(given: Sequence[str]) -> list[str]:
    """Model strings from `--panel a:x,b:y --panel c:z`."""
    return [model.strip() for part in given for model in part.split(",")]


def named_servers(given: Sequence[str]) -> dict[str, str]:
    """MCP servers by name from `--tool NAME=COMMAND --tool NAME=URL`.

    Raises:
        ConfigurationError: One has no name, or a name stands for two.
    """
    servers: dict[str, str] = {}
    for one in given:
        name, equals, server = one.partition("=")
        name, server = name.strip(), server.strip()
        if not (name and equals and server):  # not repeated: it may hold a key
            raise ConfigurationError(
                "--tool needs a name and a command or an address.",
                "As in --tool files='npx -y @modelcontextprotocol/server-filesystem .'",
            )
        if name in servers:
            raise ConfigurationError(f"--tool names {name} twice.", "Give each its own name.")
        servers[name] = server
    return servers


def named_by_option(problem: str) -> str:
    """A problem with a field as one with its option: `--max-tool-calls is 99:`."""
    problem = re.sub(r" field 'model' is '[^']*':", "", problem)  # said of a panelist's own field
    match = re.match(r"Field '(\w+)(?:\.\d+|(?<=tools)\.[^']*)?'(.*)", problem)
    if match is None:
        return problem
    option = OPTIONS.get(match[1], match[1].replace("_", "-"))
    return f"--{option}{match[2]}"


@app.command("ask")
def _ask(
    words: QuestionArgument = None,
    preset: PresetOption = None,
    panel: PanelOption = None,
    judge: JudgeOption = None,
    synthesizer: SynthesizerOption = None,
    corpus: CorpusOption = None,
    search: SearchOption = None,
    max_tool_calls: MaxToolCallsOption = None,
    tool: ToolOption = None,
    invocation: InvocationOption = None,
    panel_policy: PanelPolicyOption = None,
    max_cost: MaxCostOption = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            rich_help_panel=RUN,
            help="Most seconds for the whole run; stragglers are left behind in time to answer.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            rich_help_panel=RUN,
            help="Orders the answers before the judge sees them. Unset: drawn and reported.",
        ),
    ] = None,
    thread: Annotated[
        str | None,
        typer.Option(
            "--thread",
            metavar="NAME",
            rich_help_panel=RUN,
            help="Keep the run under this name: later questions follow on, and a run that was cut "
            "off is resumed.",
        ),
    ] = None,
    attach: AttachOption = None,
    as_json: JsonOption = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=OUTPUT,
            help="Write the answer (with --json the report) to this file instead.",
        ),
    ] = None,
    page: ReportOption = None,
    quiet: QuietOption = False,
    _debug: DebugOption = False,
) -> Work:
    """Ask the panel a question.

    The answer goes to standard output as it is written, progress to standard error.

    [bold]Examples[/bold]

    fusion-graph ask "What is self-fusion?"
    fusion-graph ask --corpus ~/notes "What did we decide about backups?"
    fusion-graph ask --panel openai:gpt-5.5,ollama:qwen3 "Is P equal to NP?"
    git diff | fusion-graph ask --search none -o review.md Review this change
    fusion-graph ask -a chart.png -a notes.pdf "Does the chart say what the notes say?"
    fusion-graph ask --tool notes="npx -y my-notes-server" "What did we decide?"
    fusion-graph ask --report run.html "Which database for a small shop?"
    fusion-graph ask --json --quiet "…" | jq .analysis

    [bold]Exit codes[/bold]

    0 answered, also when degraded
    2 wrong usage or configuration
    3 no panelist answered
    130 interrupted
    """

    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "synthesizer": synthesizer,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "tools": tool or None,
        "invocation": invocation,
        "panel_policy": panel_policy,
        "max_cost_usd": max_cost,
        "run_timeout": timeout,
        "seed": seed,
    }
    shown = Output(as_json, quiet, page, output)
    request = Request(words or (), options, shown, thread, attach or ())
    return lambda: ask(request)
