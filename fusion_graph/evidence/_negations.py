"""Words that deny, function words and numbers of other languages (`data/languages.toml`)."""

from __future__ import annotations

from fusion_graph.evidence._tables import table

_TABLE = table("languages")


def _languages(listed: dict[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for language, words in listed.items():
        for word in words.split():
            found.setdefault(word, set()).add(language)
    return {word: frozenset(languages) for word, languages in found.items()}


_NEGATIONS = _languages(_TABLE["negations"])
_WEAK = _languages(_TABLE["weak"])
_NUMBERS = {
    (language, word): number
    for language, words in _TABLE["numbers"].items()
    for number, word in enumerate(words.split(), 2)
}
_NOWHERE: frozenset[str] = frozenset()


def negation_languages(word: str) -> frozenset[str]:
    """The languages in which a word denies."""
    return _NEGATIONS.get(word, _NOWHERE)


def weak_languages(word: str) -> frozenset[str]:
    """The languages in which a word is a function word."""
    return _WEAK.get(word, _NOWHERE)


def number_of(word: str, language: str) -> int | None:
    """The number from two that a word of a language stands for, or None."""
    return _NUMBERS.get((language, word))
