"""The `budget` preset as it is shipped, against what its three providers want back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fusion_graph import FusionConfig, FusionReport, create_fusion_graph
from tests.wire.cases import Case
from tests.wire.kinds import called, said
from tests.wire.server import VERDICT, Replay, reply

ROUNDS = 8
QUESTION = {"messages": [("user", "When does a panel of models beat one model?")]}


def gemini(n: int) -> dict[str, Any]:
    """Text and a sealed item, which carries the call's id."""
    return {
        "reasoning_details": [
            {"type": "reasoning.text", "text": f"Round {n}.", "index": 0},
            {"type": "reasoning.encrypted", "data": f"sealed{n}==", "id": f"id_{n}", "index": 1},
        ]
    }


def kimi(n: int) -> dict[str, Any]:
    """Its reasoning as text, and the same in OpenRouter's own form."""
    items = [{"type": "reasoning.text", "text": f"Thought {n}.", "index": 0}]
    return {"reasoning": f"Thought {n}.", "reasoning_details": items}


def deepseek(n: int) -> dict[str, Any]:
    """Its own word for reasoning."""
    return {"reasoning_content": f"Because {n}."}


VENDORS = {
    "google/gemini-3-flash-preview": gemini,
    "moonshotai/kimi-k2.6": kimi,
    "deepseek/deepseek-v4-pro": deepseek,
}


def exchange(model: str) -> Case:
    """Eight rounds of one search each; every earlier round's reasoning must be back, unchanged."""
    told, steps = VENDORS[model], []
    for n in range(ROUNDS + 1):
        rules = [
            {"rule": "exact_echo", "field": field, "value": value}
            for earlier in range(n)
            for field, value in told(earlier).items()
        ]
        name = {"name": "web_search", "arguments": json.dumps({"query": f"panel of models {n}"})}
        call = {"index": 0, "id": f"id_{n}", "type": "function", "function": name}
        lines = called(call, **told(n)) if n < ROUNDS else said(f"{model} answers [1].")
        refusal = {"status": 400, "json": {"error": {"message": f"{model} misses reasoning"}}}
        steps.append({"sse": lines, "enforce": rules, "refusal": refusal})
    return Case(model, {"model": f"openrouter:{model}", "via": "openrouter", "exchange": steps})


class Providers(Replay):
    """OpenRouter with the preset's models: the panel's are played, Claude judges and writes.

    Attributes:
        judged: Set when the judge is asked.
        held: While it is not set, the judge gets no reply.
    """

    def __init__(self) -> None:
        super().__init__([exchange(model) for model in VENDORS])
        self.judged, self.held = threading.Event(), threading.Event()
        self.held.set()
        self.asked_for: Counter[str] = Counter()

    def play(self, path: str, request: dict[str, Any]) -> tuple[int, Any, list[str] | None]:
        model = request["model"]
        self.asked_for[model] += 1
        if model in VENDORS:
            return super().play(f"/{model.replace('/', '%')}/v1", request)
        if request.get("response_format"):
            self.judged.set()
            self.held.wait()
            return reply({"content": VERDICT}, request)
        return reply({"content": "Independent errors cancel out [1]."}, request)


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "not-a-key")
    with Providers() as server:
        yield server
        server.held.set()


def budget(server: Providers) -> FusionConfig:
    """The shipped preset, at another address, over the bundled documents."""
    address = {"openrouter": {"base_url": f"{server.address}/api/v1"}}
    return FusionConfig(preset="budget", providers=address, search="corpus")


def check(report: FusionReport, server: Providers) -> None:
    assert [answer.status for answer in report.answers] == ["ok"] * 3, report.degradations
    for answer in report.answers:
        assert [call.status for call in answer.tool_calls] == ["ok"] * ROUNDS
    for model in VENDORS:
        assert server.asked_for[model] == ROUNDS + 1
    assert report.analysis is not None
    assert report.answer == "Independent errors cancel out [1]."


async def test_all_three_answer_after_eight_rounds_each(providers: Providers) -> None:
    state = await create_fusion_graph(budget(providers)).ainvoke(QUESTION)

    check(FusionReport.from_state(state), providers)


@pytest.mark.slow
async def test_a_run_cut_off_at_the_judge_goes_on_and_asks_nobody_again(
    providers: Providers, tmp_path: Path
) -> None:
    thread: Any = {"configurable": {"thread_id": "t"}}
    database = str(tmp_path / "runs.db")
    providers.held.clear()
    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        graph = create_fusion_graph(budget(providers), checkpointer=saver)
        run = asyncio.create_task(graph.ainvoke(QUESTION, thread))
        await asyncio.to_thread(providers.judged.wait)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    providers.held.set()

    async with AsyncSqliteSaver.from_conn_string(database) as saver:
        graph = create_fusion_graph(budget(providers), checkpointer=saver)
        state = await graph.ainvoke(None, thread)

    check(FusionReport.from_state(state), providers)
