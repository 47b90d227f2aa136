"""What docs/architecture.md says of the house is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
MOST = {"A tool's result": 12, "A preset's field": 8, "A provider's HTTP error": 8}


@pytest.mark.parametrize("walk", MOST)
def test_a_walk_is_short_and_leads_through_files_that_are_there(walk: str) -> None:
    heading, steps = TEXT.split(f"**{walk}", 1)[1].split("\n\n", 2)[:2]
    files = re.findall(r"^\d+\. `([^`]+)`", steps, re.MULTILINE)

    assert f"({len(files)} files)" in heading
    assert 0 < len(files) <= MOST[walk]
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_room_is_told_and_every_room_told_is_there() -> None:
    table = TEXT.split("## The rooms", 1)[1].split("## ", 1)[0]
    told = {
        name.removesuffix(".py")
        for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
        for name in re.findall(r"`([\w.]+)`", row)
    }
    package = ROOT / "fusion_graph"
    rooms = {path.parent.name for path in package.glob("*/__init__.py")}
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}

    assert told == rooms | modules | {"fusion_tools"}
