"""Files beside a question of the page: read by what is in them, sent once for all its turns."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypedDict

from fusion_graph.errors import ApiError

MOST_BYTES = 7_000_000
"""Of all files of one question: in base64 they fit into the largest body."""

MOST_FILES = 20
"""Files of one question."""

KINDS = {"text": "text", "file": "PDF", "image_url": "picture"}
"""What a file is to people, by the type of its block."""


class Attached(TypedDict):
    """A file beside a question, as plain data.

    name: What it is called.
    kind: text, PDF or picture.
    block: The part of the message that it is, as LangChain has it.
    """

    name: str
    kind: str
    block: dict[str, Any]


def attached(given: object, files_of: Callable[[str], list[Attached] | None]) -> list[Attached]:
    """Read the files of a request.

    Args:
        given: The request's `files`: each `{name, data}` with its bytes in base64, or `{run, file}`
            for one that an earlier question had, by its place from 0.
        files_of: The files of the run of an id; None where there is no such run.

    Raises:
        ApiError: 400, 404 or 413, with the file that cannot be taken.
    """
    from fusion_graph.state.files import file_name  # LangGraph comes with it

    if given is None:
        return []
    if not isinstance(given, list) or len(given) > MOST_FILES:
        _refuse("files", f"`files` is a list of at most {MOST_FILES} files.")
    files = []
    left = MOST_BYTES
    for place, one in enumerate(given):
        where = f"files.{place}"
        if not isinstance(one, dict):
            _refuse(where, "A file is `{name, data}`, or `{run, file}` of an earlier question.")
        if "run" in one:
            files.append(_earlier(one, files_of, where))
            continue
        name = file_name(one.get("name"), "file")
        content = _decoded(one.get("data"), name, where)
        left -= len(content)
        if left < 0:
            said = f"The files are larger than {MOST_BYTES // 1_000_000} MB: send what matters."
            raise ApiError(413, said, "files_too_large", param=where)
        files.append(_read(content, name, where))
    return files


def _decoded(data: object, name: str, where: str) -> bytes:
    if not isinstance(data, str):
        _refuse(where, f"{name} comes without `data`, its bytes in base64.")
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        _refuse(where, f"{name} is broken: its `data` is no base64.")
    if not content:
        _refuse(where, f"{name} is empty.")
    return content


def _read(content: bytes, name: str, where: str) -> Attached:
    from fusion_graph.state.files import file_block

    block = file_block(content, name)
    if block is None:
        said = (
            f"{name} is neither text (UTF-8), a picture (PNG, JPEG, GIF, WebP) nor a PDF: convert "
            "it first."
        )
        _refuse(where, said, "unsupported_file")
    return {"name": name, "kind": KINDS[block["type"]], "block": block}


def _earlier(
    one: Mapping[str, Any], files_of: Callable[[str], list[Attached] | None], where: str
) -> Attached:
    files, place = files_of(str(one["run"])), one.get("file")
    if files is None:
        said = "The server no longer remembers the question that had this file: attach it again."
        raise ApiError(404, said, "run_not_found", param=where)
    if type(place) is not int or not 0 <= place < len(files):
        _refuse(where, "That question has no such file.")
    return files[place]


def _refuse(where: str, said: str, code: str = "invalid_file") -> NoReturn:
    raise ApiError(400, said, code, param=where)
