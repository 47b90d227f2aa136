"""Memory and outcome of a panel with one hostile member.

    python -m tests.benchmarks.hostile_replies

Each kind of `tests/hostile_server.py` plays one of three panelists in a fresh process, which says
how far its memory rose above that of the same panel before; the others are scripted. The table
goes to stdout (`hostile_replies.md` keeps one).
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fusion_graph import create_fusion_graph
from tests.conftest import VERDICT
from tests.hostile_server import KINDS, HostileServer
from tests.scripted_models import start_server

ROOT = Path(__file__).parents[2]


def memory(field: str) -> float:
    """`VmRSS` or `VmHWM` of this process, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


async def measured(hostile: str, scripted: str, seconds: float) -> dict[str, Any]:
    """What becomes of a panel with the member at `hostile`."""

    async def run(member: str) -> dict[str, Any]:
        config = {
            "panel": [member, "scripted:b", "scripted:c"],
            "judge": "scripted:j",
            "synthesizer": "scripted:w",
            "search": "none",
            "panelist_timeout": seconds,
            "panelist_stall": seconds,
            "providers": {"scripted": {"base_url": scripted}, "hostile": {"base_url": hostile}},
        }
        result = await create_fusion_graph(config).ainvoke({"messages": [("user", "How wet?")]})
        return dict(result["fusion"])

    await run("scripted:a")
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
    began = time.monotonic()
    report = await run("hostile:m")
    first, *others = report["answers"]
    return {
        "rise": memory("VmHWM") - before,
        "seconds": time.monotonic() - began,
        "status": report["status"],
        "failure": first["failure"],
        "others": all(answer["status"] == "ok" for answer in others),
    }


def child(hostile: str, scripted: str, seconds: float = 60.0) -> dict[str, Any]:
    """`measured`, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.hostile_replies", hostile, scripted]
    done = subprocess.run(
        [*command, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def table(kinds: list[str]) -> list[str]:
    """Lines of the table."""
    lines = [
        "| kind | MB above start | seconds | run | failure | attempts | others |",
        "|---|---:|---:|---|---|---:|---|",
    ]
    with start_server() as server:
        scope = server.scope()
        for name in "abcw":
            scope.script(name, f"The answer of {name}.")
        scope.script("j", json.dumps(VERDICT))
        for kind in kinds:
            with HostileServer() as hostile:
                seen = child(f"{hostile.url}/{kind}/v1", scope.base_url)
            failure = seen["failure"] or {"reason": "none", "detail": "", "attempts": 0}
            lines.append(
                f"| {kind} | {seen['rise']:.0f} | {seen['seconds']:.1f} | {seen['status']} "
                f"| {failure['reason']}: {failure['detail'][:70]} | {failure['attempts']} "
                f"| {'ok' if seen['others'] else 'harmed'} |"
            )
            print(lines[-1], file=sys.stderr, flush=True)
    return lines


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(asyncio.run(measured(sys.argv[1], sys.argv[2], float(sys.argv[3])))))
    else:
        print("\n".join(table(sys.argv[1:] or list(KINDS))))
