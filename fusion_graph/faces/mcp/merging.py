"""Merging puts a server's entry into a client's settings, and keeps everything else in them."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusion_graph.errors import ConfigurationError

_BY_HAND = "Put the lines above into it by hand."


@dataclass(frozen=True)
class Change:
    """A change is what an installation does to a file.

    Attributes:
        path: The file.
        before: Its text; None if it is not there yet.
        after: Its text then.
        replaces: Whether another entry of the same name gives way.
    """

    path: Path
    before: str | None
    after: str
    replaces: bool

    @property
    def needed(self) -> bool:
        """Tell whether it changes anything."""
        return self.before != self.after


def snippet(form: str, table: str, name: str, entry: Mapping[str, Any]) -> str:
    """Write the entry as it stands in a file, for people to read and copy."""
    if form == "toml":
        return _toml(table, name, entry)
    return json.dumps({table: {name: entry}}, indent=2, ensure_ascii=False) + "\n"


def merged(path: Path, form: str, table: str, name: str, entry: Mapping[str, Any]) -> Change:
    """Put an entry into a file's text; nothing is written.

    Args:
        path: The file, which need not be there.
        form: `json` or `toml`.
        table: The key that holds the entries.
        name: The entry's key.
        entry: The entry.

    Raises:
        ConfigurationError: The file cannot be read, or not be changed without losing something.
    """
    before = _read(path)
    merge = _into_toml if form == "toml" else _into_json
    after, replaces = merge(before or "", path, table, name, entry)
    return Change(path, before, after, replaces)


def write(change: Change) -> None:
    """Write a change: the file is there whole, before or after, whatever happens.

    Args:
        change: From `merged`.

    Raises:
        ConfigurationError: The file cannot be written, or was changed meanwhile.
    """
    if _read(change.path) != change.before:
        raise ConfigurationError(f"{change.path} was changed meanwhile.", "Try again.")
    path = change.path.resolve()  # a link to the user's dotfiles stays one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(change.after)
            if path.exists():
                os.chmod(name, path.stat().st_mode & 0o7777)
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"{path} cannot be written: {why}.", _BY_HAND) from None


def _read(path: Path) -> str | None:
    try:
        # Its line ends stay as they are.
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8 text.", _BY_HAND) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"{path} cannot be read: {why}.", _BY_HAND) from None


def _into_json(
    text: str, path: Path, table: str, name: str, entry: Mapping[str, Any]
) -> tuple[str, bool]:
    data = _json(text, path)
    servers = data.setdefault(table, {})
    if not isinstance(servers, dict):
        raise ConfigurationError(f"{path}: `{table}` is no object.", _BY_HAND)
    if servers.get(name) == entry:
        return text, False
    replaces = name in servers
    servers[name] = dict(entry)
    indent = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    after = json.dumps(data, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"
    return after.replace("\n", "\r\n") if "\r\n" in text else after, replaces


def _json(text: str, path: Path) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        data = json.loads(text, object_pairs_hook=_each_once)
    except RecursionError:
        raise ConfigurationError(f"{path} is nested too deep to be read.", _BY_HAND) from None
    except ValueError as error:
        if re.search(r"^\s*//|/\*|,\s*[}\]]", text, re.MULTILINE):
            why = "holds comments or trailing commas, which would be lost"
        else:
            why = f"cannot be read as JSON ({error})"
        raise ConfigurationError(f"{path} {why}.", _BY_HAND) from None
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path} holds no JSON object.", _BY_HAND)
    return data


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice, and one of the two would be lost")
    return found


def _into_toml(
    text: str, path: Path, table: str, name: str, entry: Mapping[str, Any]
) -> tuple[str, bool]:
    data = _loaded(text, path)
    servers = data.get(table, {})
    if isinstance(servers, dict) and servers.get(name) == entry:
        return text, False
    replaces = isinstance(servers, dict) and name in servers
    rest = _without_table(text, table, name) if replaces else text
    end = "\r\n" if "\r\n" in text else "\n"
    own = _toml(table, name, entry).replace("\n", end)
    apart = end if rest.strip() else ""
    after = f"{rest.rstrip()}{end if rest.strip() else ''}{apart}{own}"
    wanted = {**data, table: {**(servers if isinstance(servers, dict) else {}), name: dict(entry)}}
    try:
        kept = tomllib.loads(after) == wanted
    except tomllib.TOMLDecodeError:
        kept = False
    if not kept:
        why = f"holds `{table}` in a form that cannot be added to without rewriting it"
        raise ConfigurationError(f"{path} {why}.", _BY_HAND)
    return after, replaces


def _loaded(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "Mend it first.") from None


def _without_table(text: str, table: str, name: str) -> str:
    """Leave an entry's table and its subtables out of a text, as far as lines tell.

    Whether that was right is for the caller to see: what is parsed afterwards must be the same.
    """
    key = rf"{re.escape(table)}\s*\.\s*[\"']?{re.escape(name)}[\"']?"
    kept, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            inside = re.match(rf"\s*\[\s*{key}\s*[\].]", line) is not None
        if not inside:
            kept.append(line)
    return "".join(kept)


def _toml(table: str, name: str, entry: Mapping[str, Any]) -> str:
    # A JSON string is a TOML basic string, and so are its lists.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items()]
    return "\n".join([f"[{table}.{name}]", *lines, ""])
