"""What every test of programs needs; they are skipped, aloud, where the programs are not had."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.provision import Unavailable, provide_programs
from tests.clients.scenes import House
from tests.clients.vendor import Vendor
from tests.scripted_models import ModelServer


@pytest.fixture(scope="session")
def house(model_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The installed programs, a vendor for their models, and the panel's models."""
    try:
        programs = provide_programs()
    except Unavailable as error:
        pytest.skip(f"the programs are not to be had: {error}")
    with Vendor() as vendor:
        yield House(programs, vendor, model_server, tmp_path_factory.mktemp("clients"))
