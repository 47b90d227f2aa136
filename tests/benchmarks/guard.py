"""Addresses that must not be fetched, tried in a network of their own where they really answer.

    python -m tests.benchmarks.guard [--write]

Needs Linux and root: the command runs itself anew in a network and mount namespace in which
private, metadata and documentation addresses of IPv4 and IPv6 lie on the loopback interface, a web
server listens on every one of them at the web's ports and some others, and a DNS server answers
whatever a hostile one would. The fetcher is the one that members of a panel use, with nothing set.
Every connection that any listener accepts is counted, by the address it came to; before the first
URL each listener is connected to once, so that a count of 0 means something.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote, unquote

RESULTS = Path(__file__).with_suffix(".md")

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:4700::1"
PRIVATE_V4 = (
    *("10.0.0.5", "172.16.0.9", "192.168.1.1", "100.64.0.1", "169.254.169.254", "168.63.129.16"),
    *("192.0.2.1", "192.0.0.192", "198.18.0.1", "203.0.113.7"),
)
PRIVATE_V6 = (
    *("fd00::5", "fec0::1", "2002:7f00:1::1", "2001:0::1", "2001:db8::1", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"),
)
PORTS = (80, 8080)
OTHER_PORTS = (22, 6379, 9000)
"""Where a listener waits too, at the public address: no web site's ports."""

NAMES: dict[str, Sequence[str]] = {
    "site.example.com": [PUBLIC],
    "site6.example.com": [PUBLIC_V6],
    "nat64.example.com": ["64:ff9b::5db8:d822"],
    "loop.example.com": ["127.0.0.1"],
    "zero.example.com": ["0.0.0.0"],
    "six.example.com": ["::1"],
    "any6.example.com": ["::"],
    "mapped.example.com": ["::ffff:127.0.0.1"],
    "mixed.example.com": [PUBLIC, "127.0.0.1"],
    "mixed6.example.com": [PUBLIC, "::1"],
    "many.example.com": [*(f"93.184.0.{n}" for n in range(1, 21)), "127.0.0.1"],
    **{f"v4-{n}.example.com": [address] for n, address in enumerate(PRIVATE_V4)},
    **{f"v6-{n}.example.com": [address] for n, address in enumerate(PRIVATE_V6)},
}
TURNS = {
    "rebind.example.com": ([PUBLIC], ["127.0.0.1"]),
    "rebind-back.example.com": (["127.0.0.1"], [PUBLIC]),
    "rebind6.example.com": ([PUBLIC], ["::1"]),
}
"""Names that answer otherwise each time they are asked for."""

SITE = "http://site.example.com"

V4_FORMS = (
    *("127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1"),
    *("0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "0177.0.0.0x1", "127.000.000.001"),
    *("127.0.0.01", "00000177.0.0.1", "4294967297", "0x100000001", "127.0.0.1.", "127.0.0.1.."),
    *("127.255.255.254", "169.254.169.254", "169.254.43518", "2852039166", "0xa9fea9fe"),
    *("10.0.0.5", "167772165", "192.168.1.1", "0xc0a80101", "100.64.0.1", "168.63.129.16"),
)
V6_FORMS = (
    *("::1", "::", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1"),
    *("0:0:0:0:0:ffff:127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::7f00:1", "fe80::1%25lo", "fe80::1%lo", "::1%25lo", "::1%lo", "2002:7f00:1::1"),
    *("fd00::5", "fec0::1", "2001:0::1", "2001:db8::1", "v1.::1", "::ffff:169.254.169.254"),
)
DRESSED = (
    *("①②⑦.⓪.⓪.①", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.０.０.１", "１２７．１"),
    *("ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loca\u00adlhost", "local\u200dhost", "lo\u2060calhost", "ｌｏｃａｌｈｏｓｔ"),
    *("loop。example。com", "ｌｏｏｐ.example.com", "ℓoop.example.com", "١٢٧.0.0.1", "१२७.0.0.1"),
    *("0ⓧ7f000001", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "127\u20240\u20240\u20241", "127.0.0.１"),
)
LOCAL_NAMES = (
    *("localhost", "LOCALHOST", "localhost.", "LocalHost.", "foo.localhost", "a.b.localhost."),
    *("localhost.localdomain", "ip6-localhost", "intranet", "metadata.google.internal", "a.local"),
    *(
        "printer.lan",
        "db.internal",
        "x.home.arpa",
        "hosts-file.example.com",
        "hosts-file6.example.com",
    ),
    *("hosts-file.example.com.", "loop.example.com.", "LOOP.EXAMPLE.COM"),
)
PARSED_APART = (
    *(f"http://site.example.com{c}127.0.0.1/" for c in "&|,; `^"),
    *("http://site.example.com@127.0.0.1/", "http://127.0.0.1\\@site.example.com/"),
    *("http://site.example.com\\@127.0.0.1/", "http://site.example.com#@127.0.0.1/"),
    *("http://site.example.com?@127.0.0.1/", "http://site.example.com;@127.0.0.1/"),
    *("http://127.0.0.1%2523@site.example.com/", "http://127.0.0.1%2f@site.example.com/"),
    *("http://site.example.com:80@127.0.0.1/", "http://site.example.com:80#@127.0.0.1:8080/"),
    *("http://127.0.0.1:80:8080/", "http://%31%32%37.0.0.1/", "http://%6coop.example.com/"),
    *("http://127.0.0.1%00site.example.com/", "http://site.example.com%00.127.0.0.1/"),
    *("http://loop.example.com%2f.site.example.com/", "http:\\\\127.0.0.1\\x", "http:/127.0.0.1/"),
    *("http:127.0.0.1/", "http:///127.0.0.1/", "http:////127.0.0.1/", "//127.0.0.1/", "127.0.0.1/"),
    *(
        " http://127.0.0.1/",
        "\u00a0http://127.0.0.1/",
        "http://127.0.0.1/#\nhttp://x",
        "http://[::1/",
    ),
    *(
        "http://::1/",
        "http://[127.0.0.1]/",
        "http://{127.0.0.1}/",
        "http://127.0.0.1`x.example.com/",
    ),
    *("http://site.example.com%0d%0aHost:%20127.0.0.1/", "http://site.example.com/\r\nX: 1"),
)
PORTED = tuple(
    f"http://site.example.com:{port}/"
    for port in ("22", "6379", "9000", "0", "65616", "-1", "+6379", "６３７９", "0006379", " 6379")
)
SCHEMES = (
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://127.0.0.1/", "data:text/html,hi"),
    *("javascript:alert(1)", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:6379/info"),
    *(
        "http+unix://%2ftmp%2fsock/",
        "unix:///tmp/x",
        "jar:http://127.0.0.1!/",
        "netdoc:///etc/passwd",
    ),
    *(
        "HTTP://127.0.0.1/",
        "url:http://127.0.0.1/",
        "view-source:http://127.0.0.1/",
        "ws://127.0.0.1/",
    ),
)
TO = (
    *(
        "http://127.0.0.1:8080/",
        "http://localhost/",
        "//127.0.0.1:8080/",
        "http://loop.example.com/",
    ),
    *(
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]:8080/",
        "http://2130706433:8080/",
        "http:127.0.0.1",
    ),
    *(
        "\\\\127.0.0.1:8080\\x",
        "/\\127.0.0.1:8080/",
        "///127.0.0.1:8080/",
        "http:\\\\127.0.0.1:8080/",
    ),
    *("http://x@127.0.0.1:8080/", "http://127。0。0。1:8080/", "http://v4-4.example.com/latest/"),
    *(
        "http://site.example.com:6379/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
    ),
    *(
        "gopher://127.0.0.1:6379/_x",
        "http://rebind.example.com:8080/",
        "http://[fe80::1%25lo]/",
        " ",
    ),
)
RAW = (
    *("http://127.0.0.1:8080/\tx", "\x01http://127.0.0.1:8080/", "\xa0http://127.0.0.1:8080/"),
    "http://127.0.0.1:8080\x00@site.example.com/",
)


def urls() -> Iterator[tuple[str, str]]:
    """Every URL, with its kind."""
    for name in (*NAMES, *TURNS):
        if NAMES.get(name, [""])[0] not in (PUBLIC, PUBLIC_V6, "64:ff9b::5db8:d822") or (
            len(NAMES[name]) > 1
        ):
            kind = "a name that changes" if name in TURNS else "a name of a private address"
            yield kind, f"http://{name}:8080/"
            if name in TURNS:
                yield kind, f"http://{name}:8080/again"
    for form in V4_FORMS:
        yield "IPv4 in odd spelling", f"http://{form}:8080/"
    for form in V6_FORMS:
        yield "IPv6", f"http://[{form}]:8080/"
    for form in DRESSED:
        yield "other scripts' digits and letters", f"http://{form}/"
    for form in LOCAL_NAMES:
        yield "local names", f"http://{form}/"
    for url in PARSED_APART:
        yield "what parsers read differently", url
    for url in PORTED:
        yield "other ports", url
    for url in SCHEMES:
        yield "other schemes", url
    for code in (301, 302, 303, 307, 308):
        for to in TO if code in (302, 307) else TO[:4]:
            yield "redirects from a public page", f"{SITE}/to?{code}&{quote(to, safe='')}"
    for to in RAW:
        yield "redirects with raw bytes", f"{SITE}/raw?{quote(to, safe='', encoding='latin-1')}"
    for to in TO[:6]:
        once = f"{SITE}/to?302&{quote(to, safe='')}"
        yield "redirects of redirects", f"{SITE}/to?302&{quote(once, safe='')}"
    for path in ("/refresh", "/alternative", "/two-locations", "/early"):
        yield "other ways to send on", f"{SITE}{path}"


HONEST = (f"{SITE}/", "http://site6.example.com/", "http://nat64.example.com/")
"""What is to be fetched: the guard lets the public through."""


# --- the namespace's own network ----------------------------------------------------------------


class Resolver(asyncio.DatagramProtocol):
    """A DNS server: fixed answers, and some that change."""

    def __init__(self) -> None:
        self._turns: Counter[tuple[str, int]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        labels, at = [], 12
        while size := data[at]:
            labels.append(data[at + 1 : at + 1 + size].decode("latin-1"))
            at += size + 1
        name, (wanted,) = ".".join(labels).lower(), struct.unpack(">H", data[at + 1 : at + 3])
        known = NAMES.get(name)
        if name in TURNS:
            self._turns[name, wanted] += 1
            known = TURNS[name][(self._turns[name, wanted] - 1) % 2]
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(wanted)
        found = [
            socket.inet_pton(family, address)
            for address in known or ()
            if family is not None and (":" in address) == (family is socket.AF_INET6)
        ]
        head = data[:2] + (b"\x81\x80" if known else b"\x81\x83")
        answer = head + struct.pack(">HHHH", 1, len(found), 0, 0) + data[12 : at + 5]
        for raw in found:
            answer += b"\xc0\x0c" + struct.pack(">HHIH", wanted, 1, 0, len(raw)) + raw
        self._transport.sendto(answer, addr)  # type: ignore[attr-defined]


@dataclass
class Listeners:
    """Web servers at every address, and who was connected to.

    Attributes:
        reached: Address and port of every connection, in order.
    """

    reached: list[tuple[str, int]] = field(default_factory=list)

    async def listen(self) -> None:
        for address in ("127.0.0.1", "::1", PUBLIC, PUBLIC_V6, *PRIVATE_V4, *PRIVATE_V6):
            for port in (*PORTS, *OTHER_PORTS):
                await asyncio.start_server(self._serve, address, port)
        await asyncio.start_server(self._serve, "64:ff9b::5db8:d822", 80)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.append(tuple(writer.get_extra_info("sockname")[:2]))
        try:
            line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0].decode("latin-1")
            writer.write(answer(line.split(" ")[1]))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, IndexError):
            pass
        finally:
            writer.close()


def answer(path: str) -> bytes:
    """What the public site says to a path; private ones say the same."""
    text = b"<html><body><p>" + b"These words are on the page that was asked for. " * 9 + b"</p>"
    head, status = "Content-Type: text/html\r\n", "200 OK"
    what, _, given = path.partition("?")
    if what == "/to":
        code, _, to = given.partition("&")
        status, head = f"{code} Elsewhere", f"Location: {unquote(to)}\r\n"
    elif what == "/raw":
        status, head = "302 Elsewhere", f"Location: {unquote(given, encoding='latin-1')}\r\n"
    elif what == "/refresh":
        text = b'<meta http-equiv="refresh" content="0; url=http://127.0.0.1:8080/">' + text
        head += "Refresh: 0; url=http://127.0.0.1:8080/\r\n"
    elif what == "/alternative":
        head += (
            'Alt-Svc: h2="127.0.0.1:8080"; ma=99\r\nLink: <http://127.0.0.1:8080/>; rel=preload\r\n'
        )
    elif what == "/two-locations":
        status = "302 Elsewhere"
        head = f"Location: {SITE}/\r\nLocation: http://127.0.0.1:8080/\r\n"
    elif what == "/early":
        status = (
            "103 Early Hints\r\nLink: <http://127.0.0.1:8080/>; rel=preload\r\n\r\nHTTP/1.1 200 OK"
        )
    whole = f"HTTP/1.1 {status}\r\n{head}Connection: close\r\nContent-Length: {len(text)}\r\n\r\n"
    return whole.encode("latin-1", "replace") + text


def private(address: str) -> bool:
    """Whether a connection to it is one too many."""
    return address not in (PUBLIC, PUBLIC_V6, "64:ff9b::5db8:d822")


async def measure() -> dict[str, object]:
    """Try every URL. Runs within the namespace."""
    from fusion_tools.errors import ToolError
    from fusion_tools.fetch import WebFetcher

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Resolver, local_addr=("127.0.0.1", 53))
    listeners = Listeners()
    await listeners.listen()
    for address in ("127.0.0.1", "::1", *PRIVATE_V4, *PRIVATE_V6):
        for port in (*PORTS, *OTHER_PORTS):
            _, writer = await asyncio.open_connection(address, port)
            writer.close()
    await asyncio.sleep(0.2)
    canaries = sum(private(address) for address, _ in listeners.reached)

    fetcher = WebFetcher()
    honest = [len((await fetcher.fetch(url))["text"]) > 100 for url in HONEST]
    rows: list[dict[str, object]] = []
    for kind, url in urls():
        before = len(listeners.reached)
        try:
            async with asyncio.timeout(60):
                page = await fetcher.fetch(url)
            said = f"page {page['final_url']}"
        except ToolError as refused:
            said = refused.code
        await asyncio.sleep(0.01)
        new = listeners.reached[before:]
        leaks = [f"{a}:{p}" for a, p in new if private(a) or p in OTHER_PORTS]
        rows.append({"kind": kind, "url": url, "said": said, "leaks": leaks})
    return {"canaries": canaries, "honest": honest, "rows": rows}


def in_namespace() -> dict[str, object]:
    """Run `measure` in a network and mount namespace of its own."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        raise SystemExit("This takes Linux, root, `unshare` and `ip`.")
    with tempfile.TemporaryDirectory() as folder:
        resolv, hosts, found = (Path(folder) / name for name in ("resolv", "hosts", "found"))
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        hosts.write_text(
            "127.0.0.1 localhost\n10.0.0.5 hosts-file.example.com\n::1 hosts-file6.example.com\n"
        )
        given = [
            *(f"{address}/32" for address in (PUBLIC, *PRIVATE_V4)),
            *(f"{address}/128" for address in (PUBLIC_V6, "64:ff9b::5db8:d822", *PRIVATE_V6)),
        ]
        commands = [
            "set -e",
            "mount --make-rprivate /",
            "ip link set lo up",
            *(f"ip addr add {a} dev lo{' nodad' if ':' in a else ''}" for a in given),
            f"mount --bind {resolv} /etc/resolv.conf",
            f"mount --bind {hosts} /etc/hosts",
            f"exec {sys.executable} -m tests.benchmarks.guard --inside {found}",
        ]
        subprocess.run(
            ["unshare", "--net", "--mount", "bash", "-c", "\n".join(commands)], check=True
        )
        result: dict[str, object] = json.loads(found.read_text())
        return result


def table(found: dict[str, object]) -> str:
    """The figures as Markdown, by kind."""
    rows: list[dict[str, object]] = found["rows"]  # type: ignore[assignment]
    lines = [
        "| kind | URLs | refused | a public page | private connections |",
        "|---|---:|---:|---:|---:|",
    ]
    kinds = list(dict.fromkeys(str(row["kind"]) for row in rows))
    for kind in [*kinds, "all"]:
        mine = [row for row in rows if kind in (row["kind"], "all")]
        pages = sum(str(row["said"]).startswith("page") for row in mine)
        leaks = sum(len(row["leaks"]) for row in mine)  # type: ignore[arg-type]
        lines.append(f"| {kind} | {len(mine)} | {len(mine) - pages} | {pages} | {leaks} |")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.inside:
        Path(wanted.inside).write_text(json.dumps(asyncio.run(measure())))
        return
    found = in_namespace()
    numbers = count(1)
    for row in found["rows"]:  # type: ignore[attr-defined]
        print(next(numbers), row["kind"], repr(row["url"])[:110], row["said"], *row["leaks"])
    text = table(found)
    print(text)
    if not all(found["honest"]):  # type: ignore[call-overload]
        raise SystemExit(f"not fetched: {found['honest']}")
    if wanted.write:
        RESULTS.write_text(
            "# What the guard lets through\n\n"
            "Written by `python -m tests.benchmarks.guard --write`, in a namespace whose private "
            f"addresses answer: {found['canaries']} connections to their listeners were made "
            f"beforehand and seen, and {len(HONEST)} public pages were fetched as they should be. "
            "A page that was fetched here is a public one: the URL was mended, or the redirect "
            "was not followed.\n\n"
            f"{text}\n",
            "utf-8",
        )


if __name__ == "__main__":
    main()
