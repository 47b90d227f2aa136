"""A real Redis server of the tests' own, on a free port, without anything kept on the disk."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from socket import create_connection

from tests.hosts import PATIENCE, free_port


def why_no_redis() -> str | None:
    """Why no server can be started here, or None."""
    return None if which("redis-server") else "Redis's server is not installed"


@contextmanager
def start_redis(port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start a server; gives its address and its process, which ends with the block.

    Args:
        port: Where it listens; 0 takes a free one.

    Raises:
        RuntimeError: It does not come up.
    """
    port = port or free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        log = Path(folder) / "log"
        settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "appendonly": "no"}
        command = [str(which("redis-server")), "--save", ""]
        for name, value in settings.items():
            command += [f"--{name}", str(value)]
        with log.open("w") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            for _ in range(PATIENCE * 20):
                if process.poll() is not None or _listens(port):
                    break
                time.sleep(0.05)  # between two looks at the port: there is nothing to wait for
            if process.poll() is not None or not _listens(port):
                raise RuntimeError(f"redis-server does not come up:\n{log.read_text()[-2000:]}")
            yield f"redis://127.0.0.1:{port}/0", process
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True
