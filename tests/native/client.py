"""The tests' side of the native servers: starts them, says where they are, reads their log."""

import secrets
from typing import Any

from tests.scripted_models.client import ModelServer, fetch


class Native:
    """One test's own part of the servers.

    rounds: how many turns with calls each model makes before it answers, if it is let.
    ids: "own" for ids of their own, "same" for the same ids in every turn.
    """

    def __init__(self, url: str, rounds: int = 3, ids: str = "own") -> None:
        self.root = f"{url}/{secrets.token_hex(6)}-{rounds}-{ids}"

    @classmethod
    def at(cls, root: str) -> "Native":
        """The part of another process, by its root."""
        native = cls("")
        native.root = root
        return native

    def url(self, protocol: str) -> str:
        """The base URL of a provider: anthropic, gemini, deepseek, mistral, ollama, openrouter."""
        return f"{self.root}/{protocol}"

    def log(self, model: str | None = None) -> list[dict[str, Any]]:
        """The requests so far, in order: model, body, status, and usage where it was told."""
        calls: list[dict[str, Any]] = fetch("GET", f"{self.root}/_log")
        return [call for call in calls if model in (None, call["model"])]


class NativeServer(ModelServer):
    """The native servers, in a process of their own."""

    module = f"{__package__}.server"

    def part(self, rounds: int = 3, ids: str = "own") -> Native:
        """A part of the servers that only one test sees."""
        return Native(self.url, rounds, ids)
