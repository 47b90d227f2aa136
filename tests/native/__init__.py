"""Small servers that speak providers' own protocols, and refuse what those providers refuse."""

from .client import Native, NativeServer

__all__ = ["Native", "NativeServer"]
