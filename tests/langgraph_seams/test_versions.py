"""The versions that an error about a missing name tells to install."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement

from fusion_graph.langgraph_seams._presence import TESTED
from tests.benchmarks.rooms import ROOT


@pytest.mark.parametrize("library", TESTED)
def test_a_version_that_is_told_to_install_is_one_that_the_package_allows(library):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    allowed = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    (named,) = [each for each in allowed if each.name == library]
    assert TESTED[library] in named.specifier
