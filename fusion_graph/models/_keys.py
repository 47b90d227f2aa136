"""Keys and passwords of providers: where they are, and how they stay out of logs and messages."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from fusion_graph.config import Provider
from fusion_graph.models.secrets import SHORTEST_SECRET, scrub

WIRE_LOGGERS = (
    "httpx2",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.http2",
    "httpcore2.proxy",
    "openai._base_client",
)
"""Loggers that tell what goes over the wire, on demand; a server may send keys back."""


def login_apart(url: str) -> tuple[str, dict[str, str]]:
    """Part an address from the name and password that logs would show, and make a header of them.

    Args:
        url: The address.
    """
    parts = urlsplit(url)
    userinfo, found, host = parts.netloc.rpartition("@")
    if not found:
        return url, {}
    token = base64.b64encode(unquote(userinfo).encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {token}"}


def secrets_of(provider: Provider, key: str) -> tuple[str, ...]:
    """List what a provider is told and nobody else: key, headers, the address's password.

    Args:
        provider: The provider.
        key: Its key.
    """
    _, login = login_apart(provider.base_url or "")
    password = urlsplit(provider.base_url or "").password or ""
    headers = [*provider.headers.values(), *login.values()]
    # `Basic …` and `Bearer …`: a server may repeat what comes after the scheme alone.
    bare = [value.rpartition(" ")[2] for value in headers]
    return _long_enough([key, password, unquote(password), *headers, *bare])


def secrets_in(chat: BaseChatModel) -> tuple[str, ...]:
    """List what a LangChain model keeps secret, as far as it says so."""
    values = [getattr(chat, name, None) for name in type(chat).model_fields]
    keys = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    headers = getattr(chat, "default_headers", None) or {}
    return _long_enough([*keys, *map(str, headers.values())])


def _long_enough(secrets: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(dict.fromkeys(s for s in secrets if len(s) >= SHORTEST_SECRET))
    _known_secrets.update(kept)
    return kept


_known_secrets: set[str] = set()


class _WithoutSecrets(logging.Filter):
    """Cuts keys out of log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if (cut := scrub(message, _known_secrets)) != message:
            record.msg, record.args = cut, ()
        return True


@lru_cache(maxsize=1)
def keep_logs_clean() -> None:
    """Keep known keys out of what the wire's loggers tell, from now on."""
    for name in WIRE_LOGGERS:
        logging.getLogger(name).addFilter(_WithoutSecrets())
