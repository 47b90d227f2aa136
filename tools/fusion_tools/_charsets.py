"""Bytes to text: the character set from byte-order mark, header, markup, then a guess."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple


class Decoded(NamedTuple):
    """Text, the codec that gave it, and a note when that was not the declared one."""

    text: str
    codec: str
    note: str | None


_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it starts with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9._:-]{1,40})", re.IGNORECASE
)

# What the labels mean on the web (WHATWG Encoding Standard), where Python is stricter.
_WEB_MEANING = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "cp950",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
}
# Python's codecs include ones that no page may choose: zlib, idna, unicode_escape, utf-7...
_WEB_CODECS = re.compile(
    r"utf-(?:8|16-[lb]e|32-[lb]e)|cp(?:125[0-8]|866|874|932|949|950)|iso8859-(?:[2-8]|1[03-6])"
    r"|koi8-[ru]|mac-(?:roman|cyrillic)|gb18030|big5hkscs|euc_jp|iso2022_jp|johab|hz"
)
_LATIN = re.compile(r"cp125[0-8]|iso8859-\d+|mac-roman")
_TOLERATED = 0.01
"""Share of undecodable characters put down to sloppy pages, not to a wrong declaration."""


def decode(
    body: bytes, declared: str | None, *, markup: bool, cut: bool, guess: bool = True
) -> Decoded:
    """Decode a page as a browser would, and better where the declaration is plainly wrong.

    Args:
        body: The page's bytes.
        declared: The charset label of the `Content-Type` header.
        markup: Whether to look for a declaration in the first 2 KiB.
        cut: Whether the body's end was cut off, maybe inside a character.
        guess: Whether to have undeclared ones detected, which can take a second; else they are
            taken for Western European.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            return Decoded(body[len(bom) :].decode(codec, "replace"), codec, None)
    labels = [declared] if declared else []
    if markup and (found := _DECLARED.search(body[:2048])):
        labels.append(found[1].decode("ascii"))
    utf8 = _strictly_utf8(body, cut)
    for label in labels:
        known = _codec(label)
        if known is None or (utf8 is not None and _LATIN.fullmatch(known)):
            continue  # real Latin text is next to never valid UTF-8
        text = utf8 if known == "utf-8" and utf8 is not None else body.decode(known, "replace")
        if text.count("\ufffd") <= max(1, len(text) * _TOLERATED):
            return Decoded(text, known, _mismatch(labels[0], known))
    if utf8 is not None:
        return Decoded(utf8, "utf-8", _mismatch(labels[0], "utf-8") if labels else None)
    guessed = _guess(body) if guess else "cp1252"
    return Decoded(
        body.decode(guessed, "replace"), guessed, _mismatch(labels[0], guessed) if labels else None
    )


def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return None
    name = _WEB_MEANING.get(name, name)
    return name if _WEB_CODECS.fullmatch(name) else None


def _strictly_utf8(body: bytes, cut: bool) -> str | None:
    try:
        return codecs.getincrementaldecoder("utf-8")("strict").decode(body, final=not cut)
    except UnicodeDecodeError:
        return None


def _guess(body: bytes) -> str:
    from charset_normalizer import from_bytes

    # 64 KiB decide; the detector is slow, and gains nothing from more.
    best = from_bytes(body[: 64 * 2**10]).best()
    return (_codec(best.encoding) if best else None) or "cp1252"


def _mismatch(label: str, used: str) -> str | None:
    if _codec(label) == used or (_codec(label) == "cp1252" and used == "utf-8"):
        # ISO-8859-1 is what servers say when nobody configured them: not worth a warning.
        return None
    return f"The declared character set ({label}) does not fit the bytes; they were read as {used}."
