"""What a tool of an MCP server brings, as sources that a panelist can cite."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fusion_tools.normalise import normalise
from fusion_tools.render import (
    MAX_FOREIGN_CHARS,
    MAX_SNIPPET_CHARS,
    part_end,
    without_invisibles,
)
from fusion_tools.results import PageArtifact, SearchResult

SCHEME = "mcp"
"""The scheme of what a server's tools bring."""

_SHORT = 120
"""Characters of arguments in a title and an address."""


def result_text(result: Mapping[str, Any]) -> str:
    """The text of a result; what is no text is named.

    Args:
        result: The result as it goes over the wire.
    """
    parts = [part for block in result.get("content") or () if (part := _block_text(block))]
    structured = result.get("structuredContent")
    if not parts and structured is not None:
        parts = [json.dumps(structured, ensure_ascii=False, indent=1)]
    return without_invisibles("\n\n".join(parts))


def _block_text(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if kind == "text":
        return str(block.get("text") or "")
    if kind == "resource_link":
        lines = [
            block.get("title") or block.get("name"),
            block.get("uri"),
            block.get("description"),
        ]
        return "\n".join(str(line) for line in lines if line)
    if kind == "resource":
        held = block.get("resource") or {}
        body = held.get("text") or f"({held.get('mimeType') or 'data'}, left out)"
        return f"{held.get('uri', '')}\n{body}"
    return f"({block.get('mimeType') or kind}, left out)"


def result_hits(result: Mapping[str, Any]) -> list[SearchResult]:
    """The hits of a result that is nothing but a list of pages; [] of any other.

    Args:
        result: The result as it goes over the wire.
    """
    blocks: Sequence[Mapping[str, Any]] = result.get("content") or ()
    if blocks and all(block.get("type") == "resource_link" for block in blocks):
        return result_links(result)
    rows = _rows(result.get("structuredContent"))
    if not rows and len(blocks) == 1 and blocks[0].get("type") == "text":
        text = str(blocks[0].get("text") or "").strip()
        if text.startswith(("[", "{")):
            try:
                rows = _rows(json.loads(text))
            except (ValueError, RecursionError):
                rows = []
    hits = [hit for row in rows for hit in normalise("", [row])[:1]]
    whole = len(hits) == len(rows) and all(
        hit["title"] != hit["url"] and len(hit["snippet"]) <= MAX_SNIPPET_CHARS for hit in hits
    )
    return normalise("", rows) if rows and whole else []


def _rows(data: Any) -> list[dict[str, Any]]:
    """The rows of a table, bare or in an object around it."""
    if isinstance(data, Mapping):
        lists = [value for value in data.values() if isinstance(value, list)]
        data = lists[0] if len(lists) == 1 else None
    rows = data if isinstance(data, list) else []
    return rows if all(isinstance(row, dict) for row in rows) else []


def result_links(result: Mapping[str, Any]) -> list[SearchResult]:
    """The pages that a result links to."""
    linked = [
        {
            "url": block.get("uri"),
            "title": block.get("title") or block.get("name"),
            "snippet": block.get("description"),
        }
        for block in result.get("content") or ()
        if block.get("type") == "resource_link"
    ]
    return normalise("", linked)


def result_page(server: str, tool: str, args: Mapping[str, Any], text: str) -> PageArtifact:
    """A result as a source: equal calls of several members are one source.

    Args:
        server: The server's name.
        tool: As the server calls it.
        args: The arguments.
        text: The result's text.
    """
    written = json.dumps(args, sort_keys=True, ensure_ascii=False, default=str)
    short = short_args(args)
    address = f"{SCHEME}://{server}/{quote(tool)}"
    if args:
        exact = len(short) < _SHORT
        mark = short if exact else hashlib.sha256(written.encode(errors="replace")).hexdigest()[:12]
        address += f"?{quote(mark)}"
    shown = text[: part_end(text, 0, MAX_FOREIGN_CHARS)]
    cut = len(shown) < len(text)
    return {
        "kind": "page",
        "url": address,
        "final_url": address,
        "title": f"{server} {tool}" + (f": {short}" if short else ""),
        "date": None,
        "text": shown,
        "content_type": "text/plain",
        "retrieved_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "links": [],
        "note": f"The result has {len(text)} characters; these are the first {len(shown)}. Ask "
        "for less to read the rest."
        if cut
        else None,
        "offset": 0,
        "limit": len(shown),
        "failure": None,
    }


def short_args(args: Mapping[str, Any]) -> str:
    """Arguments in a few words: `city=Oslo, days=3`.

    Args:
        args: The arguments.
    """
    parts = (
        f"{name}={value if isinstance(value, str) else json.dumps(value, default=str)}"
        for name, value in args.items()
    )
    line = " ".join(", ".join(parts).split())
    return line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…"
