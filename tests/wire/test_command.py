"""The command that replays a folder: what it prints, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.wire.__main__ import main
from tests.wire.kinds import KINDS


def written(folder: Path, **more: object) -> Path:
    case = next(case for case in KINDS if case.name == "stop-beside-calls")
    (folder / case.name).mkdir()
    (folder / case.name / "case.json").write_text(json.dumps({**case.data, **more}), "utf-8")
    return folder


def test_it_prints_the_statuses_and_the_outcome_of_every_case(tmp_path, capsys) -> None:
    assert main([str(written(tmp_path))]) == 0
    shown = capsys.readouterr().out
    assert "stop-beside-calls" in shown
    assert "200×2" in shown
    assert "Independent errors cancel out." in shown


@pytest.mark.slow
def test_a_case_that_misses_its_check_fails_the_command(tmp_path, capsys) -> None:
    assert main([str(written(tmp_path, check={"answered": False}))]) == 1
    assert "answered is True" in capsys.readouterr().out


def test_a_folder_without_cases_is_told(tmp_path, capsys) -> None:
    assert main([str(tmp_path)]) == 2
    assert "case.json" in capsys.readouterr().err
