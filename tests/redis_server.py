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

from tests.hosts import PATIENCE, PORTS, free_port, port_was_taken


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
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        for _ in range(PORTS):
            chosen = port or free_port()
            process = _begun(Path(folder), chosen)
            try:
                if _comes_up(process, chosen, Path(folder) / "log"):
                    yield f"redis://127.0.0.1:{chosen}/0", process
                    return
            finally:
                process.kill()
                process.wait()
    raise RuntimeError("redis-server found no port that was free")


def _begun(folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = {"port": port, "bind": "127.0.0.1", "dir": folder, "appendonly": "no"}
    command = [str(which("redis-server")), "--save", ""]
    for name, value in settings.items():
        command += [f"--{name}", str(value)]
    with (folder / "log").open("w") as out:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )


def _comes_up(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    for _ in range(PATIENCE * 20):
        if process.poll() is not None:
            break
        if _listens(port):
            return True
        time.sleep(0.05)  # between two looks at the port: there is nothing to wait for
    said = log.read_text()
    if process.poll() is not None and port_was_taken(said):
        return False
    raise RuntimeError(f"redis-server does not come up:\n{said[-2000:]}")


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True
