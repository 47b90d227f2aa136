"""The prompt's own machinery where a model repeats it, which no reader is to see.

Small models copy: the delimiters around untrusted text with the run's nonce, whole or altered,
and the example of how to quote (in 3 of 20 answers of real models of up to 1.5 billion weights).
"""

from __future__ import annotations

import re
from functools import lru_cache

from fusion_graph.text._call_markup import Span, code_spans, outside, pieces_around

EXAMPLE_WORDS = "the exact words"
"""What the panel's instructions quote to show how to quote."""

EXAMPLE_QUOTE = f'[2: "{EXAMPLE_WORDS}"]'
"""How the panel's instructions show a quote."""

MARKERS = "the markers around untrusted text"
NONCE = "the run's own marker"
EXAMPLE = "the instructions' example of a quote"

_TAG = re.compile(
    r"[<(\u2039\u27e8]\s{0,3}[/\\]?\s{0,3}untrusted(?:[ \t][^<>\n]{0,200}|\b)(?:>|$)",
    re.IGNORECASE | re.MULTILINE,
)
"""A delimiter as the prompts write it, as `defang` leaves it, or as a model remembers it."""

_EXAMPLE = re.compile(
    rf"\[\d{{1,4}}:?\s{{0,3}}[\"'“”‘’]{re.escape(EXAMPLE_WORDS)}[.…]?[\"'“”‘’]\s?\]", re.IGNORECASE
)

PENDING = re.compile(
    r"(?:[<(\u2039\u27e8]\s{0,3}[/\\]?\s{0,3}(?:u[a-z]{0,8}(?:(?<=untrusted)[ \t][^<>\n]{0,200})?)?"
    r"|\[\d{0,4}:?\s{0,3}(?:[\"'“”‘’][a-z ]{0,16}[\"'“”‘’]?)?\s?)\Z",
    re.IGNORECASE,
)
"""The end of a text that still comes in, where it may become an echo."""


def without_echoes(text: str, nonce: str = "") -> tuple[str, list[str]]:
    """The text without what it repeats of the prompts, and what that was.

    Args:
        text: What a model wrote.
        nonce: The run's delimiter secret; empty where there is none.
    """
    spans = echo_spans(text, nonce)
    if not spans:
        return text, []
    gaps, kept = GapCloser(), list[str]()
    for piece in pieces_around(text, [span for span, _ in spans]):
        kept.append(gaps.take(piece))
        gaps.cut()
    return "".join(kept).strip(), list(dict.fromkeys(kind for _, kind in spans))


class GapCloser:
    """Closes the gaps that cuts leave in a text, which may come in pieces of any size.

    The space before a cut goes along with it, and at most one blank line is left across it. A
    text comes out alike whole and as it streams in; a space at its end is held back.
    """

    def __init__(self) -> None:
        self._space = ""
        self._line_feeds = 0
        self._cut = False

    def take(self, text: str) -> str:
        """Take the next piece; gives what of it stays, as far as that is known."""
        if not text:
            return ""
        if self._cut:
            rest = text.lstrip("\n")
            feeds = min(len(text) - len(rest), max(0, MOST_LINE_FEEDS - self._line_feeds))
            text = "\n" * feeds + rest
            self._cut = not rest
        text = self._space + text
        self._space = " " if text.endswith(" ") else ""
        text = text.removesuffix(" ")
        before = text.rstrip("\n")
        self._line_feeds = len(text) - len(before) + (0 if before else self._line_feeds)
        return text

    def cut(self) -> None:
        """Something was cut out here."""
        self._space, self._cut = "", True


MOST_LINE_FEEDS = 2
"""Line feeds in a row that a cut may leave: one blank line."""


def echo_spans(text: str, nonce: str = "") -> list[tuple[Span, str]]:
    """Find where a text repeats the prompts, and what; markers in code only with the nonce."""
    found: list[tuple[Span, str]] = []
    low = text.lower()
    if "untrusted" in low:
        code = code_spans(text)
        for match in _TAG.finditer(text):
            ours = bool(nonce) and nonce in match[0].lower()
            if ours or (outside(match.start(), code) and _is_marker(match[0])):
                found.append((match.span(), MARKERS))
    if nonce and nonce in low:
        found += [(m.span(), NONCE) for m in _alone(nonce).finditer(text)]
    if EXAMPLE_WORDS in low:
        found += [(m.span(), EXAMPLE) for m in _EXAMPLE.finditer(text)]
    return found


def _is_marker(tag: str) -> bool:
    """Tell whether a tag is one of ours, and no word in brackets: "(untrusted sources say so)"."""
    if tag[0] == "(":
        return bool(re.match(r"\(\s*[/\\]?\s*untrusted(?:\s+[0-9a-f]{6,}|\s+kind=)", tag, re.I))
    return True


@lru_cache(maxsize=64)
def _alone(nonce: str) -> re.Pattern[str]:
    return re.compile(re.escape(nonce), re.IGNORECASE)
