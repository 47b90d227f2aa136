"""The programs and SDKs, installed apart from the product: pinned, once, in the user's cache.

They come from the package index of their language with its own client. No script of a package is
run: the programs' binaries are called where npm has put them.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

VERSIONS = {
    "claude-code": ("@anthropic-ai/claude-code", "2.1.197"),
    "codex": ("@openai/codex", "0.171.0"),
    "gemini": ("@google/gemini-cli", "0.61.0"),
    "opencode": ("opencode-ai", "1.18.33"),
}
"""Each program's package on npm and its version, of November 2026."""


class Unavailable(Exception):
    """Something cannot be had here. `str(error)` says why."""


@dataclass(frozen=True)
class Programs:
    """The programs, installed.

    modules: npm's folder of packages.
    """

    modules: Path

    def start(self, name: str) -> list[str]:
        """The command that starts a program."""
        if name == "codex":
            return ["node", str(self.modules / "@openai/codex/bin/codex.js")]
        if name == "gemini":
            return ["node", str(self.modules / "@google/gemini-cli/bundle/gemini.js")]
        if name == "claude-code":
            return [str(self.modules / "@anthropic-ai/claude-code-linux-x64/claude")]
        # Built for every processor of the kind; the other build wants AVX2.
        return [str(self.modules / "opencode-linux-x64-baseline/bin/opencode")]


def provide_programs(folder: Path | None = None) -> Programs:
    """Install the four programs, once; later calls find them.

    Args:
        folder: Where to; None for the user's cache.

    Raises:
        Unavailable: They cannot be installed here.
    """
    packages = [f"{package}@{version}" for package, version in VERSIONS.values()]
    return Programs(provide_npm("programs", packages, folder))


def provide_npm(name: str, packages: Sequence[str], folder: Path | None = None) -> Path:
    """Install packages from npm, once; later calls find them.

    Args:
        name: Of their folder.
        packages: Each with its version.
        folder: Where to; None for the user's cache.

    Returns:
        The folder of modules.

    Raises:
        Unavailable: They cannot be installed here.
    """
    _need_this_kind()
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise Unavailable("Node.js with npm is not installed")
    folder = (folder or user_cache_path("fusion-graph") / "clients") / name
    wanted = "\n".join(packages)
    with _once(folder, wanted) as absent:
        if absent:
            command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit"]
            _done([*command, "--no-fund", "--loglevel", "error", *packages], folder)
    return folder / "node_modules"


def provide_python(name: str, packages: Sequence[str], folder: Path | None = None) -> Path:
    """Install packages of Python's into an environment of their own, once.

    Args:
        name: Of their folder.
        packages: Each with its version.
        folder: Where to; None for the user's cache.

    Returns:
        The environment's Python.

    Raises:
        Unavailable: They cannot be installed here.
    """
    _need_this_kind()
    folder = (folder or user_cache_path("fusion-graph") / "clients") / f"python-{name}"
    python, wanted = folder / "bin" / "python", "\n".join(packages)
    with _once(folder, wanted) as absent:
        if absent:
            _done([sys.executable, "-m", "venv", str(folder)], folder)
            _done([str(python), "-m", "pip", "install", "--quiet", *packages], folder)
    return python


def python_there(name: str, packages: Sequence[str], folder: Path) -> Path | None:
    """Find an environment that `provide_python` has made, without making it.

    Args:
        name: Of its folder.
        packages: Each with its version.
        folder: Where it stands.
    """
    place = folder / f"python-{name}"
    ready = place / "ready"
    there = ready.exists() and ready.read_text("utf-8") == "\n".join(packages)
    return place / "bin" / "python" if there else None


def _need_this_kind() -> None:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise Unavailable(f"tried on Linux on x86_64 alone, and this is {platform.platform()}")


@contextmanager
def _once(folder: Path, wanted: str) -> Iterator[bool]:
    """Whether a folder has to be filled: one process fills it, and the others wait."""
    import fcntl  # not on Windows, where nothing is installed

    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        absent = not ready.exists() or ready.read_text("utf-8") != wanted
        yield absent
        if absent:
            ready.write_text(wanted, "utf-8")


def _done(command: Sequence[str], folder: Path) -> None:
    # The authorities of the registries are none of those that the tests know (`tests/conftest.py`).
    env = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    ended = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or ["it said nothing"]
        # npm says what is wrong first, pip last.
        said = next((line for line in lines if line.startswith("npm error")), lines[-1])
        raise Unavailable(f"{' '.join(command[:3])} … failed here: {said}")
