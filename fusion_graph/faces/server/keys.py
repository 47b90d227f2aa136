"""Keys of a server: each has a name, limits and runs of its own, and only its digest is kept.

A key is 256 random bits, so one round of SHA-256 keeps it as well as scrypt would: there is nothing
to guess that a slow digest would slow down, and every request would pay for it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from fusion_graph.errors import ConfigurationError
from fusion_graph.faces.server.holders import OWNER_NAME, Holder

KEY_PREFIX = "fg-"
"""Every key begins so: who finds one lying about knows what it is of."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
"""What a key may be called: it stands in metrics and logs."""

MOST_BYTES = 1_000_000
"""Of a file of keys."""

_DIGEST = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger("fusion_graph.server")


class KeyFile:
    """A file of keys, read again when it changes.

    Args:
        path: The file.
        known: Tells the names of the presets on offer.

    Raises:
        ConfigurationError: It cannot be read, or an entry of it is wrong.
    """

    def __init__(self, path: Path, known: Callable[[], Collection[str]]) -> None:
        self.path = path
        self._known = known
        self._seen = _stamp(path)
        self._holders = read_keys(path, known())

    @property
    def names(self) -> list[str]:
        """The names of its keys."""
        return [holder.name for holder in self._holders.values()]

    @property
    def with_daily_budgets(self) -> list[str]:
        """The names of those whose spending of a day is limited."""
        limited = (h for h in self._holders.values() if h.max_cost_usd_per_day is not None)
        return [holder.name for holder in limited]

    def find(self, given: str) -> Holder | None:
        """Find who gives a key; a changed file counts from now on, a broken one not at all.

        Args:
            given: What came as a key.
        """
        self._look()
        digest = digest_of_key(given)
        # All of them, however many fit: how long it takes tells nothing.
        fitting = [h for known, h in self._holders.items() if hmac.compare_digest(known, digest)]
        return fitting[0] if fitting else None

    def _look(self) -> None:
        seen = _stamp(self.path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._holders = read_keys(self.path, self._known())
        except ConfigurationError as error:
            _log.warning("the keys of before stay good: %s", error)
        else:
            _log.info("keys read again from %s: %s", self.path, ", ".join(self.names))


def new_key() -> str:
    """Make a new key."""
    return f"{KEY_PREFIX}{secrets.token_urlsafe(32)}"


def digest_of_key(key: str) -> str:
    """The digest of a key, as a file of keys has it."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def entry(name: str, key: str, limits: Mapping[str, Any]) -> str:
    """The lines of a file of keys for one key.

    Args:
        name: What it is called.
        key: The key.
        limits: Fields of `Holder` by name; None where nothing is said.

    Raises:
        ConfigurationError: The name or a limit is wrong.
    """
    given = {field: value for field, value in limits.items() if value is not None}
    _holder(name, {"sha256": digest_of_key(key), **given}, None, "The key")
    lines = [f'[keys."{name}"]' if "." in name else f"[keys.{name}]"]
    lines.append(f'sha256 = "{digest_of_key(key)}"')
    for field, value in given.items():
        told = [f'"{one}"' for one in value] if isinstance(value, tuple) else None
        lines.append(f"{field} = {value if told is None else '[' + ', '.join(told) + ']'}")
    return "\n".join([*lines, ""])


def read_keys(path: Path, known: Collection[str]) -> dict[str, Holder]:
    """Read a file of keys.

    Args:
        path: The file.
        known: Names of the presets on offer.

    Returns:
        Who gives a key, by its digest.

    Raises:
        ConfigurationError: It cannot be read, or an entry of it is wrong: which, and what to do.
    """
    where = f"The file of keys {path}"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"{where} is larger than a megabyte.", "Give another.")
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{where} cannot be read: {why}.", "`fusion-graph key NAME >> FILE` makes one."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{where} is no TOML: {error}.", "Mend that line.") from None
    entries = data.pop("keys", None)
    if data or not isinstance(entries, dict) or not entries:
        raise ConfigurationError(
            f"{where} holds something else than tables [keys.NAME], or none.",
            "`fusion-graph key NAME >> FILE` adds one.",
        )
    holders: dict[str, Holder] = {}
    for name, told in entries.items():
        digest, holder = _holder(str(name), told, known, f"{where}, key '{str(name)[:60]}'")
        if digest in holders:
            said = f"{where} has the same key twice: '{holders[digest].name}' and '{name}'."
            raise ConfigurationError(said, "Make a new one for one of them.")
        holders[digest] = holder
    return holders


def _holder(name: str, told: Any, known: Collection[str] | None, where: str) -> tuple[str, Holder]:
    """The digest and the holder of one entry."""
    if not NAME.fullmatch(name) or name.lower() == OWNER_NAME:
        raise ConfigurationError(
            f"{where}: a name is letters, digits, '-', '_' and '.', at most 40, and not 'owner'.",
            "Rename it.",
        )
    if not isinstance(told, dict):
        raise ConfigurationError(f"{where} is no table.", f"Write [keys.{name}].")
    given = dict(told)
    digest = given.pop("sha256", None)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ConfigurationError(
            f"{where}: sha256 is the digest of the key, 64 hexadecimal digits.",
            f"`fusion-graph key {name}` makes a key and its entry.",
        )
    limits = {field.name for field in fields(Holder)} - {"name"}
    for field, value in given.items():
        if field not in limits:
            raise ConfigurationError(
                f"{where}: there is no field '{field[:60]}'.",
                f"Fields: sha256, {', '.join(sorted(limits))}.",
            )
        _check(field, value, known, where)
    if "presets" in given:
        given["presets"] = tuple(given["presets"])
    return digest, Holder(name, **given)


def _check(field: str, value: Any, known: Collection[str] | None, where: str) -> None:
    """Check one limit.

    Raises:
        ConfigurationError: It is of another kind, or names a preset that is not on offer.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if field == "presets":
        texts = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        if not texts or not value:
            said = f"{where}: presets is a list of names."
            raise ConfigurationError(said, 'As in presets = ["offline"].')
        for one in value:
            if known is not None and one not in known:
                raise ConfigurationError(
                    f"{where}: the preset '{one[:60]}' is not on offer.",
                    f"On offer: {', '.join(known)}.",
                )
    elif field == "max_runs":
        if not isinstance(value, int) or not number or value < 1:
            raise ConfigurationError(f"{where}: max_runs is a number of runs.", "At least 1.")
    elif not number or not 0 <= value < float("inf"):
        said = f"{where}: {field} is an amount of US dollars."
        raise ConfigurationError(said, f"As in {field} = 2.50.")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_mtime_ns, told.st_size
