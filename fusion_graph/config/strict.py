"""Strict models: unknown fields are refused, and what is wrong is told in one line."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_graph.errors import ConfigurationError

MAY_HOLD_SECRETS = frozenset(
    {"api_key_env", "headers", "base_url", "key", "url", "env", "command", "args"}
)
"""Fields whose wrong value is not repeated in an error: people paste keys into them."""


class Strict(BaseModel):
    """Unknown fields are refused, and a wrong value is a `ConfigurationError` in one line."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise ConfigurationError(*explain(error, type(self))) from None


def explain(error: ValidationError, schema: type[BaseModel]) -> tuple[str, str]:
    """Problem and remedy, one line each, for the first thing pydantic found wrong."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return (
            f"Unknown field '{where}'.",
            f"Fields of {schema.__name__}: {', '.join(schema.model_fields)}.",
        )
    if first["type"] == "missing":
        return f"Field '{where}' is missing.", f"{schema.__name__} needs it."
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    if not where:
        return f"{message}.", ""
    value = first.get("input")
    if MAY_HOLD_SECRETS & set(where.split(".")) or "@" in str(value):
        value = None
    if isinstance(value, str | int | float | bool):
        shown = repr(value) if len(repr(value)) <= 60 else repr(value)[:60] + "…"
        return f"Field '{where}' is {shown}:", f"{message[:1].lower()}{message[1:]}."
    return f"Field '{where}':", f"{message[:1].lower()}{message[1:]}."
