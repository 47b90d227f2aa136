"""Attacks on `fusion-graph serve` with 256 file descriptors: is an honest client still answered?

    python -m tests.benchmarks.siege [--write]

The server runs in a process of its own with `ulimit -n 256`; the attackers are sockets of this one.
While an attack stands, an honest client asks for the list of models, over a new connection each
time, and the server's memory and open descriptors are read from /proc. Seconds are those of a busy
machine: what counts is that there is an answer. What the same attacks did to the code of November
2026 (commit 49d8080) stands beside, as it was measured then.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

RESULTS = Path(__file__).with_suffix(".md")
DESCRIPTORS = 256
PATIENCE = 120

HOST = b"Host: 127.0.0.1\r\n"
HALF_A_HEAD = b"GET /v1/models HTTP/1.1\r\n" + HOST + b"X-A: "
UPLOAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
    b"Content-Length: 9000000\r\n\r\n"
)
ASK = b"GET /v1/models HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass(frozen=True)
class Target:
    """The server under attack."""

    port: int
    pid: int

    def connect(self, stack: ExitStack) -> socket.socket:
        """Open a connection that is held to the end of the attack."""
        return stack.enter_context(socket.create_connection(("127.0.0.1", self.port), PATIENCE))

    def megabytes(self) -> float:
        """The server's memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else 0.0

    def descriptors(self) -> int:
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def asked(self, **headers: str) -> tuple[str, float]:
        """An honest client's answer, and its seconds."""
        began = time.monotonic()
        with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
            try:
                status = http.get(f"http://127.0.0.1:{self.port}/v1/models", headers=headers)
                said = str(status.status_code)
            except httpx2.HTTPError as error:
                said = type(error).__name__
        return said, time.monotonic() - began


def crowd(number: int, begun: bytes) -> Callable[[Target, ExitStack], str]:
    """An attack by so many connections, each of which sends the beginning of something."""

    def attack(target: Target, stack: ExitStack) -> str:
        for _ in range(number):
            connection = target.connect(stack)
            with suppress(OSError):  # it has had to make room already
                connection.sendall(begun)
        return ""

    return attack


def endless_header(target: Target, stack: ExitStack) -> str:
    """One header line without end."""
    connection = target.connect(stack)
    connection.sendall(HALF_A_HEAD)
    for megabyte in range(1, 101):
        try:
            connection.sendall(b"a" * 1_000_000)
        except OSError:
            return f"cut in megabyte {megabyte}"
    return "taken in whole"


def deaf(target: Target, stack: ExitStack) -> str:
    """Twenty clients that ask thousands of times and read nothing."""
    for _ in range(20):
        connection = target.connect(stack)
        connection.setblocking(False)
        with suppress(OSError):
            for _ in range(2_000):
                connection.send(ASK * 10)
    return ""


def cross_site(target: Target, stack: ExitStack) -> str:
    """A picture on a page of another site, which names no origin."""
    said, _ = target.asked(**{"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"})
    return f"answered {said}"


ATTACKS: list[tuple[str, Callable[[Target, ExitStack], str], str]] = [
    ("300 half heads", crowd(300, HALF_A_HEAD), "nobody served for over a minute, nothing logged"),
    ("300 connections that say nothing", crowd(300, b""), "not measured"),
    ("100 bodies of one byte", crowd(100, UPLOAD + b"{"), "not measured"),
    (
        "60 bodies of 9 MB without the last byte",
        crowd(60, UPLOAD + b" " * 8_999_999),
        "645 MB held for 37 s and more",
    ),
    ("one header line without end", endless_header, "88 MB taken in"),
    ("20 clients that ask and never read", deaf, "not measured"),
    ("`Sec-Fetch-Site: cross-site` without an origin", cross_site, "let in"),
]


@contextmanager
def serving(folder: str) -> Iterator[Target]:
    """A server with few descriptors."""
    command = f"ulimit -n {DESCRIPTORS}; exec {sys.executable} -m fusion_graph serve --port 0"
    environment = {**os.environ, "FUSION_GRAPH_CONFIG_DIR": folder, "FUSION_GRAPH_DATA_DIR": folder}
    environment.pop("FUSION_API_KEY", None)
    process = subprocess.Popen(
        ["sh", "-c", f"{command} --preset offline"],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stderr
        port = next(
            int(found[1])
            for line in process.stderr
            if (found := re.search(r"listens on http://127.0.0.1:(\d+)/", line))
        )
        yield Target(port, process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def row(name: str, attack: Callable[[Target, ExitStack], str], before: str) -> str:
    """Attack a new server; returns a line of the table."""
    with TemporaryDirectory() as folder, serving(folder) as target, ExitStack() as stack:
        target.asked()
        calm = target.megabytes()
        note = attack(target, stack)
        answers = [target.asked() for _ in range(5)]
        fine = sum(said == "200" for said, _ in answers)
        slowest = max(seconds for _, seconds in answers)
        now = target.megabytes() - calm
        cells = (f"{fine} of 5", f"{slowest:.1f} s", f"{now:+.0f} MB", str(target.descriptors()))
        return f"| {name} | {' | '.join(cells)} | {note or '–'} | {before} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write it to {RESULTS.name}")
    given = parser.parse_args()
    lines = [
        "# `serve` under siege",
        "",
        "Written by `python -m tests.benchmarks.siege --write`: a server that may open "
        f"{DESCRIPTORS} files, attacked in seven ways; while each attack stands, five honest "
        "clients ask. Samples of the same attacks run in `tests/server/test_siege.py`.",
        "",
        "| attack | honest clients answered | the slowest | memory | descriptors open "
        "| the attacker | before (commit 49d8080) |",
        "|---|---:|---:|---:|---:|---|---|",
        *(row(*attack) for attack in ATTACKS),
        "",
    ]
    text = "\n".join(lines)
    print(text)
    if given.write:
        RESULTS.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
