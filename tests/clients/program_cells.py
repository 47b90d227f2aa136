"""The rows of the programs in the table of clients: what each prints, with a panel as its model."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.as_model import STEPS, loops
from tests.clients.drivers._constants import IMAGE, PDF, SCHEMA
from tests.clients.listening import Wire
from tests.clients.programs import PROGRAMS, Home, make_plain_home
from tests.clients.scenes import ANSWER, House
from tests.clients.table import Cell, Panel

FOREIGN = "it speaks Google's protocol alone"
"""Why Gemini CLI can have no panel of ours as its model."""


@dataclass(frozen=True)
class Manner:
    """How a program is asked for a cell, and read.

    answer: the model's last words in what it printed.
    usage: tokens in and out, as it printed them.
    image, file, structured: further arguments, given a folder with wet.png, wet.pdf and
        schema.json; None where it knows no such thing on its command line.
    """

    speaks: str
    answer: Callable[[list[dict[str, Any]]], str]
    usage: Callable[[list[dict[str, Any]]], tuple[int, int]]
    image: Callable[[Path], list[str]] | None
    file: Callable[[Path], list[str]] | None
    structured: Callable[[Path], list[str]] | None


def _last(told: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(one for one in reversed(told) if one.get("type") == kind)


def _codex_answer(told: list[dict[str, Any]]) -> str:
    items = [one["item"] for one in told if one.get("type") == "item.completed"]
    return str(_last(items, "agent_message")["text"])


def _codex_usage(told: list[dict[str, Any]]) -> tuple[int, int]:
    used = _last(told, "turn.completed")["usage"]
    return used["input_tokens"], used["output_tokens"]


def _claude_answer(told: list[dict[str, Any]]) -> str:
    result = _last(told, "result")
    made = result.get("structured_output")
    return json.dumps(made) if made is not None else str(result["result"])


def _claude_usage(told: list[dict[str, Any]]) -> tuple[int, int]:
    used = _last(told, "result")["usage"]
    return used["input_tokens"], used["output_tokens"]


def _opencode_answer(told: list[dict[str, Any]]) -> str:
    return str(_last(told, "text")["part"]["text"])


def _opencode_usage(told: list[dict[str, Any]]) -> tuple[int, int]:
    used = _last(told, "step_finish")["part"]["tokens"]
    return used["input"], used["output"]


MANNERS = {
    "codex": Manner(
        "Responses",
        _codex_answer,
        _codex_usage,
        lambda folder: ["--image", str(folder / "wet.png")],
        None,
        lambda folder: ["--output-schema", str(folder / "schema.json")],
    ),
    "claude-code": Manner(
        "Messages",
        _claude_answer,
        _claude_usage,
        None,
        None,
        lambda folder: ["--json-schema", (folder / "schema.json").read_text("utf-8")],
    ),
    "opencode": Manner(
        "chat completions",
        _opencode_answer,
        _opencode_usage,
        lambda folder: ["--file", str(folder / "wet.png")],
        lambda folder: ["--file", str(folder / "wet.pdf")],
        None,
    ),
}
"""Every program that can have a panel of ours as its model."""


def program_row(at: Panel, house: House, name: str, cells: Sequence[str]) -> dict[str, Cell]:
    """Run a program for each cell, and judge what it printed.

    at: the server.
    house: the installed programs, and where they may live.
    name: the program's.
    cells: those that are wanted.
    """
    if name not in MANNERS:
        return {cell: Cell(None, FOREIGN) for cell in cells}
    return {cell: _Row(at, house, name, cell).judged() for cell in cells}


class _Row:
    def __init__(self, at: Panel, house: House, name: str, cell: str) -> None:
        self._at, self._house, self._name, self._cell = at, house, name, cell
        self._manner = MANNERS[name]

    def judged(self) -> Cell:
        """What came of the cell."""
        if self._cell == "tools":
            return self._tools()
        if self._cell == "cancel":
            return self._cancel()
        further = getattr(self._manner, self._cell, None)
        if self._cell in ("image", "file", "structured"):
            if further is None:
                return Cell(None)
            return self._attached(further)
        if self._cell == "error":
            code, out, _ = self._run("failing")
            # Codex has words of its own for a provider without credits.
            return Cell(any(word in out for word in ("402", "credits", "Quota")), _words(out))
        code, out, told = self._run("scripted")
        try:
            if self._cell == "usage":
                read, written = self._manner.usage(told)
                return Cell(read > 0 and written > 0, f"{read:,} in, {written} out")
            answer = self._manner.answer(told)
        except (StopIteration, KeyError) as error:
            return Cell(False, f"{type(error).__name__}: {out[-200:]}")
        return Cell(answer.strip() == ANSWER and code == 0, "" if code == 0 else f"exit {code}")

    def _home(self, model: str, key: str) -> tuple[Home, Wire]:
        wire = Wire()
        folder = self._house.folder / f"{self._name}-{self._cell}-{key}"
        model = f"fusion/{model}"
        return make_plain_home(PROGRAMS[self._name], folder, self._at.url, wire, model), wire

    def _run(self, model: str, *further: str) -> tuple[int, str, list[dict[str, Any]]]:
        home, wire = self._home(model, model)
        with wire:
            try:
                ended = home.run(self._house.programs, "How wet is water?", further, 60)
            except subprocess.TimeoutExpired:
                return 1, "it did not end in 60 s", []
        return ended.code, ended.out, _lines(ended.out)

    def _attached(self, further: Callable[[Path], list[str]]) -> Cell:
        folder = self._house.folder / "attached"
        folder.mkdir(exist_ok=True)
        (folder / "wet.png").write_bytes(base64.b64decode(IMAGE))
        (folder / "wet.pdf").write_bytes(base64.b64decode(PDF))
        (folder / "schema.json").write_text(json.dumps(SCHEMA), "utf-8")
        structured = self._cell == "structured"
        before = len(self._at.models.calls("a"))
        _, out, told = self._run("structured" if structured else "scripted", *further(folder))
        try:
            answer = self._manner.answer(told)
        except (StopIteration, KeyError):
            return Cell(False, out[-300:])
        if structured:
            try:
                return Cell(json.loads(answer) == {"city": "Paris", "degrees": 21}, answer[:100])
            except ValueError:
                return Cell(False, answer[:200])
        asked = str([call.body for call in self._at.models.calls("a")[before:]])
        mark = "image_url" if self._cell == "image" else "file_data"
        return Cell(mark in asked and answer.strip() == ANSWER, "" if mark in asked else "not sent")

    def _tools(self) -> Cell:
        loop = loops(self._house, self._name)
        once = all(loop.paid[one] == 1 for one in "abcj")
        fits = loop.answered and loop.results == STEPS and once
        return Cell(fits, f"{loop.results} steps, paid {loop.paid}")

    def _cancel(self) -> Cell:
        models = self._at.models
        before = len(models.calls("h"))
        home, wire = self._home("slow", "slow")
        with wire:
            process = home.start(self._house.programs, "How wet is water?")
            try:
                models.calls("h", arrived=before + 1)
                os.killpg(process.pid, signal.SIGINT)
                ended = models.calls("h", ended=before + 1)[before]
            except TimeoutError:
                return Cell(False, "the panel works on")
            finally:
                process.kill()
                process.communicate()
        return Cell(ended.disconnected)


def _words(out: str) -> str:
    """The end of what a program said, past the JSON around it."""
    return out.strip()[-300:]


def _lines(out: str) -> list[dict[str, Any]]:
    """The JSON lines among what a program printed."""
    told = []
    for line in out.splitlines():
        if line.startswith("{"):
            try:
                told.append(json.loads(line))
            except ValueError:
                continue
    return told
