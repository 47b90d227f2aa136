"""`python -m tests.verdict [--minutes M] [--write]`: ask, mark, and write what came of it.

Everything that was finished is kept, and the same command goes on from there. It ends when all
questions are answered or the time is over; what was asked whole by then has its results.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_cache_path

from fusion_graph.evals.published import perlfaq
from tests.real_models.provision import Unavailable, provide
from tests.real_models.server import Server
from tests.verdict.provision import Questions, provide_questions, provide_strong
from tests.verdict.steps import CODE, FACTS, SEED, Step, steps

RESULTS = Path(__file__).with_name("results")
PAGES = Path(__file__).parents[1] / "benchmarks"
SUMMARY, KEPT = "summary.md", ("results.json", "answers.jsonl")

WINDOW, SLOTS = 4096, 4
"""Tokens of a model's window, and how many requests its server works on at once, on one thread."""

SMALL, STRONG = 18401, 18402
"""Ports of the two servers. They are part of what names a finished call: others would ask anew."""


def main() -> int:
    """Run the verdict, or the rest of it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.verdict", description=__doc__)
    parser.add_argument("--minutes", type=float, help="stop after so many; default: at the end")
    parser.add_argument("--write", action="store_true", help="copy the results into this tree")
    parser.add_argument("--only-write", action="store_true", help="ask nothing, copy results")
    given = parser.parse_args()
    folder = user_cache_path("fusion-graph") / "verdict"
    if not given.only_write:
        try:
            _run(folder, given.minutes)
        except Unavailable as error:
            print(f"SKIPPED, nothing was shown of real models: {error}")
            return 0
    if given.write or given.only_write:
        _write(folder)
    return 0


def _run(folder: Path, minutes: float | None) -> None:
    ends = time.monotonic() + minutes * 60 if minutes is not None else None
    small = provide()
    strong = provide_strong(small, folder / "models")
    questions = provide_questions(small.python, folder / "questions")
    _lay_out(folder, questions)
    environment = {**os.environ, "PYTHONPATH": _path(questions)}
    with ExitStack() as stack:
        for provisions, name, port in (
            (small, "smollm2-135m", SMALL),
            (strong, "qwen2.5-coder-0.5b", STRONG),
        ):
            stack.enter_context(Server(provisions, WINDOW, SLOTS, name, port))
        finished = _finished(folder)
        for step in steps():
            if step in finished or (step.series is FACTS and questions.manual is None):
                continue
            left = ends - time.monotonic() if ends is not None else None
            if not _asked(step, folder, environment, left):
                return


def _lay_out(folder: Path, questions: Questions) -> None:
    """Put presets and questions where the evaluation runs, so that it names them without a path."""
    for series in (CODE, FACTS):
        shutil.copy(Path(__file__).with_name(f"{series.name}.toml"), folder)
    if questions.manual is None:
        print("Perl's manual cannot be had here: perlfaq is left out", file=sys.stderr)
        return
    lines = (json.dumps(line) for line in perlfaq(questions.manual).lines)
    (folder / FACTS.dataset).write_text("\n".join(lines) + "\n", "utf-8")


def _path(questions: Questions) -> str:
    """Where the evaluation's Python looks for modules: this tree, and HumanEval's data."""
    top = Path(__file__).parents[2]
    return os.pathsep.join([str(top), str(top / "tools"), str(questions.tasks)])


def _finished(folder: Path) -> list[Step]:
    """The samples that an earlier run has asked whole."""
    journal = folder / "samples.jsonl"
    lines = journal.read_text("utf-8").splitlines() if journal.exists() else ()
    ended = [line for line in map(json.loads, lines) if line.get("exit") == 0]
    whole = {(line["results"], line["questions"]) for line in ended}
    return [step for step in steps() if (step.name, step.questions) in whole]


def _asked(step: Step, folder: Path, environment: dict[str, str], left: float | None) -> bool:
    """Ask a sample, and keep its results; returns whether it was finished in time."""
    series = step.series
    command = [sys.executable, "-m", "fusion_graph", "eval", "--dataset", series.dataset]
    command += ["--arms", step.arms, "--sample", str(step.questions), "--seed", str(SEED)]
    command += ["--out", series.name, "--concurrency", str(SLOTS), "--quiet"]
    began = time.monotonic()
    which = {"results": step.name, "questions": step.questions}
    _note(folder, **which, began=f"{datetime.now(UTC):%F %T}")
    with (folder / "said.txt").open("ab") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            code = process.wait(None if left is None else max(left, 0.0))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.terminate()  # no SIGINT: what a shell starts in the background ignores it
            process.wait()
            _note(folder, **which, ended="the time was over")
            return False
    _note(folder, **which, exit=code, minutes=round((time.monotonic() - began) / 60, 1))
    if code:
        raise SystemExit(f"fusion-graph eval ended with {code}: see {folder / 'said.txt'}")
    place = folder / "results" / step.name
    place.mkdir(parents=True, exist_ok=True)
    for name in (SUMMARY, *KEPT):
        shutil.copy(folder / series.name / name, place)
    return True


def _note(folder: Path, **facts: object) -> None:
    """Add a line to the journal of samples, with how busy the machine is."""
    line = json.dumps({**facts, "load": round(os.getloadavg()[0], 1)})
    print(line, file=sys.stderr, flush=True)
    with (folder / "samples.jsonl").open("a", encoding="utf-8") as journal:
        journal.write(f"{line}\n")


def _write(folder: Path) -> None:
    """Copy what the evaluations wrote of their last whole samples: pages for people, and data."""
    if not (folder / "results").exists():
        raise SystemExit(f"no sample was finished yet: there is no {folder / 'results'}")
    for found in sorted((folder / "results").iterdir()):
        name = found.name.replace("-", "_")
        shutil.copy(found / SUMMARY, PAGES / f"verdict_{name}.md")
        place = RESULTS / name
        place.mkdir(parents=True, exist_ok=True)
        for kept in KEPT:
            shutil.copy(found / kept, place)
    shutil.copy(folder / "samples.jsonl", RESULTS)


if __name__ == "__main__":
    sys.exit(main())
