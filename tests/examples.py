"""The examples in README.md and docs: where their blocks are, and what running one prints."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import CodeType, CoroutineType, FunctionType
from typing import Any

ROOT = Path(__file__).parent.parent

PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
}
"""Every page by its path."""

_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its text, and the `text` block right behind it, if any."""

    language: str
    text: str
    prints: str | None


def blocks(page: str, *languages: str) -> list[Block]:
    """The blocks of a page in these languages."""
    return [block for block in _all(PAGES[page]) if block.language in languages]


def _all(page: str) -> Iterator[Block]:
    found = list(_BLOCK.finditer(page))
    for block, following in zip_longest(found, found[1:]):
        prints = None
        if following and following[1] == "text" and page[block.end() : following.start()] == "\n":
            prints = following[2]
        yield Block(block[1], block[2], prints)


def pages_with(*languages: str) -> list[str]:
    """The pages that have blocks in these languages."""
    return [page for page in PAGES if blocks(page, *languages)]


def run_page(page: str, **addresses: str) -> str:
    """Run a page's Python blocks, each as a program of its own; compare and return what they print.

    `py` blocks are a notebook's cells, which may await where they stand.

    addresses: what to put in the place of a server's address, by its port: `port_8484="…"`.
    """
    printed = ""
    for block in blocks(page, "python", "py"):
        text = block.text
        for port, address in addresses.items():
            text = text.replace(f"http://127.0.0.1:{port.removeprefix('port_')}", address)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if block.language == "py" else 0
        program: CodeType = compile(text, page, "exec", flags)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            awaited: Any = FunctionType(program, {"__name__": "__main__"})()
            if isinstance(awaited, CoroutineType):
                asyncio.run(awaited)
        if block.prints is not None:
            assert out.getvalue() == block.prints, (
                f"{page} says that this prints otherwise:\n{text}"
            )
        printed += out.getvalue()
    return printed
