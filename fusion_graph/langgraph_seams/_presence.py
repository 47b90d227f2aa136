"""Whether the installed libraries still have what the seams use of them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fusion_graph.errors import IncompatibleLibrary

TESTED = {
    "langgraph": "1.2.24",
    "langgraph-checkpoint": "4.3.2",
    "langchain-core": "1.8.3",
    "langchain-openai": "1.7.4",
    "langchain-mistralai": "1.1.6",
    "openai": "3.57.0",
}
"""The versions that `tests/langgraph_seams` last ran with."""


def gone(library: str, name: str, breaks: str) -> IncompatibleLibrary:
    """The error for a name that the installed version of a library does not have.

    Args:
        library: The distribution, as pip calls it.
        name: What is missing.
        breaks: What does not work without it.
    """
    try:
        installed = f"{library} {version(library)}"
    except PackageNotFoundError:
        installed = library
    return IncompatibleLibrary(
        f"{installed} has no `{name}`, without which {breaks}.",
        f"Install {library}=={TESTED[library]}, or a newer fusion-graph.",
    )


def demand(owner: Any, library: str, breaks: str, *names: str) -> None:
    """Check that an object of a library has all the names that a seam uses.

    Args:
        owner: The object: a class, mostly.
        library: The distribution it comes from.
        breaks: What does not work without them.
        names: The attributes.

    Raises:
        IncompatibleLibrary: One of them is missing.
    """
    for name in names:
        if not hasattr(owner, name):
            raise gone(library, f"{getattr(owner, '__name__', owner)}.{name}", breaks)
