"""A sample of the table of clients: what its judge takes for good, and the clients of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.provision import Unavailable
from tests.clients.table import CLIENTS, Panel, drive, judged, panel
from tests.scripted_models import ModelServer
from tests.scripted_models.client import Scope


def test_the_judge_of_a_cell_sees_what_is_missing(models: Scope) -> None:
    for cell, told in (
        ("plain", {"text": "Something else."}),
        ("stream", {"text": "Water is wet to a degree of forty-two.", "pieces": 3}),
        ("tools", {"text": "It is sunny in Paris.", "called": {"city": "Paris"}}),
        ("structured", {"object": {"city": "Paris"}}),
        ("image", {"text": "Water is wet."}),
        ("file", {"text": "Water is wet."}),
        ("usage", {"input": 71_283, "output": 12}),
        ("error", {"text": "All is well."}),
        ("cancel", {}),
    ):
        assert judged(models, cell, "mark", told).fits is False, cell
    assert judged(models, "plain", "mark", {"unknown": True}).fits is None


@pytest.fixture(scope="module")
def at(model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """One server for all of them."""
    with panel(model_server, tmp_path_factory.mktemp("table")) as at:
        yield at


@pytest.mark.clients
@pytest.mark.parametrize("name", list(CLIENTS))
def test_every_client_gets_what_it_asks_for(name: str, at: Panel, tmp_path: Path) -> None:
    try:
        found = drive(at, name, tmp_path)
    except Unavailable as error:
        pytest.skip(f"{name} is not to be had: {error}")
    assert {name: cell.note for name, cell in found.items() if cell.fits is False} == {}
    assert sum(cell.fits is True for cell in found.values()) >= 3
