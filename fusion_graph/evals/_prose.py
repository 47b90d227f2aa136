"""Verdicts in prose: read where they are stated plainly, and nowhere else.

A grader that was asked for JSON and wrote prose can say anything around the word: "hardly MET",
"MET? No.", "far from MET". Lists of such turns have no end, so the clause that holds the word must
be made of a few plain words, and nothing around it may deny, hedge, ask or take back. What is
doubted here is asked for again or counts as unread, by the policy; it is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fusion_graph.evidence.difference import polarity

_PLAIN_WORDS = (
    "a all am and answer as assessment been clearly completely conclude conclusion criterion "
    "criterion_status decision evaluation final finally find fully grade has have hence here i in "
    "indeed is it it's its judge judgement judgment mark my of on overall rate rating requirement "
    "response result short so status summary that that's the therefore this thus verdict was "
    "we"
)
_PLAIN = frozenset(_PLAIN_WORDS.split())
"""Of what a clause that states a verdict is made: "Overall, I find the criterion is MET"."""

_DOUBT_WORDS = (
    "actually almost although apart arguably barely borderline but correction despite except "
    "exception fails false however if instead just mistaken nearly nope only partial partially "
    "partly pending perhaps possibly probably provided rather reconsider scratch should supposedly "
    "tentative tentatively though unclear unless unsure until untrue wait were whether while would "
    "wrong yet"
)
_DOUBT = frozenset(_DOUBT_WORDS.split())
"""Words that take a statement back or narrow it, beside those that `polarity` knows."""

_ABOUT_VERDICTS = re.compile(
    r"\b(met|unmet|satisf\w+|fulfil\w*|criteri\w+|requirement\w*|verdict\w*|sure|certain|"
    r"(in)?correct\w*|right|true|confident|(I|one|you)\b.{0,20}\b(say|tell))\b",
    re.IGNORECASE,
)

_REASON = re.compile(r"\W*(justification|explanation|reason(ing)?|rationale|evidence)\b", re.I)
"""Begins what a grader says for its verdict: there, denials are about the answer."""

_SENTENCE = re.compile(r"(?<=[.!?\u2026])[\"'*_)\]]*\s+|\n+")
_CLAUSE = re.compile(r"[,;:()\[\]{}\u2013\u2014=]|\s-+>?\s|\u2192|\b(?:because|since)\b")
_WORD = re.compile(r"[^\W\d_]+(?:[_'][^\W\d_]+)*|\d+")
_MARKS = re.compile(r"[*`#>\"|]|(?<!\w)_|_(?!\w)")
_NOT = re.compile(r"\b(?:(?:is|was|are)\s+not|isn't|wasn't|not)\s*$", re.IGNORECASE)

_NO = re.compile(r"\W*(?:no|nope|wait|actually|hm+)\s*(?:[,.!;:\u2013\u2014-]|$)", re.IGNORECASE)

SHORT = 4
"""A sentence of so few words that denies takes back what was said: "No, it does not.\""""


def stated(text: str, words: Mapping[str, bool]) -> bool | None:
    """The one verdict that a text states plainly; None if it states none, or doubts it.

    Args:
        text: What a grader wrote, without JSON.
        words: What it may say, in capitals, and what that means.
    """
    sentences = [one.strip() for one in _SENTENCE.split(text) if _WORD.search(one)]
    said = [_read(one, words) for one in sentences]
    places = [n for n, one in enumerate(said) if one]
    plain = [n for n in places if said[n] != _NAMED]
    found = {value for n in plain for value in said[n]}
    if len(found) != 1 or places[-1] != plain[-1]:
        # Alternatives may be weighed before a verdict; a verdict named behind it is a doubt.
        return None
    first, last = plain[0], plain[-1]
    if first and not _closed(sentences[first - 1]) and taken_back(sentences[first - 1]):
        return None  # "I would not call this", and on the next line, "MET"
    (verdict,) = found
    return None if _withdrawn(sentences[last + 1 :], verdict) else verdict


def taken_back(text: str) -> bool:
    """Whether words around a verdict deny, hedge, ask or narrow it."""
    plain = _plain(text)
    if "?" in plain or {word.lower() for word in _WORD.findall(plain)} & _DOUBT:
        return True
    said = polarity(plain)
    return bool(said.negations or said.hedges)


def withdrawn(text: str, verdict: bool) -> bool:
    """Whether what follows a verdict takes it back.

    A reason for a favourable verdict has little to deny; a reason for an unfavourable one ("The
    response does not give the figure.") always denies.

    Args:
        text: What follows.
        verdict: What was said.
    """
    return _withdrawn([one for one in _SENTENCE.split(text) if _WORD.search(one)], verdict)


def _withdrawn(sentences: list[str], verdict: bool) -> bool:
    reasons = not verdict
    for sentence in sentences:
        reasons = reasons or bool(_REASON.match(sentence))
        if taken_back(sentence) and (
            not reasons
            or "?" in sentence
            or len(_WORD.findall(sentence)) <= (SHORT if verdict else 2)
            or _NO.match(sentence)
            or _about_the_verdict(sentence, verdict)
        ):
            return True
    return False


def _about_the_verdict(sentence: str, verdict: bool) -> bool:
    """Whether a sentence that denies or doubts speaks of the verdict and not of the answer."""
    found = {match.group().lower() for match in _ABOUT_VERDICTS.finditer(sentence)}
    # "The requirement is not met" beside UNMET is its reason, and takes nothing back.
    return bool(found) and (verdict or not {"met", "correct"} & found)


_NAMED = frozenset({True, False})
"""A sentence that names a verdict and states none."""


def _read(sentence: str, words: Mapping[str, bool]) -> frozenset[bool]:
    """The verdict that a sentence states; `_NAMED` if it only names one, empty if it does not."""
    text = _plain(sentence)
    one_of = "|".join(re.escape(w).replace("\\ ", "[ _]") for w in sorted(words, key=len)[::-1])
    any_case = re.IGNORECASE if re.search(r"verdict|criterion_status", text, re.I) else 0
    clauses = [
        (
            one,
            list(
                re.finditer(
                    rf"(?<![\w'~\u2248\u00ac\u2260!/+-])({one_of})\b(?![\w'/-])",
                    one,
                    any_case,
                )
            ),
        )
        for one in _CLAUSE.split(text)
    ]
    if not any(found for _, found in clauses):
        return frozenset()
    set_to = re.search(rf"\b({one_of})\s*[=<>]", text, any_case)  # "MET = 0"
    if "?" in text or set_to or any(len(found) > 1 for _, found in clauses):
        return _NAMED
    places = [n for n, (_, found) in enumerate(clauses) if found]
    said = {_clause(clauses[n][0], clauses[n][1][0], words) for n in places}
    value = said.pop()
    if said or value is None:
        return _NAMED
    before = [clause for clause, found in clauses[: places[-1]] if not found]
    after = [clause for clause, _ in clauses[places[-1] + 1 :] if _WORD.search(clause)]
    doubted = taken_back(", ".join(before)) or _withdrawn(
        [", ".join(after)] if after else [], value
    )
    return _NAMED if doubted else frozenset({value})


def _clause(clause: str, word: re.Match[str], words: Mapping[str, bool]) -> bool | None:
    """What a clause of plain words with the verdict at its end says."""
    before, after = clause[: word.start()], clause[word.end() :]
    value = words[word.group(1).upper().replace("_", " ")]
    denial = _NOT.search(before)
    if denial and value:
        before, value = before[: denial.start()], False
    plain = {one.lower() for one in _WORD.findall(before)} <= _PLAIN
    return value if plain and not after.strip(" .!'\u2026") else None


def _closed(sentence: str) -> bool:
    return sentence.rstrip("\"'*_)] ").endswith((".", "!", "\u2026"))


def _plain(text: str) -> str:
    return _MARKS.sub(" ", text.replace("\u2019", "'"))
