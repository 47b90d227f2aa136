"""The one stand-in of the tests: a scripted OpenAI-compatible server in its own process."""

from .client import ModelServer, start_server

__all__ = ["ModelServer", "start_server"]
