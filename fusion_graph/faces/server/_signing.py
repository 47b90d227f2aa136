"""Signing what a client keeps for this server between two requests, so that nobody can forge it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import secrets
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY_VARIABLE = "FUSION_SIGNING_KEY"
"""Environment variable with the secret that signs; servers that share clients share it."""

KEY_FILE = "signing.key"
"""Where the secret is kept otherwise, in the user's data folder."""

PREFIX = "fg1."
"""Every sealed text begins so, which tells it from other servers' opaque texts."""

_log = logging.getLogger("fusion_graph.server")


class Signer:
    """A signer seals data into opaque texts and opens them again.

    Args:
        secret: The secret; None for the one in the user's data folder, made when first needed.
    """

    def __init__(self, secret: str | None = None) -> None:
        self._secret = secret
        self._key: bytes | None = None

    def load(self) -> None:
        """Read the secret, or make one; may touch the disk."""
        if self._key is None:
            secret = self._secret or _kept()
            self._key = hashlib.sha256(secret.encode("utf-8", "replace")).digest()

    def seal(self, data: Mapping[str, Any]) -> str:
        """Seal data into a text: compressed, signed, readable by nobody in passing.

        Args:
            data: JSON-able data.
        """
        packed = zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 9)
        return f"{PREFIX}{_text(packed)}.{_text(self._sign(packed))}"

    def open(self, text: str) -> dict[str, Any] | None:
        """Open a sealed text.

        Args:
            text: What a client sent back.

        Returns:
            What was sealed; None if the text was changed, or sealed with another secret.
        """
        packed_text, _, signature_text = text.removeprefix(PREFIX).partition(".")
        try:
            packed, signature = _bytes(packed_text), _bytes(signature_text)
        except (ValueError, binascii.Error):
            return None
        # Before it is unpacked: what a stranger packed may be a bomb.
        if not text.startswith(PREFIX) or not hmac.compare_digest(signature, self._sign(packed)):
            return None
        data: dict[str, Any] = json.loads(zlib.decompress(packed))
        return data

    def _sign(self, packed: bytes) -> bytes:
        self.load()
        assert self._key is not None
        return hmac.digest(self._key, packed, "sha256")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    padded = f"{text}{'=' * (-len(text) % 4)}".encode("ascii")
    data = base64.b64decode(padded, altchars=b"-_", validate=True)
    if _text(data) != text:
        raise ValueError("bits that mean nothing")  # of several spellings only ours counts
    return data


def _kept() -> str:
    """Read the secret of the user's data folder, made by the first server that needs it."""
    from fusion_graph.faces.threads import threads_file

    path = threads_file().with_name(KEY_FILE)
    try:
        if not path.exists():
            _make(path)
        if secret := path.read_text("ascii").strip():
            return secret
        trouble = "it is empty"
    except (OSError, UnicodeDecodeError) as error:
        trouble = type(error).__name__
    _log.warning(
        "No signing key can be kept in the data folder (%s): conversations that end in tool calls "
        "are asked anew after a restart. Set %s.",
        trouble,
        KEY_VARIABLE,
    )
    return secrets.token_hex(32)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{KEY_FILE}.{secrets.token_hex(6)}")
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    # Linked when whole: two workers that start together end up with one key.
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        if not path.exists():
            draft.replace(path)
    draft.unlink(missing_ok=True)
