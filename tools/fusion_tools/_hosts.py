"""Host names and IPv4 addresses in the one spelling that resolvers agree on."""

from __future__ import annotations

import re
import unicodedata
from ipaddress import IPv4Address

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")


def canonical_host(host: str) -> str | None:
    """Lower-case ASCII spelling of a host name or IPv4 address, or None if it is neither.

    Knows what resolvers know: 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1, full-width
    digits are digits, one trailing dot means nothing.
    """
    if not host.isascii():
        if any(unicodedata.category(character) == "Cf" for character in host):
            return None  # invisible characters: never part of an honest name
        import idna  # slow to import, seldom needed

        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    host = host.lower().removesuffix(".")
    if not _NAME.match(host):
        return None
    last = host.rpartition(".")[2]
    if last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last):
        return _ipv4(host)
    return host


def _ipv4(host: str) -> str | None:
    """Read an IPv4 address as inet_aton(3) does: one to four decimal, octal or hex parts."""
    numbers = []
    for part in host.split("."):
        try:
            if part.startswith("0x"):
                numbers.append(int(part[2:] or "0", 16))
            elif len(part) > 1 and part.startswith("0"):
                numbers.append(int(part, 8))
            elif part.isdigit() and len(part) <= 10:
                numbers.append(int(part))
            else:
                return None
        except ValueError:
            return None
    *leading, final = numbers
    if len(numbers) > 4 or any(n > 255 for n in leading) or final >= 256 ** (4 - len(leading)):
        return None
    value = final + sum(n << (8 * (3 - i)) for i, n in enumerate(leading))
    return str(IPv4Address(value))
