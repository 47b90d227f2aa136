"""Word tables: the files of `data/`, read when they are first needed."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """A file of `data/`, by its name without the ending."""
    text = (files("fusion_graph.evidence") / "data" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def rows(text: str) -> list[list[str]]:
    """The words of every line."""
    return [line.split() for line in text.strip().splitlines()]


def by_word(text: str) -> dict[str, str]:
    """From every word of a line but its first to that first one."""
    return {word: first for first, *others in rows(text) for word in others}
