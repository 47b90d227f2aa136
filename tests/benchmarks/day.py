"""A day's load in some minutes: three keys, five kinds of panels, eight of clients, two restarts.

    python -m tests.benchmarks.day [--runs 5000] [--at-once 24] [--write]

A real `fusion-graph serve` with `--keys`, scripted models in a process of their own, and clients
that do what SDKs do: who loses the connection, or is told to wait, asks the same again. After a
quarter of the requests the server gets SIGTERM, after half of them SIGKILL, and each time another
is started on its folder. Every question holds a marker that its models repeat; the model server's
log says what was paid. Linux: memory is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from fusion_graph.faces.server.keys import entry, new_key
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

RESULTS = Path(__file__).with_suffix(".md")
PATIENCE = 300
TRIES = 200
OWN = "the-owners-own-key"
CHECKED = 60
"""Of each list, the newest runs that are looked for after a restart: it keeps a hundred."""

VERDICT = json.dumps(
    {
        "consensus": [{"point": "All speak of {marker}.", "labels": ["A", "B"], "sources": []}],
        "contradictions": [],
        "partial_coverage": [],
        "unique_insights": [],
        "blind_spots": [],
    }
)

PANELS = {"steady": 70, "slow": 12, "hanging": 8, "hostile": 8, "refusing": 2}
"""Kinds of panels, by how often they are asked."""

CLIENTS = {
    "whole": 34,
    "stream": 22,
    "messages": 12,
    "page": 22,
    "leaving": 4,
    "deaf": 2,
    "stranger": 2,
    "forbidden": 2,
}
"""Kinds of clients, by how often they come."""


def script(scopes: dict[str, Scope]) -> None:
    """Have the models of each kind of panel answer in their ways."""
    for kind, scope in scopes.items():
        for name in "abc":
            step: dict[str, Any] = {"text": f"{name} says {{marker}}.", "cost": 0.001}
            scope.script(name, {**step, "delay": 0.3} if kind == "slow" else step)
        scope.script("j", {"text": VERDICT, "cost": 0.002})
        scope.script("w", {"text": "The final answer on {marker}.", "cost": 0.003})
    words = "Slowly: {marker}." + " word" * 30
    scopes["slow"].script("c", {"text": words, "rate": 40, "cost": 0.001})
    scopes["hanging"].script("c", {"hang": True})
    garbage = "\x1b[2J\u202e<script>alert(1)</script> [1](javascript:1) {marker} " * 3000
    scopes["hostile"].script("a", {"text": garbage, "cost": 0.001})
    scopes["hostile"].script("b", {"malformed": "<html>502 Bad Gateway</html>"})
    for name in "abc":
        scopes["refusing"].script(name, {"status": 401})


def presets(folder: Path, scopes: dict[str, Scope]) -> None:
    """Write a preset for each kind of panel."""
    (folder / "presets").mkdir()
    for kind, scope in scopes.items():
        lines = [
            'panel = ["s:a", "s:b", "s:c"]',
            'judge = "s:j"',
            'synthesizer = "s:w"',
            'search = "none"',
            "max_tool_calls = 0",
            *(["quorum = 2", "grace = 0.3"] if kind == "hanging" else []),
            "[providers.s]",
            f'base_url = "{scope.base_url}"',
        ]
        (folder / "presets" / f"{kind}.toml").write_text("\n".join(lines))


@dataclass
class Server:
    """The server under load, and its successors."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        environment = {
            **os.environ,
            "FUSION_GRAPH_CONFIG_DIR": str(self.folder),
            "FUSION_GRAPH_DATA_DIR": str(self.folder),
            "FUSION_API_KEY": OWN,
        }
        command = [sys.executable, "-m", "fusion_graph", "serve", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--keys", str(self.folder / "keys.toml")],
                stderr=log,
                env=environment,
            )
        self.starts += 1
        while self.log.count("Ctrl-C stops it") < self.starts:
            assert self.process.poll() is None, self.log[-2000:]
            time.sleep(0.05)

    def stop(self, number: int) -> None:
        """Send it a signal, and wait for its end."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    def megabytes(self) -> float:
        """Its memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else 0.0

    def descriptors(self) -> int:
        """How many files it has open."""
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@dataclass(frozen=True)
class Ask:
    """One request: who asks which panel, and how."""

    number: int
    client: str
    panel: str
    person: str
    key: str

    @property
    def marker(self) -> str:
        return f"MARK-{self.number}X"

    @property
    def question(self) -> str:
        return f"What of {self.marker}?"


@dataclass
class Day:
    """What happened."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    again: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[str, float, int]] = field(default_factory=list)
    kept: list[tuple[str, int, int, int]] = field(default_factory=list)
    resumed: int = 0
    seconds: float = 0.0


class Again(Exception):
    """The same is to be asked again."""


class Clients:
    """Everybody who asks the server.

    Args:
        server: The server.
        day: Is told what happens.
    """

    def __init__(self, server: Server, day: Day) -> None:
        self._server, self._day = server, day
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(
            trust_env=False, timeout=PATIENCE, verify=False, limits=limits
        )
        self._up = asyncio.Event()
        self._up.set()

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, ask: Ask) -> None:
        """Ask until there is an answer, a refusal, or a reason to leave."""
        ways: dict[str, Callable[[Ask], Awaitable[str]]] = {
            "stream": self._stream,
            "messages": self._messages,
            "page": self._page,
            "leaving": self._leaving,
            "deaf": self._deaf,
        }
        outcome = "LOST: asked in vain"
        for _ in range(TRIES):
            try:
                outcome = await ways.get(ask.client, self._whole)(ask)
                break
            except Again as why:
                self._day.again[str(why)] += 1
                if str(why) in ("too_many_runs", "daily_budget_set_aside"):
                    await asyncio.sleep(0.7)
            except httpx2.HTTPError:
                self._day.again["connection lost"] += 1
                if ask.client in ("leaving", "deaf"):
                    outcome = "left"
                    break
            await asyncio.sleep(0.3)
        self._day.outcomes[ask.client, outcome.split(":")[0]] += 1
        if outcome.split(":")[0] in ("LOST", "MIXED"):
            self._day.troubles.append(f"{ask.client} {ask.panel} {ask.marker}: {outcome}")

    def _headers(self, ask: Ask) -> dict[str, str]:
        return {"authorization": f"Bearer {ask.key}"}

    async def _post(self, ask: Ask, path: str, body: Any) -> Any:
        reply = await self._http.post(
            f"{self._server.url}{path}", json=body, headers=self._headers(ask)
        )
        return _told(reply.status_code, reply.text)

    def _chat(self, ask: Ask, **more: Any) -> dict[str, Any]:
        messages = [{"role": "user", "content": ask.question}]
        return {"model": f"fusion/{ask.panel}", "messages": messages, **more}

    async def _whole(self, ask: Ask) -> str:
        told = await self._post(ask, "/v1/chat/completions", self._chat(ask))
        return (
            told if isinstance(told, str) else _seen(ask, told["choices"][0]["message"]["content"])
        )

    async def _messages(self, ask: Ask) -> str:
        told = await self._post(ask, "/v1/messages", self._chat(ask, max_tokens=2000))
        if isinstance(told, str):
            return told
        return _seen(ask, "".join(part.get("text", "") for part in told["content"]))

    async def _stream(self, ask: Ask) -> str:
        text, finished = "", False
        body = self._chat(ask, stream=True)
        async with self._http.stream(
            "POST", f"{self._server.url}/v1/chat/completions", json=body, headers=self._headers(ask)
        ) as reply:
            if reply.status_code != 200:
                return _refused(reply.status_code, (await reply.aread()).decode())
            async for line in reply.aiter_lines():
                if not line.startswith("data: {"):
                    finished |= line == "data: [DONE]"
                    continue
                told = json.loads(line.removeprefix("data: "))
                if "error" in told:
                    return _refused(0, json.dumps(told))
                for choice in told["choices"]:
                    text += choice["delta"].get("content") or ""
        if not finished:
            raise Again("stream broke off")
        return _seen(ask, text)

    async def _page(self, ask: Ask) -> str:
        body = {"question": ask.question, "fusion": {"preset": ask.panel}}
        begun = await self._post(ask, "/api/runs", body)
        if isinstance(begun, str):
            return begun
        path = f"{self._server.url}/api/runs/{begun['id']}"
        for _ in range(TRIES):
            try:
                await self._http.get(f"{path}/events", headers=self._headers(ask))
                run = await self._http.get(path, headers=self._headers(ask))
                told = run.json()
                if run.status_code != 200:
                    return f"LOST: {run.status_code} {told['error']['code']}"
                if told["status"] == "interrupted":
                    reply = await self._http.post(f"{path}/resume", headers=self._headers(ask))
                    self._day.resumed += reply.status_code == 200
                elif told["status"] != "running":
                    answer = (told["report"] or {}).get("answer")
                    return _seen(ask, answer) if answer else f"told: {told['error']['code']}"
            except httpx2.HTTPError:
                self._day.again["connection lost"] += 1
            await asyncio.sleep(0.3)
        return "LOST: never ended"

    async def _leaving(self, ask: Ask) -> str:
        body = self._chat(ask, stream=True)
        async with self._http.stream(
            "POST", f"{self._server.url}/v1/chat/completions", json=body, headers=self._headers(ask)
        ) as reply:
            async for _ in reply.aiter_bytes():
                break
        return "left"

    async def _deaf(self, ask: Ask) -> str:
        body = json.dumps(self._chat(ask, stream=True)).encode()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        except OSError:
            return "left"
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Content-Type: application/json\r\n"
            f"Authorization: Bearer {ask.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with suppress(OSError):
            writer.write(head.encode() + body)
            await writer.drain()
            await asyncio.sleep(2)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return "left"


def _told(status: int, text: str) -> Any:
    return json.loads(text) if status in (200, 201) else _refused(status, text)


def _refused(status: int, text: str) -> str:
    """The code of a typed error.

    Raises:
        Again: It says that asking again helps.
    """
    try:
        error = json.loads(text)["error"]
        code = str(error["code"])
    except (ValueError, KeyError, TypeError):
        return f"LOST: {status} without a word: {text[:80]!r}"
    if code in ("interrupted", "stopping", "too_many_runs", "daily_budget_set_aside"):
        raise Again(code)
    return f"told: {code}"


def _seen(ask: Ask, text: str) -> str:
    markers = set(re.findall(r"MARK-\d+X", text))
    if markers == {ask.marker}:
        return "answered"
    return f"MIXED: {sorted(markers)[:3]} in {text[:80]!r}"


def asks(runs: int, keys: dict[str, str]) -> list[Ask]:
    """The requests of the day, always the same."""
    chance = random.Random(7)
    made = []
    for number in range(runs):
        client = chance.choices(list(CLIENTS), list(CLIENTS.values()))[0]
        panel = chance.choices(list(PANELS), list(PANELS.values()))[0]
        person = chance.choice(list(keys))
        if client == "forbidden":
            person, panel = "carol", "offline"
        key = new_key() if client == "stranger" else keys[person]
        made.append(Ask(number, client, panel, person, key))
    return made


async def ended_runs(server: Server, key: str, most: int | None = None) -> dict[str, str]:
    """The newest finished runs of a key's lists, with their status; None for all."""
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE, verify=False) as http:
        headers = {"authorization": f"Bearer {key}"}
        told = (await http.get(f"{server.url}/api/runs", headers=headers)).json()
    return {
        run["id"]: run["status"]
        for listed in (told["runs"], told["others"])
        for run in [run for run in listed if run["status"] != "running"][:most]
    }


async def restart(server: Server, day: Day, name: str, keys: dict[str, str]) -> None:
    """End the server by a signal, start another, and look whether what had ended is there."""
    before = {key: await ended_runs(server, key, CHECKED) for key in keys.values()}
    await asyncio.to_thread(server.stop, getattr(signal, name))
    await asyncio.to_thread(server.start)
    after = {key: await ended_runs(server, key) for key in keys.values()}
    ended = [(after[key].get(id), status) for key in before for id, status in before[key].items()]
    there = sum(now is not None for now, _ in ended)
    same = sum(now == then for now, then in ended)
    day.kept.append((name, there, same, len(ended)))


async def spend(server: Server, keys: dict[str, str], given: argparse.Namespace) -> Day:
    """Have the day's requests asked, so many at once, with two restarts."""
    day, todo = Day(), asks(given.runs, keys)
    clients = Clients(server, day)
    queue = iter(todo)
    begun = 0
    moments = {given.runs // 4: "SIGTERM", given.runs // 2: "SIGKILL"}
    marks = {given.runs * eighth // 8: f"{eighth}/8" for eighth in range(1, 8)}
    restarts: list[asyncio.Task[None]] = []

    async def worker() -> None:
        nonlocal begun
        for ask in queue:
            begun += 1
            if begun in marks and not (restarts and not restarts[-1].done()):
                day.memory.append((marks[begun], server.megabytes(), server.descriptors()))
                print(marks[begun], f"{time.monotonic() - began:.0f} s", day.memory[-1], flush=True)
            if begun in moments:
                restarts.append(asyncio.create_task(restart(server, day, moments[begun], keys)))
            await clients.ask(ask)

    began = time.monotonic()
    day.memory.append(("0/8", server.megabytes(), server.descriptors()))
    await asyncio.gather(*(worker() for _ in range(given.at_once)))
    await asyncio.gather(*restarts)
    day.seconds = time.monotonic() - began
    day.memory.append(("8/8", server.megabytes(), server.descriptors()))
    await clients.close()
    return day


Paid = tuple[int, list[str], dict[str, float]]
"""Calls, those answered twice for one question, and dollars by person."""


def paid(scopes: dict[str, Scope], people: dict[str, str]) -> Paid:
    """What was paid, by the model server's log."""
    calls, twice = 0, list[str]()
    dollars: dict[str, float] = dict.fromkeys(set(people.values()), 0.0)
    for kind, scope in scopes.items():
        received: Counter[tuple[str, str]] = Counter()
        for call in scope.calls():
            calls += 1
            marker = re.search(r"MARK-\d+X", json.dumps(call.body["messages"]))
            whole = call.status == 200 and call.ended is not None and not call.disconnected
            if marker is None or not whole:
                continue
            received[marker[0], call.model] += 1
            dollars[people[marker[0]]] += (call.usage or {}).get("cost") or 0.0
        if kind in ("steady", "slow", "hanging"):
            twice += [f"{kind} {' '.join(who)}" for who, n in received.items() if n > 1]
    return calls, twice, dollars


@dataclass
class Figures:
    """A day's figures: what happened, what was paid, and what the server counted."""

    day: Day
    calls: int
    twice: list[str]
    paid: dict[str, float]
    counted: dict[str, float]
    limit: float
    log: str
    files: dict[str, int]


def run(given: argparse.Namespace) -> Figures:
    """Run the day."""
    keys = {name: new_key() for name in ("alice", "bob", "carol")}
    limit = given.runs * 0.002
    limits = {
        "alice": {"max_runs": 16},
        "bob": {"max_runs": 8},
        "carol": {
            "presets": tuple(PANELS),
            "max_cost_usd": 0.05,
            "max_cost_usd_per_day": limit,
        },
    }
    with start_server() as models, TemporaryDirectory() as place, socket.socket() as free:
        folder = Path(place)
        scopes = {kind: models.scope() for kind in PANELS}
        script(scopes)
        presets(folder, scopes)
        told = (entry(name, key, limits[name]) for name, key in keys.items())
        (folder / "keys.toml").write_text("\n".join(told))
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        server = Server(folder, port)
        server.start()
        try:
            day = asyncio.run(spend(server, keys, given))
            with httpx2.Client(trust_env=False, timeout=PATIENCE, verify=False) as http:
                headers = {"authorization": f"Bearer {OWN}"}
                metrics = http.get(f"{server.url}/metrics", headers=headers).text
            server.stop(signal.SIGTERM)
        finally:
            assert server.process is not None
            server.process.kill()
            server.process.wait()
        people = {ask.marker: ask.person for ask in asks(given.runs, keys)}
        calls, twice, dollars = paid(scopes, people)
        found = re.findall(r'fusion_key_spent_today_usd\{key="(\w+)"\} (\S+)', metrics)
        return Figures(
            day,
            calls,
            twice,
            dollars,
            {name: float(usd) for name, usd in found},
            limit,
            server.log,
            {f.name: f.stat().st_size for f in (folder / "serve").iterdir()},
        )


def text_of(figures: Figures, given: argparse.Namespace) -> str:
    """The figures as a page."""
    day = figures.day
    total = Counter()
    for (_, outcome), count in day.outcomes.items():
        total[outcome] += count
    outcomes = ("answered", "told", "left", "LOST", "MIXED")
    lines = [
        "# A day's load",
        "",
        f"Written by `python -m tests.benchmarks.day --runs {given.runs} --write`: {given.runs:,} "
        f"requests of three keys, {given.at_once} at once, in {day.seconds / 60:.1f} minutes; "
        "SIGTERM after a quarter, SIGKILL after half. A sample runs in `tests/server/test_day.py`.",
        "",
        "| client | answered | told why not | left by itself | lost | another's answer |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for client in CLIENTS:
        cells = [str(day.outcomes[client, outcome]) for outcome in outcomes]
        lines.append(f"| {client} | {' | '.join(cells)} |")
    lines.append(f"| **all** | {' | '.join(str(total[one]) for one in outcomes)} |")
    lines += ["", "Asked again, as SDKs do:", ""]
    lines += [f"- {why}: {count}" for why, count in day.again.most_common()]
    lines += ["", f"Runs of the page that went on by `resume`: {day.resumed}.", ""]
    lines += [
        f"- {name}: of the newest {number} finished runs {there} were there after the restart, "
        f"{same} with the same status (one that is killed while its end is being written is "
        "interrupted)."
        for name, there, same, number in day.kept
    ]
    lines += [
        "",
        f"Calls of models: {figures.calls:,}. Calls that the model server answered twice for one "
        f"question (steady, slow and hanging panels): {len(figures.twice)}; it counts what it has "
        "sent, also what the server's end kept from being read.",
        "",
        "| key | US dollars by the models' server | counted by `serve` | limit |",
        "|---|---:|---:|---:|",
    ]
    for name in sorted(figures.paid):
        limit = f"{figures.limit:.2f}" if name == "carol" else "–"
        counted = figures.counted.get(name, 0.0)
        lines.append(f"| {name} | {figures.paid[name]:.3f} | {counted:.3f} | {limit} |")
    sizes = [f"{name} {size / 1e6:.1f} MB" for name, size in figures.files.items()]
    lines += [
        "",
        "| begun | memory of the server | descriptors |",
        "|---|---:|---:|",
        *(f"| {when} | {mb:.0f} MB | {files} |" for when, mb, files in day.memory),
        "",
        f"On the disk at the end: {', '.join(sizes)}.",
        f"Tracebacks in the log: {figures.log.count('Traceback')}; internal errors: "
        f"{figures.log.count('internal_error')}.",
        "",
    ]
    return "\n".join([*lines, *day.troubles[:20], *figures.twice[:20], ""])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--at-once", type=int, default=24)
    parser.add_argument("--write", action="store_true", help=f"write them to {RESULTS.name}")
    given = parser.parse_args()
    text = text_of(run(given), given)
    print(text)
    if given.write:
        RESULTS.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
