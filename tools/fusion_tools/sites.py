"""Which addresses are one page, and which pages are one site's."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from fusion_tools.normalise import normalise_url

_MARKER = re.compile(
    r"(?:utm|hsa|mtm|pk)_\w+|fbclid|gclid|gclsrc|gbraid|wbraid|dclid|msclkid|ys?clid|twclid|ttclid"
    r"|li_fat_id|igsh(?:id)?|mc_[ce]id|mkt_tok|srsltid|_g[al]|_hsenc|_hsmi|vero_id"
    r"|oly_(?:anon|enc)_id|wickedid|s_kwcid|epik|rb_clickid",
    re.IGNORECASE,
)
"""What advertisers and mailers put behind an address to see who comes, as browsers strip it
(Brave's and Firefox's query-stripping lists): it never chooses the page."""

_SECOND_LEVEL = re.compile(r"ac|com?|edu|gob|gouv|gov|gv|ltd|ne|net|nom|org?|plc|sch")
"""Second labels under which countries register names: example.co.uk, example.com.au."""

_SHARED_HOST = re.compile(
    r"(?:github|gitlab|readthedocs|herokuapp|appspot|blogspot|wordpress|substack|tumblr|weebly"
    r"|wixsite|netlify|vercel|firebaseapp|azurewebsites|cloudfront|neocities|onrender|streamlit"
    r"|pages|workers|web|fly|hf|surge)\.(?:io|com|net|app|dev|org|space|sh)"
)
"""Domains whose subdomains belong to strangers to each other, the large ones of the Public Suffix
List's private part."""

_LEADING_WWW = re.compile(r"^www\d?\.(?=[^.]+\.)")


def source_key(url: str) -> str:
    """What the spellings of one page's address share: the identity of a source.

    Beside what `normalise_url` makes one: http and https, `www.`, closing slashes, and marks of
    advertisers and mailers (`utm_source`, `fbclid`).

    Args:
        url: An address.
    """
    key = normalise_url(url)
    scheme, separator, rest = key.partition("://")
    if not separator:
        return key
    if scheme in ("http", "https"):
        scheme, rest = "https", _LEADING_WWW.sub("", rest)
    path, mark, query = rest.partition("?")
    kept = [
        part for part in query.split("&") if part and not _MARKER.fullmatch(part.partition("=")[0])
    ]
    return f"{scheme}://{path.rstrip('/')}{mark if kept else ''}{'&'.join(kept)}"


def site_of(url: str) -> str:
    """The site of an address: about the domain that somebody registered.

    An approximation of the Public Suffix List: the last two labels of the host, three under the
    second levels of countries and on hosts of many. Addresses without a host (`corpus:///a.md`)
    are sites of their own.

    Args:
        url: An address.
    """
    try:
        host = (urlsplit(normalise_url(url)).hostname or "").rstrip(".")
    except ValueError:
        host = ""
    if not host:
        return source_key(url)
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    country = len(labels) > 2 and len(labels[-1]) == 2 and bool(_SECOND_LEVEL.fullmatch(labels[-2]))
    shared = _SHARED_HOST.fullmatch(".".join(labels[-2:])) is not None
    return ".".join(labels[-3:] if country or shared else labels[-2:])
