"""robots.txt as RFC 9309 has it, for callers who want their fetches to keep to it."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fusion_tools.address import CheckedUrl
from fusion_tools.errors import ToolError

MAX_ROBOTS_BYTES = 500 * 2**10
"""RFC 9309, 2.5: at least this much must be read."""

_KEPT_SITES = 256


@dataclass(frozen=True)
class _Rule:
    pattern: str
    allowed: bool

    def matches(self, path: str) -> bool:
        """Match a prefix in which `*` is anything and a final `$` is the end. Linear time."""
        pattern = self.pattern.removesuffix("$")
        anchored = pattern != self.pattern
        first, *rest = pattern.split("*")
        if not path.startswith(first):
            return False
        position = len(first)
        if not rest:
            return not anchored or position == len(path)
        *middle, last = rest
        for part in middle:
            found = path.find(part, position)
            if found < 0:
                return False
            position = found + len(part)
        if anchored:
            return path.endswith(last) and len(path) - len(last) >= position
        return path.find(last, position) >= 0


@dataclass
class RobotsRules:
    """The rules of one site for one crawler."""

    rules: list[_Rule] = field(default_factory=list)

    def allow(self, path: str) -> bool:
        """Whether a path, with its query, may be fetched: the longest rule decides."""
        best = _Rule("", True)
        for rule in self.rules:
            longer = len(rule.pattern) > len(best.pattern)
            as_long = len(rule.pattern) == len(best.pattern)
            if rule.matches(path) and (longer or (as_long and rule.allowed)):
                best = rule
        return best.allowed


def parse_robots(text: str, agent: str) -> RobotsRules:
    """The rules for `agent` (a product token, as in `fusion-graph`), else those for `*`."""
    groups: dict[str, list[_Rule]] = {}
    agents: list[str] = []
    in_rules = True
    for line in text.splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            agents = [] if in_rules else agents
            in_rules = False
            token = re.match(r"\*|[A-Za-z_-]*", value)
            agents.append(token[0].lower() if token else "")
            groups.setdefault(agents[-1], [])
        elif key in ("allow", "disallow"):
            in_rules = True
            if value:
                for name in agents:
                    groups[name].append(_Rule(value, key == "allow"))
    return RobotsRules(groups.get(agent.lower(), groups.get("*", [])))


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
        self._sites: OrderedDict[str, RobotsRules] = OrderedDict()
        self._asking: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Lock] = {}

    async def check(self, url: CheckedUrl) -> None:
        """Raise `ToolError` (`url_not_allowed`) when the site's robots.txt keeps `url` out.

        A site that has none allows everything, one that cannot answer allows nothing
        (RFC 9309, 2.3.1).
        """
        path = url.url[len(url.origin) :]
        if path == "/robots.txt":
            return
        rules = self._sites.get(url.origin) or await self._ask(url)
        if not rules.allow(path):
            raise ToolError(
                "url_not_allowed",
                f"The robots.txt of {url.host} does not allow this page; use another source.",
            )

    async def _ask(self, url: CheckedUrl) -> RobotsRules:
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
            rules = RobotsRules() if text is None else parse_robots(text, self._agent)
            self._sites[url.origin] = rules
            while len(self._sites) > _KEPT_SITES:
                self._sites.popitem(last=False)
            self._asking.pop(key, None)
            return rules
