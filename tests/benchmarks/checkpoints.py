"""What a run leaves in the database: bytes per run, for SQLite and PostgreSQL.

    python -m tests.benchmarks.checkpoints

Every run is the whole one: panelists, judge, writer, with `durability="sync"` as `ask --thread`
has it. Texts are random words, which a database can squeeze less than real ones. SQLite's figure
is the file after its log was taken in; PostgreSQL's what the rows take with their indexes
(`pg_total_relation_size`), after a full vacuum. What an empty one takes is subtracted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import VERDICT
from tests.postgres import Postgres, start_postgres, why_not
from tests.scripted_models import start_server
from tests.scripted_models.client import Scope

ANSWER_CHARACTERS = 3_000
"""Length of a panelist's answer."""

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


@dataclass(frozen=True)
class Case:
    """A conversation of so many characters, a panel of so many, and so many turns of them."""

    characters: int
    panelists: int
    turns: int = 1


CASES = (
    Case(200, 3),
    Case(200, 3, turns=10),
    Case(2_000, 8),
    Case(100_000, 3),
    Case(100_000, 8),
    Case(100_000, 8, turns=3),
)

BYTES_PER_RUN = {Case(200, 3): 300_000, Case(100_000, 8): 2_500_000}
"""What the tests let a run take, in any database; `checkpoints.md` has the figures."""


def words(characters: int, seed: int) -> str:
    """Text of a length, of random words."""
    draw = random.Random(seed)
    letters = "etaoinshrdlucmfwyp"
    said = ""
    while len(said) < characters:
        said += "".join(draw.choices(letters, k=draw.randint(2, 9))) + " "
    return said[:characters]


async def converse(scope: Scope, saver: Any, case: Case) -> None:
    """Run a case in a thread."""
    from fusion_graph import create_fusion_graph

    panel = [f"m{number}" for number in range(case.panelists)]
    for number, name in enumerate(panel):
        scope.script(name, {"text": words(ANSWER_CHARACTERS, number)})
    scope.script("j", json.dumps(VERDICT))
    scope.script("w", {"text": words(ANSWER_CHARACTERS, 99)})
    config = {
        "panel": [f"s:{name}" for name in panel],
        "judge": "s:j",
        "synthesizer": "s:w",
        "search": "none",
        "providers": {"s": {"base_url": scope.base_url}},
    }
    graph = create_fusion_graph(config, checkpointer=saver)
    for turn in range(case.turns):
        await graph.ainvoke(
            {"messages": [("user", words(case.characters, 1_000 + turn))]},
            {"configurable": {"thread_id": "t"}},
            durability="sync",
        )


async def in_sqlite(scope: Scope, case: Case | None) -> int:
    """Bytes that a case leaves in an SQLite file; of the empty file for None."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "threads.sqlite"
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            await saver.setup()
            if case is not None:
                await converse(scope, saver, case)
        connection = sqlite3.connect(file)
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.stat().st_size


async def in_postgres(scope: Scope, case: Case | None, server: Postgres) -> int:
    """Bytes that a case leaves in a PostgreSQL database; of the empty tables for None."""
    import psycopg
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

    database = server.database()
    async with AsyncPostgresSaver.from_conn_string(database) as saver:
        await saver.setup()
        if case is not None:
            await converse(scope, saver, case)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM FULL")
        size = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) name"
        (row,) = connection.execute(size, [list(TABLES)]).fetchall()
    return int(row[0])


async def table(measure: Callable[[Case | None], Awaitable[int]]) -> dict[Case, float]:
    """Bytes per run of every case."""
    empty = await measure(None)
    return {case: (await measure(case) - empty) / case.turns for case in CASES}


async def measured() -> dict[str, dict[Case, float]]:
    """Bytes per run by database and case."""
    with start_server() as models:
        scope = models.scope()
        found = {"SQLite": await table(lambda case: in_sqlite(scope, case))}
        if (reason := why_not()) is not None:
            print(f"Without PostgreSQL: {reason}.\n")
            return found
        with start_postgres() as server:
            found["PostgreSQL"] = await table(lambda case: in_postgres(scope, case, server))
        return found


def main() -> None:
    """Measure every case and print the table."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = asyncio.run(measured())
    print(f"Answers of {ANSWER_CHARACTERS:,} characters; kB per run.\n")
    print(f"| question, characters | panelists | turns | {' | '.join(found)} |")
    print("|---|---|---|" + "---|" * len(found))
    for case in CASES:
        sizes = " | ".join(f"{sizes[case] / 1e3:,.0f}" for sizes in found.values())
        print(f"| {case.characters:,} | {case.panelists} | {case.turns} | {sizes} |")


if __name__ == "__main__":
    main()
