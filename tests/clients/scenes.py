"""Scenes: a program's model calls our panel as a tool, and what came of it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.listening import Wire
from tests.clients.programs import PROGRAMS, Home, make_home
from tests.clients.provision import Programs
from tests.clients.vendor import Vendor, VendorScope
from tests.conftest import VERDICT
from tests.scripted_models.client import ModelServer, Scope

QUESTION = "How wet is water?"

ANSWER = "Water is wet to a degree of forty-two, as the panel's writer puts it."

PANEL_SECONDS = 720.0
"""Twelve minutes: how long the slowest member of a long panel takes, by its own clock."""


@dataclass(frozen=True)
class House:
    """What every scene needs.

    programs: the installed programs.
    vendor: says what their models say.
    models: the server of the panel's models.
    folder: gets homes and presets.
    """

    programs: Programs
    vendor: Vendor
    models: ModelServer
    folder: Path


@dataclass(frozen=True)
class Row:
    """What a scene showed of a program.

    offered: whether our tool was among those of its model's first request.
    calls: names of our tools that it called, in their order.
    progress: progress messages that it was sent, and whether it had asked for them.
    cuts: why it gave calls up.
    answered: whether its model read the panel's whole answer.
    paid: calls of each of the panel's models.
    shown: words of progress messages that it printed.
    code: its exit code.
    out: what it printed.
    """

    program: str
    offered: bool
    calls: list[str]
    progress: int
    cuts: list[str]
    answered: bool
    paid: dict[str, int]
    shown: int
    code: int
    out: str


@dataclass(frozen=True)
class Scene:
    """A program in a home, with a scripted vendor and a panel of scripted models."""

    house: House
    home: Home
    vendor: VendorScope
    models: Scope
    wire: Wire
    preset: str

    def ask(self, tool: str = "fusion") -> dict[str, Any]:
        """The turn in which the program's model asks the panel."""
        return {"tool": tool, "args": {"question": QUESTION, "preset": self.preset}}

    def row(self, code: int, out: str, answer: str = ANSWER) -> Row:
        """What it showed."""
        log = self.vendor.log()
        with_tools = [asked for asked in log if asked["tools"]]
        first = with_tools[0]
        names = [name for _, name in first["tools"]]
        deferred = any(tool.get("type") == "tool_search" for tool in first["body"]["tools"])
        told = self.wire.sent("server", "notifications/progress")
        cuts = self.wire.sent("client", "notifications/cancelled")
        calls = self.wire.calls()
        # A cancellation after the result (opencode sends one) cuts nothing.
        answered = {
            record["message"].get("id")
            for record in self.wire.records
            if record["from"] == "server" and "result" in record["message"]
        }
        results = [text for asked in log for text in asked["results"]]
        return Row(
            program=self.home.program.name,
            offered=deferred or any(name.endswith("fusion") for name in names),
            calls=[call["name"] for call in calls],
            progress=len(told),
            cuts=[str(cut.get("reason")) for cut in cuts if cut["requestId"] not in answered],
            answered=any(answer in text for text in results),
            paid={name: len(self.models.calls(name)) for name in "abcjw"},
            shown=sum(json.dumps(params["message"])[1:-1] in out for params in told),
            code=code,
            out=out,
        )


def write_preset(config: Path, models: Scope, name: str = "scripted", **fields: Any) -> None:
    """Write a preset: panelists a, b, c, judge j, writer w, who all answer.

    config: the FUSION_GRAPH_CONFIG_DIR of who is to have it.
    models: where they are scripted.
    name: of the preset.
    fields: of the preset.
    """
    for member in "abc":
        models.script(member, {"text": f"The answer of {member}.", "cost": 0.001})
    models.script("j", {"text": json.dumps(VERDICT), "cost": 0.002})
    models.script("w", {"text": ANSWER, "cost": 0.003})
    (config / "presets").mkdir(parents=True, exist_ok=True)
    preset = {
        "panel": ["scripted:a", "scripted:b", "scripted:c"],
        "judge": "scripted:j",
        "synthesizer": "scripted:w",
        "search": "none",
        "verify": "off",
        **fields,
    }
    lines = [f"{field} = {json.dumps(value)}" for field, value in preset.items()]
    lines += ["[providers.scripted]", f"base_url = {json.dumps(models.base_url)}"]
    (config / "presets" / f"{name}.toml").write_text("\n".join(lines), "utf-8")


@contextmanager
def scene(house: House, name: str, limit: float | None = None, **fields: Any) -> Iterator[Scene]:
    """Set a scene for a program.

    house: what every scene needs.
    name: the program's.
    limit: its limit of a call in seconds; None for what its installation says, 0 for its own.
    fields: of the preset.
    """
    key = f"{name}-{secrets.token_hex(4)}"
    models = house.models.scope(key)
    config = house.folder / f"{key}-config"
    write_preset(config, models, **fields)
    vendor = VendorScope(house.vendor, key)
    with Wire() as wire:
        folder = house.folder / key
        home = make_home(PROGRAMS[name], folder, vendor.url, wire, config=config, limit=limit)
        yield Scene(house, home, vendor, models, wire, "scripted")


LONG_ANSWER = " ".join(f"Point {n} of the long answer says how wet water is." for n in range(300))
"""16,000 characters: nearly the most of an answer that a result holds."""


def asks(house: House, name: str, answer: str = ANSWER, member: str = "The answer.") -> Row:
    """A program's model asks the panel once, and repeats what the tool has said.

    answer: the writer's.
    member: what each member answers.
    """
    with scene(house, name) as at:
        at.models.script("w", {"text": answer, "chunks": 1_000, "cost": 0.003})
        for one in "abc":
            at.models.script(one, {"text": member, "chunks": 1_000, "cost": 0.001})
        at.vendor.script(at.ask())
        ended = at.home.run(house.programs)
        return at.row(ended.code, ended.out, answer)


def asks_at_length(house: House, name: str) -> Row:
    """The same of a panel whose answers are longer than a result holds."""
    return asks(house, name, LONG_ANSWER, LONG_ANSWER * 2)


def waits(house: House, name: str, limit: float | None, wait: float = 6.0) -> Row:
    """A member takes twelve minutes by its clock; the program waits, or cuts and asks further.

    limit: the program's limit of a call in seconds; None for what its installation says, 0 for
        the program's own.
    wait: how long the call lasts for certain, unless it is cut: seconds past which the program's
        limit would have been.
    """
    with scene(house, name, limit) as at:
        at.models.script("b", {"text": "Late.", "clock": PANEL_SECONDS, "cost": 0.001})
        fetch = {"tool": "fusion_result", "args": {"task": "TASK", "wait_seconds": 5}}
        at.vendor.script(at.ask(), at.ask("fusion_start"), fetch, fetch, fetch)
        process = at.home.start(house.programs)
        try:
            _arrived(at, process)
            at.wire.wait_for(lambda record: _beyond(record, wait))
            if at.row(0, "").cuts:
                # The model asks on, by its task; the panel is at work all the while.
                at.vendor.log(results=2)
            else:
                at.vendor.script(at.ask())
            at.models.set_clock(PANEL_SECONDS)
            out, _ = process.communicate(timeout=300)
        finally:
            process.kill()
            process.wait()
        return at.row(process.returncode, out)


def interrupted(house: House, name: str) -> tuple[Row, bool]:
    """A program is interrupted in mid-call; returns also whether the member's call was ended."""
    with scene(house, name) as at:
        at.models.script("b", {"hang": True})
        at.vendor.script(at.ask())
        process = at.home.start(house.programs)
        try:
            _arrived(at, process)
            os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C in a terminal does
            call = at.models.calls("b", ended=1)[0]
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait()
        return at.row(process.returncode, out), call.disconnected


def _arrived(at: Scene, process: subprocess.Popen[str]) -> None:
    """Wait for the slow member's call; says what the program did instead, where none comes."""
    try:
        at.models.calls("b", arrived=1)
    except TimeoutError:
        process.kill()
        out, _ = process.communicate()
        name, asked, told = at.home.program.name, at.vendor.log(), at.wire.records
        raise AssertionError(
            f"{name} asked no panel: {len(asked)} requests to its vendor, {len(told)} messages of "
            f"MCP, the last {told[-3:]}; it printed {out[-2_000:]!r}"
        ) from None


def _beyond(record: dict[str, Any], wait: float) -> bool:
    """Whether a call was cut, or was told progress after so many seconds."""
    message = record["message"]
    if message.get("method") == "notifications/cancelled":
        return True
    params = message.get("params", {})
    told = message.get("method") == "notifications/progress"
    return told and params["progress"] > wait
