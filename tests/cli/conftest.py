"""Preset files of scripted models for the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.scripted_models.client import Scope


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
