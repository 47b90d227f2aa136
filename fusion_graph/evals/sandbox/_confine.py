"""What a child process gives up, by itself and for good, before it touches a model's code.

Strongest means first, and what was used is told: `Containment`. Where the system-call filter or
Landlock is missing, an audit hook says no instead, which stops accidents, not an attacker.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

# The libraries below are loaded here, since nothing can be loaded by force later.
from fusion_graph.evals.sandbox import _filter, _landlock

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAPABILITY_VERSION = 0x20080522

MEASURES = ("user", "filter", "landlock", "namespace")
"""What is tried; tests leave some out, to see what the rest holds."""


def confine(settings: Mapping[str, Any]) -> dict[str, str]:
    """Give up everything a pure computation does not need.

    Args:
        settings: `limits` (as `Limits`), `folder` (the only one to write in), `uid` (an
            unprivileged one to become, or None), `parent` (the process to die with) and
            `measures`.

    Returns:
        By aspect (files, network, processes, privileges), what confines it.
    """
    measures = settings["measures"]
    filtered = "filter" in measures and _filter.available()
    told = {"network": "audit hook", "files": "audit hook", "processes": "process limit"}
    limit_resources(settings["limits"])
    if not filtered and "namespace" in measures and _leave_network():
        told["network"] = "empty network namespace"
    told["privileges"] = _drop_privileges(settings["uid"] if "user" in measures else None)
    if sys.platform == "linux":
        _settle(settings["parent"])
        if "landlock" in measures and _landlock.restrict():
            told["files"] = "Landlock"
        if filtered and _filter.install():
            told["network"] = told["processes"] = "system-call filter"
    if told["processes"] == "process limit":
        _lower(resource.RLIMIT_NPROC, 0)  # no child, no thread: the only count that needs no census
        if os.geteuid() == 0:
            told["processes"] = "audit hook"  # the limit does not hold for root
    if "audit hook" in told.values():
        sys.addaudithook(_hook(settings["folder"], told))
    return told


def limit_resources(limits: Mapping[str, Any]) -> None:
    """Set the resource limits of this process.

    Args:
        limits: `cpu_seconds`, `memory_bytes` (address space), `file_bytes` (of one file),
            `open_files`.
    """
    # A second to be told (SIGXCPU) before being killed: the parent can see which it was.
    _lower(resource.RLIMIT_CPU, limits["cpu_seconds"], limits["cpu_seconds"] + 1)
    _lower(resource.RLIMIT_AS, limits["memory_bytes"])
    _lower(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _lower(resource.RLIMIT_NOFILE, limits["open_files"])
    _lower(resource.RLIMIT_CORE, 0)
    for name in ("RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE"):  # not everywhere
        if hasattr(resource, name):
            _lower(getattr(resource, name), 0)
    # Writing past the limit should be an error in the answer, not the end of it.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _lower(kind: int, soft: int, hard: int | None = None) -> None:
    hard = soft if hard is None else hard
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    with suppress(ValueError, OSError):  # macOS refuses some, RLIMIT_AS among them
        resource.setrlimit(kind, (soft, hard))


def _leave_network() -> bool:
    """Move into a network namespace without interfaces, where the system lets us."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    flags = NEW_NETWORK if os.geteuid() == 0 else NEW_NETWORK | NEW_USER
    return bool(libc.unshare(flags) == 0)


def _drop_privileges(uid: int | None) -> str:
    if os.geteuid() != 0:
        return "the user who runs the evaluation"
    if uid is not None and _become(uid):
        return "an unprivileged user"
    os.chown(".", 0, 0)  # without capabilities, root may write in its own folders alone
    return "root without capabilities" if sys.platform == "linux" else "root"


def _become(uid: int) -> bool:
    """Become another user, unless Python's own files are closed to them (a root's pyenv is)."""
    try:
        os.setgroups([])
        os.setresgid(uid, uid, 0)
        os.setresuid(uid, uid, 0)
    except (OSError, AttributeError):
        return False
    try:
        for entry in sys.path:
            if os.path.isdir(entry):
                os.listdir(entry)
        os.stat(os.__file__)
    except OSError:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)
        return False
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    return True


def _settle(parent: int) -> None:
    """No capabilities, none to gain, no looking in from outside, no life after the parent's."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    libc.capset(ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


NETWORK_EVENTS = ("socket.",)
PROCESS_EVENTS = (
    *("subprocess.", "pty.", "os.fork", "os.exec", "os.posix_spawn", "os.spawn"),
    *("os.system", "os.kill", "signal.pthread_kill"),
)
MAKING = frozenset({"os.mkdir", "os.symlink", "os.link"})
CHANGING = frozenset(
    {
        *("os.chmod", "os.chown", "os.remove", "os.rmdir", "os.truncate"),
        *("os.utime", "os.setxattr", "shutil.rmtree", "os.chdir"),
    }
)
LISTING = frozenset({"os.listdir", "os.scandir"})


def _hook(folder: str, told: Mapping[str, str]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook for what the kernel does not hold here."""
    shown = (*sys.path, *_landlock.SYSTEM_FILES, folder)
    readable = tuple(f"{os.path.realpath(path)}/" for path in shown if path)
    writable = (f"{os.path.realpath(folder)}/",)
    banned: tuple[str, ...] = ("ctypes.",)
    if told["network"] == "audit hook":
        banned += NETWORK_EVENTS
    if told["processes"] != "system-call filter":
        banned += PROCESS_EVENTS
    files = told["files"] == "audit hook"
    real, text = os.path.realpath, os.fsdecode  # before the answer can put others in their place

    def outside(path: Any, allowed: tuple[str, ...]) -> bool:
        if isinstance(path, int):
            return False  # a descriptor that is open already
        return not f"{real(text(path))}/".startswith(allowed) and path != "/dev/null"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        forbidden = event.startswith(banned)
        if files and event == "open":
            writes = (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            forbidden = outside(arguments[0], writable if writes else readable)
        elif files and event in MAKING:
            forbidden = True
        elif files and event == "os.rename":
            forbidden = any(outside(path, writable) for path in arguments[:2])
        elif files and event in CHANGING | LISTING:
            allowed = readable if event in LISTING else writable
            forbidden = outside("." if arguments[0] is None else arguments[0], allowed)
        if forbidden:
            raise PermissionError(f"not allowed here: {event}")

    return hook
