"""Responses that a client may refer to instead of sending them again, as long as they are kept."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fusion_graph.errors import ApiError

KEEP_CHARACTERS = 64_000_000
"""Conversations are forgotten, the oldest first, past so much JSON."""

PLACE = "responses"
"""Where a store keeps them."""

_log = logging.getLogger("fusion_graph.server")


class Store(Protocol):
    """A store keeps JSON by place and name, for several servers."""

    async def put(self, place: str, name: str, value: dict[str, Any]) -> None:
        """Keep something."""

    async def get(self, place: str, name: str) -> dict[str, Any] | None:
        """Find what is kept."""


class KeptResponses:
    """Kept responses remember the items of conversations, for `previous_response_id`.

    What one key was answered is not there for another, whatever it guesses.

    Args:
        store: Where other servers find them too; None where there is only this one.
    """

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._items: OrderedDict[tuple[str, str], list[Any]] = OrderedDict()
        self._sizes: dict[tuple[str, str], int] = {}
        self._by_id: dict[tuple[str, str], Any] = {}

    async def fetch(self, body: Mapping[str, Any], owner: str = "") -> None:
        """Have the response that a request refers to here, if another server has answered it.

        Args:
            body: The request's body.
            owner: The name of the key that came with it.

        Raises:
            ApiError: 503, the store cannot be asked.
        """
        id = body.get("previous_response_id")
        if self._store is None or not isinstance(id, str) or (owner, id) in self._items:
            return
        kept = await self._store.get(PLACE, _name(owner, id))
        if kept is not None:
            self._remember(owner, id, kept["before"], kept["output"])

    def whole(self, body: Mapping[str, Any], owner: str = "") -> dict[str, Any]:
        """A request's body with everything in its input that it only refers to.

        Args:
            body: The body.
            owner: The name of the key that came with it.

        Raises:
            ApiError: 404, the response that it refers to is not kept.
        """
        given = body.get("input")
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        if not isinstance(items, list):
            return dict(body)  # the protocol says what is wrong with it
        before: list[Any] = []
        if (id := body.get("previous_response_id")) is not None:
            if not isinstance(id, str) or (owner, id) not in self._items:
                raise ApiError(
                    404,
                    f"The response {str(id)[:80]!r} is not kept here (any more): send the whole "
                    "conversation as `input`, without `previous_response_id`.",
                    "previous_response_not_found",
                    param="previous_response_id",
                )
            before = self._items[owner, id]
        return {**body, "input": [*before, *(self._found(item, owner) for item in items)]}

    def _found(self, item: Any, owner: str) -> Any:
        if isinstance(item, dict) and item.get("type") == "item_reference":
            return self._by_id.get((owner, str(item.get("id"))), item)
        return item

    async def keep(
        self, body: Mapping[str, Any], response: Mapping[str, Any], owner: str = ""
    ) -> None:
        """Keep a finished response, unless its client wants it not stored.

        Args:
            body: The request's body, whole.
            response: The response.
            owner: The name of the key that asked.
        """
        if body.get("store") is False:
            return
        given, id = body["input"], str(response["id"])
        before = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
        output = list(response["output"])
        self._remember(owner, id, before, output)
        if self._store is not None:
            try:
                await self._store.put(PLACE, _name(owner, id), {"before": before, "output": output})
            except ApiError as error:
                _log.warning("a response is kept for this server alone: %s", error.code)

    def _remember(
        self, owner: str, name: str, before: Sequence[Any], output: Sequence[Any]
    ) -> None:
        id = (owner, name)
        self._items[id] = [*before, *output]
        self._sizes[id] = len(json.dumps(self._items[id]))
        self._by_id |= {(owner, str(item["id"])): item for item in output}
        while sum(self._sizes.values()) > KEEP_CHARACTERS and len(self._items) > 1:
            oldest, gone = self._items.popitem(last=False)
            del self._sizes[oldest]
            for item in gone:
                if isinstance(item, dict):
                    self._by_id.pop((oldest[0], str(item.get("id"))), None)


def _name(owner: str, id: str) -> str:
    """What a store calls a response: nobody's ids reach it as they are."""
    return hashlib.sha256(json.dumps([owner, id]).encode()).hexdigest()
