"""What other frameworks are resolved to beside this package, and the lowest set that it runs on.

    pip install uv
    python -m tests.benchmarks.ranges            # the table of ranges.md; installs nothing
    python -m tests.benchmarks.ranges --lowest   # the wire tests on the lowest of all dependencies

A framework that is resolved to an older version than alone is one that our ranges push back: pip
says nothing of it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]

FRAMEWORKS = (
    ["llama-index"],
    ["crewai"],
    ["autogen-agentchat", "autogen-ext[openai]"],
    ["pydantic-ai"],
    ["litellm"],
    ["openai-agents"],
    ["instructor"],
    ["haystack-ai"],
    ["dspy"],
    ["smolagents"],
)
"""What people may have in one environment with this package."""

SHARED = ("openai", "pydantic", "httpx2", "rich", "typer", "json-repair")
"""Packages over which frameworks and we might quarrel."""

WIRE = (
    "tests/test_models.py",
    "tests/test_http.py",
    "tests/test_responses.py",
    "tests/test_refusals.py",
    "tests/test_reply.py",
    "tests/test_graph.py",
    "tests/test_report.py",
    "tests/wire",
    "tests/fusion_tools/test_netguard.py",
    "tests/cli/test_estimate.py",
    "tests/cli/test_presets.py",
)
"""Tests of what talks to models and pages, and of what is printed."""

TESTERS = ("pytest", "pytest-asyncio", "pytest-xdist", "hypothesis", "trustme")


def uv(*arguments: str) -> str:
    """What a command of uv's prints.

    Raises:
        SystemExit: It fails.
    """
    command = [sys.executable, "-m", "uv", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"uv {' '.join(arguments)}:\n{done.stderr}")
    return done.stdout


def resolved(requirements: Sequence[str], folder: Path, *options: str) -> dict[str, str]:
    """The version of every package that requirements are resolved to, newest first.

    Args:
        requirements: As in a requirements file.
        folder: Where to put it.
        options: More of `uv pip compile`'s.
    """
    wanted = folder / "requirements.in"
    wanted.write_text("\n".join(requirements))
    text = uv("pip", "compile", "--quiet", "--no-annotate", *options, str(wanted))
    lines = (line.partition("==") for line in text.splitlines() if "==" in line)
    return {name: version for name, _, version in lines}


def table(folder: Path) -> str:
    """The Markdown table: each framework alone, and beside this package."""
    rows = [
        "| framework | alone | with fusion-graph | shared packages, with both |",
        "|---|---|---|---|",
    ]
    for names in FRAMEWORKS:
        alone = resolved(names, folder)
        both = resolved([*names, str(ROOT)], folder)
        name = names[0]
        shared = ", ".join(f"{part} {both[part]}" for part in SHARED if part in both)
        mark = "" if alone[name] == both[name] else " **older**"
        rows.append(f"| {name} | {alone[name]} | {both[name]}{mark} | {shared} |")
    return "\n".join(rows)


def run_on_lowest(folder: Path) -> int:
    """Install the lowest version of every dependency into an environment, and run `WIRE` there.

    Returns:
        pytest's exit code.
    """
    lowest = resolved([str(ROOT)], folder, "--resolution", "lowest-direct")
    lowest.pop("fusion-graph", None)
    versions = [f"{name}=={version}" for name, version in lowest.items()]
    python = folder / "venv" / "bin" / "python"
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
    install = ("pip", "install", "--quiet", "--python", str(python))
    uv(*install, *versions, *TESTERS)
    uv(*install, "--no-deps", str(ROOT))  # for its version; the tests import the source
    print("\n".join(versions), flush=True)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    environment = {**os.environ, "PYTHONPATH": path}
    # The lowest of some things warns of the highest of others (typer of click's names, anyio's
    # plugin of pytest's), and warnings are errors in the tests.
    quiet = ("-p", "no:anyio", "-W", "ignore::DeprecationWarning")
    command = [str(python), "-m", "pytest", "-q", "-n", "2", *quiet, *WIRE]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def main() -> int:
    """Print the table, or run the tests on the lowest set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lowest", action="store_true")
    given = parser.parse_args()
    if find_spec("uv") is None:
        raise SystemExit("This needs uv: pip install uv")
    with tempfile.TemporaryDirectory(prefix="ranges-") as name:
        folder = Path(name)
        if given.lowest:
            return run_on_lowest(folder)
        print(table(folder))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
