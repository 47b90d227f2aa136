"""`fusion-graph ask`: one question, from the command line's words to the answer."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_graph.cli.answer import Answer, write_report
from fusion_graph.cli.exits import ANSWERED, ReaderGone
from fusion_graph.cli.progress import Progress, open_progress
from fusion_graph.cli.telling import summary
from fusion_graph.errors import AllPanelistsFailed, ConfigurationError, EmptyQuestion

if TYPE_CHECKING:
    from fusion_graph.graph import FusionGraph

FROM_STDIN = "-"


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line.

    Attributes:
        question: The question, or `-` for standard input.
        options: `FusionConfig` fields by name; None where an option was not given.
        as_json: Whether the report is wanted instead of the answer.
        quiet: Whether nothing is to be said on standard error.
    """

    question: str
    options: Mapping[str, Any]
    as_json: bool = False
    quiet: bool = False


@dataclass
class _End:
    """How a run ended: its report, the text of its last message, and its seconds."""

    report: dict[str, Any]
    content: str
    took: float


def ask(request: Request) -> int:
    """Answer a question. Returns the exit code.

    Raises:
        ConfigurationError: An option or the preset cannot work.
        EmptyQuestion: There is no question.
        AllPanelistsFailed: Nobody answered; with `as_json` its report has been printed.
    """
    question = read_question(request.question)
    config = configuration(request.options)
    # Imported before the event loop runs: there Ctrl-C would wait for the end of the import.
    from fusion_graph.graph import create_fusion_graph

    graph = create_fusion_graph(config)
    answer = None if request.as_json else Answer()
    progress = open_progress(quiet=request.quiet)
    try:
        end = _run(_follow(graph, question, progress, answer))
    except AllPanelistsFailed as failed:
        progress.close()
        if request.as_json and failed.report is not None:
            write_report(failed.report)
        raise
    except BaseException:
        progress.close()
        if answer is not None and answer.terminal:
            answer.end_line()
        raise
    progress.close()
    corrected = False
    if answer is None:
        write_report(end.report)
    else:
        corrected = not answer.finish(end.content)
        if answer.terminal:
            progress.note("")
    for line in summary(end.report, end.took):
        progress.note(line)
    if corrected:
        progress.note("  The text above was corrected when it was done: --json has the final one.")
    return ANSWERED


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
        question = written.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
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
    from fusion_graph.presets import load

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
    return f"--{match[1].replace('_', '-')}{match[2]}" if match else problem


def _run(work: Coroutine[Any, Any, _End]) -> _End:
    """Run to the end; an interrupt cancels the work and goes on at once."""
    runner = asyncio.Runner()
    waits = True
    try:
        return runner.run(work)
    except (KeyboardInterrupt, ReaderGone):
        waits = False  # for threads that still fetch: the process is about to end
        raise
    finally:
        if waits:
            runner.close()


async def _follow(
    graph: FusionGraph, question: str, progress: Progress, answer: Answer | None
) -> _End:
    state: Mapping[str, Any] = {}
    took = 0.0
    messages: list[Any] = [("user", question)]
    stream: Any = graph.astream(
        {"messages": messages}, stream_mode=["custom", "messages", "values"]
    )
    async with aclosing(stream) as parts:
        async for mode, data in parts:
            if mode == "values":
                state = data
            elif mode == "messages":
                _take_chunk(data[0], progress, answer)
            elif data.get("type") == "fusion.completed":
                took = data["at"]
            else:
                _take_event(data, progress, answer)
    content = state["messages"][-1].text
    return _End(state["fusion"], content, took)


def _take_chunk(chunk: Any, progress: Progress, answer: Answer | None) -> None:
    if answer is None or chunk.type != "AIMessageChunk" or not chunk.text:
        return
    if answer.terminal and not answer.begun:
        progress.close()  # the board and the answer would write over each other
        progress.note("")
    answer.take(chunk.id, chunk.text)


def _take_event(event: Mapping[str, Any], progress: Progress, answer: Answer | None) -> None:
    if answer is not None:
        if event["type"] == "synthesis.restarted":
            answer.void()
        if answer.terminal:
            answer.end_line()
    progress.event(event)
