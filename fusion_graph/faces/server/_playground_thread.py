"""The thread that a question of the page goes on with, from what the server remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_graph.errors import ApiError
from fusion_graph.faces.server._seen_runs import SeenRuns
from fusion_graph.faces.server._turns import Turn, turn_of
from fusion_graph.faces.server.run import Run


def earlier_turns(runs: SeenRuns, body: Mapping[str, Any]) -> list[Turn]:
    """What was asked and answered before a question; nothing if it begins a thread.

    Args:
        runs: Those that the server remembers.
        body: The request's. Its `follows` is the id of the run whose answer the question follows,
            its `instead_of` of one that it is asked in the place of.

    Raises:
        ApiError: 400, 404 or 409: there is no such run, or nothing can follow it.
    """
    given = [field for field in ("follows", "instead_of") if body.get(field) is not None]
    if not given:
        return []
    if len(given) > 1:
        said = "A question follows a run or is asked instead of one: send only one of the two."
        raise ApiError(400, said, "invalid_value", param="instead_of")
    (field,) = given
    run = _run(runs, body[field], field)
    if field == "instead_of":
        return run.turns
    return [*run.turns, _answered(run)]


def _run(runs: SeenRuns, id: object, field: str) -> Run:
    if not isinstance(id, str):
        raise ApiError(400, f"`{field}` is the id of a run.", "invalid_value", param=field)
    run = runs.get(id)
    if run is None:
        said = (
            "The server no longer remembers the question that this one follows: ask it as a new "
            "question, with what it needs to know."
        )
        raise ApiError(404, said, "run_not_found", param=field)
    if run.origin != "page":
        said = "A program asked this, with a conversation of its own: go on there."
        raise ApiError(409, said, "not_of_the_page", param=field)
    return run


def _answered(run: Run) -> Turn:
    if run.running:
        said = "The question before is still at work: ask when its answer is there."
        raise ApiError(409, said, "running", param="follows")
    if run.report is None or not run.report["answer"].strip():
        said = "The question before has no answer that one could follow: ask it again first."
        raise ApiError(409, said, "no_answer", param="follows")
    return turn_of(run.id, run.question, run.files, run.report)
