"""The command line in processes of its own, and preset files of scripted models for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models.client import Scope

COMMAND = (sys.executable, "-W", "error", "-m", "fusion_graph")
PATIENCE = 120
"""Seconds until a process counts as hanging; none takes a tenth of it when it works."""


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str


def run(*args: str, stdin: str = "", out: Any = subprocess.PIPE) -> Ended:
    """Run the command line to its end.

    args: what follows `fusion-graph`.
    out: where standard output goes; by default into the result.
    """
    done = subprocess.run(
        [*COMMAND, *args],
        input=stdin,
        stdout=out,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout or "", done.stderr)


@pytest.fixture
def preset_file(
    models: Scope, panel_config: Callable[..., dict[str, Any]], tmp_path: Path
) -> Callable[..., str]:
    """`preset_file(**fields)`: path of a preset of the scripted panel a, b, c, judge j, writer w.

    `provider` adds to the [providers.scripted] table.
    """

    def write(provider: dict[str, str] | None = None, **fields: Any) -> str:
        config = panel_config(**fields)
        table = {**config.pop("providers")["scripted"], **(provider or {})}
        lines = [f"{name} = {json.dumps(value)}" for name, value in config.items()]
        lines += ["[providers.scripted]", *(f"{k} = {json.dumps(v)}" for k, v in table.items())]
        path = tmp_path / "scripted.toml"
        path.write_text("\n".join(lines), "utf-8")
        return str(path)

    return write
