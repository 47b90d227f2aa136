"""The wall around a model's code: bubblewrap, a program that gives a process a system of its own.

What runs in it has no network, sees no file but Python's and its own, writes to a small /tmp in
memory, sees no other process, and ends with the evaluation (bubblewrap's README, and `bwrap(1)`).
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fusion_graph.errors import SandboxUnavailable
from fusion_graph.sandbox._limits import Limits

FOLDER = "/tmp"  # noqa: S108 - of the sandbox, which has it for itself
"""Where code stands and may write."""

UIDS = range(60706, 61184)
"""Nobody's: between systemd's container and dynamic ranges (its "Users, Groups, UIDs" document)."""

TRIED_SECONDS = 20.0
"""How long the trial may take; it takes a twentieth of a second on an idle machine."""

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/nix/store")
"""What Python and the libraries below it open. No /home, no /proc, no /etc/passwd."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")

REMEDY = (
    "Install bubblewrap (`apt install bubblewrap`, on Linux) and see that `fusion-graph doctor` "
    "finds it; or, for code that you trust, let it run as you with --unconfined."
)

INSIDE = Path(__file__).resolve().parent / "inside"
PYTHON = os.path.realpath(sys.executable) if sys.executable else ""

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


@dataclass(frozen=True)
class Wall:
    """A way in which bubblewrap works here.

    Attributes:
        program: Where it is.
        version: What it calls itself.
        as_nobody: Whether the code becomes an unprivileged user of its own: where root evaluates,
            whom the limit of processes does not hold.
    """

    program: str
    version: str
    as_nobody: bool


def wall() -> Wall:
    """The way in which bubblewrap works here, found out once.

    Raises:
        SandboxUnavailable: It is not installed, too old, or not permitted.
    """
    found = _tried()
    if isinstance(found, str):
        raise SandboxUnavailable(f"Answers in code cannot be run safely here: {found} {REMEDY}")
    return found


@cache
def _tried() -> Wall | str:
    """The first way that works, or what is in the way of all."""
    program = shutil.which("bwrap")
    if program is None:
        return "bubblewrap (bwrap) is not installed."
    version = _run([program, "--version"])[1]
    said = ""
    for as_nobody in (True, False) if os.geteuid() == 0 else (False,):
        here = Wall(program, version, as_nobody)
        status, said = _run(command("_resources", Limits(), None, here))
        if status == 0:
            return here
    why = said.splitlines()[-1] if said else "it ended without a word"
    return (
        f"{version} cannot make a sandbox ({why}). Containers and some systems forbid the user "
        "namespaces it needs, and versions before 0.7 lack an option."
    )


def _run(parts: Sequence[str]) -> tuple[int, str]:
    try:
        done = subprocess.run(  # noqa: S603 - our own command
            parts,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TRIED_SECONDS,
            env=environment(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, f"{type(error).__name__}: {error}"
    return done.returncode, done.stdout.decode(errors="replace").strip()


def environment() -> dict[str, str]:
    """The environment of everything that is started."""
    # Sets and dicts of strings in the same order every time: a verdict is to be repeatable.
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"PYTHONHASHSEED": "0", **kept}


def command(
    module: str,
    limits: Limits,
    folder: Path | None,
    here: Wall | None,
) -> list[str]:
    """The command line that runs a module of this package with limits.

    Args:
        module: Of the package `inside`, whose `main` is run.
        limits: What it may use.
        folder: Of the answer's file, if there is one.
        here: How to confine it; None for not at all.
    """
    settings: dict[str, Any] = {
        "parent": os.getpid(),  # nobody reads it but whoever wonders what this process is
        "limits": asdict(limits),
        "folder": FOLDER if here else str(folder),
        "uid": next(_uids) if here and here.as_nobody else None,
    }
    python = [PYTHON, *("-s", "-S", "-P", "-X", "utf8", "-c", _BOOT)]
    python += [json.dumps(settings), str(INSIDE.parent), f"{INSIDE.name}.{module}"]
    return python if here is None else [*_bwrap(here, folder, limits), "--", *python]


_uids = itertools.cycle(UIDS)
for _ in range(os.getpid() % len(UIDS)):  # two evaluations at once should not begin alike
    next(_uids)


def _bwrap(here: Wall, folder: Path | None, limits: Limits) -> list[str]:
    parts = [here.program, "--die-with-parent", "--new-session"]
    parts += ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    parts += ["--unshare-cgroup-try", "--cap-drop", "ALL"]
    # To become nobody takes two rights, which go with it.
    change = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    parts += change if here.as_nobody else ["--unshare-user"]
    # Before what is shown of the system: a Python, or this package, may itself lie below /tmp.
    parts += ["--perms", "1777", "--size", str(limits.folder_bytes), "--tmpfs", FOLDER]
    for path in (*SYSTEM, *DEVICES, *_python_files()):
        # Folders on the way would be closed to all but root: nobody would find a Python in /root.
        for above in reversed(Path(path).parents[:-1]):
            parts += ["--perms", "0755", "--dir", str(above)]
        parts += ["--dev-bind" if path in DEVICES else "--ro-bind-try", path, path]
    if folder is not None:
        for file in folder.iterdir():
            parts += ["--ro-bind", str(file), f"{FOLDER}/{file.name}"]
    return [*parts, "--remount-ro", "/", "--chdir", FOLDER]


def _python_files() -> list[str]:
    """This Python with its standard library, and what of this package runs in the sandbox."""
    places = [PYTHON, f"{sys.base_prefix}/lib", str(sysconfig.get_config_var("LIBDIR") or "")]
    places += [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib")]
    places.append(str(INSIDE))
    return [place for place in dict.fromkeys(places) if place and os.path.exists(place)]
