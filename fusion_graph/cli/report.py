"""`fusion-graph report`: a run's report as a page or as text; and the page of `ask --report`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_graph.cli.answer import speaks_utf8, write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.exits import ANSWERED, complain
from fusion_graph.errors import ConfigurationError, OutputFailed, UnreadableReport
from fusion_graph.text.whole_file import write_whole

if TYPE_CHECKING:
    from fusion_graph.report import FusionReport

STANDARD = "-"
"""Standard input or output instead of a file."""


@dataclass(frozen=True)
class Conversion:
    """What was asked for on the command line.

    Attributes:
        source: The file with the report as JSON, or `-` for standard input.
        output: Where the page or text goes, or `-` for standard output; None for the usual place.
        as_text: Whether text is wanted instead of a page.
    """

    source: str
    output: str | None = None
    as_text: bool = False


def convert(wanted: Conversion) -> int:
    """Make a page or a text of a saved report. Returns the exit code.

    Raises:
        ConfigurationError: A file cannot be read or written.
        UnreadableReport: The file is no report.
    """
    output = wanted.output or _usual_output(wanted)
    if output != STANDARD:
        check_writable(output)
    report = _read(wanted.source)
    if output == STANDARD:
        write_out(report.to_text() if wanted.as_text else _for_stdout(report.to_html()))
    else:
        _save(output, report.to_text() if wanted.as_text else report.to_html())
        complain(f"wrote {output}")
    return ANSWERED


def check_writable(path: str) -> None:
    """Refuse a file that could not be written, before anything is paid for what goes into it.

    Raises:
        ConfigurationError: Its folder does not exist or takes no files, or it is none itself.
    """
    file = Path(path)
    folder = file.parent
    if file.is_dir():
        raise ConfigurationError(f"{path} is a folder.", "Name a file in it.")
    if file.exists():
        if not os.access(file, os.W_OK):
            raise ConfigurationError(f"{path} may not be written.", "Name another file.")
        return
    if not folder.is_dir():
        raise ConfigurationError(f"The folder {folder} does not exist.", "Make it first.")
    try:
        # Asking for permission tells less than trying: file systems can be read-only or full.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(
            f"The folder {folder} takes no file: {error.strerror}.", "Name another one."
        ) from None


def save_page(path: str, report: Mapping[str, Any]) -> None:
    """Write the page of a run.

    Args:
        path: The file.
        report: The run's report as plain data.

    Raises:
        OutputFailed: It could not be written.
    """
    from fusion_graph.report import FusionReport

    _save(path, FusionReport.model_validate(report).to_html())


def _usual_output(wanted: Conversion) -> str:
    if wanted.as_text or wanted.source == STANDARD:
        return STANDARD
    page = Path(wanted.source).with_suffix(".html")
    if page == Path(wanted.source):
        raise ConfigurationError(
            f"The page would be written over {page}.", "Name a file for it: -o FILE."
        )
    return str(page)


def _read(source: str) -> FusionReport:
    from fusion_graph.report import FusionReport

    if source == STANDARD:
        name = "Standard input"
        content = b"" if sys.stdin is None else sys.stdin.buffer.read()
    else:
        name = source
        try:
            content = Path(source).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{source} cannot be read: {error.strerror}.") from None
    try:
        return FusionReport.from_json(content)
    except UnreadableReport as error:
        raise UnreadableReport(f"{name}: {error.problem}") from None


def _save(path: str, text: str) -> None:
    try:
        write_whole(Path(path), text)
    except OSError as error:
        raise OutputFailed(f"{path}: {error.strerror}") from error


def _for_stdout(page: str) -> str:
    """The page in characters that standard output has."""
    return page if speaks_utf8() else page.encode("ascii", "xmlcharrefreplace").decode("ascii")


@app.command("report")
def _report(
    run: Annotated[
        str, typer.Argument(metavar="RUN.json", help="What ask --json printed; - reads it here.")
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where it goes; - is standard output. Unset: RUN.html, or here for a text.",
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Plain text instead of an HTML page.")
    ] = False,
) -> Work:
    """Make a page to read of a saved run: one file, nothing to install, no network.

    [bold]Examples[/bold]

    fusion-graph ask --json "…" > run.json && fusion-graph report run.json
    fusion-graph report --text run.json | less
    fusion-graph ask --json "…" | fusion-graph report - > run.html
    """

    return lambda: convert(Conversion(run, output, text))
