"""What a weak model can show of a panel: protocol, accounting, bounds and honesty."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_openai import ChatOpenAI

from fusion_graph import AllPanelistsFailed, FusionConfig, FusionReport, create_fusion_graph
from fusion_graph.evidence.citations import read_citations
from tests.real_models.provision import Provisions
from tests.real_models.server import Counted, Server

QUESTION = "When does a panel of models beat one model?"

CALL_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"const": "web_search"},
        "arguments": {
            "type": "object",
            "properties": {"query": {"enum": ["panel of models", "judge of answers"]}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}
"""The grammar of a model that writes a tool's call as bare JSON, whatever it is asked."""

PAGE = 24_000
"""Characters of a page in the small-window check: what `web_fetch` gives at most."""


@dataclass(frozen=True)
class Row:
    """One check's line in the table. `counted` is the server's own count, tokens."""

    what: str
    outcome: str
    seconds: float
    calls: int
    tools: int
    counted: Counted


Check = Callable[[Provisions, Path], Awaitable[Row]]


class Missed(Exception):
    """A check that did not show what it is there to show."""


def expect(right: object, words: object) -> None:
    """Fail a check, with words, unless something is right.

    Raises:
        Missed: It is not.
    """
    if not right:
        raise Missed(str(words))


async def whole_panel(provisions: Provisions, folder: Path) -> Row:
    """Three members search by code and answer, one judges, one writes, streaming; all counted."""
    # One at a time: the same pages are read once, and come out of the server's cache after that.
    with Server(provisions, 2048) as server:
        config = server.preset(
            folder, research="first", max_concurrency=1, max_completion_tokens=200
        )
        began, before, seen, text = time.monotonic(), server.counted(), [], ""
        graph = create_fusion_graph(str(config))
        state: dict[str, Any] = {}
        modes = ["custom", "messages", "values"]
        asked = {"messages": [("user", QUESTION)]}
        async for mode, piece in graph.astream(asked, stream_mode=modes):
            if mode == "custom":
                seen.append(piece["type"])
            elif mode == "messages":
                text += piece[0].text
            else:
                state = piece
        report = FusionReport.from_state(state)
        row = _row("a panel of three, streamed", report, began, server.counted().since(before))
    expect(all(a.status == "ok" for a in report.answers), _failures(report))
    # Citations of a dress of their own are put right once the answer is whole.
    put_right = read_citations(text, [source.id for source in report.sources]).plain()
    told = f"the stream is not the answer:\n{text!r}\n{report.answer!r}"
    expect(report.answer in text or report.answer in put_right, told)
    expect("answer.delta" in seen or text, "nothing was streamed")
    for answer in report.answers:
        ran = [(call.name, call.status) for call in answer.tool_calls]
        expect(("web_search", "ok") in ran, f"{answer.name} has no first search: {ran}")
        expect(("web_fetch", "ok") in ran, f"{answer.name} read no page: {ran}")
    expect(report.analysis is not None, f"no verdict: {report.degradations}")
    _same_count(report, row.counted)
    return row


async def calls_as_text(provisions: Provisions, folder: Path) -> Row:
    """A member that can only write calls, as bare JSON: they run, capped, and are no answer."""
    with Server(provisions, 2048, slots=2) as server:
        # The grammar is the server's own: it holds for every reply of this member.
        caller = ChatOpenAI(
            model="smollm2",
            base_url=f"{server.address}/v1",
            api_key="none",  # type: ignore[arg-type]
            max_retries=0,
            max_completion_tokens=100,
            extra_body={"json_schema": CALL_SCHEMA},
        )
        preset = server.preset(folder, members=1, max_tool_calls=2, max_completion_tokens=120)
        plain = "real:smollm2"
        config = FusionConfig(
            preset=str(preset),
            panel=[{"model": caller, "name": "calls"}, {"model": plain, "name": "plain"}],
        )
        began, before = time.monotonic(), server.counted()
        report = await _report(config, QUESTION)
        row = _row("a member that only writes calls", report, began, server.counted().since(before))
    by_name = {answer.name: answer for answer in report.answers}
    ran = [(call.name, call.status) for call in by_name["calls"].tool_calls]
    expect(ran[:2] == [("web_search", "ok")] * 2, f"the calls did not run: {ran}")
    expect(by_name["calls"].status == "failed", f"its answer is {by_name['calls'].content!r}")
    expect(by_name["plain"].status == "ok", _failures(report))
    expect('"web_search"' not in report.answer, f"a call is in the answer: {report.answer!r}")
    return row


async def small_window(provisions: Provisions, folder: Path) -> Row:
    """Pages of 24,000 characters into windows of 4,096 tokens: answered, and said what was cut."""
    documents = folder / "documents"
    documents.mkdir()
    for topic in ("panels", "judges", "writers"):
        line = f"A panel of models has {topic}, and {topic} are compared one by one. "
        (documents / f"{topic}.md").write_text(f"# {topic}\n\n" + line * (PAGE // len(line)))
    with Server(provisions, 4096) as server:
        preset = server.preset(
            folder,
            research="first",
            corpus=str(documents),
            max_concurrency=1,
            max_completion_tokens=200,
        )
        began, before = time.monotonic(), server.counted()
        report = await _report(str(preset), "How are the panels of models compared?")
        row = _row("pages beyond the window", report, began, server.counted().since(before))
    expect(all(a.status == "ok" for a in report.answers), _failures(report))
    codes = [loss.code for loss in report.degradations]
    expect("context_cut" in codes, f"nothing is said of a cut: {codes}")
    expect("prompt_cut_by_server" not in codes, "the server cut what was sent")
    _same_count(report, row.counted)
    return row


async def question_too_long(provisions: Provisions, folder: Path) -> Row:
    """A question of more tokens than the window holds: every member fails, and is told why."""
    with Server(provisions, 1024, slots=3) as server:
        began, before = time.monotonic(), server.counted()
        long = f"{QUESTION} {'It costs more and it is slower. ' * 900}"
        report = await _report(str(server.preset(folder)), long)
        row = _row("a question beyond the window", report, began, server.counted().since(before))
    reasons = {answer.failure.reason for answer in report.answers if answer.failure}
    expect(reasons == {"context_length"}, _failures(report))
    return row


async def cancelled(provisions: Provisions, folder: Path) -> Row:
    """A run that is given up: the server stops working on it."""
    with Server(provisions, 4096, slots=3) as server:
        before = server.counted()
        most = 3000
        graph = create_fusion_graph(str(server.preset(folder, max_completion_tokens=most)))
        run = asyncio.create_task(graph.ainvoke({"messages": [("user", QUESTION)]}))
        while not _busy(server):
            await asyncio.sleep(0.05)
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        began = time.monotonic()
        counted = server.counted().since(before)
        took = time.monotonic() - began
    # By what it still wrote: beside other work it may take a minute over the piece it was reading.
    expect(counted.written < most / 10, f"the server still wrote {counted.written} tokens")
    return Row("a run given up", f"idle {took:.1f} s later", took, 0, 0, counted)


async def killed(provisions: Provisions, folder: Path) -> Row:
    """A process killed when two members had answered: resumed, their replies are not paid again."""
    with Server(provisions, 2048) as server:
        began, before = time.monotonic(), server.counted()
        most = 160
        preset = server.preset(
            folder, research="first", max_concurrency=1, max_completion_tokens=most
        )
        homes = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        environment = {**os.environ, **homes}
        command = [sys.executable, "-m", "fusion_graph"]
        asked = [*command, "ask", "--thread", "real", "--preset", str(preset), QUESTION]
        first = subprocess.Popen(
            asked, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        assert first.stderr is not None
        told, done = "", set[str]()
        while len(done) < 2 and (line := first.stderr.readline()):
            told += line
            done |= set(re.findall(r"^(m\d): answered", line))
        first.kill()
        first.communicate()
        expect(len(done) == 2, f"fewer than two members answered:\n{told}")
        resumed = subprocess.run(
            [*command, "resume", "real", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        expect(resumed.returncode == 0, f"{told}\n{resumed.stderr[-500:]}")
        report = FusionReport.model_validate(json.loads(resumed.stdout))
        row = _row("killed and resumed", report, began, server.counted().since(before))
    expect(all(a.status == "ok" for a in report.answers), _failures(report))
    # One at a time: the call that was under way at the kill is all that may be paid again.
    kept = sum(a.usage.input_tokens for a in report.answers if a.name in done)
    read = row.counted.read - report.usage.total.input_tokens
    written = row.counted.written - report.usage.total.output_tokens
    expect(0 <= read < kept, f"{read} tokens read were paid again, the two replies are {kept}")
    expect(0 <= written <= most, f"{written} tokens written were paid again")
    return row


CHECKS: list[Check] = [
    whole_panel,
    calls_as_text,
    small_window,
    question_too_long,
    cancelled,
    killed,
]

SAMPLE: list[Check] = [whole_panel, question_too_long, cancelled, killed]
"""What `.ci/run` checks: without the two that read most, which take two minutes of a processor."""


async def _report(config: Any, question: str) -> FusionReport:
    try:
        state = await create_fusion_graph(config).ainvoke({"messages": [("user", question)]})
    except AllPanelistsFailed as error:
        return FusionReport.from_state({"fusion": error.report})
    return FusionReport.from_state(state)


def _row(what: str, report: FusionReport, began: float, counted: Counted) -> Row:
    codes = sorted({loss.code for loss in report.degradations})
    outcome = ", ".join([report.status, *codes])
    tools = sum(len(answer.tool_calls) for answer in report.answers)
    seconds = time.monotonic() - began
    return Row(what, outcome, seconds, report.usage.total.calls, tools, counted)


def _same_count(report: FusionReport, counted: Counted) -> None:
    total = report.usage.total
    ours, theirs = (total.input_tokens, total.output_tokens), (counted.read, counted.written)
    expect(ours == theirs, f"the report counts {ours} tokens, the server {theirs}")


def _failures(report: FusionReport) -> str:
    return "; ".join(f"{a.name}: {a.failure}" for a in report.answers if a.failure) or "none failed"


def _busy(server: Server) -> bool:
    import httpx2

    text = httpx2.get(f"{server.address}/metrics").text
    return bool(re.search(r"^llamacpp:requests_processing [1-9]", text, re.MULTILINE))
