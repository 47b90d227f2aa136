"""A document's bytes to readable text: the work that a worker process does."""

from __future__ import annotations

import io
import re
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlsplit

from fusion_tools._charsets import decode
from fusion_tools._media import Kind
from fusion_tools.errors import ToolError

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader


@dataclass(frozen=True)
class Document:
    """A downloaded body and what is known of it, plus how much of it may be read.

    Attributes:
        body: Decoded bytes.
        kind: What it is, by content type and first bytes.
        url: After redirects; links are resolved against it.
        charset: The label of the `Content-Type` header.
        cut: Whether the end of the body is missing.
        max_text_chars: See `FetchLimits`, also for the next two.
        max_pdf_pages: Pages.
        max_links: Links.
        pdf_seconds: After this long no further PDF page is begun.
    """

    body: bytes = field(repr=False)
    kind: Kind
    url: str
    charset: str | None = None
    cut: bool = False
    max_text_chars: int = 1_500_000
    max_pdf_pages: int = 200
    max_links: int = 500
    pdf_seconds: float = 6.0

    @property
    def host(self) -> str:
        """For sentences about the document."""
        return urlsplit(self.url).hostname or self.url


@dataclass(frozen=True)
class Extracted:
    """What could be read. `date` is ISO 8601; `notes` are sentences that warn the reader."""

    text: str = field(repr=False)
    title: str = ""
    date: str | None = None
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


MAIN_CONTENT_FAILED = (
    "Main-content extraction failed{reason}; this is the page's plain text, menus included."
)
_SHORT_TEXT = 200
"""Characters under which an extraction is compared with the page's plain text."""

_BARE_URL = re.compile(r"https?://[^\s<>\"'`\\^{}|\[\]()]+")
_MARKDOWN_LINK = re.compile(r"\]\((https?://[^\s)]+)")
# Controls but tab and newline; zero-width, bidi and tag characters, which hide text from people.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def read_document(document: Document) -> Extracted:
    """Extract the main content of a document.

    Raises:
        ToolError: `unsupported_content_type` when there is no text to be had.
    """
    if document.kind == "pdf":
        extracted = _read_pdf(document)
    elif document.kind == "html":
        extracted = _read_html(document)
    else:
        extracted = _read_text(document)
    return _finished(document, extracted)


def read_plainly(document: Document, reason: str) -> Extracted:
    """Read a document without the heavy machinery, for when a worker could not.

    Args:
        document: Already cut to a size fit for this process.
        reason: Continues the sentence `Main-content extraction failed`.

    Raises:
        ToolError: As `read_document`; always for PDFs, which need the machinery.
    """
    if document.kind == "pdf":
        raise ToolError(
            "unsupported_content_type",
            f"The PDF from {document.host} could not be read{reason}; use another source.",
        )
    if document.kind != "html":
        return _finished(document, _read_text(document, guess=False))
    from fusion_tools import _markup

    text, note = _decoded(document, guess=False)
    tree = _markup.parse(text)
    plain, title, links = "", "", list[str]()
    if tree is not None:
        _markup.drop_hidden(tree)
        links = _markup.make_links_absolute(tree, document.url)
        plain, title = _markup.plain_text(tree), _markup.page_title(tree)
    notes = [MAIN_CONTENT_FAILED.format(reason=reason), *note]
    return _finished(document, Extracted(plain, title, None, links, notes))


def _read_html(document: Document) -> Extracted:
    import trafilatura

    from fusion_tools import _markup

    text, notes = _decoded(document)
    tree = trafilatura.load_html(text)
    if tree is None:  # fragments, which trafilatura takes for no HTML at all
        tree = _markup.parse(text)
    if tree is None:  # any text gives some tree, unless memory ran out
        raise ValueError("the page does not parse")
    title = _markup.page_title(tree)
    _markup.drop_hidden(tree)
    links = _markup.make_links_absolute(tree, document.url)
    article = cast(
        Any,  # typed as a document or, by a flag not used here, a dict
        trafilatura.bare_extraction(
            tree,
            url=document.url,
            include_formatting=True,
            include_links=True,
            include_comments=False,
            with_metadata=True,
        ),
    )
    content = (article.text or "") if article else ""
    if len(content) < _SHORT_TEXT:
        plain = _markup.plain_text(tree)
        if len(plain) > 2 * len(content):
            content = plain
            notes.append(MAIN_CONTENT_FAILED.format(reason=""))
    if article:
        title = article.title or title
    # The links a model sees in the text first: they are the ones it may want to follow.
    seen = dict.fromkeys(_MARKDOWN_LINK.findall(content))
    ordered = [*(link for link in links if link in seen), *(ln for ln in links if ln not in seen)]
    return Extracted(content, title, article.date if article else None, ordered, notes)


def _read_text(document: Document, *, guess: bool = True) -> Extracted:
    text, notes = _decoded(document, guess=guess)
    found = (link.rstrip(".,;:!?*_") for link in _BARE_URL.findall(text))
    return Extracted(
        text, links=[*dict.fromkeys(ln for ln in found if len(ln) <= 2000)], notes=notes
    )


def _decoded(document: Document, *, guess: bool = True) -> tuple[str, list[str]]:
    result = decode(
        document.body,
        document.charset,
        markup=document.kind in ("html", "xml"),
        cut=document.cut,
        guess=guess,
    )
    return result.text, [result.note] if result.note else []


def _read_pdf(document: Document) -> Extracted:
    import pypdf
    from pypdf.errors import DependencyError

    begun = time.monotonic()
    parts: list[str] = []
    notes: list[str] = []
    links: dict[str, None] = {}
    title, date, total, read = "", None, 0, 0
    try:
        reader = pypdf.PdfReader(io.BytesIO(document.body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise _encrypted(document)
        total = len(reader.pages)
        title, date = _pdf_metadata(reader)
        for page in reader.pages[: document.max_pdf_pages]:
            if time.monotonic() - begun > document.pdf_seconds:
                break
            parts.append(page.extract_text())
            links.update(dict.fromkeys(_pdf_links(page)))
            read += 1
    except DependencyError as error:
        raise _encrypted(document) from error
    except ToolError:
        raise
    except Exception as error:
        # pypdf lets whatever a damaged file provokes escape: KeyError, RecursionError...
        if not any(part.strip() for part in parts):
            raise ToolError(
                "unsupported_content_type",
                f"The PDF from {document.host} is damaged or cut short; use another source.",
            ) from error
        notes.append("The PDF is damaged.")
    if read < total:
        notes.append(f"Only the first {read} of {total} pages of the PDF were read.")
    if total and not any(part.strip() for part in parts):
        raise ToolError(
            "unsupported_content_type",
            f"The PDF from {document.host} holds no text, maybe scanned images; "
            "use another source.",
        )
    return Extracted("\n\n".join(parts), title, date, list(links), notes)


def _encrypted(document: Document) -> ToolError:
    return ToolError(
        "unsupported_content_type",
        f"The PDF from {document.host} is encrypted and cannot be read; use another source.",
    )


def _pdf_metadata(reader: PdfReader) -> tuple[str, str | None]:
    """Title and creation date; metadata is often broken, and never worth a failure."""
    title, date = "", None
    with suppress(Exception):  # pypdf raises several kinds for a malformed value
        metadata = reader.metadata
        title = str((metadata and metadata.title) or "")
        created = metadata and metadata.creation_date
        date = created.date().isoformat() if created else None
    return title, date


def _pdf_links(page: PageObject) -> list[str]:
    found = []
    with suppress(Exception):  # as above
        for reference in page.get("/Annots") or ():
            uri = reference.get_object().get("/A", {}).get("/URI")
            if isinstance(uri, str) and uri.startswith(("http://", "https://")):
                found.append(uri[:2000])
    return found


def _finished(document: Document, extracted: Extracted) -> Extracted:
    """Apply what holds for every kind: readable characters, a length, a title, some text."""
    notes = list(extracted.notes)
    text = _INVISIBLE.sub("", extracted.text.replace("\r\n", "\n").replace("\r", "\n"))
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ToolError(
            "unsupported_content_type",
            f"The page from {document.host} holds no text that can be read without running "
            "its scripts; use another source.",
        )
    if len(text) > document.max_text_chars:
        text = text[: document.max_text_chars]
        notes.append(
            f"Only the first {document.max_text_chars:,} characters of the text were kept."
        )
    last = unquote(urlsplit(document.url).path.rstrip("/").rpartition("/")[2])
    title = _one_line(extracted.title) or _one_line(last) or document.host
    return Extracted(text, title, extracted.date, extracted.links[: document.max_links], notes)


def _one_line(title: str) -> str:
    return " ".join(_INVISIBLE.sub("", title).split())[:300].rstrip()
