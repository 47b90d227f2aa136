"""`fusion-graph ask`: one question, from the command line's words to the answer."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fusion_graph.cli.report import STANDARD, check_writable
from fusion_graph.cli.running import Output, show
from fusion_graph.errors import ConfigurationError, EmptyQuestion
from fusion_graph.text.json_data import whole_characters

FROM_STDIN = "-"

OPTIONS = {"max_cost_usd": "max-cost", "run_timeout": "timeout"}
"""Options that are not called after their field."""


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        question: The question, or `-` for standard input.
        options: `FusionConfig` fields by name; None where an option was not given.
        output: How the run is to be shown.
        thread: Name of the thread that the run belongs to and is kept in; None for none.
    """

    question: str
    options: Mapping[str, Any]
    output: Output = field(default_factory=Output)
    thread: str | None = None


def ask(request: Request) -> int:
    """Answer a question. Returns the exit code.

    Raises:
        ConfigurationError: An option or the preset cannot work.
        EmptyQuestion: There is no question.
        FusionError, OutputFailed: As `show`.
    """
    question = read_question(request.question)
    config = configuration(request.options)
    if request.output.page is not None:
        check_page(request.output.page)
    # Imported before the event loop runs: there Ctrl-C would wait for the end of the import.
    if request.thread is not None:
        from fusion_graph.faces.threads import ask_in_thread

        begin = partial(ask_in_thread, request.thread, config, question)
        return show(begin, request.output, request.thread)
    from fusion_graph.faces.follow import follow
    from fusion_graph.graph import create_fusion_graph

    graph = create_fusion_graph(config)
    return show(partial(follow, graph, [("user", question)]), request.output)


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


def read_question(written: str) -> str:
    """The question as text: the argument, or standard input for `-`.

    Raises:
        EmptyQuestion: It is blank.
    """
    if written == FROM_STDIN:
        question = "" if sys.stdin is None else sys.stdin.buffer.read().decode("utf-8", "replace")
        missing = "Nothing came from standard input"
    else:
        # Bytes that are no text arrive as lone surrogates, which no API takes.
        question = whole_characters(written)
        missing = "The question is empty"
    if not question.strip():
        raise EmptyQuestion(
            f'{missing}: write one, as in `fusion-graph ask "What is self-fusion?"`, or pipe one '
            "into `fusion-graph ask -`."
        )
    return question.strip()


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


def named_by_option(problem: str) -> str:
    """A problem with a field as one with its option: `--max-tool-calls is 99:`."""
    problem = re.sub(r" field 'model' is '[^']*':", "", problem)  # said of a panelist's own field
    match = re.match(r"Field '(\w+)(?:\.\d+)?'(.*)", problem)
    if match is None:
        return problem
    option = OPTIONS.get(match[1], match[1].replace("_", "-"))
    return f"--{option}{match[2]}"
