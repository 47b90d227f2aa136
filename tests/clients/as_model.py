"""Programs whose model is a panel of ours: a whole agent's loop of tools on one panel."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from tests.clients.listening import Wire
from tests.clients.programs import PROGRAMS, make_plain_home
from tests.clients.scenes import ANSWER, House, write_preset
from tests.clients.serving import serving

STEPS = 10
"""Tool calls of one turn."""


@dataclass(frozen=True)
class Loop:
    """What a loop of tools showed.

    answered: whether the program printed the writer's answer at the end.
    results: steps whose output the writer was told.
    paid: calls of each of the panel's models.
    code: the program's exit code.
    out: what it printed.
    """

    program: str
    answered: bool
    results: int
    paid: dict[str, int]
    code: int
    out: str


def loops(house: House, name: str) -> Loop:
    """The writer calls a program's own shell ten times, once after the other, and answers."""
    key = f"{name}-model-{secrets.token_hex(4)}"
    models, config = house.models.scope(key), house.folder / f"{key}-config"
    write_preset(config, models)
    program = PROGRAMS[name]
    tool, argument = program.shell
    said = {"description": "Say which step it is"} if argument == "command" else {}
    calls = [
        {"name": tool, "args": {argument: f"echo the-step-{n}-is-done", **said}}
        for n in range(STEPS)
    ]
    done = {f"the-step-{n}-is-done": {"tool_calls": [calls[n + 1]]} for n in range(STEPS - 1)}
    last = {f"the-step-{STEPS - 1}-is-done": {"text": ANSWER}}
    script = {
        "tool_calls": calls[:1],
        "when_contains": dict(reversed({**done, **last}.items())),
        "when_no_tools": {"text": "A title."},
    }
    models.script("w", script)
    with serving(config) as url, Wire() as wire:
        home = make_plain_home(program, house.folder / key, url, wire, "fusion/scripted")
        ended = home.run(house.programs, "How wet is water?")
    with_tools = [str(call.body) for call in models.calls("w") if call.body.get("tools")]
    told = with_tools[-1] if with_tools else ""
    # A step's own words are in the call too: its output is what stands there besides.
    results = sum(told.count(f"the-step-{n}-is-done") > 1 for n in range(STEPS))
    # opencode wants a title besides, from the writer alone.
    paid = {one: len(models.calls(one)) for one in "abcj"} | {"w": len(with_tools)}
    return Loop(name, ANSWER in ended.out, results, paid, ended.code, ended.out)


def fails(house: House, name: str) -> tuple[int, dict[str, int]]:
    """A program asks a panel of which nobody answers; returns its exit code, and what was paid."""
    key = f"{name}-fails-{secrets.token_hex(4)}"
    models, config = house.models.scope(key), house.folder / f"{key}-config"
    write_preset(config, models)
    for member in "abc":
        models.script(member, {"text": "", "cost": 0.001})
    with serving(config) as url, Wire() as wire:
        home = make_plain_home(PROGRAMS[name], house.folder / key, url, wire, "fusion/scripted")
        ended = home.run(house.programs, "How wet is water?")
    return ended.code, {member: len(models.calls(member)) for member in "abc"}
