"""A fusion inside a fusion is refused: its cost multiplies, and nobody meant it.

How it is noticed, in a caller's own code that a panelist, a judge or a writer runs:
- nested graphs, tools, asyncio tasks, `asyncio.to_thread`, LangChain's `run_in_executor`: a
  context variable goes with them. So it does with `loop.run_in_executor` where the fusion was
  started synchronously (`invoke`, `stream`), for that loop is this package's own.
- other processes: the command line leaves `FUSION_GRAPH_DEPTH` to the processes it starts. A
  program that runs fusions as a library is not dedicated to them, so it has to do that itself:
  `subprocess.run(…, env={**os.environ, "FUSION_GRAPH_DEPTH": "1"})`.
- other machines: every model call carries `x-fusion-depth` (`models.py`), and `fusion-graph
  serve` refuses requests that do.

Not noticed: a `RemoteGraph` of a LangGraph server's that a caller's tool asks, for LangGraph sends
no header of ours along; and a thread that the caller's code starts by itself (`threading.Thread`,
an executor of its own, `loop.run_in_executor` on its own loop). Such a thread begins without
context variables, and nothing tells it from one that has to do with no fusion. Refusing that one
would be worse than missing this one, whose cost the outer run's `max_tool_calls` bounds. Python
3.14 with `-X thread_inherit_context=1` closes the gap; `contextvars.copy_context().run` does
everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from fusion_graph.errors import FusionRecursion

DEPTH_VARIABLE = "FUSION_GRAPH_DEPTH"
"""Environment variable that says how many fusions a process is inside of; unset means none."""

# Read once: what this process sets later is for its children alone.
_process_is_inside = os.environ.get(DEPTH_VARIABLE, "").strip() not in ("", "0")


@dataclass
class _Stage:
    """A stage of a fusion at work.

    Code begun within it keeps the mark for as long as it lives: a queue's consumer, a pool of
    connections. Once the stage is over that code is inside of nothing.
    """

    at_work: bool = True


_inside: ContextVar[_Stage | None] = ContextVar("fusion_graph_inside", default=None)


@contextmanager
def inside_fusion() -> Iterator[None]:
    """Marks what runs within as part of a fusion: panelists, their tools, nested graphs."""
    stage = _Stage()
    token = _inside.set(stage)
    try:
        yield
    finally:
        stage.at_work = False
        with suppress(ValueError):  # a coroutine that was thrown away ends in another context
            _inside.reset(token)


def mark_children() -> None:
    """Have the processes that this one starts know that they are inside a fusion.

    For a process that does nothing but fusions.
    """
    os.environ[DEPTH_VARIABLE] = "1"


def refuse_recursion() -> None:
    """Refuse to start here if this is already inside a fusion.

    Raises:
        FusionRecursion: It is.
    """
    stage = _inside.get()
    if stage is not None and stage.at_work:
        raise FusionRecursion(
            "A fusion was started inside a fusion (fusion_recursion). Do not give a panelist a "
            "tool that runs one."
        )
    if _process_is_inside:
        raise FusionRecursion(
            "A fusion was started by a process that runs one (fusion_recursion): "
            f"{DEPTH_VARIABLE} is set. Do not give a panelist a tool, or a model, that runs one."
        )
