"""What a child process takes on itself before it touches a model's code: limits of resources."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import types
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

ANSWER_FILE = "answer.py"


def answer_code() -> types.CodeType:
    """The answer's code, with nothing of another module's own `__future__`."""
    with open(ANSWER_FILE, encoding="utf-8") as file:
        return compile(file.read(), ANSWER_FILE, "exec", dont_inherit=True)


def main() -> None:
    """Try whether this Python comes up, is limited, and finds its library then."""
    take_on(json.loads(sys.argv[1]))
    __import__("decimal")


def take_on(settings: Mapping[str, Any]) -> None:
    """Go to the folder, become nobody if that is asked for, and set the limits of resources.

    Args:
        settings: `folder` (to stand in), `uid` (to become, or None), and `limits`, as `Limits`.
    """
    os.chdir(settings["folder"])
    limits, uid = settings["limits"], settings["uid"]
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    # A second to be told (SIGXCPU) before being killed: the parent can see which it was.
    _lower("CPU", limits["cpu_seconds"], limits["cpu_seconds"] + 1)
    _lower("AS", limits["memory_bytes"])
    _lower("FSIZE", limits["file_bytes"])
    _lower("NOFILE", limits["open_files"])
    # Unconfined, the system counts all processes of whoever evaluates: no more of them at all.
    _lower("NPROC", limits["tasks"] if limits["confined"] else 0)
    for name in ("CORE", "MEMLOCK", "MSGQUEUE"):
        _lower(name, 0)
    # Writing past the limit should be an error in the answer, not the end of it.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _lower(name: str, soft: int, hard: int | None = None) -> None:
    kind = getattr(resource, f"RLIMIT_{name}", None)
    if kind is None:  # not every system has them all
        return
    hard = soft if hard is None else hard
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    with suppress(ValueError, OSError):  # macOS refuses some, AS among them
        resource.setrlimit(kind, (soft, hard))
