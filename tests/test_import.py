"""`import fusion_graph` costs nothing, and every public name is where it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import fusion_graph

HEAVY = (
    "langchain",
    "langchain_core",
    "langchain_openai",
    "langgraph",
    "openai",
    "httpx2",
    "pydantic",
)


def test_the_import_brings_in_no_heavy_package():
    code = "import sys, json, fusion_graph; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = {name.partition(".")[0] for name in json.loads(run.stdout)}
    assert not loaded & set(HEAVY)
    assert run.stderr == ""


@pytest.mark.parametrize("name", fusion_graph.__all__)
def test_a_public_name_resolves_to_something_of_that_name(name):
    assert getattr(fusion_graph, name).__name__ == name


def test_the_public_names_are_what_dir_and_star_import_give():
    found: dict[str, object] = {}
    exec("from fusion_graph import *", found)

    assert set(fusion_graph.__all__) <= found.keys()
    assert dir(fusion_graph) == sorted(fusion_graph.__all__)


def test_an_unknown_name_is_an_attribute_error_that_says_which():
    with pytest.raises(AttributeError, match="no attribute 'create_fission_graph'"):
        fusion_graph.create_fission_graph  # noqa: B018 - the access is the test


def test_every_error_of_the_package_is_a_fusion_error():
    errors = [fusion_graph.AllPanelistsFailed, fusion_graph.EmptyQuestion]
    errors += [fusion_graph.FusionRecursion, fusion_graph.ConfigurationError]
    settings = [fusion_graph.MissingKey, fusion_graph.PresetFileError]
    settings += [fusion_graph.UnknownPreset, fusion_graph.UnknownProvider]

    assert all(issubclass(error, fusion_graph.FusionError) for error in errors)
    assert all(issubclass(error, fusion_graph.ConfigurationError) for error in settings)
    assert issubclass(fusion_graph.ConfigurationError, ValueError)
