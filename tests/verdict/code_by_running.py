"""`python -m tests.verdict.code_by_running [--tasks N] [--write]`: real code chosen by running it.

The verdict's small models write HumanEval's functions, propose tests for one another, and the panel
hands over what did best when it was run. No tests are given: the task's own stay hidden, and say
of each member's first code, and of what was handed over, whether it is right. The tasks are the
first of the verdict's sample. One line a task is written as it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from fusion_graph import AllPanelistsFailed, create_fusion_graph
from fusion_graph.evals._code import judge_code
from fusion_graph.evals.datasets import dataset_of, select
from fusion_graph.evals.published import humaneval
from tests.real_models.provision import Unavailable, provide
from tests.real_models.server import Server
from tests.verdict.__main__ import SLOTS, SMALL, STRONG, WINDOW
from tests.verdict.provision import provide_questions, provide_strong
from tests.verdict.steps import SEED

PAGE = Path(__file__).parents[1] / "benchmarks" / "verdict_code_by_running.md"
PRESET = Path(__file__).with_name("code.toml")


def main() -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--write", action="store_true", help=f"write the table to {PAGE.name}")
    given = parser.parse_args()
    folder = user_cache_path("fusion-graph") / "verdict"
    try:
        small = provide()
        strong = provide_strong(small, folder / "models")
        tasks = provide_questions(small.python, folder / "questions").tasks
    except Unavailable as error:
        print(f"SKIPPED, nothing was shown of real models: {error}")
        return 0
    sys.path.insert(0, str(tasks))
    questions = select(dataset_of(humaneval()).questions, sample=given.tasks, seed=SEED)
    # `select` keeps the set's order; broken off, this is to have asked a sample all the same.
    questions = random.Random(SEED).sample(list(questions), len(questions))
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        for provisions, name, port in (
            (small, "smollm2-135m", SMALL),
            (strong, "qwen2.5-coder-0.5b", STRONG),
        ):
            stack.enter_context(Server(provisions, WINDOW, SLOTS, name, port))
        for question in questions:
            rows.append(asyncio.run(_tried(question)))
            print(json.dumps(rows[-1]), flush=True)
    text = _page(rows)
    print(text)
    if given.write:
        PAGE.write_text(text, "utf-8")
    return 0


async def _tried(question: Any) -> dict[str, Any]:
    """Have one function written; says who was right by the task's own tests."""
    config = {"preset": str(PRESET), "invocation": "always", "panel_policy": "full", "seed": 1}
    graph = create_fusion_graph(config, run_code="sandbox")
    began = time.monotonic()
    try:
        ended = await graph.ainvoke({"messages": [("user", question.text)]})
    except AllPanelistsFailed as failed:
        report, answer = dict(failed.report or {}), ""
    else:
        report, answer = dict(ended["fusion"]), str(ended["messages"][-1].text)
    right = {}
    for member in report.get("answers", ()):
        verdict = await judge_code(question.marking, member["content"], question.text)
        right[member["name"]] = bool(verdict.solved)
    chosen = await judge_code(question.marking, answer, question.text)
    code = report.get("code") or {}
    return {
        "task": question.id,
        "members": right,
        "chosen": code.get("best") or [],
        "right": bool(chosen.solved),
        "reason": code.get("reason"),
        "tests": len(code.get("tests") or ()),
        "calls": report["usage"]["total"]["calls"],
        "tokens": report["usage"]["total"]["input_tokens"]
        + report["usage"]["total"]["output_tokens"],
        "seconds": round(time.monotonic() - began, 1),
    }


def _page(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0]["members"])
    any_right = [row for row in rows if any(row["members"].values())]
    kept = sum(row["right"] for row in any_right)
    mended = sum(row["right"] for row in rows) - kept
    lines = [
        "# Code chosen by running it, with real small models",
        "",
        "Written by `python -m tests.verdict.code_by_running --write`: the verdict's panel "
        "(docs/verdict.md) on HumanEval's tasks, without given tests. Marked by the task's own "
        "tests, which nobody sees.",
        "",
        f"In {len(any_right)} of {len(rows)} tasks some member's code is right; in {kept} of these "
        f"what was handed over is right; of the other tasks, in {mended}.",
        "",
        f"| task | {' | '.join(names)} | handed over | of | why | tests | calls | tokens |",
        f"|---|{'---|' * len(names)}---|---|---|---:|---:|---:|",
    ]
    for row in rows:
        marks = ["right" if row["members"].get(name) else "–" for name in names]
        cells = [
            row["task"],
            *marks,
            "right" if row["right"] else "–",
            ", ".join(row["chosen"]) or "–",
        ]
        cells += [str(row["reason"]), str(row["tests"]), str(row["calls"]), f"{row['tokens']:,}"]
        lines.append(f"| {' | '.join(cells)} |")
    alone = [f"{name} {sum(row['members'].get(name, False) for row in rows)}" for name in names]
    seconds = sum(row["seconds"] for row in rows)
    lines += ["", f"{seconds / 60:.0f} minutes on two processors.", ""]
    lines += [f"Right alone, of {len(rows)}: {', '.join(alone)}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
