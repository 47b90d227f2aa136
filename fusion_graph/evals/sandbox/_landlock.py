"""Landlock: which files a process may still open, by its own decision (Linux 5.13 and newer).

Constants are those of the kernel's `linux/landlock.h`.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""System calls; the same numbers on every architecture."""

READ = (1 << 2) | (1 << 3)
"""READ_FILE and READ_DIR."""
WRITE_FILE, REMOVE_FILE, MAKE_REGULAR, TRUNCATE = 1 << 1, 1 << 5, 1 << 8, 1 << 14
OWN_FOLDER = READ | WRITE_FILE | REMOVE_FILE | MAKE_REGULAR | TRUNCATE
"""Plain files, no folders or links: what is left behind can be cleared away without surprises."""

ALL_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""What can be forbidden, from which version of the interface on."""
TCP_SINCE, SCOPES_SINCE = 4, 6
BIND_AND_CONNECT_TCP = 0b11
SOCKETS_AND_SIGNALS = 0b11
"""Scopes: abstract Unix sockets and signals stay inside."""

SYSTEM_FILES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/urandom",
    "/dev/random",
)
"""What Python's modules and the libraries below them open. No /proc, no /home, no /etc/passwd."""


def restrict() -> bool:
    """Let this process open Python's own files and what lies in its folder; nothing else.

    It must have given up gaining privileges (`PR_SET_NO_NEW_PRIVS`), and stand in its folder:
    named by its path, a folder below one that is closed to this user could not be opened.

    Returns:
        Whether the kernel took it.
    """
    if sys.platform != "linux":
        return False
    version = _call(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = ALL_RIGHTS[max(since for since in ALL_RIGHTS if since <= version)]
    ruleset = struct.pack(
        "=QQQ",
        rights,
        BIND_AND_CONNECT_TCP if version >= TCP_SINCE else 0,
        SOCKETS_AND_SIGNALS if version >= SCOPES_SINCE else 0,
    )
    handle = _call(CREATE_RULESET, ruleset, len(ruleset), 0)
    if handle < 0:
        return False
    try:
        for path in (*SYSTEM_FILES, *sys.path, f"{sys.base_prefix}/lib"):
            _allow(handle, path, READ)
        _allow(handle, "/dev/null", READ | WRITE_FILE)
        _allow(handle, ".", OWN_FOLDER & rights)
        return _call(RESTRICT_SELF, handle, 0) == 0
    finally:
        os.close(handle)


def _allow(handle: int, path: str, rights: int) -> None:
    if not path:
        return
    with suppress(OSError):
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):
                rights &= ~(1 << 3)  # the right to list is refused for what is no folder
            _call(ADD_RULE, handle, 1, struct.pack("=Qi", rights, target), 0)
        finally:
            os.close(target)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    passed: Iterable[object] = (
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    )
    return int(libc.syscall(ctypes.c_long(number), *passed))
