"""Clients that mean a server harm, or die in the middle of a word: others are answered."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.children import end

CONNECTIONS = 20
UPLOADS = 3_000_000
SECONDS = 3.0
PATIENCE = 120

HALF_A_HEAD = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
A_HEAD = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: 9000000\r\n\r\n"
)

pytestmark = pytest.mark.slow


@dataclass
class Besieged:
    """A server with room for few."""

    url: str
    pid: int
    log: Path

    def connect(self, stack: ExitStack) -> socket.socket:
        """Open a connection that is closed with the test."""
        host, port = self.url.removeprefix("http://").split(":")
        return stack.enter_context(socket.create_connection((host, int(port)), PATIENCE))

    def status(self) -> int:
        """What an honest client is answered."""
        with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
            return http.get(f"{self.url}/v1/models").status_code


@contextmanager
def besieged(folder: Path, **bounds: float) -> Iterator[Besieged]:
    log = folder / "log"
    with log.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.besieged", json.dumps(bounds)],
            stdout=subprocess.PIPE,
            stderr=err,
        )
        try:
            assert process.stdout
            url, pid = json.loads(process.stdout.readline())
            yield Besieged(url, pid, log)
        finally:
            process.kill()
            end(process)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    with besieged(
        tmp_path_factory.mktemp("siege"),
        connections=CONNECTIONS,
        upload_bytes=UPLOADS,
        head_seconds=SECONDS,
        body_seconds=SECONDS,
        read_seconds=SECONDS,
    ) as server:
        yield server


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def last_words(connection: socket.socket) -> bytes:
    """All that a server still says before it closes."""
    said = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            said += piece
    return said


@pytest.mark.parametrize("begun", [b"", HALF_A_HEAD, A_HEAD + b"{"], ids=["idle", "head", "body"])
def test_a_crowd_that_takes_all_places_keeps_nobody_out(
    server: Besieged, stack: ExitStack, begun: bytes
) -> None:
    crowd = [server.connect(stack) for _ in range(3 * CONNECTIONS)]
    for connection in crowd:
        with suppress(ConnectionError):  # it has had to make room already
            connection.sendall(begun)
    assert server.status() == 200
    assert f"{CONNECTIONS} connections are open" in server.log.read_text()


def test_the_head_of_a_request_has_a_time_and_a_size(server: Besieged, stack: ExitStack) -> None:
    slow, endless = server.connect(stack), server.connect(stack)
    slow.sendall(HALF_A_HEAD)
    with suppress(ConnectionError):
        for _ in range(100):
            endless.sendall(HALF_A_HEAD + b"a" * 1_000_000)
        pytest.fail("a hundred megabytes of one header went in")
    assert last_words(slow).startswith(b"HTTP/1.1 408 ")


def test_a_body_has_a_time(server: Besieged, stack: ExitStack) -> None:
    slow = server.connect(stack)
    slow.sendall(A_HEAD + b"{")
    said = last_words(slow)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"had not come within 3 s" in said


def test_unfinished_uploads_hold_no_more_than_is_allowed_and_honest_ones_come_in(
    server: Besieged, stack: ExitStack
) -> None:
    crowd = [server.connect(stack) for _ in range(8)]
    for number, connection in enumerate(crowd):
        with suppress(ConnectionError):
            connection.sendall(A_HEAD + b" " * 1_000_000)
        # The fourth has the first given up, and so on: waited for, since the honest one would be
        # the one to have waited longest if what these sent were read after it.
        if number >= 3:
            assert select.select([crowd[number - 3]], [], [], PATIENCE)[0]
    body = {"model": "nobody", "messages": [{"role": "user", "content": "x" * 1_000_000}]}
    with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
        answer = http.post(f"{server.url}/v1/chat/completions", json=body)
    assert answer.status_code == 404  # no such model: its whole body was read
    assert "unfinished uploads hold 3,000,000 bytes" in server.log.read_text()
    refused = [last_words(connection) for connection in crowd]
    assert any(said.startswith(b"HTTP/1.1 503 ") for said in refused)


def test_a_client_that_asks_and_never_reads_is_dropped(server: Besieged, stack: ExitStack) -> None:
    deaf = server.connect(stack)
    # The page is long: a few hundred of it fill all that lies between server and client.
    asks = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 1_000_000
    with pytest.raises(ConnectionError):
        deaf.sendall(asks)
    assert server.status() == 200


def test_who_keeps_a_connection_may_ask_again_and_again(server: Besieged) -> None:
    with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
        for _ in range(50):
            assert http.get(f"{server.url}/v1/models").status_code == 200
            assert http.post(f"{server.url}/v1/chat/completions", json={}).status_code == 400
