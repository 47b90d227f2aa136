"""Runs kept in PostgreSQL: a real server, whole runs, turns, killed processes, sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from tests.benchmarks.checkpoints import BYTES_PER_RUN, in_postgres
from tests.children import end
from tests.depth import in_depth
from tests.postgres import Postgres, start_postgres, why_not

pytest.importorskip("langgraph.checkpoint.postgres")
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

ROOT = Path(__file__).parents[1]
THREAD: Any = {"configurable": {"thread_id": "t"}}
TURNS = ("First question?", "Second question?")
ANSWER = "The final answer of the writer."
WRITTEN = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_notify('written', NEW.channel); RETURN NEW; END $$;
CREATE TRIGGER tell AFTER INSERT ON checkpoint_writes FOR EACH ROW EXECUTE FUNCTION tell();
"""
"""Tells whoever listens on `written` of each result of a node that was put on disk."""


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One server for all tests; each has a database of its own."""
    with start_postgres() as server:
        yield server


@pytest.fixture
def database(server: Postgres) -> str:
    """Connection string of an empty database."""
    return server.database()


def ask(question: str) -> Any:
    return {"messages": [("user", question)]}


def fresh(code: str, *args: str) -> subprocess.Popen[str]:
    """A process that has seen nothing of this one, and in which every warning is an error."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *args],
        cwd=ROOT,
        env={**os.environ, "LANGGRAPH_STRICT_MSGPACK": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def said(process: subprocess.Popen[str]) -> Any:
    """What a process prints as JSON; it has to say nothing else."""
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return json.loads(out)


READER = """
import json, logging, sys
from langgraph.checkpoint.postgres import PostgresSaver
from fusion_graph import FusionReport, create_fusion_graph

logging.basicConfig(level=logging.WARNING)
database, config = sys.argv[1], json.loads(sys.argv[2])
with PostgresSaver.from_conn_string(database) as saver:
    graph = create_fusion_graph(config, checkpointer=saver)
    thread = {"configurable": {"thread_id": "t"}}
    read = graph.get_state(thread).values
    FusionReport.from_state(read)
    third = graph.invoke({"messages": [("user", "Third question?")]}, thread)
    print(json.dumps({
        "report": read["fusion"],
        "messages": [m.content for m in read["messages"]],
        "history": len(list(graph.get_state_history(thread))),
        "third": [m.content for m in third["messages"]],
    }))
"""


@pytest.mark.slow
async def test_turns_of_a_thread_are_kept_and_another_process_goes_on_with_them(
    models, panel_config, database
):
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    config = panel_config()
    async with AsyncPostgresSaver.from_conn_string(database) as saver:
        await saver.setup()
        graph = create_fusion_graph(config, checkpointer=saver)
        results = [await graph.ainvoke(ask(question), THREAD) for question in TURNS]

    assert [len(result["messages"]) for result in results] == [2, 4]
    for question, result in zip(TURNS, results, strict=True):
        report = FusionReport.from_state(result)
        assert (report.question, report.thread_id) == (question, "t")
        assert report.usage.total.calls == 5

    read = said(fresh(READER, database, json.dumps(config)))
    conversation = [TURNS[0], ANSWER, TURNS[1], ANSWER]
    assert read["report"] == results[-1]["fusion"]
    assert read["messages"] == conversation
    assert read["third"] == [*conversation, "Third question?", ANSWER]
    assert read["history"] > 20
    (*_, last) = models.calls("a")
    assert [m["content"] for m in last.body["messages"][1:]] == [*conversation, "Third question?"]


KILLED = """
import asyncio, json, sys
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from fusion_graph import create_fusion_graph

async def main(database, config, question):
    async with AsyncPostgresSaver.from_conn_string(database) as saver:
        graph = create_fusion_graph(json.loads(config), checkpointer=saver)
        thread = {"configurable": {"thread_id": "t"}}
        given = {"messages": [("user", question)]} if question else None
        record = (await graph.ainvoke(given, thread, durability="sync"))["fusion"]
        print(json.dumps(record))

asyncio.run(main(*sys.argv[1:]))
"""


def joined(record: dict[str, Any]) -> Any:
    """What a run came to, without its times."""
    answers = [(a["name"], a["label"], a["status"], a["content"]) for a in record["answers"]]
    return answers, record["sources"], record["analysis"], record["answer"]


@pytest.mark.slow
def test_a_run_killed_with_a_panelist_at_work_goes_on_in_another_process(
    models, panel_config, database
):
    import psycopg
    from langgraph.checkpoint.postgres import PostgresSaver

    config = panel_config()
    models.script("c", {"hang": True}, "The answer of c.")
    with PostgresSaver.from_conn_string(database) as saver:
        saver.setup()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(WRITTEN)
        connection.execute("LISTEN written")
        process = fresh(KILLED, database, json.dumps(config), "How wet is water?")
        with closing(connection.notifies(timeout=120)) as notes:
            written = (note for note in notes if note.payload == "answers")
            for _ in range(3):  # fan_out empties the last turn's answers; then come a and b
                next(written)
        models.calls(arrived=3)
        process.kill()
        end(process)
    before = len(models.calls(ended=3))

    record = said(fresh(KILLED, database, json.dumps(config), ""))

    assert [call.model for call in models.calls()[before:]] == ["c", "j", "w"]
    assert record["usage"]["total"]["calls"] == 5
    whole = create_fusion_graph(config).invoke(ask("How wet is water?"))["fusion"]
    assert joined(record) == joined(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "most"),
    [
        (case, most) if case.panelists < 8 else in_depth(case, most)
        for case, most in BYTES_PER_RUN.items()
    ],
    ids=str,
)
async def test_a_run_leaves_little_in_the_database(models, server, case, most):
    empty = await in_postgres(models, None, server)
    assert await in_postgres(models, case, server) - empty < most
