"""How a command's end becomes an exit code and a line."""

from __future__ import annotations

import pytest

from fusion_graph.cli.exits import DEBUG_VARIABLE, StopSignals, finish
from fusion_graph.errors import ConfigurationError


def fault() -> int:
    raise KeyError("kitchen\nsink")


def test_a_fault_is_one_line_and_a_traceback_only_on_demand(capsys, monkeypatch):
    monkeypatch.delenv(DEBUG_VARIABLE, raising=False)
    assert finish(fault, StopSignals()) == 1
    said = capsys.readouterr().err
    assert said.startswith("internal error: KeyError: 'kitchen\\nsink'. Please report it")
    assert said.count("\n") == 1

    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert finish(fault, StopSignals()) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_wrong_setting_stays_on_one_line_and_commands_no_terminal(capsys):
    def wrong() -> int:
        raise ConfigurationError("Field 'x' is '\x1b[2Jy\n':", "no.")

    assert finish(wrong, StopSignals()) == 2
    assert capsys.readouterr().err == "error: Field 'x' is '[2Jy ': no.\n"


@pytest.mark.parametrize("code", [0, 2, 3])
def test_a_command_says_its_own_code(code):
    assert finish(lambda: code, StopSignals()) == code
