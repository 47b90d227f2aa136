"""Refusals in each provider's shape, by the name of a model that always gets them."""

from typing import Any

ERRORS: dict[str, dict[str, tuple[int, Any, dict[str, str]]]] = {}
