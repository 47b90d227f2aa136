"""Stems are the same however many threads ask for them at once."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from fusion_graph.text.stems import snowball_stem

WORDS = [
    stem + ending
    for stem in ("generaliz", "compar", "hop", "nation", "cit", "studi", "relat", "a")
    for ending in ("ations", "ing", "ed", "ality", "ers", "fulness", "ies", "ibly")
]


@pytest.fixture
def threads_alternate():
    """Threads give way to each other as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def test_threads_that_stem_at_once_do_not_mix_up_their_words(threads_alternate):
    alone = [snowball_stem(word, "english") for word in WORDS]

    def stem_all(_: int) -> list[str]:
        return [snowball_stem(word, "english") for word in WORDS]

    with ThreadPoolExecutor(8) as pool:
        assert all(stems == alone for stems in pool.map(stem_all, range(40)))
