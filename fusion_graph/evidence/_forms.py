"""Forms of a word: spelling and inflection taken off, so that two forms of one word are equal."""

from __future__ import annotations

from functools import lru_cache

from fusion_graph.evidence._english import IRREGULAR, NOT_IZE, OUR, RE, SPELLINGS
from fusion_graph.evidence._words import without_accents
from fusion_graph.text.stems import snowball_stem

_STEMMERS = {
    "ar": "arabic",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "es": "spanish",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
"""Languages that snowballstemmer 3.1 stems."""


@lru_cache(maxsize=50_000)
def english_form(word: str) -> str:
    """The word in American spelling and without its ending, as a key for comparison."""
    return _bare(_american(IRREGULAR.get(word, word))).replace("ll", "l")


@lru_cache(maxsize=20_000)
def stemmed(word: str, language: str) -> str:
    """The word's stem in a language other than English, or the word where nobody stems it."""
    name = _STEMMERS.get(language)
    return without_accents(snowball_stem(word, name) if name else word)


def _american(word: str) -> str:
    word = without_accents(word)
    known = SPELLINGS.get(word)
    if known:
        return known
    if word in RE or (word.endswith("s") and word[:-1] in RE):
        plural = word.endswith("s")
        bare = word[:-1] if plural else word
        return bare[:-2] + ("ers" if plural else "er")
    for ending in ("isation", "isations", "ise", "ised", "ises", "ising", "iser", "isers"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            if stem + "ise" not in NOT_IZE:
                return stem + "iz" + ending[2:]
    for one, two in (
        ("lyse", "lyze"),
        ("lysed", "lyzed"),
        ("lysing", "lyzing"),
        ("lyses", "lyzes"),
    ):
        if word.endswith(one) and word != "analyses":
            return word[: -len(one)] + two
    if "our" in word and len(word) > 4 and not any(word.startswith(w) for w in OUR):
        for ending in (
            "",
            "s",
            "ed",
            "ing",
            "able",
            "ably",
            "ite",
            "ites",
            "er",
            "ers",
            "hood",
            "hoods",
            "al",
            "ally",
            "less",
            "ful",
            "fully",
        ):
            if word.endswith("our" + ending) and len(word) - len(ending) > 4:
                return word[: len(word) - len(ending) - 3] + "or" + ending
    if len(word) > 5:
        word = word.replace("aeo", "eo").replace("oe", "e") if word[:2] != "co" else word
        for one, two in (("aem", "em"), ("haem", "hem"), ("paed", "ped"), ("aest", "est")):
            word = word.replace(one, two)
    if word.endswith("oeuvre"):
        word = word[:-6] + "euver"
    return word


_VOWELS = frozenset("aeiouy")


def _bare(word: str) -> str:
    length = len(word)
    if length > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if length > 4 and word.endswith("ied"):
        return word[:-3] + "y"
    if length > 4 and word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return _undoubled(word[:-2])
    if (length > 3 and word.endswith("s") and word[-2] not in "sui") or (
        length > 5 and word.endswith("uses")
    ):
        word = word[:-1]
    for ending in ("ing", "ed"):
        stem = word[: -len(ending)]
        if word.endswith(ending) and len(stem) >= 3 and _VOWELS & set(stem):
            return _undoubled(stem)
        if word.endswith(ending) and len(stem) == 2 and _VOWELS & set(stem) and ending == "ed":
            return stem + "e" if stem[0] in _VOWELS else word  # used, aged; no red, bed
    if len(word) > 3 and word.endswith("e"):
        return _undoubled(word[:-1])
    return _undoubled(word)


def _undoubled(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "eo" else word
