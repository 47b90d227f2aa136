"""Responses that a client may refer to instead of sending them again, as long as they are kept."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from fusion_graph.errors import ApiError

KEEP_CHARACTERS = 64_000_000
"""Conversations are forgotten, the oldest first, past so much JSON."""


class KeptResponses:
    """Kept responses remember the items of conversations, for `previous_response_id`.

    What one key was answered is not there for another, whatever it guesses.
    """

    def __init__(self) -> None:
        self._items: OrderedDict[tuple[str, str], list[Any]] = OrderedDict()
        self._sizes: dict[tuple[str, str], int] = {}
        self._by_id: dict[tuple[str, str], Any] = {}

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

    def keep(self, body: Mapping[str, Any], response: Mapping[str, Any], owner: str = "") -> None:
        """Keep a finished response, unless its client wants it not stored.

        Args:
            body: The request's body, whole.
            response: The response.
            owner: The name of the key that asked.
        """
        if body.get("store") is False:
            return
        given = body["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        output = list(response["output"])
        id = (owner, str(response["id"]))
        self._items[id] = [*items, *output]
        self._sizes[id] = len(json.dumps(self._items[id]))
        self._by_id |= {(owner, str(item["id"])): item for item in output}
        while sum(self._sizes.values()) > KEEP_CHARACTERS and len(self._items) > 1:
            oldest, gone = self._items.popitem(last=False)
            del self._sizes[oldest]
            for item in gone:
                if isinstance(item, dict):
                    self._by_id.pop((oldest[0], str(item.get("id"))), None)
