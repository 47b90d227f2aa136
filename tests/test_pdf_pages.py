"""The pages of a PDF are counted without reading it, whatever it is made of."""

from __future__ import annotations

import io
import zlib

import pytest
from langchain_core.messages import HumanMessage
from pypdf import PdfReader, PdfWriter

from fusion_graph.cost.pdf import MOST_PAGES, pdf_pages
from fusion_graph.cost.tokens import PDF_PAGE_TOKENS, message_tokens, uncounted
from fusion_graph.state.files import pdf_block
from tests.pdfs import encoded, packed_pdf, plain_pdf


def written(pages: int) -> bytes:
    """By a library, as people have them."""
    writer, target = PdfWriter(), io.BytesIO()
    for _ in range(pages):
        writer.add_blank_page(200, 200)
    writer.write(target)
    return target.getvalue()


@pytest.mark.parametrize("make", [plain_pdf, packed_pdf, written])
@pytest.mark.parametrize("pages", [1, 7, 300])
def test_pages_are_counted_however_they_are_written(make, pages):
    assert pdf_pages(encoded(make(pages))) == pages


def test_what_a_reader_finds_is_counted():
    assert len(PdfReader(io.BytesIO(written(3))).pages) == pdf_pages(encoded(written(3))) == 3


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"%PDF-1.7\n/Type/Pages", b"no PDF"])
def test_where_no_page_is_seen_nothing_is_made_up(content):
    assert pdf_pages(encoded(content)) is None
    assert pdf_pages("not base64!") is None


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n" + b"/Type" + b" " * 2_000_000,
        b"%PDF-1.7\n" + b"/Type/ObjStm stream\n" * 100_000,
        b"%PDF-1.7\n" + (b"/Type/ObjStm stream\n" + zlib.compress(b" " * 20_000_000)) * 50,
    ],
)
def test_a_hostile_file_is_looked_through_once(content):
    assert pdf_pages(encoded(content)) is None


def test_no_more_pages_are_counted_than_anybody_reads():
    assert pdf_pages(encoded(plain_pdf(MOST_PAGES + 5))) == MOST_PAGES


def test_every_shape_of_a_file_counts_and_other_files_are_named():
    data = encoded(plain_pdf(2))
    shapes = [
        pdf_block(data, "a.pdf"),
        {"type": "file", "source_type": "base64", "mime_type": "application/pdf", "data": data},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}"}},
    ]
    for block in shapes:
        said = [HumanMessage([block])]
        assert message_tokens(said, "likely") == 4 + 2 * PDF_PAGE_TOKENS["likely"]
        assert uncounted(said) == []
    other = {"type": "file", "file_id": "file-1"}
    assert uncounted([HumanMessage([*shapes, other])]) == ["file"]
    assert uncounted([HumanMessage([{"type": "audio"}, *shapes])]) == ["audio"]
