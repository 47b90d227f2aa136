"""Reports of real runs, and the browser that opens them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph

QUESTION = "How much more does a panel cost than one model?"


@pytest.fixture(scope="session")
def offline_record() -> dict[str, Any]:
    """The record of a run of the offline preset; copy it before changing it."""
    graph = create_fusion_graph({"preset": "offline", "seed": 7})
    record: dict[str, Any] = graph.invoke({"messages": [("user", QUESTION)]})["fusion"]
    return record


@pytest.fixture
def record(offline_record: dict[str, Any]) -> dict[str, Any]:
    """The same, to change."""
    return copy.deepcopy(offline_record)


@pytest.fixture
def ran(panel_config: Callable[..., dict[str, Any]]) -> Callable[..., FusionReport]:
    """`ran(question, tools, **fields)`: the report of a run of scripted models."""

    def run(question: str = "How wet is water?", tools: Any = None, **fields: Any) -> FusionReport:
        graph = create_fusion_graph(panel_config(**fields), tools=tools)
        return FusionReport.from_state(graph.invoke({"messages": [("user", question)]}))

    return run
