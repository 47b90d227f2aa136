"""The fleet's store: what servers keep for each other beside the runs themselves."""

from __future__ import annotations

from typing import Any

from fusion_graph.faces.server.fleet._client import FleetClient

SPACE = "fusion_face"
"""Everything of ours stands below this name."""


class FleetStore:
    """A store keeps JSON by place and name, for all servers of a fleet.

    Args:
        client: Asks the fleet.
    """

    def __init__(self, client: FleetClient) -> None:
        self._client = client

    async def put(self, place: str, name: str, value: dict[str, Any]) -> None:
        """Keep something.

        Args:
            place: What kind of thing it is.
            name: Names it there.
            value: JSON-able data.
        """
        await self._client.ask(
            lambda fleet: fleet.store.put_item([SPACE, place], name, value, index=False)
        )

    async def get(self, place: str, name: str) -> dict[str, Any] | None:
        """Find what is kept; None if there is nothing."""
        item: Any = await self._client.ask(lambda fleet: fleet.store.get_item([SPACE, place], name))
        return None if not item else dict(item["value"])

    async def drop(self, place: str, name: str) -> None:
        """Remove what is kept."""
        await self._client.ask(lambda fleet: fleet.store.delete_item([SPACE, place], name))
