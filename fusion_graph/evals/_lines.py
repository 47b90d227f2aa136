"""Lines of JSON from a stranger's file: bounded, and every fault of theirs told by line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fusion_graph.errors import DatasetError
from fusion_graph.text.json_data import has_half_characters

LINE_BYTES = 4 * 2**20
"""Longest line: DRACO's are about 20 kB, and a file without line breaks should not fill memory."""

MOST_DIGITS = 100
"""Of a whole number: no weight or answer has more, and Python's own limit has no good message."""


def read_lines(path: Path, digest: Any = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects in a JSONL file, with their line numbers from 1. Blank lines are passed over.

    Args:
        path: The file.
        digest: A hash to feed with its bytes.

    Raises:
        DatasetError: It cannot be read, or a line is no JSON object.
    """
    digest = digest or hashlib.sha256()
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES + 1):
                number += 1
                digest.update(line)
                if len(line) > LINE_BYTES:
                    raise DatasetError(
                        path.name, number, f"longer than {LINE_BYTES} bytes.", "Is it JSONL?"
                    )
                if line.strip():
                    yield number, _object(line, path.name, number)
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise DatasetError(str(path), None, f"cannot be read: {problem}.") from None


def _object(line: bytes, name: str, number: int) -> dict[str, Any]:
    def wrong(problem: str, remedy: str = "") -> DatasetError:
        return DatasetError(name, number, problem, remedy)

    try:
        data = decoded(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise wrong("not UTF-8 text.") from None
    except ValueError as error:
        raise wrong(f"{error}.", "A dataset has one JSON object a line.") from None
    if not isinstance(data, dict):
        raise wrong("not a JSON object.", "A dataset has one JSON object a line.")
    return data


def decoded(value: Any) -> Any:
    """The data in a JSON string; anything but a string comes back as it is.

    Raises:
        ValueError: It is not JSON, nested too deeply, or holds what no other program could take:
            NaN, infinities, halves of surrogate pairs.
    """
    if not isinstance(value, str):
        return value
    try:
        data = json.loads(value, parse_constant=_no_number, parse_int=_whole)
        text = json.dumps(data, ensure_ascii=False)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} at character {error.pos + 1})") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if has_half_characters(text):
        raise ValueError("half a surrogate pair stands in a string")
    return data


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"there is a number of {len(digits)} digits in it")
    return int(digits)


def _no_number(word: str) -> float:
    raise ValueError(f"there is {word} in it, which is no JSON")
