"""Stems of words by Snowball, whichever thread asks."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Any

# A stemmer keeps the word it is at in itself. Two panelists in threads of their own that shared
# one had "string index out of range" for an answer, or another word's stem.
_ONE_AT_A_TIME = Lock()


def snowball_stem(word: str, language: str) -> str:
    """The word without its ending.

    Args:
        word: In lower case.
        language: One that snowballstemmer knows, as in `english`.
    """
    with _ONE_AT_A_TIME:
        return str(_stemmer(language).stemWord(word))


@lru_cache(maxsize=32)
def _stemmer(language: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(language)
