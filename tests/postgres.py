"""A real PostgreSQL server of the tests' own, in a temporary folder, behind a socket."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from shutil import which
from typing import Any
from uuid import uuid4

SYSTEM_USER = "postgres"
"""Who runs the server where the tests are root's, for it refuses to be."""


@dataclass(frozen=True)
class Postgres:
    """A server at work. folder: holds its data and its socket."""

    folder: Path

    def database(self) -> str:
        """Connection string of a new, empty database."""
        import psycopg

        name = f"test_{uuid4().hex}"
        with psycopg.connect(self._at("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._at(name)

    def _at(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.folder}&user=fusion"


def why_not() -> str | None:
    """Why no server can be started here, or None."""
    if os.name != "posix":
        return "the server is reached by a Unix socket"
    if not (_program("initdb") and _program("pg_ctl")):
        return "PostgreSQL's server is not installed"
    if os.geteuid() == 0 and _system_user() is None:
        return f"root may not run PostgreSQL, and there is no user '{SYSTEM_USER}'"
    return None


GUARD = 'cat; "$0" stop --wait --mode=immediate --pgdata="$1/data"; rm -rf "$1"'
"""Waits until this process closes its pipe, or is no more; then ends the server."""


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """Start a server; it ends with the block, and its data with it.

    Raises:
        RuntimeError: It does not come up.
    """
    # Not in the tests' own temporary folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    log = folder / "log"
    as_user: dict[str, Any] = {"cwd": folder}
    if os.geteuid() == 0:
        user = _system_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_user |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def call(program: str, *args: str) -> None:
        command = [str(_program(program)), f"--pgdata={folder / 'data'}", *args]
        with log.open("a") as said:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, **as_user
            )
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL's {program} failed:\n{log.read_text()}")

    guard = subprocess.Popen(
        ["sh", "-c", GUARD, str(_program("pg_ctl")), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    with guard:
        call(
            *("initdb", "--username=fusion", "--auth=trust"),
            *("--encoding=UTF8", "--no-locale", "--no-sync"),
        )
        # Nobody needs these data after a power failure, so nothing is synced to the disk.
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        call("pg_ctl", "start", "--wait", f"--log={folder / 'server'}", f"--options={settings}")
        yield Postgres(folder)


def _program(name: str) -> str | None:
    """Path of one of PostgreSQL's programs; Debian keeps them out of PATH."""
    return which(name) or max(glob(f"/usr/lib/postgresql/*/bin/{name}"), default=None)


def _system_user() -> Any:
    import pwd

    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None
