"""What a failing test of a seam says: which module to mend, and where to look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import pytest


@contextmanager
def relied_on(library: str, name: str, seam: str, how: str) -> Iterator[None]:
    """Turns whatever fails inside into a failure that says what to do.

    Args:
        library: The distribution.
        name: Its private name.
        seam: The module of `fusion_graph/langgraph_seams` that uses it.
        how: What to look for in the library.
    """
    try:
        yield
    except Exception as error:
        pytest.fail(
            f"{library} {version(library)} no longer does what we rely on `{name}` for "
            f"({type(error).__name__}: {error}). Mend fusion_graph/langgraph_seams/{seam}.py: {how}"
        )
