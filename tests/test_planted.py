"""A sample of planted faults: those that must be seen, and honest quotes that must not be doubted.

The whole measurement is `python -m tests.benchmarks.planted`; its table stands beside it.
"""

from __future__ import annotations

import pytest

from tests.benchmarks import planted

# Reading hundreds of texts takes ten seconds; test_quotes.py has cases of every kind of fault.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tally() -> planted.Tally:
    found = planted.measure(seed=7, per_kind=24, honest=90)
    if found.asked.total() < 300:
        pytest.skip("This machine has few manual pages and licences under /usr/share.")
    return found


def test_planted_faults_of_every_kind_are_seen(tally):
    wrong = [case for case in tally.wrong if case[0] in planted.FAULTS]
    asked = sum(n for (kind, _), n in tally.asked.items() if kind in planted.FAULTS)
    assert len(wrong) <= 0.03 * asked, wrong


def test_honest_quotes_are_not_doubted(tally):
    wrong = [case for case in tally.wrong if case[0] not in planted.FAULTS]
    asked = sum(n for (kind, _), n in tally.asked.items() if kind not in planted.FAULTS)
    assert len(wrong) <= 0.02 * asked, wrong
