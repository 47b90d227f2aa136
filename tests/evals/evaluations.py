"""Small evaluations over scripted models: a stack file, a question set, a run in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fusion_graph.evals.arms import open_arms
from fusion_graph.evals.datasets import read_dataset
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.runner import Outcome, Plan, run
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Store
from tests.conftest import VERDICT
from tests.scripted_models.client import Scope

PRICES = {"a": 0.001, "b": 0.001, "c": 0.001, "j": 0.002, "w": 0.003}
"""US dollars of a call to each model."""

GRADER = GraderSettings(model="scripted:g", passes=1)


def script(scope: Scope, *, delay: float = 0.0) -> None:
    """Panelists a (right), b (right on even questions) and c (wrong), judge j, writer w."""
    wet, dry = "Water is wet.", "Water is dry."
    for name in ("a", "c"):
        text = wet if name == "a" else dry
        scope.script(name, {"text": f"{text} Says {name}.", "cost": 0.001, "delay": delay})
    even = {"text": f"{wet} Says b.", "cost": 0.001, "delay": delay}
    scope.script("b", {**even, "text": dry, "when_contains": {"MARK-even": even}})
    scope.script("j", {"text": json.dumps(VERDICT), "cost": 0.002, "delay": delay})
    scope.script("w", {"text": f"{wet} So says the writer.", "cost": 0.003, "delay": delay})


def stack_file(scope: Scope, folder: Path, **fields: Any) -> str:
    """Path of a preset of the scripted models."""
    config = {
        "panel": ["scripted:a", "scripted:b", "scripted:c"],
        "judge": "scripted:j",
        "synthesizer": "scripted:w",
        "search": "none",
        **fields,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in config.items()]
    lines += ["[providers.scripted]", f"base_url = {json.dumps(scope.base_url)}"]
    path = folder / "s.toml"
    path.write_text("\n".join(lines), "utf-8")
    return str(path)


def question_file(folder: Path, count: int, *, ending: str = "", **fields: Any) -> str:
    """Path of a question set: how wet is water, so many times, marked by code."""
    path = folder / "questions.jsonl"
    lines = []
    for number in range(1, count + 1):
        domain = "odd" if number % 2 else "even"
        lines.append(
            {
                "id": f"q{number}",
                "question": f"How wet is water? MARK-{domain} {number}{ending}",
                "domain": domain,
                **(fields or {"reference": "wet", "check": "contains"}),
            }
        )
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return str(path)


async def evaluate(
    folder: Path,
    arms: Sequence[str],
    dataset: str,
    *,
    cap: float | None = None,
    concurrency: int = 4,
    grader: GraderSettings = GRADER,
) -> Outcome:
    """An evaluation in this process, with its store in `folder/store`."""
    store = Store(folder / "store")
    plan = Plan(read_dataset(dataset).questions, open_arms(arms), grader, concurrency)
    return await run(plan, store, Spending(cap, store.calls()), lambda done, total: None)


def counts(scope: Scope) -> dict[str, int]:
    """Calls by model."""
    models = [call.model for call in scope.calls()]
    return {model: models.count(model) for model in sorted(set(models))}
