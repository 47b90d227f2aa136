"""Holders of keys: who asks a server, what they may do, and whose runs they see."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import HTTPConnection

from fusion_graph.faces.server.limits import Limits

HOLDER = "fusion_graph.holder"
"""Where a request's scope says whose key came with it."""

OWNER_NAME = "owner"
"""What metrics call the owner's own key, which no other may be called."""


@dataclass(frozen=True)
class Holder:
    """Who gave a key, and what that key may do.

    Attributes:
        name: The key's; empty for the server's owner, who sees the runs of all.
        presets: Names of the presets it may ask; None for all on offer.
        max_runs: Most runs at work at the same time; None for the server's limit alone.
        max_cost_usd: Most US dollars of one run; None for the server's limit alone.
        max_cost_usd_per_day: Most US dollars of a day (UTC); None for no limit.
    """

    name: str = ""
    presets: tuple[str, ...] | None = None
    max_runs: int | None = None
    max_cost_usd: float | None = None
    max_cost_usd_per_day: float | None = None

    def sees(self, owner: str) -> bool:
        """Whether it may see, and delete, the runs of a key.

        Args:
            owner: That key's name.
        """
        return not self.name or owner == self.name

    def narrowed(self, limits: Limits) -> Limits:
        """The server's limits as they are for this key."""
        if self.max_cost_usd is None:
            return limits
        amounts = [one for one in (self.max_cost_usd, limits.max_cost) if one is not None]
        return replace(limits, max_cost=min(amounts))


OWNER = Holder()
"""Who gives the owner's own key, or needs none."""


def holder_of(connection: HTTPConnection) -> Holder:
    """Tell who has sent a request.

    Args:
        connection: A request that was admitted with its key, or needed none.
    """
    holder = connection.scope[HOLDER]
    assert isinstance(holder, Holder)
    return holder
