"""Which addresses and URLs may be fetched: pure policy, no network, no DNS."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, unquote, urlsplit

from fusion_tools._hosts import canonical_host
from fusion_tools.errors import ToolError

MAX_URL_CHARS = 2000
"""Longest URL accepted. Search engines and browsers keep to about this; Anthropic's tool to 250."""

WEB_PORTS = frozenset({80, 443, 8080, 8443})
"""Ports on which strangers' web sites live. Others are mail, databases, admin panels."""

Allow = frozenset[tuple[str, int]]
"""`(host, port)` pairs of the caller's own sites, exempt from the address and port rules."""

_NOT_GLOBAL = "an address outside the public internet"
_NAT64 = IPv6Network("64:ff9b::/96")

_REFUSED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(net), reason)
    for net, reason in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "a carrier-grade NAT address"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a cloud metadata address"),  # Azure; inside public space
        ("169.254.0.0/16", "a link-local address"),  # 169.254.169.254: most clouds' metadata
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),  # 192.0.0.192: Oracle's metadata
        ("192.0.2.0/24", "a documentation address"),
        ("192.88.99.0/24", "a 6to4 relay address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "a benchmarking address"),
        ("198.51.100.0/24", "a documentation address"),
        ("203.0.113.0/24", "a documentation address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_REFUSED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(net), reason)
    for net, reason in (
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("::ffff:0:0/96", "an IPv4-mapped address"),
        ("::ffff:0:0:0/96", "an IPv4-translated address"),
        ("::/96", "an IPv4-compatible address"),
        ("64:ff9b:1::/48", "a local-use NAT64 address"),
        ("2001::/32", "a Teredo address"),
        ("2001:db8::/32", "a documentation address"),
        ("2001::/23", "a protocol-assignment address"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "a documentation address"),
        ("fc00::/7", "a private address"),  # fd00:ec2::254, fd20:ce::254: cloud metadata
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a site-local address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")


def check_address(ip: str | IPv4Address | IPv6Address) -> str | None:
    """Say what `ip` is when it must not be connected to, as in `a loopback address`; else None.

    `ipaddress.is_global` is not enough: on Python 3.11 it is True for 64:ff9b::7f00:1,
    fec0::1, 2002:7f00:1::, 3fff::1, 5f00::1 and 168.63.129.16. IPv4 dressed as IPv6 is
    refused whatever it holds, except under the well-known NAT64 prefix, where the IPv4
    address inside decides: networks without IPv4 resolve every IPv4 site to that prefix.

    Args:
        ip: An address, as text or as an `ipaddress` object.
    """
    try:
        address = ip_address(ip)
    except ValueError:
        return "not an IP address"
    return _v4_reason(address) if isinstance(address, IPv4Address) else _v6_reason(address)


def _v4_reason(address: IPv4Address) -> str | None:
    for network, reason in _REFUSED_V4:
        if address in network:
            return reason
    return None if address.is_global else _NOT_GLOBAL


def _v6_reason(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "an address bound to a network interface"
    if address in _NAT64:
        inner = _v4_reason(IPv4Address(int(address) & 0xFFFFFFFF))
        return f"a NAT64 address of {inner}" if inner else None
    for network, reason in _REFUSED_V6:
        if address in network:
            return reason
    # ISATAP interface identifiers are [02]00:5efe:a.b.c.d under any prefix (RFC 5214, 6.1).
    if (int(address) >> 32) & 0xFCFFFFFF == 0x00005EFE:
        return "an ISATAP address"
    if address not in _GLOBAL_UNICAST_V6:
        return _NOT_GLOBAL
    return None if address.is_global else _NOT_GLOBAL


@dataclass(frozen=True)
class CheckedUrl:
    """A URL that passed `check_url`, in the one spelling every parser reads alike.

    Attributes:
        url: ASCII, host lower-case and in punycode, no fragment, no dot segments.
        scheme: `http` or `https`.
        host: As the connection will name it; IPv6 without brackets.
        port: Given or implied.
        path: Percent-decoded, without dot segments: what path rules are compared with.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port, as in `https://example.com`."""
        return _origin(self.scheme, self.host, self.port)


def check_url(url: str, *, allow: Allow = frozenset()) -> CheckedUrl:
    """Check a URL's form and destination as far as that is possible without DNS.

    Args:
        url: What a model or a redirect asked for.
        allow: `(host, port)` pairs exempt from the address and port rules.

    Raises:
        ToolError: `invalid_input` for what is not a URL, `url_too_long`, and
            `url_not_allowed` for schemes, ports, credentials and addresses refused.
    """
    if not isinstance(url, str) or not url:
        raise ToolError("invalid_input", "No URL was given; give one that starts with https://.")
    if len(url) > MAX_URL_CHARS:
        raise ToolError(
            "url_too_long",
            f"The URL has {len(url)} characters, {MAX_URL_CHARS} are allowed; use a shorter one.",
        )
    for character in url:
        if character == "\\" or unicodedata.category(character) in _NEVER_IN_URLS:
            raise ToolError(
                "invalid_input",
                f"The URL contains U+{ord(character):04X}, which a URL cannot; "
                "percent-encode it or remove it.",
            )
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _malformed(url) from error
    scheme = parts.scheme.lower()
    if scheme not in ("http", "https"):
        raise ToolError(
            "url_not_allowed",
            f"The URL's scheme is {scheme[:20]!r}; only http:// and https:// can be fetched.",
        )
    if "@" in parts.netloc:
        raise ToolError(
            "url_not_allowed", "The URL holds a user name or password; remove all up to the '@'."
        )
    if not parts.netloc or not url[len(scheme) :].startswith("://"):
        raise _malformed(url)
    host, port = _host_and_port(parts.netloc, url, 443 if scheme == "https" else 80)
    if (host, port) not in allow:
        _check_destination(host, port)
    path = _without_dot_segments(_ascii(parts.path, _PATH_SAFE)) or "/"
    query = "?" + _ascii(parts.query, _QUERY_SAFE) if "?" in url.partition("#")[0] else ""
    canonical = _origin(scheme, host, port) + path + query
    decoded = _without_dot_segments(unquote(path))
    return CheckedUrl(canonical, scheme, host, port, decoded)


# Cc controls, Cs lone surrogates, Zs/Zl/Zp every kind of white space.
_NEVER_IN_URLS = frozenset({"Cc", "Cs", "Zs", "Zl", "Zp"})
_PATH_SAFE = "%/:@!$&'()*+,;=~-._[]|"
_QUERY_SAFE = _PATH_SAFE + "?"
_PORT = re.compile(r"[0-9]{0,5}\Z")
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa", "onion")


def _host_and_port(netloc: str, url: str, default_port: int) -> tuple[str, int]:
    if netloc.startswith("["):
        bracketed, _, rest = netloc[1:].partition("]")
        try:
            host: str | None = str(IPv6Address(bracketed))
        except ValueError:
            host = None
        if rest and not rest.startswith(":"):
            host = None
        port_text = rest[1:]
    else:
        name, _, port_text = netloc.partition(":")
        host = canonical_host(name)
    if host is None or not _PORT.match(port_text):
        raise _malformed(url)
    port = int(port_text) if port_text else default_port
    if not 0 < port < 65536:
        raise _malformed(url)
    return host, port


def _check_destination(host: str, port: int) -> None:
    """Refuse by what the URL itself says; names are checked again once resolved."""
    if port not in WEB_PORTS:
        ports = ", ".join(str(p) for p in sorted(WEB_PORTS))
        raise ToolError(
            "url_not_allowed", f"Port {port} of {host} is not open to fetches: {ports}."
        )
    reason: str | None = None
    if ":" in host or host.replace(".", "").isdigit():
        reason = check_address(host)
    elif "." not in host or host.endswith(tuple(f".{name}" for name in _LOCAL_NAMES)):
        # The resolver would lead inside; with a proxy no one else would notice.
        reason = "a name of a local network"
    if reason:
        raise ToolError(
            "url_not_allowed", f"{host} is {reason}; only public web sites can be fetched."
        )


def _origin(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    default = 443 if scheme == "https" else 80
    return f"{scheme}://{shown}" if port == default else f"{scheme}://{shown}:{port}"


def _ascii(text: str, safe: str) -> str:
    # A '%' that starts no escape is a literal one; left alone, parsers disagree about it.
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", quote(text, safe=safe))


def _without_dot_segments(path: str) -> str:
    """Remove '.' and '..' segments (RFC 3986, 5.2.4), also where their dots are encoded."""
    kept: list[str] = []
    segments = path.split("/")
    for position, segment in enumerate(segments):
        plain = segment.lower().replace("%2e", ".")
        if plain not in (".", ".."):
            kept.append(segment)
            continue
        if plain == ".." and len(kept) > 1:
            kept.pop()
        if position == len(segments) - 1:
            kept.append("")
    return "/".join(kept)


def _malformed(url: str) -> ToolError:
    return ToolError(
        "invalid_input",
        f"{url[:100]!r} is not a web address; give one like https://example.com/page.",
    )
