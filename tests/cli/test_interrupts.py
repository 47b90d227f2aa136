"""Ctrl-C and SIGTERM while a model hangs."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import PATIENCE

# As a terminal starts it: a test run in the background hands down an ignored SIGINT.
START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from fusion_graph.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("stop", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_it_ends_with_one_line_and_the_calls_are_given_up(models, preset_file, stop, code, word):
    preset = preset_file()
    for name in "abc":
        models.script(name, {"hang": True})

    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", START, "ask", "-p", preset, "How wet is water?"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        models.calls(arrived=3)
        process.send_signal(stop)
        out, err = process.communicate(timeout=PATIENCE)

    assert process.returncode == code
    assert out == ""
    assert err.splitlines()[-1] == word
    assert "Traceback" not in err
    assert all(call.disconnected for call in models.calls(ended=3))
