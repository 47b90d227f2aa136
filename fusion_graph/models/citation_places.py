"""Where in a text its sources are cited, by what a provider says beside it (`url_citation`).

Providers mean different things by an annotation's place: OpenAI's is that of a link which the
model wrote, `([host](url))`; OpenRouter's is 0 to 0 where it ran the search itself, and the model
was told to write links; others' is the passage that the source is for. So links come first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_tools.sites import source_key

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_LABEL = r"\[(?P<label>(?:[^\[\]\n]|\[[^\[\]\n]{0,100}\]){0,300})\]"
_URL = r"https?://[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*"
_LINK = re.compile(
    rf"(?P<picture>!?){_LABEL}\(<?(?P<url>{_URL})>?(?:\s+\"[^\"\n]*\")?\)"
    r"|<(?P<auto>https?://[^\s<>]+)>"
    r"|(?P<bare>https?://[^\s()<>\[\]\"'`]+)"
)
_HOST = re.compile(r"(?:https?://)?(?:[\w-]+\.)+[a-z]{2,24}(?:/\S*)?", re.IGNORECASE)
_NUMBER = re.compile(r"(?:source\s*)?\d{1,3}", re.IGNORECASE)


@dataclass(frozen=True)
class Annotation:
    """One source of a text, as its provider names it.

    Attributes:
        url: Its address.
        title: Its title; may be empty.
        excerpt: What the provider gives of its text; may be empty.
        start: First character of the place, 0 where none is told.
        end: The character after it.
    """

    url: str
    title: str = ""
    excerpt: str = ""
    start: int = 0
    end: int = 0


def annotations_in(found: Any) -> list[Annotation]:
    """The sources in a message's or a part's `annotations`, of either API's form.

    Args:
        found: What stands there; of any shape.
    """
    read: list[Annotation] = []
    for one in found if isinstance(found, list) else ():
        fields = one.get("url_citation", one) if isinstance(one, Mapping) else None
        if not isinstance(fields, Mapping) or one.get("type") != "url_citation":
            continue
        if isinstance(url := fields.get("url"), str) and url:
            read.append(
                Annotation(
                    url,
                    _text(fields.get("title")),
                    _text(fields.get("content")),
                    _place(fields.get("start_index")),
                    _place(fields.get("end_index")),
                )
            )
    return read


def with_marks(
    text: str, annotations: Sequence[Annotation], mark: Callable[[Annotation], str]
) -> str:
    """The text with a mark wherever one of its sources is cited.

    A link whose label is no more than the host's name gives way to the mark; another keeps its
    label, and an address stays before it. Nothing is written into code.

    Args:
        text: The text.
        annotations: Its sources.
        mark: Gives a source's mark; empty for one that is not to be cited.
    """
    code = [match.span() for match in _CODE.finditer(text)]
    by_key = _by_address(annotations)
    edits: dict[tuple[int, int], str] = {}
    linked: set[str] = set()
    for link in _LINK.finditer(text):
        url = link["url"] or link["auto"] or link["bare"].rstrip(".,;:!?*_")
        key = source_key(url)
        if key not in by_key or link["picture"] or _within(link.start(), code):
            continue
        linked.add(key)
        if not (marked := mark(by_key[key])):
            continue
        if link["url"]:
            edits[link.span()] = _label(link["label"], by_key[key].title) + marked
        else:
            after = link.end() if link["auto"] else link.start() + len(url)
            edits[after, after] = marked
    for annotation in annotations:
        end = _end_of_word(text, annotation.end)
        placed = 0 <= annotation.start < annotation.end <= len(text) and not _within(end, code)
        if source_key(annotation.url) not in linked and placed:
            marked = mark(annotation)
            if marked not in edits.get((end, end), ""):
                edits[end, end] = edits.get((end, end), "") + marked
    return _edited(text, edits)


def with_numbers_marked(
    text: str, annotations: Sequence[Annotation], mark: Callable[[Annotation], str]
) -> str:
    """The text with a mark in place of every `[k]` that counts its sources, as Perplexity writes.

    Args:
        text: The text.
        annotations: Its sources, in the order in which it counts them.
        mark: Gives a source's mark.
    """
    counted = list(_by_address(annotations).values())
    code = [match.span() for match in _CODE.finditer(text)]

    def marked(found: re.Match[str]) -> str:
        number = int(found["number"])
        if not 1 <= number <= len(counted) or _within(found.start(), code):
            return found[0]
        return mark(counted[number - 1])

    return _COUNTED.sub(marked, text)


_COUNTED = re.compile(r"\[(?P<number>\d{1,3})\](?!\()")


def _by_address(annotations: Iterable[Annotation]) -> dict[str, Annotation]:
    """Each source once, as it was told first: streams may tell all of them with every piece."""
    found: dict[str, Annotation] = {}
    for annotation in annotations:
        found.setdefault(source_key(annotation.url), annotation)
    return found


def _label(label: str, title: str) -> str:
    """What is kept of a link's label: words of the sentence, not the name of the source."""
    said = label.strip()
    if said.startswith("[") and said.endswith("]"):
        said = said[1:-1]
    only_named = _HOST.fullmatch(said) or _NUMBER.fullmatch(said) or said in ("", title)
    return "" if only_named else said


def _end_of_word(text: str, at: int) -> int:
    while 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum():
        at += 1
    return at


def _within(at: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start < at < end for start, end in spans)


def _edited(text: str, edits: Mapping[tuple[int, int], str]) -> str:
    pieces, at = [], 0
    for (start, end), written in sorted(edits.items()):
        if start < at:
            continue  # a place within a link that was replaced
        pieces += [text[at:start], written]
        at = end
    return "".join([*pieces, text[at:]])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _place(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
