"""Endpoints that speak the OpenAI protocol: where they are, what opens them, what they cost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from fusion_graph.config.strict import Strict
from fusion_graph.errors import ConfigurationError


class Price(Strict):
    """A model's price in US dollars per million tokens."""

    input: float = Field(ge=0, title="Input")
    """US dollars per million tokens read."""
    output: float = Field(ge=0, title="Output")
    """US dollars per million tokens written."""
    cached_input: float | None = Field(default=None, ge=0, title="Cached input")
    """US dollars per million tokens read from the provider's cache; as `input` if not given."""
    cache_write: float | None = Field(default=None, ge=0, title="Cache write")
    """US dollars per million tokens put into the provider's cache; as `input` if not given."""


def _check_variable(value: Any) -> Any:
    # The value is not repeated: whoever writes the key itself here should not see it printed.
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", value):
        raise ConfigurationError(
            "That is no name of an environment variable.",
            "Write its name, as in OPENAI_API_KEY, never the key itself.",
        )
    return value


EnvironmentVariable = Annotated[str, BeforeValidator(_check_variable)]
"""Name of an environment variable."""


def _check_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.query or parts.fragment:
        raise ValueError("an address ends with its path; keys go into api_key_env or headers")
    return value


Address = Annotated[str, AfterValidator(_check_address)]
"""An http or https address that paths are added to."""


def shown_address(url: str) -> str:
    """An address as it may be shown: without name and password."""
    return re.sub(r"//[^/]*@", "//***@", url)


class Provider(Strict):
    """An endpoint that speaks the OpenAI protocol."""

    base_url: Address | None = Field(default=None, pattern=r"^https?://", title="Base URL")
    """Where it is, as in `http://127.0.0.1:8000/v1`; unset for OpenAI's own."""
    api_key_env: EnvironmentVariable | None = Field(default=None, title="Key's variable")
    """Name of the environment variable that holds the key; unset if it wants none."""
    headers: dict[str, str] = Field(default={}, title="Headers")
    """Headers sent with every call."""
    prices: dict[str, Price] = Field(default={}, title="Prices")
    """Prices by model name, where `genai-prices` does not know them."""
    api: Literal["responses", "chat"] | None = Field(default=None, title="API")
    """`responses`: OpenAI's Responses API; `chat`: chat completions. Unset: `responses` for
    those of OpenAI's own models that need it for tools and reasoning (`gpt-5*`, `o*`, codex),
    `chat` for all others."""
    context_tokens: int | None = Field(default=None, ge=512, title="Context tokens")
    """Tokens its models read at once, reply included: what is sent is cut to fit. Unset: asked of
    a server of your own, unknown of others."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        shown = {**dict(super().__repr_args__()), "headers": dict.fromkeys(self.headers, "***")}
        if self.base_url is not None:
            shown["base_url"] = shown_address(self.base_url)
        return shown.items()
