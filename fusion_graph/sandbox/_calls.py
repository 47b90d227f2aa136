"""Runs calls of a model's code, and brings back what each returned."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_graph.sandbox._child import Child, folder_with, object_in
from fusion_graph.sandbox._limits import Limits
from fusion_graph.sandbox._run import until_done

CALL_SECONDS = 2.0
"""Wall time of one call: a test that a person would propose takes milliseconds."""

REPORT_BYTES = 2**23
"""Longest report that is read: hundreds of calls with values of 20,000 characters."""


@dataclass(frozen=True)
class Output:
    """What a call did: it returned a value or raised an error.

    Attributes:
        value: The value as data (`written`); None where it raised.
        error: The error's class; empty where it returned.
        words: The error's words.
    """

    value: list[Any] | None
    error: str = ""
    words: str = ""


@dataclass(frozen=True)
class CallsRun:
    """What came of calls.

    Attributes:
        outputs: One for each call; None where it was never reached.
        broken: Why the code could not be loaded, or what stopped it; empty if nothing did.
    """

    outputs: tuple[Output | None, ...]
    broken: str = ""


async def run_calls(
    code: str, calls: Sequence[str], names: Collection[str], limits: Limits | None = None
) -> CallsRun:
    """Run calls of an answer's code, one after the other in one process.

    Args:
        code: The answer's code, hostile.
        calls: Python expressions that use the answer's names and built-ins, untrusted.
        names: What the calls use of the answer.
        limits: What all of it may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
    """
    limits = limits or Limits()
    nonce = secrets.token_hex(16)
    task = {"calls": list(calls), "names": sorted(names), "nonce": nonce, "seconds": CALL_SECONDS}
    found: dict[int, Output] = {}
    broken: list[str] = []
    with folder_with(code) as folder:
        child = await Child.start("_calls", folder, limits)

        async def read_report() -> None:
            await child.ready()
            await child.feed(json.dumps(task).encode())
            size = 0
            while (line := await child.line()) and (size := size + len(line)) <= REPORT_BYTES:
                said = object_in(line)
                if said.get("nonce") != nonce:
                    continue
                if isinstance(loaded := said.get("broken"), dict):
                    broken.append(f"{loaded.get('error')}: {loaded.get('words')}")
                elif isinstance(number := said.get("call"), int):
                    found.setdefault(number, _output(said))

        try:
            over = await until_done(read_report(), child.overdone(), limits.seconds)
        finally:
            (status,) = await asyncio.shield(asyncio.gather(child.end()))
    why = broken[0] if broken else ""
    if not why and len(found) < len(calls):
        if over == "timed_out":
            why = f"not done after {limits.seconds:g} s"
        elif over or status == -signal.SIGXCPU:
            why = over or f"more than {limits.cpu_seconds} s of processor time"
        else:
            why = "its process ended early"
    return CallsRun(tuple(found.get(number) for number in range(len(calls))), why)


def _output(said: dict[str, Any]) -> Output:
    value = said.get("value")
    if isinstance(value, list):
        return Output(value)
    return Output(None, str(said.get("error"))[:100], str(said.get("words", ""))[:300])
