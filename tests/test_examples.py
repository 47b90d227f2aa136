"""The examples in the README and in docstrings run, and langgraph.json points at a graph."""

from __future__ import annotations

import doctest
import importlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_readme_python_runs(capsys):
    assert len(blocks("python")) == 7
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "Sources:" in capsys.readouterr().out


def test_the_readme_lists_every_event():
    from fusion_graph.events import EVENTS

    for event, fields in EVENTS.items():
        assert f"| `{event}` | {fields} |" in README


def test_the_readme_preset_is_one(tmp_path):
    from fusion_graph.presets import load

    (block,) = blocks("toml")
    path = tmp_path / "mine.toml"
    path.write_text(block)
    assert len(load(str(path)).fields["panel"]) == 3


def test_the_readme_names_every_field_and_preset():
    from fusion_graph.config import FusionConfig
    from fusion_graph.presets.files import SHIPPED

    for field in FusionConfig.model_fields:
        assert f"`{field}`" in README or field == "preset", field
    for name in SHIPPED:
        assert f"| `{name}` |" in README, name


# langgraph-supervisor still builds on langgraph's own create_react_agent.
@pytest.mark.filterwarnings("ignore:.*moved to `langchain.agents`")
@pytest.mark.parametrize(
    "module",
    [
        "fusion_graph.follow",
        "fusion_graph.graph",
        "fusion_graph.integrations",
        "fusion_graph.integrations.chat_model",
        "fusion_graph.integrations.tool",
        "fusion_graph.report",
    ],
)
def test_docstring_examples_run(module):
    failed, tried = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_langgraph_json_points_at_the_graph():
    config = json.loads((ROOT / "langgraph.json").read_text())
    path, _, name = config["graphs"]["fusion"]["path"].partition(":")
    assert (ROOT / path).is_file()
    module = importlib.import_module("fusion_graph.integrations.studio")
    assert Path(module.__file__).samefile(ROOT / path)
    assert set(getattr(module, name).nodes) >= {"fan_out", "panelist", "join", "judge", "synthesis"}
