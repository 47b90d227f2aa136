"""What every driver in Python asks, and how it says what came of it.

A driver runs with the client's own interpreter: the standard library and the client are all it has.
`FUSION_URL` is the server; the arguments are the cells that are wanted; a line of JSON a cell.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import ProxyHandler, build_opener

from _constants import CITY, DESCRIPTION, IMAGE, PDF, SCHEMA, WEATHER

__all__ = [
    "CITY",
    "DESCRIPTION",
    "IMAGE",
    "KEY",
    "PDF",
    "SCHEMA",
    "URL",
    "WEATHER",
    "question",
    "run",
    "wait_called",
]

URL = os.environ["FUSION_URL"]

KEY = "unused"


def question(cell: str) -> str:
    """What a cell asks; the name in it finds it again in the models' log."""
    return f"How wet is water? ({os.environ['FUSION_MARK']}-{cell})"


def wait_called() -> None:
    """Wait until the panel is at work on the cell `cancel`, at the member that never answers."""
    with build_opener(ProxyHandler({})).open(os.environ["FUSION_CALLED"], timeout=60) as log:
        log.read()


def run(cells: Mapping[str, Callable[[], Mapping[str, Any]]]) -> None:
    """Run the wanted cells, and say what came of each.

    cells: by name; a cell that is not there is one that the client does not know.
    """
    for name in sys.argv[1:]:
        if name not in cells:
            told: Mapping[str, Any] = {"unknown": True}
        else:
            try:
                told = cells[name]()
            except Exception as error:  # whatever a client raises is what is being told
                status = getattr(error, "status_code", None) or getattr(error, "code", None)
                told = {
                    "error": type(error).__name__,
                    "words": str(error)[:2_000],
                    "status": status,
                }
        print(json.dumps({"cell": name, **told}, default=str), flush=True)
