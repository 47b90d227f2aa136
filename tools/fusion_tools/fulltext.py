"""Full-text search in memory: SQLite's FTS5, fed with plain words instead of its query syntax."""

from __future__ import annotations

import re
import sqlite3
import weakref
from collections.abc import Iterable

TITLE_WEIGHT = 5.0
"""A word in the title counts as much as five in the body."""

SNIPPET_TOKENS = 48
"""About three sentences; SQLite allows 64 at most."""

MAX_TERMS = 32
"""Terms of a query that are looked up: a pasted page must not become a thousand-way OR."""

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHE_S = re.compile(r"['\u2019]s\b", re.IGNORECASE)
_SPACELESS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_SPACELESS_CHAR = re.compile(f"([{_SPACELESS}])")
_SPACELESS_RUN = re.compile(f"[{_SPACELESS}]+")
_WIDE = f"{_SPACELESS}\u3000-\u303f\uff00-\uffef"
_SPACELESS_GAP = re.compile(f"(?<=[{_WIDE}]) {{1,2}}(?=[{_WIDE}])")
"""What `_spaced` put between two characters; a space of the text's own makes it three."""

_STOP_WORDS = """
a about above after again against all also am an and any are as at be because been before being
between both but by can cannot could did do does doing don down during each else ever few find for
from further get give had has have having he her here hers him his how however i if in into is it
its just let like ll m many may me might more most much must my no nor not now of off on once one
only or other our out over own please re s same shall she should show so some such t tell than
that the their theirs them then there these they this those through to too under until up us use
used using ve very was we were what when where whether which while who whom whose why will with
without would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that say nothing about a subject; questions are made of them."""


class FullText:
    """An index of titles and bodies. Not safe for threads: callers take turns.

    Args:
        documents: Title and body of each document; its place here is its number in the hits.
    """

    def __init__(self, documents: Iterable[tuple[str, str]]) -> None:
        # Callers take turns, but not always in the thread that made the connection.
        self._database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)
        self._database.execute(
            "CREATE VIRTUAL TABLE documents USING fts5"
            "(title, body, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        # As the table's own rank, so that snippets are cut for the best hits only.
        weights = f"bm25({TITLE_WEIGHT}, 1.0)"
        self._database.execute(
            "INSERT INTO documents(documents, rank) VALUES ('rank', ?)", (weights,)
        )
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO documents(rowid, title, body) VALUES (?, ?, ?)",
            (
                (place, _spaced(title), _spaced(body))
                for place, (title, body) in enumerate(documents)
            ),
        )
        self._database.execute("COMMIT")

    def search(self, query: str, limit: int) -> list[tuple[int, str]]:
        """Number and snippet of at most `limit` documents with a word of `query`, best first."""
        expression = _match_expression(query)
        if not expression:
            return []
        rows = self._database.execute(
            "SELECT rowid, snippet(documents, 1, '', '', ' \u2026 ', ?) FROM documents "
            "WHERE documents MATCH ? ORDER BY rank LIMIT ?",
            (SNIPPET_TOKENS, expression, limit),
        )
        return [(place, " ".join(_SPACELESS_GAP.sub("", text).split())) for place, text in rows]


def _match_expression(query: str) -> str:
    """The query's telling words, quoted for FTS5 and joined by OR; "" when there are none."""
    terms: dict[str, None] = {}
    for word in _WORD.findall(_APOSTROPHE_S.sub("", query).casefold()):
        for run in _SPACELESS_RUN.findall(word):
            terms.update(dict.fromkeys(" ".join(pair) for pair in _pairs(run)))
        parts = _SPACELESS_RUN.split(word)
        terms.update(dict.fromkeys(part for part in parts if part and part not in STOP_WORDS))
    return " OR ".join(f'"{term}"' for term in list(terms)[:MAX_TERMS])


def _pairs(run: str) -> list[str]:
    """Neighbours in a run of characters: most Chinese words are two long."""
    return [run[start : start + 2] for start in range(max(1, len(run) - 1))]


def _spaced(text: str) -> str:
    """Chinese, Japanese and Korean characters set apart: FTS5 takes a run of them for one word."""
    return _SPACELESS_CHAR.sub(r" \1 ", text) if _SPACELESS_CHAR.search(text) else text
