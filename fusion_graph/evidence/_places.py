"""Tells from what stands around a bracket whether it may cite, or holds data or mathematics."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fusion_graph.evidence._prose import Block


@dataclass(frozen=True, slots=True)
class After:
    """The bracket before this one: where it ended, and whether it cited or held numbers."""

    end: int = -1
    cited: bool = False
    numbers: bool = False


_SPACELESS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Letters of scripts that put no space between words: a citation follows a word at once."""

_OPERATORS = frozenset("=≠≈∈∉∋⊂⊃⊆⊇≤≥+×·∪∩∘⋅⊗⊕∑∏∫√∂→↦≡∼±∖∣−")
_GLUED = frozenset("\\[{$@#/^_&~)]}=<")
_AFTER = frozenset("^ᵀ=∪∩×⊂⊆∈⊕⊗·⋅≤≥²+")
_SOURCES_SAID = re.compile(
    r"(?:sources?|references?|refs?|citations?|cf|see|quellen?|siehe|fuentes?|voir|links?|evidence"
    r"|according to|studies|reports?|papers?|cited)\W{0,4}$",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:^|\n)[ \t>]*(?:[-*+][ \t]+)?[\w.-]{1,40}$")
_CALL = re.compile(r"\w\($")
_MEMBER = re.compile(r"\.[a-z_]\w*")
_PLACE = re.compile(r"\[(?:[^\W\d]|[\"']|0\])(?!\w{2,9}\W{1,2}\d)")
"""Of a list or a table of links: `[x]`, `["key"]`, `[0]`; not `[source 1]`."""
_QUANTIFIED = re.compile(r"[*+?]|\{\d")
_CLAUSE_END = re.compile(
    r"[*_)\"'\u201d\u2019\u00bb]{0,3}\s{0,3}(?:$|[.,;:!?\u2026\u3002\uff0c\uff1b\uff1a\uff01\uff1f\u3001)\u2014\u2013|\[\n<]|\s[-\u2013\u2014]\s)"
)
_STRONG = (
    r"intervals?|vectors?|arrays?|tuples?|matri(?:x|ces)|intervalle?s?|intervall|intervallo"
    r"|intervalos?|vektor|vecteur|coordinates|indices|index|element|slice|shape|dims?|integers"
)
_WEAK = (
    r"ranges?|lists?|sets?|domain|points?|segments?|sequences?|scale|grid|box|bounds|between|rows?"
    r"|columns?|values?|numbers?|weights?|input|output|inputs|outputs|pairs?|becomes|gets?|bereich|liste|menge"
)
_SAYS = r"the|an?|is|are|be|equals?|returns?|gives|yields|prints?|contains"
_PREPOSITIONS = r"in|on|over|from|to|of|within|for|with|by|at|auf|im|dans|sur|en"
_CUE = re.compile(
    rf"(?:^|[^\w-])(?:(?P<strong>{_STRONG})|(?P<says>{_SAYS})|(?P<weak>{_WEAK})"
    rf"|(?P<prep>{_PREPOSITIONS}))[ \t]*$",
    re.IGNORECASE,
)
_FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "log", "exp", "sec", "csc", "cot", "sinh", "cosh", "tanh"]
)
_WORD_BEFORE = re.compile(r"[^\W\d_]+$")


def in_prose(text: str, start: int, end: int, block: Block, after: After, *, loose: bool) -> bool:
    """Whether a bracket stands where prose has citations.

    Args:
        text: The text.
        start: Where the bracket begins.
        end: Where it ends.
        block: The block it stands in.
        after: The bracket before it.
        loose: Whether what is in it shows that it cites, wherever it stands.
    """
    before, behind = text[max(block.start, start - 1) : start], text[end : min(end + 1, block.end)]
    if before == "\\":
        return False
    if loose:
        # `x[^1]*` is a pattern; `*word[^1]*` is stressed.
        line = text[max(block.start, start - 200) : start].rpartition("\n")[2]
        pattern = behind == "*" and text[start + 1] == "^" and line.count("*") % 2 == 0
        return not (pattern or behind in ("+", "(") or _runs_on(text, end, block))
    if start == after.end:
        left = after.cited
    elif before and start in block.closed:
        left = before not in "}$"
    else:
        left = not (before and (_holds(before) or before in _GLUED or _called(text, start, block)))
    return (
        left
        and not _operated(text, start, block)
        and not _data_follows(text, end, block)
        and not _valued(text, start, end, block)
    )


def glued(text: str, at: int) -> bool:
    """Whether a bracket here would belong to the character before it."""
    before = text[at - 1 : at] if at else ""
    return bool(before) and (_holds(before) or before in _GLUED)


def _holds(before: str) -> bool:
    """Whether a bracket right after this character belongs to it, as in `x[1]`."""
    if _SPACELESS.match(before):
        return False
    return before.isalnum() or (not before.isascii() and before.isidentifier())


def _called(text: str, start: int, block: Block) -> bool:
    """Whether a bracket is an argument: `f([1])`, `f(x, [1])`."""
    line = text[max(block.start, start - 120) : start]
    depth = 0
    for at in range(len(line) - 1, 0, -1):
        if line[at] == ")":
            depth += 1
        elif line[at] == "(":
            depth -= 1
            if depth < 0:
                return line[at - 1].isascii() and (line[at - 1].isalnum() or line[at - 1] in "_]")
        elif line[at] == "\n":
            return False
    return False


def _operated(text: str, start: int, block: Block) -> bool:
    """Whether a bracket is an operand: `x = [1]`, `k \u2208 [1, 2]`."""
    lead = text[max(block.start, start - 12) : start]
    bare = lead.rstrip(" \t")
    if not bare:
        return False
    sign = bare[-1]
    if sign in "+*-":
        line = text[max(block.start, start - 40) : start].rpartition("\n")[2].strip(" \t>")
        if line == sign or lead[-1:] == sign or sign == "-":
            return False
        return bare[-2:-1].isspace()
    if sign in "<>":
        return sign == "<" or (bare[-2:-1].isspace() and bool(bare[:-1].strip(" \t>\n")))
    if sign == "\u2192":
        return False
    return sign in _OPERATORS


def _runs_on(text: str, end: int, block: Block) -> bool:
    """Whether a bracket runs into what follows, as in `[1]x`, `[1]_n`, `[1]{2}` and `[1][x]`."""
    follows = text[end : min(end + 24, block.end)]
    if follows[:1] == "[":
        return bool(_PLACE.match(follows))
    if follows[:1] == "_":
        # Emphasis ends so, too.
        return follows[1:2].isalnum()
    behind = follows[:1]
    return behind in ("{", "^") or (behind.isalnum() and not _SPACELESS.match(behind))


def _data_follows(text: str, end: int, block: Block) -> bool:
    """Whether what follows a bracket takes it for a value: `[1].count`, `[1] = x`, `[1]|[2]`."""
    follows = text[end : min(end + 24, block.end)]
    if _runs_on(text, end, block) or _MEMBER.match(follows):
        return True
    if follows.startswith("+") or (follows.startswith("|") and not block.row):
        return True
    rest = follows.lstrip(" \t")
    return bool(rest) and rest[0] in _AFTER


def _valued(text: str, start: int, end: int, block: Block) -> bool:
    """Whether a bracket is the value of a name: `"ids": [1]`, `ports: [1, 2]`."""
    lead = text[max(block.start, start - 80) : start].rstrip(" \t")
    if not lead.endswith((":", "\uff1a")):
        return False
    named = lead[:-1].rstrip(" \t")
    tight = text[start - 1] in ":\uff1a" and named[-1:].isalnum()
    if tight or named.endswith(('"', "'", ":")):
        return True
    if _SOURCES_SAID.search(named):
        return False
    inside = text[start:end]
    if re.search(r"[,;]", inside):
        return True
    whole_line = text[end : block.end].partition("\n")[0].strip() in ("", ",")
    return whole_line and bool(_KEY.search(named))


def reads_as_numbers(text: str, start: int, end: int, block: Block, exist: bool) -> bool:
    """Whether numbers in brackets read as numbers: an interval, a vector, a list.

    Args:
        text: The text.
        start: Where the bracket begins.
        end: Where it ends.
        block: The block it stands in.
        exist: Whether all of them are sources.
    """
    several = not text[start + 1 : end - 1].strip().isdigit()
    closes = bool(_CLAUSE_END.match(text, end, block.end)) or end >= block.end
    cue = _CUE.search(text, max(block.start, start - 24), start)
    if several and _QUANTIFIED.match(text, end, block.end) and not closes:
        return True
    if cue is None:
        return False if exist else not closes
    if cue["strong"]:
        return several or not exist
    if cue["says"] or cue["weak"]:
        listed = several and (bool(cue["says"]) or not closes)
        return listed or not (exist or closes)
    return not exist and several


def in_superscript_place(
    text: str, start: int, end: int, block: Block, after: After, *, bare: bool
) -> bool:
    """Whether a raised number cites: after a word or a stop, and no exponent, ordinal or unit.

    Args:
        text: The text.
        start: Where the raised number begins.
        end: Where it ends.
        block: The block it stands in.
        after: The bracket before it.
        bare: Whether it is a raised digit, and no element.
    """
    if start == after.end:
        return after.cited
    before = text[max(block.start, start - 40) : start]
    if not bare:
        before = before.rstrip(" ")
    if text[end : end + 1].isalnum() or not before:
        return False
    if before[-1] in '.,;:!?\u201d"\u3002\u2019':
        return not before[-2:-1].isdigit()
    word = _WORD_BEFORE.search(before)
    if word is None or before[: word.start()][-1:].isdigit():
        return False
    shortest = 5 if bare else 3
    return len(word[0]) >= shortest and word[0].lower() not in _FUNCTIONS
