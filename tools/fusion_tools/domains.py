"""Which sites a caller lets its panel read: allowed or blocked domains and paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address

from fusion_tools._hosts import canonical_host
from fusion_tools.address import CheckedUrl, check_url
from fusion_tools.errors import ToolError


@dataclass(frozen=True)
class _Rule:
    host: str
    path: str

    def matches(self, url: CheckedUrl) -> bool:
        """Whether `url` is on this host or below it, at or under this path."""
        if url.host != self.host and not url.host.endswith("." + self.host):
            return False
        # Whole segments: example.com/blog covers /blog and /blog/x, not /blogger.
        return (url.path.rstrip("/") + "/").startswith(self.path + "/")


class DomainRules:
    """Allowed or blocked domains, as Anthropic's web tools define them.

    An entry is `example.com`, which includes its subdomains, or `example.com/blog`, which
    includes what lies under that path. No scheme, no port, no wildcard.

    Args:
        allowed: Nothing else may be fetched, when there are any.
        blocked: These may not be fetched.

    Raises:
        ValueError: Both were given, or an entry is not of that form.
    """

    def __init__(self, allowed: Iterable[str] = (), blocked: Iterable[str] = ()) -> None:
        self._allowed = tuple(_parse("allowed_domains", entry) for entry in _entries(allowed))
        self._blocked = tuple(_parse("blocked_domains", entry) for entry in _entries(blocked))
        if self._allowed and self._blocked:
            raise ValueError("Give allowed_domains or blocked_domains, not both.")

    def check(self, url: CheckedUrl) -> None:
        """Raise `ToolError` (`url_not_allowed`) when the rules keep `url` out."""
        if self._allowed and not any(rule.matches(url) for rule in self._allowed):
            names = ", ".join(rule.host + rule.path for rule in self._allowed[:10])
            raise ToolError(
                "url_not_allowed", f"{url.host} is not among the sites allowed here: {names}."
            )
        if any(rule.matches(url) for rule in self._blocked):
            raise ToolError("url_not_allowed", f"{url.host} is blocked here; use another source.")

    def allow(self, url: str) -> bool:
        """Tell whether an address may be fetched at all, and the rules let it in."""
        try:
            self.check(check_url(url))
        except ToolError:
            return False
        return True


def _entries(entries: Iterable[str]) -> Iterable[str]:
    # A lone string would be read as one domain per letter.
    return (entries,) if isinstance(entries, str) else entries


def _parse(field: str, entry: str) -> _Rule:
    name, slash, path = entry.strip().partition("/")
    host = canonical_host(name)
    if name.startswith("[") and name.endswith("]"):
        try:
            host = str(IPv6Address(name[1:-1]))
        except ValueError:
            host = None
    if host is None or "*" in path or "://" in entry:
        raise ValueError(
            f"{field}: {entry!r} is not a domain; write it like 'example.com' or "
            "'example.com/blog', without scheme, port or wildcard."
        )
    return _Rule(host, (slash + path).rstrip("/"))
