"""The command that replays a folder: what it prints, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.wire.kinds import KINDS


def replay(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.wire", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(folder: Path, **more: object) -> Path:
    case = next(case for case in KINDS if case.name == "stop-beside-calls")
    (folder / case.name).mkdir()
    (folder / case.name / "case.json").write_text(json.dumps({**case.data, **more}), "utf-8")
    return folder


def test_it_prints_the_statuses_and_the_outcome_of_every_case(tmp_path: Path) -> None:
    ended = replay(written(tmp_path))
    assert ended.returncode == 0
    assert "stop-beside-calls" in ended.stdout
    assert "200×2" in ended.stdout
    assert "Independent errors cancel out." in ended.stdout


def test_a_case_that_misses_its_check_fails_the_command(tmp_path: Path) -> None:
    ended = replay(written(tmp_path, check={"answered": False}))
    assert ended.returncode == 1
    assert "answered is True" in ended.stdout


def test_a_folder_without_cases_is_told(tmp_path: Path) -> None:
    ended = replay(tmp_path)
    assert ended.returncode == 2
    assert "case.json" in ended.stderr
