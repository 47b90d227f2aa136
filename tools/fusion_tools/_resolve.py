"""Names to addresses, with the operating system's resolver."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

from fusion_tools.own_thread import in_own_thread

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses. Raises `OSError` when there are none."""


async def system_resolver(host: str, port: int) -> list[str]:
    """Resolve with the operating system.

    Raises:
        OSError: There is no such name.
        UnicodeError: It cannot be one.
    """
    return await in_own_thread(_looked_up, host, port)


def _looked_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
