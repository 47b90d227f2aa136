"""English words by what changing them changes (`data/english.toml`)."""

from __future__ import annotations

from fusion_graph.evidence._tables import by_word, rows, table

_TABLE = table("english")


def _words(name: str) -> frozenset[str]:
    return frozenset(_TABLE[name].split())


WEAK = _words("weak")
NEGATIONS = _words("negations")
NEGATING = _words("negating")
MODALS = _words("modals")
HEDGES = _words("hedges")
QUANTIFIERS = _words("quantifiers")
CONDITIONS = _words("conditions")
DIRECTIONS = _words("directions")
SIDES = _words("sides")
COMPARATIVES = _words("comparatives")
NOT_IZE = _words("not_ize")
OUR = _words("our")
RE = _words("re")

CONTRACTIONS = {word: tuple(parts.split()) for word, parts in _TABLE["contractions"].items()}
ENDINGS = {"'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "", "s'": ""}
IRREGULAR = by_word(_TABLE["irregular"])
SPELLINGS = by_word(_TABLE["spellings"])
ANTONYMS = tuple(
    (one, two)
    for line in _TABLE["antonyms"].strip().splitlines()
    for left, right in [line.split("|")]
    for one in left.split()
    for two in right.split()
)
PHRASES = {
    tuple(written.split()): (means.strip(), group.strip())
    for line in _TABLE["phrases"].strip().splitlines()
    for written, taken in [line.split(" = ")]
    for means, group in [taken.split("|")]
}
BOUNDS = {
    tuple(words): bound for bound, listed in _TABLE["bounds"].items() for words in rows(listed)
}
