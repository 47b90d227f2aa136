"""How a command ends: its exit code, and the line on standard error that says why.

0    answered, also when degraded       130  interrupted (Ctrl-C)
1    a fault of this program            141  whoever read standard output has left
2    wrong usage or configuration       143  terminated (SIGTERM)
3    no panelist answered, or no code passes
4    an evaluation stopped at its cost cap
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn, Self

from fusion_graph.errors import (
    AllPanelistsFailed,
    ConfigurationError,
    FusionError,
    OutputFailed,
    ReaderGone,
)
from fusion_graph.text.phrases import clean

ANSWERED = 0
FAULT = 1
WRONG_USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130
READER_GONE = 141
TERMINATED = 143

DEBUG_VARIABLE = "FUSION_GRAPH_DEBUG"
"""Set to anything but 0: faults show their traceback, and libraries may log and warn."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM while a run was on.

    Args:
        done: What had been done by then.
        remedy: How to go on from there; empty if there is no way.
    """

    def __init__(self, done: str, remedy: str = "") -> None:
        super().__init__(done)
        self.done = done
        self.remedy = remedy


class StopSignals:
    """While it is entered, SIGTERM ends a command the way Ctrl-C does.

    Attributes:
        terminated: Whether it was SIGTERM that ended it.
    """

    def __init__(self) -> None:
        self.terminated = False
        self._before: Any = None

    def __enter__(self) -> Self:
        with suppress(ValueError):  # outside the main thread signals are somebody else's
            self._before = signal.signal(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _terminate(self, signum: int, frame: FrameType | None) -> None:
        self.terminated = True
        # While a run is on, asyncio has put its own handler there, which cancels the run.
        interrupt = signal.getsignal(signal.SIGINT)
        if not callable(interrupt):
            raise KeyboardInterrupt
        interrupt(signum, frame)


def prepare_process() -> None:
    """Make standard streams safe to write to, and keep libraries from writing to them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller (`>&-`)
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            # A character that the terminal's encoding lacks must not cost the answer.
            stream.reconfigure(errors="replace" if name == "stdout" else "backslashreplace")
    if debugging():
        logging.basicConfig()
        return
    # Without a handler logging prints warnings by itself, in the middle of the answer.
    logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def finish(command: Callable[[], int], signals: StopSignals) -> int:
    """Run a command to its exit code; what went wrong becomes one line and no traceback.

    Args:
        command: Returns the exit code.
        signals: Tells Ctrl-C from SIGTERM.
    """
    try:
        return command()
    except KeyboardInterrupt as stop:
        _tell_stop("terminated" if signals.terminated else "interrupted", stop)
        leave(TERMINATED if signals.terminated else INTERRUPTED)
    except (ReaderGone, BrokenPipeError):
        leave(READER_GONE)
    except AllPanelistsFailed as failed:
        complain("error: No panelist answered.")
        for name, failure in failed.members:
            complain(f"  {name}: {failure['reason']}: {failure['detail']}")
        return NO_ANSWER
    except ConfigurationError as error:
        return _wrong(error.problem, error.remedy)
    except OutputFailed as error:
        complain(f"error: The output could not be written: {error}.")
        leave(FAULT)
    except FusionError as error:
        return _wrong(str(error))
    except Exception as error:
        return _wrong_usage(error) if _is_typers(error) else _fault(error)


def _tell_stop(word: str, stop: KeyboardInterrupt) -> None:
    if not isinstance(stop, RunInterrupted):
        complain(word)
        return
    complain(f"{word} {stop.done}")
    if stop.remedy:
        complain(f"  {stop.remedy}")


def _wrong(problem: str, remedy: str = "") -> int:
    complain(f"error: {problem} {remedy}")
    return WRONG_USAGE


def _is_typers(error: Exception) -> bool:
    """Whether an error is typer's word on the command line.

    Known by its shape: typer keeps the classes to itself, and has moved them between versions.
    """
    return hasattr(error, "exit_code") and hasattr(error, "format_message")


def _wrong_usage(error: Any) -> int:
    problem = error.format_message()
    command = getattr(error.ctx, "command_path", "fusion-graph")
    # Without a message it was a command without arguments, and the help has been printed.
    return _wrong(problem, f"See `{command} --help`.") if problem else WRONG_USAGE


def _fault(error: Exception) -> int:
    if debugging():
        traceback.print_exception(error)
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    complain(
        f"internal error: {said}. Please report it, with what the same command prints when "
        f"{DEBUG_VARIABLE}=1 is set."
    )
    return FAULT


def complain(line: str) -> None:
    """Write one line to standard error, whatever is left of it."""
    indent = len(line) - len(line.lstrip())
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{' ' * indent}{clean(line)}\n")
        sys.stderr.flush()


def leave(code: int) -> NoReturn:
    """End the process now.

    A normal end would wait for threads that are still fetching, and try to flush a standard
    output that nobody reads.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    send_spans()
    os._exit(code)


def send_spans() -> None:
    """Send what was traced, if anything was, before the process ends."""
    if spans := sys.modules.get("fusion_graph.report.spans"):
        spans.flush_spans()
