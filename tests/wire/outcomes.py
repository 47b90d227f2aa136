"""One case through `fusion-graph ask`, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.commands import run_here
from tests.wire.cases import Case
from tests.wire.server import HARMLESS, Asked, Replay

QUESTION = "When does a panel of models beat a single model?"
TESTED = "tested"


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        case: Its name.
        asked: The requests to the model under test.
        code: The command's exit code.
        report: The run's report; empty where none was printed.
        err: What the command wrote to standard error.
    """

    case: Case
    asked: list[Asked]
    code: int
    report: Mapping[str, Any]
    err: str

    @property
    def member(self) -> Mapping[str, Any]:
        """The report's entry for the model under test, where it was a panelist."""
        answers = self.report.get("answers") or []
        return next((a for a in answers if a["name"] == TESTED), {})

    @property
    def statuses(self) -> str:
        """The HTTP statuses in order, runs of the same one counted."""
        parts: list[list[Any]] = []
        for asked in self.asked:
            if parts and parts[-1][0] == asked.status:
                parts[-1][1] += 1
            else:
                parts.append([asked.status, 1])
        return " ".join(f"{s}×{n}" if n > 1 else str(s) for s, n in parts)

    @property
    def words(self) -> str:
        """What became of the model under test, on one line."""
        if self.code not in (0, 3) or not self.report:
            last = (self.err.strip().splitlines() or ["nothing said"])[-1]
            return f"exit {self.code}: {last}"
        losses = [f"{d['code']}: {d['detail']}" for d in self.report["degradations"]]
        if self.case.judges:
            read = "no analysis" if self.report["analysis"] is None else "analysis"
            return " · ".join([f"{read}, {len(self.asked)} call(s)", *losses])
        failure = self.member.get("failure")
        if failure:
            return f"failed, {failure['reason']}: {failure['detail']}"
        tools = " ".join(f"{t['name']}:{t['status']}" for t in self.member["tool_calls"])
        said = " ".join(str(self.member["content"]).split())
        cost = self.member.get("cost_usd")
        parts = [f"answered «{said[:60]}»", f"tools {tools or 'none'}", f"${cost}"]
        return " · ".join([*parts, *losses])

    @property
    def verdict(self) -> str:
        """`ok`, what its `check` misses, or `?` for a case without one.

        A check may hold `exit`, `answered` (bool), `reason`, `analysis` (bool), `calls` (requests
        at most), `tools` (names of tools that ran, in order), `cost_usd`, and `says` and
        `never_says`, parts of what the report says.
        """
        check = self.case.data.get("check")
        if check is None:
            return "?"
        failure = self.member.get("failure") or {}
        ran = [t["name"] for t in self.member.get("tool_calls", []) if t["status"] == "ok"]
        told = json.dumps(self.report, ensure_ascii=False)
        found = {
            "exit": self.code,
            "answered": self.member.get("status") == "ok",
            "reason": failure.get("reason"),
            "analysis": self.report.get("analysis") is not None,
            "tools": ran,
            "cost_usd": self.member.get("cost_usd"),
        }
        missed = [
            f"{k} is {found[k]!r}" for k in found.keys() & check.keys() if found[k] != check[k]
        ]
        if len(self.asked) > check.get("calls", len(self.asked)):
            missed.append(f"{len(self.asked)} calls")
        missed += [f"does not say {w!r}" for w in check.get("says", []) if w not in told]
        missed += [f"says {w!r}" for w in check.get("never_says", []) if w in told]
        return "; ".join(sorted(missed)) or "ok"


def play(case: Case, replay: Replay, folder: Path) -> Outcome:
    """Ask a panel with the case's model in it, and see what comes of it.

    Args:
        case: The case.
        replay: The server that plays it.
        folder: Where the preset and the command's own files go.
    """
    preset = folder / f"{case.name}.toml"
    preset.write_text(_preset(case, replay), "utf-8")
    environment = {
        "OPENAI_API_KEY": "not-a-key",
        "OPENROUTER_API_KEY": "not-a-key",
        "OPENAI_BASE_URL": f"{replay.address}/{case.name}/v1",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    asked = ["ask", "--quiet", "--json", "--preset", str(preset), QUESTION]
    ended = run_here(*asked, environment=environment)
    try:
        report = json.loads(ended.out or "{}")
    except ValueError:
        report = {}
    return Outcome(case, replay.asked(case.name), ended.code, report, ended.err)


def _preset(case: Case, replay: Replay) -> str:
    harmless = f"{replay.address}/{HARMLESS}/v1"
    under_test = json.dumps(case.data["model"])
    member = {"ok": f'{{ model = "{HARMLESS}:ok", name = "ok" }}'}
    if case.judges:
        panel, judge = [member["ok"], f'{{ model = "{HARMLESS}:too", name = "too" }}'], under_test
    else:
        panel = [f'{{ model = {under_test}, name = "{TESTED}" }}', member["ok"]]
        judge = f'"{HARMLESS}:judge"'
    provider = case.data["model"].partition(":")[0]
    lines = [
        f"panel = [{', '.join(panel)}]",
        f"judge = {judge}",
        f'synthesizer = "{HARMLESS}:writer"',
        'search = "corpus"',
        f"[providers.{HARMLESS}]",
        f'base_url = "{harmless}"',
    ]
    if provider != "openai":
        lines += [f"[providers.{provider}]", f'base_url = "{replay.address}/{case.name}/v1"']
        lines += ['api_key_env = "OPENROUTER_API_KEY"'] if provider == "openrouter" else []
    return "\n".join(lines) + "\n"
