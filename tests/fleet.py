"""A fleet: workers that serve the graph over one PostgreSQL and one Redis, each in its process.

The workers are langhost's, LangGraph's own server on a free runtime. It pins packages that the
product does not, so it stands in an environment of its own in the user's cache, which
`python -m tests.benchmarks.fleet` makes. Tests have a fleet where that is there and WITH_FLEET is
set, and are skipped elsewhere.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from tests import postgres
from tests.clients.provision import provide_python, python_there
from tests.hosts import PORT, ROOT, langgraph_settings, started
from tests.redis_server import start_redis, why_no_redis

LANGHOST = ("langhost==0.11.1.post1", "langgraph-runtime-pg==0.11.1.post1", "redis>=5,<9")

SETTINGS = {
    # A worker says twice in this time that it is alive, is given up after twice this time, and is
    # looked for as often: a dead one's runs are taken up within four times of it (its default, of
    # langgraph-api, is 120 s). One that is only busy must not be taken for dead: two would work,
    # and be paid, for one run.
    "LG_BG_JOB_HEARTBEAT": "5",
    # Of one run. Not the run's fault: it is workers that die here.
    "BG_JOB_MAX_RETRIES": "20",
    # A worker takes so many connections, and twenty more for checkpoints and store; PostgreSQL has
    # a hundred for all of them.
    "PG_POOL_SIZE": "8",
    "PG_MAX_OVERFLOW": "2",
    # Each run at work and each client that waits for one takes some; of 64, langhost's default, 100
    # runs found none left, and failed.
    "REDIS_MAX_CONNECTIONS": "1000",
    "LANGSMITH_TRACING": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "NO_COLOR": "1",
}
"""What the workers are told: docs/how-to/fleet.md says the same."""

RUNS_AT_ONCE = 100
"""Of one worker. A run waits for models, and a worker without a free place looks for no dead."""

_FOLDER = user_cache_path("fusion-graph") / "fleet"


def _packages() -> list[str]:
    product = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [*LANGHOST, *product["dependencies"]]


def provide_langhost() -> Path:
    """Make the environment that workers run in, once; gives its Python.

    Raises:
        tests.clients.provision.Unavailable: It cannot be had here.
    """
    return provide_python("langhost", _packages(), _FOLDER)


def why_no_fleet() -> str | None:
    """Why no fleet can be started here, or None."""
    if not os.environ.get("WITH_FLEET"):
        return "seven processes for two minutes: WITH_FLEET=1 asks for them"
    if python_there("langhost", _packages(), _FOLDER) is None:
        return "langhost is not there: `python -m tests.benchmarks.fleet --install`"
    return postgres.why_not() or why_no_redis()


class Worker:
    """A worker's place, and the process that has it now.

    Attributes:
        folder: Where it runs and writes its log.
        url: Its address.
        process: Its process.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = dict(environment)
        self._held = ExitStack()
        self._logs = 0

    def start(self) -> None:
        """Start a process in the place, and wait until it serves."""
        self._held.close()
        self._logs += 1
        folder = self.folder / str(self._logs)
        folder.mkdir(parents=True)
        settings = langgraph_settings(without_routes=True)
        (folder / "langgraph.json").write_text(settings)
        python = python_there("langhost", _packages(), _FOLDER)
        command = [str(python), "-m", "langhost", "serve", "--n-jobs-per-worker", str(RUNS_AT_ONCE)]
        host = started([*command, "--port", PORT], folder, "/ok", SETTINGS | self._environment)
        self.url, self.process = self._held.enter_context(host)
        self._log = folder / "log"

    def kill(self) -> None:
        """End its process as a machine ends that loses its power."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Stop its process."""
        self._held.close()

    def begun(self) -> dict[str, int]:
        """The runs that its process has begun to work on: each run's number of attempts so far."""
        text = _COLOURS.sub("", self._log.read_text("utf-8", "replace"))
        found = dict[str, int]()
        for line in text.splitlines():
            if "Starting background run" in line:
                run, attempt = _RUN.search(line), _ATTEMPT.search(line)
                if run and attempt:
                    found[run[1]] = int(attempt[1])
        return found


_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_RUN = re.compile(r"\brun_id=([0-9a-f-]{36})")
_ATTEMPT = re.compile(r"\brun_attempt=(\d+)")


class Fleet:
    """Workers over one database.

    Attributes:
        workers: Its workers.
        database: The database's connection string.
        redis: The address of its Redis.
        redis_process: The Redis server's process.
    """

    def __init__(
        self,
        workers: list[Worker],
        database: str,
        redis: str,
        redis_process: subprocess.Popen[bytes],
    ) -> None:
        self.workers, self.database = workers, database
        self.redis, self.redis_process = redis, redis_process

    def holder(self, run: str, attempt: int) -> Worker | None:
        """The worker that has begun an attempt at a run, if one has."""
        for worker in self.workers:
            if worker.begun().get(run) == attempt:
                return worker
        return None


@contextmanager
def start_fleet(size: int = 3, environment: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """Start PostgreSQL, Redis and workers; all of it ends with the block.

    Args:
        size: How many workers.
        environment: Further variables of theirs; `{redis}` in a value is the fleet's Redis.

    Raises:
        RuntimeError: Something does not come up.
    """
    with ExitStack() as held:
        database = held.enter_context(postgres.start_postgres()).database()
        redis, process = held.enter_context(start_redis())
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="fleet-")))
        # langhost takes no address without a name in it, not even for a socket.
        named = database.replace(":///", "://fusion@/")
        whole = {"DATABASE_URI": named, "REDIS_URI": redis}
        whole |= {name: v.format(redis=redis) for name, v in (environment or {}).items()}
        workers = [Worker(folder / f"worker{n}", whole) for n in range(size)]
        # One first: of two that come to an empty database, one dies of the other's migrations.
        for worker in workers:
            held.callback(worker.stop)
            worker.start()
        yield Fleet(workers, database, redis, process)
