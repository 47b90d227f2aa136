"""Bodies for the local site: honest pages, and ones made to stall, flood or mislead a reader."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from functools import cache

MIB = 2**20

SENTENCES = (
    "A panel of models answers the same question side by side.",
    "The judge compares what they found and names what is missing.",
    "Evidence that was checked is worth more than confidence.",
    "Silence of one member is not agreement with the others.",
)


def article(title: str = "On panels", paragraphs: int = 6) -> str:
    """An ordinary page: navigation, an article of `paragraphs` paragraphs, a footer."""
    text = "".join(
        f"<p>Paragraph {n}. {' '.join(SENTENCES[(n + i) % 4] for i in range(4))}</p>"
        for n in range(paragraphs)
    )
    return (
        f"<!doctype html><html><head><title>{title}</title>"
        '<meta property="article:published_time" content="2026-03-14"></head><body>'
        '<nav><a href="/">Home</a> <a href="/about">About us</a></nav>'
        f"<main><article><h1>{title}</h1>{text}"
        '<p>More in <a href="notes/two.html#top">the second part</a>.</p></article></main>'
        "<footer>Imprint and cookies</footer></body></html>"
    )


def gzip_bomb(size: int = 32 * MIB) -> bytes:
    """A thousandth of `size`, that unpacks to `size` bytes."""
    packer = zlib.compressobj(9, wbits=31)
    start = packer.compress(b"<html><body><p>")
    return start + b"".join(
        [*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()]
    )


BROTLI_BOMB = base64.b64decode(
    "y///PwAkAOKxQHLv//j//weABEAcFoDu/R////8AkACIwwLQvf/j//8fABIAcVgAuvd//P//A0ACIA4LQPf+j///"
    "fwBIAMRhAeje//H//w8ACYA4LADd+z/+//8BIAEQhwWge/83"
)
"""64 MiB of zeros, packed with brotli 1.2.1 at quality 9."""


def zstd_bomb(size: int = 64 * MIB) -> bytes:
    """A zstd frame (RFC 8878) of run-length blocks: 4 bytes for each 128 KiB."""
    block, count = 128 * 1024, size // (128 * 1024)
    # No checksum, no content size, a window of 128 KiB.
    frame = struct.pack("<IBB", 0xFD2FB528, 0, (17 - 10) << 3)
    for number in range(count):
        header = (number == count - 1) | 1 << 1 | block << 3
        frame += struct.pack("<I", header)[:3] + b"a"
    return frame


def many_links(count: int = 50_000) -> str:
    """A page of nothing but short links."""
    links = "".join(f'<a href="/l{n}">link {n}</a> ' for n in range(count))
    return f"<html><body><div>{links}</div></body></html>"


def huge_table(size: int = 5_000_000) -> str:
    """A table of about `size` bytes."""
    row = "<tr><td>{0}</td><td>cell {0}</td><td>x</td></tr>"
    rows = "".join(row.format(n) for n in range(size // 48))
    return f"<html><body><table>{rows}</table></body></html>"


def nested(depth: int = 100_000) -> str:
    """Elements in elements, `depth` deep, with a word at the bottom."""
    return "<html><body>" + "<div>" * depth + "deep" + "</div>" * depth + "</body></html>"


def pdf(*pages: str, title: str = "", link: str = "") -> bytes:
    """A small PDF 1.4 with one line of text a page."""
    objects: list[bytes] = []

    def add(body: str | bytes) -> int:
        objects.append(body.encode("latin-1") if isinstance(body, str) else body)
        return len(objects)

    catalog, tree = add(""), add("")
    font = add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        content = add(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        annotations = ""
        if link:
            action = f"<< /S /URI /URI ({link}) >>"
            note = add(f"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A {action} >>")
            annotations = f"/Annots [{note} 0 R]"
        kids.append(
            add(
                f"<< /Type /Page /Parent {tree} 0 R /MediaBox [0 0 612 792] {annotations} "
                f"/Resources << /Font << /F1 {font} 0 R >> >> /Contents {content} 0 R >>"
            )
        )
    info = add(f"<< /Title ({title}) /CreationDate (D:20260314120000Z) >>")
    objects[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()
    listed = " ".join(f"{kid} 0 R" for kid in kids)
    objects[tree - 1] = f"<< /Type /Pages /Kids [{listed}] /Count {len(kids)} >>".encode()
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        out
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {len(objects) + 1} /Root {catalog} 0 R /Info {info} 0 R >>\n"
            f"startxref\n{len(out)}\n%%EOF\n"
        ).encode()
    )


@cache
def encrypted_pdf(password: str = "secret") -> bytes:
    """A PDF that needs `password` to be read; "" makes one that readers open by themselves."""
    import pypdf

    writer = pypdf.PdfWriter(clone_from=pypdf.PdfReader(io.BytesIO(pdf("Top secret."))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()
