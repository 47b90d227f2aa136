"""A sample of planted faults: those that must be seen, and honest quotes that must not be doubted.

The whole measurement is `python -m tests.benchmarks.planted`; its table stands beside it.
"""

from __future__ import annotations

import pytest

from tests.benchmarks import planted

# Reading hundreds of texts takes ten seconds; test_quotes.py has cases of every kind of fault.
pytestmark = pytest.mark.slow


def test_planted_faults_of_every_kind_are_seen_and_honest_quotes_are_not_doubted():
    # One test: a worker each would read the texts twice.
    tally = planted.measure(seed=7, per_kind=24, honest=90)
    if tally.asked.total() < 300:
        pytest.skip("This machine has few manual pages and licences under /usr/share.")
    for faults, most in ((True, 0.03), (False, 0.02)):
        wrong = [case for case in tally.wrong if (case[0] in planted.FAULTS) is faults]
        asked = sum(n for (kind, _), n in tally.asked.items() if (kind in planted.FAULTS) is faults)
        assert len(wrong) <= most * asked, wrong
