"""The standard library alone answers a client's handshake.

Importing `mcp` costs a second of a processor and the graph as much. A client asks `initialize`
first, and what it is told there depends on nothing that has to be imported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fusion_graph.faces.mcp.about import CAPABILITIES, INSTRUCTIONS, server_info

VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Protocol revisions that begin with `initialize`, the newest last (the specification's list). In
2026-07-28 every request stands for itself: a client of that era sends no handshake."""


PREPARING = "preparing the panel"
"""What a call does before its run begins."""


class Handshake:
    """The handshake answers a client's first words before the SDK can.

    The SDK is told of the handshake later all the same, for its session has to know the client.
    What it answers then is `repeated`, and must not reach the client a second time.
    """

    def __init__(self) -> None:
        self._first = True
        self._answered: str | int | None = None

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a message if it opens a connection of the handshake's era.

        Args:
            message: A message of the client's, as JSON-RPC.

        Returns:
            The response; None for whatever the SDK has to answer itself, such as a handshake
            that lacks something.
        """
        if "method" not in message or "id" not in message:
            return None
        first, self._first = self._first, False
        if not first or message["method"] != "initialize" or not _is_whole(message):
            return None
        self._answered = message["id"]
        asked = message["params"]["protocolVersion"]
        return {
            "jsonrpc": "2.0",
            "id": message["id"],
            "result": {
                "protocolVersion": asked if asked in VERSIONS else VERSIONS[-1],
                "capabilities": CAPABILITIES,
                "serverInfo": server_info(),
                "instructions": INSTRUCTIONS,
            },
        }

    def repeated(self, line: str) -> bool:
        """Tell whether a line of the SDK's is the handshake's answer, given already.

        Args:
            line: A message of the server's, as JSON.
        """
        if self._answered is None:
            return False
        message = json.loads(line)
        if "method" in message or message.get("id") != self._answered:
            return False
        self._answered = None
        return True


def pong(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Answer a `ping`, which a client may send while the imports run; None for anything else."""
    if message.get("method") != "ping" or "id" not in message:
        return None
    return {"jsonrpc": "2.0", "id": message["id"], "result": {}}


def first_progress(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tell the first progress of a call that asks a panel; None for anything else.

    The event loop says more as soon as it can. While the graph is being imported it may not come
    to it: 13 s on a machine whose two processors had fourteen programs to run.

    Args:
        message: A message of the client's, as JSON-RPC.
    """
    if message.get("method") != "tools/call" or "id" not in message:
        return None
    params = message.get("params", {})
    meta = params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    if params.get("name") != "fusion" or not isinstance(token, str | int):
        return None
    return {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": token, "progress": 0, "message": PREPARING},
    }


def _is_whole(message: Mapping[str, Any]) -> bool:
    """Tell whether a handshake has all that the protocol wants, so that the SDK takes it too."""
    params = message.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("protocolVersion"), str):
        return False
    client = params.get("clientInfo")
    named = isinstance(client, dict) and all(
        isinstance(client.get(field), str) for field in ("name", "version")
    )
    return named and isinstance(params.get("capabilities"), dict)
