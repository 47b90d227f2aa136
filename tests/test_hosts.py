"""Servers of the tests' own come up, whoever takes a port meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.hosts import PORT, started

TAKEN_AT_FIRST = """
import pathlib, runpy, socket, sys
begun = pathlib.Path("begun")
if not begun.exists():
    begun.touch()
    taken = socket.socket()
    taken.bind(("127.0.0.1", int(sys.argv[1])))
    taken.listen()
runpy.run_module("http.server", run_name="__main__")
"""


def test_a_server_whose_port_was_taken_meanwhile_is_started_on_another(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TAKEN_AT_FIRST, PORT, "--bind", "127.0.0.1"]

    with started(command, tmp_path, "/begun", {}) as (_, process):
        assert (tmp_path / "begun").exists()
        assert process.poll() is None
