"""JSON as it goes over the wire: in, bounded and checked; out, what every parser takes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response

from fusion_graph.errors import ApiError
from fusion_graph.text.json_data import finite, has_half_characters, with_leaves

MAX_BODY_BYTES = 10_000_000
"""Largest request body: a conversation with a few pictures in it."""

QUICK_BYTES = 100_000
"""Larger bodies are read in a thread: 10 MB of brackets take a second, and others are waiting."""

MAX_DEPTH = 100
"""Deepest nesting of a request's JSON; a tool's schema needs about 30."""


async def read_json(request: Request) -> dict[str, Any]:
    """A request's body as an object.

    Args:
        request: The request, its body unread.

    Raises:
        ApiError: 413, 415 or 400: too large, not JSON, not an object.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A web page may send other types here without asking; this one its browser asks about.
        said = "Send the body as `Content-Type: application/json`."
        raise ApiError(415, said, "unsupported_media_type")
    body = await _read(request)
    if len(body) <= QUICK_BYTES:
        return parse_object(body)
    return await asyncio.to_thread(parse_object, body)


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> ApiError:
    said = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
    return ApiError(413, said, "body_too_large")


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object from bytes.

    Args:
        body: UTF-8 text.

    Raises:
        ApiError: 400, with what is wrong and where.
    """
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise _malformed(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _malformed(f"it is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # NaN and its like, or a number of thousands of digits
        raise _malformed(str(error).partition(";")[0]) from None
    if not isinstance(data, dict):
        raise _malformed("it is not an object")
    _check(data)
    return data


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check(data: object) -> None:
    """Refuse nesting that would exhaust the stack later, and text that cannot be encoded."""
    level: list[object] = [data]
    for _ in range(MAX_DEPTH):
        deeper: list[object] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, list):
                deeper += item
            elif isinstance(item, dict):
                deeper += item.keys()
                deeper += item.values()
        if not deeper:
            return
        level = deeper
    raise _malformed(f"it is nested more than {MAX_DEPTH} deep")


def _check_text(text: str) -> None:
    if has_half_characters(text):
        raise _malformed("it holds half of a surrogate pair, as in '\\ud83d'")


def _malformed(why: str) -> ApiError:
    return ApiError(400, f"The body cannot be read as JSON: {why}.", "invalid_json")


def to_json(data: Any) -> str:
    """Data as JSON in ASCII, so that no character in it can break a stream or a parser."""
    try:
        return json.dumps(data, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a model's own tool arguments may hold NaN
        return json.dumps(with_leaves(data, finite), separators=(",", ":"))


def json_response(
    data: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Data as a JSON response."""
    return Response(to_json(data), status, headers, media_type="application/json")
