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

_OPERATORS = frozenset("=\u2260\u2248\u2208\u2209\u220b\u2282\u2283\u2286\u2287\u2264\u2265+\u00d7\u00b7\u222a\u2229\u2218\u22c5\u2297\u2295\u2211\u220f\u222b\u221a\u2202\u2192\u21a6\u2261\u223c\u00b1\u2216\u2223\u2212")
_GLUED = frozenset("\\[{$@#/^_&~)]}=<|%") - {"|", "%"}
_AFTER = frozenset("{^\u1d40=\u222a\u2229\u00d7\u2282\u2286\u2208\u2295\u2297\u00b7\u22c5\u2264\u2265\u00b2+")
_SOURCES_SAID = re.compile(
    r"(?:sources?|references?|refs?|citations?|cf|see|quellen?|siehe|fuentes?|voir|links?|evidence"
    r"|according to|studies|reports?|papers?|cited)\W{0,4}$",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:^|\n)[ \t>]*(?:[-*+][ \t]+)?[\w.-]{1,40}$")
_CALL = re.compile(r"\w\($")
_MEMBER = re.compile(r"\.[a-z_]\w*")
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
    r"|columns?|values?|numbers?|weights?|input|output|inputs|outputs|pairs?|the|a|an|is|are|be"
    r"|equals?|returns?|gives|yields|prints?|contains|becomes|get|gets|bereich|liste|menge"
)
_PREPOSITIONS = r"in|on|over|from|to|of|within|for|with|by|at|auf|im|dans|sur|en"
_CUE = re.compile(rf"(?:^|[^\w-])(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK})|(?P<prep>{_PREPOSITIONS}))[ \t]*$", re.IGNORECASE)
_FUNCTIONS = frozenset("sin cos tan log exp sec csc cot sinh cosh tanh ln lim det".split())
_WORD_BEFORE = re.compile(r"[^\W\d_]+$")


def in_prose(
    text: str, start: int, end: int, block: Block, after: After, *, loose: bool
) -> bool:
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
        return not (behind and (behind.isalnum() or behind in "+*{(_") and not _SPACELESS.match(behind))
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


def _data_follows(text: str, end: int, block: Block) -> bool:
    follows = text[end : min(end + 24, block.end)]
    if not follows:
        return False
    behind = follows[0]
    if (behind.isalnum() and not _SPACELESS.match(behind)) or behind in "_{^":
        return True
    if behind == "[" and not re.compile(r"\[\s?(?:\^|[a-z]{3,9}\W{0,2})?\d", re.IGNORECASE).match(follows):
        return True
    if behind == "|" and not block.row:
        return True
    if _MEMBER.match(follows):
        return True
    if behind == "+":
        return True
    rest = follows.lstrip(" \t")
    if rest[:1] == "]":
        # The last of `[[1], [2]]`.
        return False
    return rest[:1] in _AFTER and bool(rest[:1])


def _valued(text: str, start: int, end: int, block: Block) -> bool:
    """Whether a bracket is the value of a name: `"ids": [1]`, `ports: [1, 2]`."""
    lead = text[max(block.start, start - 80) : start].rstrip(" \t")
    if not lead.endswith((":", "\uff1a")):
        return False
    named = lead[:-1].rstrip(" \t")
    if named.endswith(('"', "'", ":")) or (lead[-1:] == text[start - 1 : start] and named[-1:].isalnum()):
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
    if cue["weak"]:
        said = cue["weak"].lower() in ("is", "are", "be", "the", "a", "an", "equals", "returns", "gives", "yields", "print", "prints", "contains")
        return (several and (said or not closes)) or not (exist or closes)
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
    if before[-1] in ".,;:!?\u201d\"\u3002\u2019":
        return not before[-2:-1].isdigit()
    word = _WORD_BEFORE.search(before)
    if word is None or before[: word.start()][-1:].isdigit():
        return False
    shortest = 5 if bare else 3
    return len(word[0]) >= shortest and word[0].lower() not in _FUNCTIONS
