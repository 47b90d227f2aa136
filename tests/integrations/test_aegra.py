"""The graph on Aegra, which sends `{}` for no input: killed in mid-run, and finished.

Aegra and its own dependencies are in no extra of ours. In an environment of its own, with this
package's dependencies: `pip install . aegra-cli 'sqlalchemy[asyncio]'`; then run these tests with
its `bin` folder on PATH.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any
from uuid import uuid4

import pytest
from langgraph.pregel.remote import RemoteGraph
from langgraph_sdk import get_client

from fusion_graph import follow
from tests import postgres
from tests.conftest import VERDICT
from tests.hosts import PORT, ROOT, started

AEGRA = which("aegra")
QUESTION: Any = {"messages": [{"role": "user", "content": "How wet is water?"}]}
ANSWER = "The final answer of the writer."

OWN_GRAPH = """
from langgraph.graph import START, MessagesState, StateGraph
from fusion_graph import create_fusion_graph, resumable

builder = StateGraph(MessagesState)
builder.add_node("before", lambda state: {{}})
builder.add_node("fusion", create_fusion_graph({config!r}))
builder.add_edge(START, "before")
builder.add_edge("before", "fusion")
graph = resumable(builder.compile())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(AEGRA is None, reason="there is no `aegra` on PATH"),
    pytest.mark.skipif(bool(postgres.why_not()), reason=postgres.why_not() or ""),
]


@pytest.fixture(scope="module")
def database_server() -> Iterator[postgres.Postgres]:
    with postgres.start_postgres() as server:
        yield server


@contextmanager
def aegra(folder: Path, database: str, config: Any) -> Iterator[tuple[str, Any]]:
    """Aegra with the graph, and a graph of one's own around it; gives its address and process."""
    (folder / "own.py").write_text(OWN_GRAPH.format(config=config))
    fusion = f"{ROOT}/fusion_graph/faces/studio.py:graph"
    graphs = {"fusion": fusion, "own": f"{folder}/own.py:graph"}
    (folder / "aegra.json").write_text(json.dumps({"graphs": graphs}))
    # Not `aegra serve`, which would leave its server behind when it is killed.
    python = Path(str(AEGRA)).parent / "python"
    command = [str(python), "-m", "uvicorn", "aegra_api.main:app", "--port", PORT]
    environment = {"DATABASE_URL": database, "AEGRA_CONFIG": str(folder / "aegra.json")}
    with started(command, folder, "/health", environment) as server:
        yield server


def panelists_kept(database: str) -> int:
    import psycopg

    query = "SELECT count(*) FROM checkpoint_writes WHERE channel = 'answers'"
    with psycopg.connect(database) as connection:
        row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("graph", ["fusion", "own"])
@pytest.mark.parametrize(("hanging", "paid"), [("c", "cjw"), ("j", "jw")])
async def test_killed_in_mid_run_it_finishes_with_an_empty_input_and_nobody_is_paid_twice(
    models, panel_config, database_server, tmp_path, graph, hanging, paid
):
    database, config = database_server.database(), panel_config()
    context = config if graph == "fusion" else None
    good = json.dumps(VERDICT) if hanging == "j" else f"The answer of {hanging}."
    models.script(hanging, {"hang": True}, good)
    with aegra(tmp_path, database, config) as (url, process):
        async with get_client(url=url, api_key=None) as client:
            thread = (await client.threads.create())["thread_id"]
            await client.runs.create(thread, graph, input=QUESTION, context=context)
        models.calls(hanging, arrived=1)
        for _ in range(600):
            if panelists_kept(database) >= (2 if hanging == "c" else 3):
                break
            time.sleep(0.1)  # between two looks at the database
        process.kill()
        process.wait()
    before = len(models.calls())

    with aegra(tmp_path, database, config) as (url, _):
        async with get_client(url=url, api_key=None) as client:
            result: Any = await client.runs.wait(thread, graph, input={}, context=context)
            again: Any = await client.runs.wait(thread, graph, input={}, context=context)

    assert Counter(call.model for call in models.calls()[before:]) == Counter(paid)
    for values in (result, again):
        assert [message["type"] for message in values["messages"]] == ["human", "ai"]
        assert values["messages"][-1]["content"] == ANSWER


@pytest.fixture
async def address(database_server: Any, tmp_path: Path, panel_config: Any) -> AsyncIterator[str]:
    with aegra(tmp_path, database_server.database(), panel_config()) as (url, _):
        yield url


async def test_a_run_on_aegra_is_followed_as_one_at_home(address, panel_config):
    thread = {"configurable": {"thread_id": str(uuid4())}}
    remote = RemoteGraph("fusion", url=address)
    asked = follow(remote, QUESTION["messages"], config=thread, context=panel_config())

    events = [event async for event in asked]

    assert [events[0]["type"], events[-2]["type"]] == ["fusion.started", "fusion.completed"]
    told = "".join(event["text"] for event in events if event["type"] == "answer.delta")
    assert told == events[-1]["message"].text == ANSWER
