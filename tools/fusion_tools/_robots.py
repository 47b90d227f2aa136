"""robots.txt as RFC 9309 has it, for callers who want their fetches to keep to it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fusion_tools.address import CheckedUrl
from fusion_tools.errors import ToolError

if TYPE_CHECKING:
    from protego import Protego

MAX_ROBOTS_BYTES = 500 * 2**10
"""RFC 9309, 2.5: at least this much must be read."""

_KEPT_SITES = 256


class Robots:
    """Asks each site for its robots.txt once, whoever wants to know.

    Args:
        agent: The product token of the User-Agent.
        get: Fetches a robots.txt: its text, or None when the site has none. Raises
            `ToolError` when the site did not answer.
    """

    def __init__(self, agent: str, get: Callable[[CheckedUrl], Awaitable[str | None]]) -> None:
        self._agent = agent
        self._get = get
        self._sites: OrderedDict[str, Protego] = OrderedDict()
        self._asking: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = {}

    async def check(self, url: CheckedUrl) -> None:
        """Raise `ToolError` (`url_not_allowed`) when the site's robots.txt keeps `url` out.

        A site that has none allows everything, one that cannot answer allows nothing
        (RFC 9309, 2.3.1).
        """
        if url.url == f"{url.origin}/robots.txt":
            return
        rules = self._sites.get(url.origin) or await self._ask(url)
        if not rules.can_fetch(url.url, self._agent):
            raise ToolError(
                "url_not_allowed",
                f"The robots.txt of {url.host} does not allow this page; use another source.",
            )

    async def _ask(self, url: CheckedUrl) -> Protego:
        key = (asyncio.get_running_loop(), url.origin)
        async with self._asking.setdefault(key, asyncio.Lock()):
            if (rules := self._sites.get(url.origin)) is not None:
                return rules
            try:
                text = await self._get(
                    CheckedUrl(
                        f"{url.origin}/robots.txt", url.scheme, url.host, url.port, "/robots.txt"
                    )
                )
            except ToolError as error:
                raise ToolError(
                    "url_not_allowed",
                    f"The robots.txt of {url.host} could not be read, so its pages are not "
                    "fetched; use another source.",
                ) from error
            # In a thread: the longest text takes half a second.
            rules = await asyncio.to_thread(_parsed, text or "")
            self._sites[url.origin] = rules
            while len(self._sites) > _KEPT_SITES:
                self._sites.popitem(last=False)
            self._asking.pop(key, None)
            return rules


def _parsed(text: str) -> Protego:
    from protego import Protego

    return Protego.parse(text)
