"""What a hostile page can have a run tell it: counted over the real fetcher, by a listener."""

from __future__ import annotations

import pytest

from tests.benchmarks.exfiltration import chosen, queried, spelled
from tests.fusion_tools.site import Site


@pytest.fixture
def site():
    with Site() as site:
        yield site


def test_no_spelling_and_no_addition_of_a_models_gets_out(site):
    assert spelled(site, "same_site") == 0
    assert [path for path in site.paths() if path != "/start"] == ["/" + "a" * 600]
    assert queried(site, "same_site") == 0


def test_the_choice_among_a_sites_links_tells_it_two_of_them(site):
    assert chosen(site, "same_site", lambda n: site.host) == 16
    assert len([path for path in site.paths() if path.startswith("/k")]) == 2
