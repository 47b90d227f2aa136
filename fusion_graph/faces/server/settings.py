"""A server's settings: its key and what it allows."""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from fusion_graph.errors import ConfigurationError
from fusion_graph.faces.server._cors import check_origins
from fusion_graph.faces.server._signing import KEY_VARIABLE as SIGNING_KEY_VARIABLE
from fusion_graph.faces.server.holders import OWNER, Holder
from fusion_graph.faces.server.keys import KeyFile
from fusion_graph.faces.server.limits import Limits
from fusion_graph.faces.server.offer import Offer

KEY_VARIABLE = "FUSION_API_KEY"
"""Environment variable with the key that callers have to give; unset or empty for none."""


@dataclass(frozen=True)
class ServerSettings:
    """How a server behaves towards its callers.

    Attributes:
        key: The bearer key that callers have to give; None lets everyone in who can connect, but
            no web page of another site.
        limits: What requests may ask for.
        access_log: Whether every request is logged, at INFO, without its body and its key.
        keys: Further keys, each with a name, limits and runs of its own; None for none.
        allow_origins: Origins of web pages that are let in, besides the server's own; `*` for all.
        signing_key: The secret that signs what clients keep for the server; None for one in the
            user's data folder.
    """

    key: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    access_log: bool = False
    signing_key: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()
    keys: KeyFile | None = None

    @property
    def has_keys(self) -> bool:
        """Whether callers have to give a key."""
        return self.key is not None or self.keys is not None

    def holder(self, given: str) -> Holder | None:
        """Find who gives a key: the owner, or who holds one of the further keys.

        Args:
            given: What came as a key.
        """
        found = None if self.keys is None else self.keys.find(given)
        own = (self.key or "").encode()
        if own and hmac.compare_digest(given.encode("utf-8", "replace"), own):
            return OWNER
        return found

    @classmethod
    def from_environment(
        cls,
        limits: Limits | None = None,
        *,
        access_log: bool = False,
        allow_origins: Sequence[str] = (),
        keys: str | None = None,
    ) -> Self:
        """Settings with the key that the environment holds.

        Args:
            limits: What requests may ask for.
            access_log: Whether every request is logged.
            allow_origins: Origins of web pages that are let in.
            keys: A file of further keys.

        Raises:
            ConfigurationError: The key cannot stand in a header, an origin is none, or the file of
                keys is wrong.
        """
        key = os.environ.get(KEY_VARIABLE, "")
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigurationError(
                f"{KEY_VARIABLE} holds spaces or characters that no header can carry.",
                "Take letters, digits and signs, as from `openssl rand -hex 24`.",
            )
        signing_key = os.environ.get(SIGNING_KEY_VARIABLE) or None
        limits = limits or Limits()
        offer = Offer(limits.presets, elsewhere=limits.elsewhere)
        file = None if keys is None else KeyFile(Path(keys).expanduser(), offer.refs)
        origins = check_origins(allow_origins, has_keys=bool(key) or file is not None)
        return cls(key or None, limits, access_log, signing_key, origins, file)
