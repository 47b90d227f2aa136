"""Contradictions between the pages of a folder: found by the whole panel, and not cried."""

from __future__ import annotations

from pathlib import Path

import pytest

from fusion_graph.offline._opposing import opposed
from tests.benchmarks.keyless import SEED, planted, right
from tests.offline.panel import folder_of, whole_run


@pytest.mark.parametrize("folder", planted(SEED, 60)[::5], ids=lambda f: f"{f.kind}-{f.language}")
def test_a_folder_is_told_to_contradict_itself_only_where_it_does(folder) -> None:
    assert right(folder)


CONTRADICT = [
    ("How many cows graze at Elmhof?", "Elmhof has 61 cows.", "Elmhof has 63 cows."),
    (
        "How tall is the mast?",
        "The mast of Arden is 40 metres tall.",
        "The Arden mast is 47 m tall.",
    ),
    ("", "The Pell mill was founded in 1820.", "The Pell mill was founded in 1831."),
    ("When does Dunlin open?", "Dunlin market opens in April.", "Dunlin market opens in June."),
    ("Who painted the Lark?", "Anna Weil painted the Lark.", "Otto Brun painted the Lark."),
    ("", "The use of drones in Ulm park is legal.", "The use of drones in Ulm park is illegal."),
    ("", "Fishing in lake Tarn is permitted.", "Fishing in lake Tarn is banned."),
    ("", "Petrol in Norwick became cheaper.", "Petrol in Norwick became more expensive."),
    ("", "Der Lift in Gries ist offen.", "Der Lift in Gries ist geschlossen."),
    ("", "El museo de Ronda está abierto.", "El museo de Ronda no está abierto."),
    ("", "湖边允许钓鱼和露营。", "湖边禁止钓鱼和露营。"),
]


@pytest.mark.parametrize(("question", "one", "other"), CONTRADICT)
def test_what_cannot_both_be_right_contradicts(question: str, one: str, other: str) -> None:
    assert opposed(one, other, question)
    assert opposed(other, one, question)


AGREE = [
    ("How many cows are there?", "Elmhof has 61 cows.", "Birkhof has 63 cows."),
    ("How many cows are there?", "Elmhof has 61 cows.", "Elmhof has 20 cows of the Jersey breed."),
    ("How long is the pass?", "The Sill pass is 3 km long.", "The Sill pass is 3,000 m long."),
    ("", "Roughly 48,000 people live in Pell.", "48,213 people live in Pell."),
    ("", "Pell sold 31 200 tickets.", "Pell sold 31,200 tickets."),
    ("", "In 1970 Pell had 900 houses.", "In 2010 Pell had 1,400 houses."),
    ("", "Horses are allowed on the Pell bridge.", "Horses are not allowed on the Pell pier."),
    ("", "Dogs are allowed in Ulm park.", "Dogs are not allowed in Ulm park in summer."),
    ("", "The gate is not closed.", "The gate is open."),
    ("", "Pell uses less coal now.", "Pell uses fewer tons of coal now, and more gas."),
    (
        "When was it repaired?",
        "The Pell bridge was built in 1900.",
        "The Pell pier closed in 1950.",
    ),
]


@pytest.mark.parametrize(("question", "one", "other"), AGREE)
def test_what_can_both_be_right_does_not_contradict(question: str, one: str, other: str) -> None:
    assert not opposed(one, other, question)
    assert not opposed(other, one, question)


def test_the_second_side_is_not_dropped_as_a_duplicate(tmp_path: Path) -> None:
    pages = {
        "a.md": "# Ferry\n\nThe Kestrel ferry leaves from the quay of Brandow.\n",
        "b.md": "# Notes\n\nThe Kestrel ferry leaves from the quay of Lindow.\n",
    }
    outcome = whole_run("Where does the Kestrel ferry leave from?", folder_of(tmp_path, pages))
    [clash] = outcome.verdict["contradictions"]
    assert {s["sources"][0] for s in clash["stances"]} == {1, 2}
    assert "Sources differ" in outcome.answer
    assert "[1" in outcome.answer
    assert "[2" in outcome.answer
