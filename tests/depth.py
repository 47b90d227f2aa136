"""What only `.ci/run` runs of a table: further samples of what its other rows show."""

from __future__ import annotations

from typing import Any

import pytest


def in_depth(*values: Any) -> Any:
    """A row of a parametrised test that shows what an unmarked row of it shows too."""
    return pytest.param(*values, marks=pytest.mark.slow)
