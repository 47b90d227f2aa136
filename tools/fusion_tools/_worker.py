"""The parent's side of one worker process: start, ask, time, kill."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from fusion_tools._extract_worker import Frame, read_frame, write_frame
from fusion_tools._readers import Document, Extracted
from fusion_tools.errors import ToolError, WorkerError

START_SECONDS = 30.0
"""For a worker to load its libraries: 0.5 s when idle, many times that on a busy machine."""

# Loads this very package by its place, whatever else is called fusion_tools, and without
# changing the order in which the interpreter finds modules. Imports nothing of the user's.
_BOOT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    "fusion_tools", sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
package = sys.modules["fusion_tools"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
from fusion_tools._extract_worker import main
main()
"""
_PACKAGE = str(Path(__file__).resolve().parent)

# Enough for an interpreter to start and find its libraries. Nothing else: the environment is
# where API keys are, and this process reads hostile pages.
# fmt: off
_KEPT_VARIABLES = frozenset({
    "PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
    "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR",
})
# fmt: on

_DOCUMENT_FIELDS = tuple(field.name for field in fields(Document) if field.name != "body")


class Worker:
    """One worker process. Used and closed by one thread; any may `kill` it.

    Args:
        memory_bytes: Its address space.

    Raises:
        WorkerError: No process could be started.
    """

    def __init__(self, memory_bytes: int) -> None:
        self.pages = 0
        self.usable = True
        self._memory_bytes = memory_bytes
        if not sys.executable or getattr(sys, "frozen", False):
            # In a frozen program `sys.executable` is the program: it would start itself.
            raise WorkerError("there is no interpreter to start a worker process with")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, this package
                [sys.executable, "-I", "-c", _BOOT, _PACKAGE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,  # nothing left to flush when the process was killed in mid-sentence
                env={k: v for k, v in os.environ.items() if k.upper() in _KEPT_VARIABLES},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise WorkerError(f"no worker process could be started: {error.strerror}") from error
        assert self._process.stdin
        assert self._process.stdout
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is alive and may be asked."""
        return self.usable and self._process.poll() is None

    def greet(self) -> None:
        """Configure the process and wait until its libraries are loaded.

        Raises:
            WorkerError: It did not come up.
        """
        config = {"parent": os.getpid(), "memory_bytes": self._memory_bytes, "path": _search_path()}
        reply, _ = self._ask(config, b"", START_SECONDS)
        if "crash" in reply:
            self.usable = False
            raise WorkerError(f"the worker process could not start: {reply['crash']}")

    def read(self, document: Document, seconds: float) -> Extracted:
        """Have a document read.

        Args:
            document: What to read.
            seconds: After these the process is killed.

        Raises:
            ToolError: The document has no readable text.
            WorkerError: The process gave no answer, and is to be replaced.
        """
        header = {name: getattr(document, name) for name in _DOCUMENT_FIELDS}
        self.pages += 1
        reply, body = self._ask(header, document.body, seconds)
        if "failure" in reply:
            raise ToolError(reply["failure"]["code"], reply["failure"]["detail"])
        if "crash" in reply:
            self.usable = False  # who knows what state it is in
            raise WorkerError(reply["crash"])
        return Extracted(text=body.decode(), **reply)

    def _ask(self, header: dict[str, Any], body: bytes, seconds: float) -> Frame:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._process.kill()

        # A timer, not a poll: it ends a blocked write as well as a blocked read, on any system.
        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            write_frame(self._requests, header, body)
            return read_frame(self._replies)
        except (EOFError, OSError, ValueError) as error:
            self.usable = False
            if expired.is_set():
                raise WorkerError(f"it took longer than {seconds:g} s") from error
            raise WorkerError("the worker process ended") from error
        finally:
            timer.cancel()
            if expired.is_set():
                self.usable = False  # killed just as the answer came

    def kill(self) -> None:
        """End the process, whatever it is doing. Safe while another thread waits for it."""
        self.usable = False
        self._process.kill()

    def close(self) -> None:
        """End the process and free its pipes; for the thread that uses the worker."""
        self.kill()
        self._process.wait()
        self._requests.close()
        self._replies.close()

    def disown(self) -> None:
        """In a forked child: let go of the parent's worker without touching it."""
        self.usable = False
        self._process.returncode = 0  # it is no child of this process: nothing to wait for
        self._requests.close()
        self._replies.close()


def _search_path() -> list[str]:
    """Where this process finds its libraries, without the user's own code.

    An isolated interpreter does not know PYTHONPATH, the user's site-packages or what a
    program added to `sys.path`; the libraries may be there.
    """
    own = {os.path.dirname(getattr(sys.modules.get("__main__"), "__file__", None) or "")}
    with suppress(OSError):  # the working directory may be gone
        own.add(os.getcwd())
    return [
        entry
        for entry in filter(os.path.isabs, sys.path)
        if entry not in own or os.path.isdir(os.path.join(entry, "trafilatura"))
    ]
