"""The parent's side of one confined process: start it, feed it, watch it, end it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from fusion_graph.errors import FusionError
from fusion_graph.evals.sandbox._limits import Limits

WATCHED_EVERY = 0.1
"""Seconds between two looks at what a process has written and how many threads it runs."""

UIDS = range(60706, 61184)
"""Nobody's: between systemd's container and dynamic ranges (its "Users, Groups, UIDs" document)."""

_ROOT = str(Path(__file__).resolve().parents[3])
# The package is found by its place and only while it is loaded; the standard library comes first.
_BOOT = """\
import sys
root, module = sys.argv.pop(2), sys.argv.pop(2)
sys.path.append(root)
__import__(module)
sys.path.remove(root)
sys.modules[module].main()
"""
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Some interpreters need them to start. Nothing else: the environment is where keys are."""

_uids = itertools.cycle(UIDS)
for _ in range(os.getpid() % len(UIDS)):  # two evaluations at once should not begin alike
    next(_uids)


class SandboxUnavailable(FusionError):
    """Code cannot be run here with limits."""


ANSWER_FILE = "answer.py"

LAST_WORDS = 10.0
"""Seconds until the output of a killed process is given up: where nothing stronger than an audit
hook confines it, something it started may still hold the other end."""


class Folder:
    """A folder that one child may write to, and the unprivileged user it becomes, if it can.

    Attributes:
        path: Where it is.
        uid: The user, or None when this process may not hand out folders.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self.path = path
        self.uid: int | None = None
        if os.geteuid() == 0:
            uid = next(_uids)
            with suppress(OSError):  # a container may not know the number
                os.chown(path, uid, uid)
                self.uid = uid

    def put(self, code: str) -> None:
        """Write the answer's code where its process looks for it."""
        path = self.path / ANSWER_FILE
        path.write_text(code, encoding="utf-8", errors="replace")
        path.chmod(
            0o644
        )  # whatever the umask: its reader is another user, or a root without rights


@contextmanager
def folders(*names: str) -> Iterator[list[Folder]]:
    """Folders for the children of one run, removed with all that is in them."""
    root = Path(tempfile.mkdtemp(prefix="fusion-graph-"))
    try:
        if os.geteuid() == 0:
            root.chmod(0o711)  # the children's users go through, and see nothing
        yield [Folder(root / name) for name in names]
    finally:
        shutil.rmtree(root, ignore_errors=True)


class Child:
    """A confined process.

    Args:
        process: The process.
        folder: Where it may write.
        limits: What it may use.
    """

    def __init__(self, process: asyncio.subprocess.Process, folder: Folder, limits: Limits) -> None:
        self._process = process
        self._folder = folder
        self._limits = limits
        self.containment: dict[str, str] = {}

    @classmethod
    async def start(
        cls,
        module: str,
        folder: Folder,
        limits: Limits,
        *,
        measures: Sequence[str],
        wire: tuple[int, int] | None = None,
    ) -> Self:
        """Start a process.

        Args:
            module: Module of this package whose `main` it runs.
            folder: Where it may write.
            limits: What it may use.
            measures: See `_confine.MEASURES`.
            wire: Descriptors it reads and writes besides the standard ones.

        Raises:
            SandboxUnavailable: This system has no such thing.
        """
        if sys.platform == "win32" or not sys.executable or getattr(sys, "frozen", False):
            raise SandboxUnavailable(
                "Answers in code are run with the limits of a Unix system, which this is not. "
                "Grade code sets on Linux, best of all on x86_64 or aarch64."
            )
        settings = {
            "limits": asdict(limits),
            "folder": str(folder.path),
            "uid": folder.uid,
            "parent": os.getpid(),
            "measures": list(measures),
            "wire": wire,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-s", "-S", "-P", "-X", "utf8", "-c", _BOOT),
            *(json.dumps(settings), _ROOT, f"fusion_graph.evals.sandbox.{module}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=wire or (),
            start_new_session=True,
            cwd="/",
            # Sets and dicts of strings in the same order every time: a verdict is to be repeatable.
            env={"PYTHONHASHSEED": "0"}
            | {k: v for k, v in os.environ.items() if k in _KEPT_VARIABLES},
        )
        return cls(process, folder, limits)

    async def confined(self) -> None:
        """Wait until it has given up what it does not need; only then it looks at foreign code.

        Raises:
            SandboxUnavailable: It ended instead.
        """
        line = await self.line()
        try:
            self.containment = {str(k): str(v) for k, v in json.loads(line).items()}
        except (ValueError, AttributeError):
            words = (line + await self.output(2000)).decode(errors="replace")
            raise SandboxUnavailable(f"A confined process could not start: {words}") from None

    async def feed(self, data: bytes) -> None:
        """Write its standard input and close it; a process that does not read is no error."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        self._process.stdin.close()

    async def line(self) -> bytes:
        """The next line of its output; empty at the end."""
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:  # longer than asyncio's buffer
            return b""

    async def output(self, most: int) -> bytes:
        """Its output up to `most` bytes and a little more, or until it ends."""
        assert self._process.stdout is not None
        parts, size = [], 0
        while size <= most and (part := await self._process.stdout.read(65536)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    async def discard(self) -> None:
        """Read its output away until it ends, so that printing does not stop it."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(65536):
            pass

    async def overdone(self) -> str:
        """Wait until it has too many files or threads, and say which; waits for ever otherwise."""
        while True:
            await asyncio.sleep(WATCHED_EVERY)
            if (count := _threads(self._process.pid)) > self._limits.threads:
                return f"{count} threads at once"
            count, size = _written(self._folder.path, self._limits.files)
            if count > self._limits.files or size > self._limits.folder_bytes:
                return f"{count} files of {size} bytes written"

    async def end(self) -> int:
        """Kill whatever is left of it and wait for that.

        Returns:
            Its exit status, negative for a signal.
        """
        # Not `Process.kill`: it polls first, and takes the exit status from asyncio's own watcher.
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self.discard()
        return await self._process.wait()


def _threads(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in status.splitlines() if x.startswith("Threads:")), 0)


def _written(folder: Path, most: int) -> tuple[int, int]:
    """Number and bytes of the files in a folder, counted no further than one past `most`."""
    count = size = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in itertools.islice(entries, most + 1):
            count += 1
            with suppress(OSError):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
    return count, size


def object_in(line: bytes) -> dict[str, Any]:
    """A line of JSON as a dict; empty if it is none."""
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
