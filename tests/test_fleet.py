"""Runs on several workers over one PostgreSQL and Redis; tests/benchmarks/fleet.py is the whole."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from filelock import FileLock
from langchain_core.messages import HumanMessage
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from fusion_graph import follow
from tests.conftest import VERDICT
from tests.fleet import Fleet, Worker, start_fleet, why_no_fleet
from tests.fleet_runs import (
    ANSWER,
    QUESTION,
    Asked,
    ask,
    configuration,
    crowd,
    record_of,
    report_of,
    strike,
)
from tests.scripted_models.client import Scope

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_no_fleet() is not None, reason=str(why_no_fleet())),
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """One fleet at a time, however many processes run tests: each is seven processes.

    A worker that a busy machine keeps from speaking must not be taken for dead: so it is given
    twice the time that the documentation gives it.
    """
    lock = Path(gettempdir()) / f"fusion-graph-fleet-{os.getuid()}.lock"
    with FileLock(lock), start_fleet(environment={"LG_BG_JOB_HEARTBEAT": "10"}) as fleet:
        yield fleet


def script(scope: Scope, hanging: str = "") -> dict[str, Any]:
    """Models of which one does not answer the first time it is asked."""
    replies = {name: f"The answer of {name}." for name in "abc"}
    replies |= {"j": json.dumps(VERDICT), "w": ANSWER}
    for name, text in replies.items():
        first = [{"hang": True}] if name == hanging else []
        scope.script(name, *first, text)
    return configuration(scope, search="none")


async def holder(fleet: Fleet, asked: Asked) -> Worker:
    """The worker that is at a run."""
    while (worker := fleet.holder(asked.run, 1)) is None:
        await asyncio.sleep(0.05)  # between two looks into the logs
    return worker


async def kept(fleet: Fleet, asked: Asked, panelists: int) -> None:
    """Wait until the database holds so many panelists' answers of a run."""
    import psycopg

    query = "SELECT count(*) FROM checkpoint_writes WHERE channel = 'answers' AND thread_id = %s"
    async with await psycopg.AsyncConnection.connect(fleet.database, autocommit=True) as database:
        while True:
            cursor = await database.execute(query, [asked.thread])
            row = await cursor.fetchone()
            if row is not None and row[0] >= panelists:
                return
            await asyncio.sleep(0.05)  # between two looks


@pytest.mark.parametrize(("hanging", "panelists"), [("j", 3), ("c", 2)])
async def test_a_killed_workers_run_is_finished_by_another_and_nobody_is_paid_twice(
    fleet, model_server, hanging, panelists
):
    scope = model_server.scope()
    whole = await ask(fleet.workers[0], scope, script(scope), QUESTION)
    expected = record_of(await report_of(fleet.workers[1], whole))
    scope = model_server.scope()
    asked = await ask(fleet.workers[0], scope, script(scope, hanging), QUESTION)
    await asyncio.to_thread(scope.calls, hanging, arrived=1)
    await kept(fleet, asked, panelists)

    victim = await holder(fleet, asked)
    (struck,) = await strike(fleet, [asked], victim, expected)

    assert struck.same
    assert [reply.again for reply in struck.replies] == [False] * panelists
    answered = [call.model for call in scope.calls() if not call.disconnected]
    assert Counter(answered) == Counter("abcjw")


def balanced(fleet: Fleet, number: int) -> str:
    """The address of the worker that what balances loads would choose."""
    return fleet.workers[number % len(fleet.workers)].url


async def test_a_remote_graph_is_followed_at_any_worker(fleet, model_server):
    context = script(model_server.scope())
    for number in range(len(fleet.workers)):
        remote = RemoteGraph("fusion", url=balanced(fleet, number))
        events = [
            event async for event in follow(remote, [HumanMessage(QUESTION)], context=context)
        ]

        assert [events[0]["type"], events[-2]["type"]] == ["fusion.started", "fusion.completed"]
        told = "".join(event["text"] for event in events if event["type"] == "answer.delta")
        assert told == events[-1]["message"].text == ANSWER


async def test_a_deep_agent_asks_at_one_worker_for_what_it_began_at_another(fleet, model_server):
    deepagents = pytest.importorskip("deepagents", reason="deepagents is not installed")
    from langchain_openai import ChatOpenAI

    scope = model_server.scope()
    async with get_client(url=balanced(fleet, 0), api_key=None) as client:
        assistant = await client.assistants.create("fusion", context=script(scope))
    model = ChatOpenAI(model="outer", base_url=scope.base_url, api_key="none", max_retries=0)

    def agent(number: int, step: dict[str, Any], said: str) -> Any:
        scope.script("outer", step, said)
        panel = deepagents.AsyncSubAgent(
            name="panel",
            description="Several models research a question and compare what they found.",
            graph_id=assistant["assistant_id"],
            url=balanced(fleet, number),
        )
        return deepagents.create_deep_agent(model=model, subagents=[panel])

    order = {"description": QUESTION, "subagent_type": "panel"}
    start = {"tool_calls": [{"name": "start_async_task", "args": order}]}
    begun = await agent(0, start, "Asked.").ainvoke({"messages": [HumanMessage(QUESTION)]})
    (task,) = begun["async_tasks"].values()
    async with get_client(url=balanced(fleet, 2), api_key=None) as client:
        await client.runs.join(task["thread_id"], task["run_id"])
    look = {"tool_calls": [{"name": "check_async_task", "args": {"task_id": task["task_id"]}}]}
    messages = [*begun["messages"], HumanMessage("And?")]
    result = await agent(1, look, "Wet, they say.").ainvoke({**begun, "messages": messages})

    *_, found, answer = result["messages"]
    assert json.loads(found.text)["result"] == ANSWER
    assert answer.text == "Wet, they say."


async def test_every_run_of_a_crowd_has_its_own_answer(fleet, model_server):
    scope = model_server.scope()

    assert await crowd(fleet, scope, 12) == []
    assert len(scope.calls()) == 12 * 5
