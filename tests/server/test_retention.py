"""Which finished runs are forgotten: by number, by age, and by what they hold in all."""

from __future__ import annotations

from fusion_graph.faces.server._retention import KEEP_CHARACTERS, KEEP_DAYS, forgettable
from fusion_graph.faces.server.run import Run

NOW = 1_000_000_000.0


def run(id: str, owner: str = "", age: float = 0.0) -> Run:
    return Run(id, "", "", NOW - age, status="ok", owner=owner)


def test_each_list_loses_its_own_oldest_and_nothing_at_work():
    runs = [run("1"), run("2", "alice"), run("3"), run("4"), Run("5", "", "", NOW)]
    sizes = dict.fromkeys("1234", 1)
    assert forgettable(runs, sizes, 2, NOW) == ["1"]
    runs[0].status = "running"
    assert forgettable(runs, sizes, 2, NOW) == []


def test_old_runs_are_forgotten_however_few_they_are():
    day = 86_400
    runs = [run("1", age=(KEEP_DAYS + 1) * day), run("2", age=(KEEP_DAYS - 1) * day)]
    assert forgettable(runs, dict.fromkeys("12", 1), 100, NOW) == ["1"]


def test_what_is_too_much_in_all_comes_off_the_list_that_holds_most():
    runs = [run("1", "alice"), *(run(id, "bob") for id in "2345")]
    sizes = {"1": KEEP_CHARACTERS // 4, **dict.fromkeys("2345", KEEP_CHARACTERS // 4)}
    assert forgettable(runs, sizes, 100, NOW) == ["2"]
    assert forgettable([run("9")], {"9": 2 * KEEP_CHARACTERS}, 100, NOW) == []
