"""A server's settings: its key and what it allows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from fusion_graph.errors import ConfigurationError
from fusion_graph.faces.server._cors import check_origins
from fusion_graph.faces.server._signing import KEY_VARIABLE as SIGNING_KEY_VARIABLE
from fusion_graph.faces.server.limits import Limits

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
        allow_origins: Origins of web pages that are let in, besides the server's own; `*` for all.
        signing_key: The secret that signs what clients keep for the server; None for one in the
            user's data folder.
    """

    key: str | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
    access_log: bool = False
    signing_key: str | None = field(default=None, repr=False)
    allow_origins: tuple[str, ...] = ()

    @classmethod
    def from_environment(
        cls,
        limits: Limits | None = None,
        *,
        access_log: bool = False,
        allow_origins: Sequence[str] = (),
    ) -> Self:
        """Settings with the key that the environment holds.

        Args:
            limits: What requests may ask for.
            access_log: Whether every request is logged.
            allow_origins: Origins of web pages that are let in.

        Raises:
            ConfigurationError: The key cannot stand in a header, or an origin is none.
        """
        key = os.environ.get(KEY_VARIABLE, "")
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigurationError(
                f"{KEY_VARIABLE} holds spaces or characters that no header can carry.",
                "Take letters, digits and signs, as from `openssl rand -hex 24`.",
            )
        signing_key = os.environ.get(SIGNING_KEY_VARIABLE) or None
        origins = check_origins(allow_origins, key or None)
        return cls(key or None, limits or Limits(), access_log, signing_key, origins)
