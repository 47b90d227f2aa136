"""Citations: one grammar says what in a text cites a source, for models, pages and programs alike.

Models are asked for `[n]` and `[n: "exact words"]`, and write as they have learnt elsewhere:
ranges, lists, footnote marks, brackets with words in them. All of that is read. Whether it is
read as a citation is decided by the numbers that exist and by the place: in code, mathematics,
data, a link or a subscript nothing is one. What is no citation is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from fusion_graph.evidence._citation_marks import Mark, Part, marks
from fusion_graph.evidence._places import glued
from fusion_graph.evidence.quotes import normalised

ANY_SOURCE = range(1, 1000)
"""The numbers that may exist, for readers who do not know which do."""

NO_SOURCE = "?"
"""What stands in place of a number that would point at somebody else's page."""


@dataclass(frozen=True)
class Reading:
    """A text and what in it cites sources.

    Attributes:
        text: The text.
        known: The numbers that exist.
        marks: Everything that looks like a citation, in order, whatever it is held to be.
    """

    text: str
    known: Collection[int]
    marks: tuple[Mark, ...]

    @cached_property
    def citations(self) -> list[Mark]:
        """The citations, in order: those that name at least one source that exists."""
        return [m for m in self.marks if m.kind == "cites" and any(n in self.known for n in m.ids)]

    @cached_property
    def cited(self) -> list[int]:
        """The sources cited, each once, in order of first appearance."""
        return _once(n for mark in self.citations for n in mark.ids if n in self.known)

    @cached_property
    def quotes(self) -> list[tuple[int, str]]:
        """What is quoted, as `(number, words)`, in order."""
        return [
            (n, part.words)
            for mark in self.marks
            if mark.kind == "cites"
            for part in mark.parts
            if part.words
            for n in part.ids
        ]

    @cached_property
    def numbers(self) -> list[int]:
        """All numbers cited, whether they exist or not, each once."""
        return _once(n for mark in self.marks if mark.kind == "cites" for n in mark.ids)

    @cached_property
    def unknown(self) -> list[int]:
        """Numbers that are cited and do not exist, each once."""
        return [n for n in self.numbers if n not in self.known]

    @cached_property
    def unreadable(self) -> list[str]:
        """What looks like a citation and cannot be read, as it is written."""
        return [self.text[m.start : m.end] for m in self.marks if m.kind == "unreadable"]

    def renumbered(self, mapping: Mapping[int, int], taken: Collection[int]) -> str:
        """The text with every citation under its new number, as `[n]` or `[n: "words"]`.

        A number without a new one stays where no source has it; where another source has it
        now, it becomes `[?]`: it would point at a page that it was not written about. What was
        no citation and would now be read as one is escaped.

        Args:
            mapping: The new number of each old one.
            taken: Every number that means something from now on.
        """

        def number(n: int) -> str:
            return str(mapping.get(n, NO_SOURCE if n in taken else n))

        def rewritten(mark: Mark) -> str:
            written = self.text[mark.start : mark.end]
            lost = [n for n in mark.ids if n not in mapping]
            if mark.kind == "cites":
                if len(lost) == len(mark.ids) and not any(n in taken for n in lost):
                    return written
                return _canonical(mark.parts, number)
            if mark.kind == "doubtful":
                if not all(n in taken for n in mark.ids):
                    return written
                # A raised number has no bracket to escape.
                return f"\\{written}" if written.startswith("[") else f"[{NO_SOURCE}]"
            if mark.number is None:
                return written
            start, end = mark.number
            at = written[: start - mark.start], written[end - mark.start :]
            return number(mark.ids[0]).join(at)

        return self._rewritten(rewritten)

    def plain(self) -> str:
        """The text as readers get it: `[n: "words"]` is told as `"words" [n]`.

        Words that the text has just said itself are not said again. Citations of numbers that
        do not exist stay as they are.
        """

        def rewritten(mark: Mark) -> str:
            if mark.kind != "cites" or not any(n in self.known for n in mark.ids):
                return self.text[mark.start : mark.end]
            told = []
            for part in mark.parts:
                numbers = "".join(f"[{n}]" for n in _once(part.ids))
                if part.words and not self._just_said(part.words, mark.start):
                    numbers = f'"{part.words}" {numbers}'
                told.append(numbers)
            return " ".join(told) if any(part.words for part in mark.parts) else "".join(told)

        return self._rewritten(rewritten)

    def _just_said(self, words: str, at: int) -> bool:
        before = self.text[max(0, at - 2 * len(words)) : at]
        return normalised(words).rstrip(".") in normalised(before)

    def without(self, write: Callable[[Mark], str]) -> str:
        """The text with something else in place of each citation.

        Args:
            write: Gives what stands in its place.
        """
        cites = set(map(id, self.citations))
        return self._rewritten(
            lambda mark: write(mark) if id(mark) in cites else self.text[mark.start : mark.end]
        )

    def _rewritten(self, write: Callable[[Mark], str]) -> str:
        pieces, at = [], 0
        for mark in self.marks:
            written = write(mark)
            tight = written.startswith("[") and written != self.text[mark.start : mark.end]
            if tight and mark.start != at and not mark.bare and glued(self.text, mark.start):
                # `word[^1]` cites, `word[1]` is a place in a list.
                written = f" {written}"
            pieces += [self.text[at : mark.start], written]
            at = mark.end
        return "".join([*pieces, self.text[at:]])


def read_citations(text: str, known: Collection[int]) -> Reading:
    """Read a text's citations.

    Takes time linear in the text: some 0.1 s for 200,000 characters of prose. Longer texts are
    read off the event loop.

    Args:
        text: Markdown.
        known: The numbers that exist. Where none does, nothing is a citation.
    """
    known = known if isinstance(known, range) else frozenset(known)
    return Reading(text, known, tuple(marks(text, known)) if known else ())


def cited(text: str, known: Collection[int]) -> list[int]:
    """The sources that a text cites, each once, in order of first appearance.

    Args:
        text: Markdown.
        known: The numbers that exist.
    """
    return read_citations(text, known).cited


def quoted(text: str, known: Collection[int]) -> list[tuple[int, str]]:
    """The quotes in a text's citations, as `(number, words)`, in order.

    Args:
        text: Markdown.
        known: The numbers that exist.
    """
    return read_citations(text, known).quotes


def renumber(text: str, mapping: Mapping[int, int]) -> str:
    """The text with its citations, however written, as `[n]` with new numbers.

    Args:
        text: Markdown.
        mapping: The new number of each number that exists. What it does not hold stays, unless
            it would now point at another source: then it becomes `[?]`.
    """
    return read_citations(text, mapping.keys()).renumbered(mapping, frozenset(mapping.values()))


def _canonical(parts: tuple[Part, ...], number: Callable[[int], str]) -> str:
    written = []
    for part in parts:
        numbers = dict.fromkeys(number(n) for n in part.ids)
        if not part.words:
            written += [f"[{n}]" for n in numbers]
            continue
        open_, close = ("'", "'") if '"' in part.words else ('"', '"')
        written += [f"[{n}: {open_}{part.words}{close}]" for n in numbers]
    return "".join(written)


def _once(numbers: object) -> list[int]:
    return list(dict.fromkeys(numbers))  # type: ignore[call-overload]
