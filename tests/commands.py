"""The command line, in a process of its own (`run`, `start`) or in the test's (`run_here`).

Most of a command's second is Python importing LangGraph. On Linux a server process does that once
and forks for each command: a process with its own arguments, environment, streams and exit code,
which can be killed like any other. Elsewhere the interpreter is started each time.

A fork still copies every page of memory that it touches, and fills every cache anew: three to six
times what the command itself takes. A test that needs nothing of a process (no signal, no pipe
that breaks, no terminal, nothing imported or left behind) runs the command here.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import IO, Any

COMMAND = (sys.executable, "-W", "error", "-m", "fusion_graph")
"""The command as a shell would start it."""

PATIENCE = 240
"""Seconds until a process counts as hanging; none takes a tenth of it when it works."""

FORKS = sys.platform == "linux"

_PRELOADED = [
    "anyio._backends._asyncio",
    "fusion_graph.cli.app",
    "fusion_graph.cli.ask",
    "fusion_graph.cli.code",
    "fusion_graph.cli.doctor",
    "fusion_graph.cli.estimate",
    "fusion_graph.cli.eval",
    "fusion_graph.cli.mcp",
    "fusion_graph.cli.presets",
    "fusion_graph.cli.resume",
    "fusion_graph.cli.serve",
    "fusion_graph.evals.expected_cost",
    "fusion_graph.evals.output",
    "fusion_graph.faces.follow",
    "fusion_graph.faces.mcp.http",
    "fusion_graph.faces.mcp.serving",
    "fusion_graph.faces.server.app",
    "fusion_graph.graph",
    "fusion_graph.models.openai_protocol",
    "fusion_graph.offline._chat",
    "genai_prices",
    "httpcore2",
    "langgraph.checkpoint.sqlite.aio",
    "langgraph.pregel.remote",
    "markdown_it",
    "mcp.server.lowlevel",
    "mcp.server.stdio",
    "mcp.server.streamable_http_manager",
    "openai.lib.streaming.chat",
    "openai.resources.chat.completions.completions",
    "platformdirs",
    "uvicorn",
    "tests._forked",  # the last one: it looks at what the others have made
]
"""What commands come to import, but for what a test of theirs shows not to be imported."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code (minus the signal that killed it) and its output."""

    code: int
    out: str
    err: str


class Started:
    """A command under way.

    args: what follows `fusion-graph`.
    stdin: what it reads; None to `tell` it things while it runs.
    out: a file that takes its standard output; by default it writes to a pipe, and what comes out
        there is part of the result.
    environment: variables besides those of this process.
    terminal: path of a terminal, which takes the place of all three streams.
    hear: called with each piece of its standard output, in a thread.
    """

    def __init__(
        self,
        args: tuple[str, ...],
        stdin: str | None = "",
        out: IO[Any] | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
        terminal: str | None = None,
        hear: Callable[[bytes], None] | None = None,
    ) -> None:
        context = multiprocessing.get_context("forkserver" if FORKS else "spawn")
        pipes = [context.Pipe(duplex=False) for _ in range(3)]
        given = _Given(
            args,
            {**os.environ, **environment},
            os.getcwd(),
            (pipes[0][0], pipes[1][1], pipes[2][1]),
            None if out is None else out.name,
            terminal,
        )
        if FORKS:
            context.set_forkserver_preload(_PRELOADED)  # type: ignore[attr-defined]
        self._process = context.Process(target=_command, args=(given,))
        self._process.start()
        for connection in given.streams:
            connection.close()
        self._in = pipes[0][1]
        if stdin is not None:
            _write(self._in, stdin)
        self._out, self._err = _Output(pipes[1][0], hear), _Output(pipes[2][0])

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self._err.so_far()

    def says(self, words: str) -> str:
        """What it has written to standard error once these words are there, or once it ended."""
        return self._err.wait_for(words)

    def tell(self, data: bytes) -> None:
        """Write to its standard input."""
        while data:
            data = data[os.write(self._in.fileno(), data) :]

    def hang_up(self) -> None:
        """Close its standard input."""
        if not self._in.closed:
            self._in.close()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> Ended:
        """Kill it with SIGKILL, if it has not ended."""
        self._process.kill()
        self.hang_up()
        self._process.join(PATIENCE)
        return self._ended()

    def wait(self) -> Ended:
        """Wait for its end."""
        self._process.join(PATIENCE)
        if self.running:
            raise TimeoutError(f"hung, after {self.kill().err!r}")
        return self._ended()

    def _ended(self) -> Ended:
        code = self._process.exitcode
        if code is None:
            raise TimeoutError(f"process {self.pid} does not end though it was killed")
        return Ended(code, self._out.text(), self._err.text())


def start(*args: str, **how: Any) -> Started:
    """Start the command line: see `Started`."""
    return Started(args, **how)


def run(*args: str, **how: Any) -> Ended:
    """Run the command line to its end: see `Started`."""
    return Started(args, **how).wait()


def run_here(
    *args: str, stdin: str = "", environment: Mapping[str, str] = MappingProxyType({})
) -> Ended:
    """Run the command line to its end in this process, with arguments and streams of its own.

    What would end the process at once (an interrupt, a reader that leaves) does so here too.

    args: what follows `fusion-graph`.
    stdin: what it reads.
    environment: variables besides those of this process.
    """
    from fusion_graph.cli import main

    out, err = io.BytesIO(), io.BytesIO()
    with ExitStack() as given:
        given.enter_context(warnings.catch_warnings())
        given.enter_context(_environment(environment))
        given.enter_context(_replaced(sys, "argv", ["fusion-graph", *args]))
        given.enter_context(_replaced(sys, "warnoptions", ["error"]))
        given.enter_context(_replaced(sys, "stdin", _text(io.BytesIO(stdin.encode()))))
        stdout, stderr = _text(out), _text(err)
        given.enter_context(_replaced(sys, "stdout", stdout))
        given.enter_context(_replaced(sys, "stderr", stderr))
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        stdout.flush()
        stderr.flush()
        return Ended(code, out.getvalue().decode(), err.getvalue().decode())


def _text(stream: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", write_through=True)


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(more)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _replaced(owner: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@dataclass(frozen=True)
class _Given:
    """All that a process of its own has of its own."""

    args: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    streams: tuple[Any, Any, Any]
    out: str | None
    terminal: str | None


def _command(given: _Given) -> None:
    """What a process does: what a fresh interpreter would, given `COMMAND`."""
    os.chdir(given.folder)
    os.environ.clear()
    os.environ.update(given.environment)
    # As a terminal starts it: a test run in the background hands down an ignored SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(given.streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    if given.out is not None:
        os.dup2(os.open(given.out, os.O_WRONLY), 1)
    if given.terminal is not None:
        for number in range(3):
            os.dup2(os.open(given.terminal, os.O_RDWR | os.O_NOCTTY), number)
    encoding = given.environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.argv = ["fusion-graph", *given.args]
    sys.warnoptions[:] = ["error"]
    warnings.simplefilter("error")
    from fusion_graph.cli import main

    main()


def _write(connection: Any, text: str) -> None:
    """Give a process what it reads: less than a pipe holds, so this waits for nobody."""
    data = text.encode()
    assert len(data) < 65536
    os.write(connection.fileno(), data)
    connection.close()


class _Output:
    """What comes out of a process, read as it comes, so that it never waits to be read."""

    def __init__(self, connection: Any, hear: Callable[[bytes], None] | None = None) -> None:
        self._connection, self._data, self._ended = connection, b"", False
        self._hear = hear or (lambda _: None)
        self._more = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while piece := os.read(self._connection.fileno(), 65536):
            with self._more:
                self._data += piece
                self._more.notify_all()
            self._hear(piece)
        self._hear(b"")
        with self._more:
            self._ended = True
            self._more.notify_all()

    def so_far(self) -> str:
        """What has come out."""
        return self._data.decode(errors="replace")

    def wait_for(self, words: str) -> str:
        """What has come out when these words are there, or when nothing more comes."""
        with self._more:
            self._more.wait_for(lambda: self._ended or words in self.so_far(), PATIENCE)
        return self.so_far()

    def text(self) -> str:
        """All of it, once the process has ended."""
        self._thread.join(PATIENCE)
        self._connection.close()
        return self._data.decode()
