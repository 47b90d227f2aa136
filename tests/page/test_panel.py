"""Who is who on a page, and who said what."""

from __future__ import annotations

from itertools import pairwise

from fusion_graph import FusionReport
from fusion_graph.judgement.analysis import Stance
from fusion_graph.report.html.panel import Panel, hue


def stance(model: str, said: str, *sources: int) -> Stance:
    return Stance(model=model, stance=said, sources=list(sources))


def test_of_how_many_counts_those_who_answered(models, ran):
    models.script("b", {"status": 402})

    panel = Panel.of(ran())

    assert [(m.name, m.position, m.answered) for m in panel.members] == [
        ("a", 1, True),
        ("b", 2, False),
        ("c", 3, True),
    ]
    assert panel.answered == 2


def test_members_are_called_in_panel_order_and_once(record):
    panel = Panel.of(FusionReport.model_validate(record))

    called = panel.called(["central", "keyword", "central", "", "nobody"])

    assert [member.name for member in called] == ["keyword", "central", "nobody"]
    assert called[-1].hue is None


def test_stances_in_the_same_words_are_one_side(record):
    panel = Panel.of(FusionReport.model_validate(record))

    sides = panel.sides(
        [
            stance("central", "Four times.", 2),
            stance("figures", "Half.", 1),
            stance("keyword", "four  times.", 2, 3),
            stance("", "Nothing."),
        ]
    )

    assert [(side.stance, [m.name for m in side.members], side.sources) for side in sides] == [
        ("Four times.", ["keyword", "central"], [2, 3]),
        ("Half.", ["figures"], [1]),
        ("Nothing.", [], []),
    ]


def test_sixteen_panelists_have_sixteen_colours_and_none_is_the_red_of_failure():
    hues = [hue(position) for position in range(1, 17)]

    circle = sorted(hues)
    assert min(b - a for a, b in pairwise(circle)) > 5
    assert all(50 < h < 350 for h in hues)
    neighbours = pairwise(hues)
    assert min(min(abs(a - b), 360 - abs(a - b)) for a, b in neighbours) > 60
