"""join: answers get labels in a seeded order, and their sources one numbering. Pure."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.nodes.join import LABELS, join
from fusion_graph.report.build import members_lost

PROPERTY = settings(deadline=None, derandomize=True)


def source(id: int, url: str, cited_by: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "id": id,
        "url": url,
        "title": url,
        "retrieved_at": None,
        "fetched": False,
        "cited_by": cited_by or [],
        "quotes": [],
        **fields,
    }


def answer(index: int, content: str = "", *, failed: bool = False, **fields: Any) -> Any:
    failure = {"reason": "auth", "detail": "wrong key", "http_status": 401, "attempts": 1}
    return {
        "index": index,
        "name": f"member {index}",
        "model": "scripted:m",
        "label": None,
        "status": "failed" if failed else "ok",
        "content": content,
        "failure": failure if failed else None,
        "tool_calls": [],
        "sources": [],
        "calls": [],
        "degradations": [],
        "replaced": [],
        "start": 0.0,
        "end": 1.0,
        **fields,
    }


def panel(size: int) -> list[Any]:
    return [
        answer(n, f"Answer {n} [1].", sources=[source(1, f"https://{n}.example/")])
        for n in range(size)
    ]


def by_label(joined: Any) -> dict[str, str]:
    return {a["label"]: a["name"] for a in joined["answers"] if a["label"]}


@PROPERTY
@given(st.permutations(panel(5)), st.integers(0, 2**32 - 1))
def test_the_order_in_which_members_finish_changes_nothing(finished, seed):
    assert join(finished, seed) == join(panel(5), seed)


@PROPERTY
@given(st.integers(1, 16), st.integers(0, 2**32 - 1))
def test_join_leaves_what_it_is_given_alone(size, seed):
    answers = panel(size)
    before = copy.deepcopy(answers)

    join(answers, seed)

    assert answers == before


@pytest.mark.parametrize("size", [1, 2, 3, 16])
def test_every_answer_gets_one_of_the_first_labels_and_keeps_its_place(size):
    joined = join(panel(size), 3)

    assert sorted(by_label(joined)) == list(LABELS[:size])
    assert [a["index"] for a in joined["answers"]] == list(range(size))


def test_labels_follow_the_seed():
    orders = {tuple(sorted(by_label(join(panel(3), seed)).items())) for seed in range(50)}

    assert len(orders) == 6


def test_sources_are_numbered_in_reading_order():
    for seed in range(10):
        joined = join(panel(4), seed)

        urls = [s["url"] for s in joined["sources"]]
        read = sorted(joined["answers"], key=lambda a: a["label"])
        assert urls == [f"https://{a['index']}.example/" for a in read]
        assert [a["content"] for a in read] == [
            f"Answer {a['index']} [{n}]." for n, a in enumerate(read, start=1)
        ]


def test_a_page_two_members_found_is_one_source():
    answers = [
        answer(0, "Wet [2].", sources=[source(2, "https://Wet.example/page#top", ["member 0"])]),
        answer(
            1,
            "Wet [1].",
            sources=[source(1, "https://wet.example/page", ["member 1"], fetched=True)],
        ),
    ]

    joined = join(answers, 0)

    (only,) = joined["sources"]
    assert only["id"] == 1
    assert only["fetched"]
    assert sorted(only["cited_by"]) == ["member 0", "member 1"]
    assert [a["content"] for a in joined["answers"]] == ["Wet [1].", "Wet [1]."]


def test_tool_calls_point_at_the_joint_numbers():
    call = {"name": "lookup", "args": {}, "status": "ok", "start": 0, "seconds": 1}
    answers = [
        answer(
            n,
            sources=[source(5, f"https://{n}.example/")],
            tool_calls=[call | {"source_ids": [5, 6]}],
        )
        for n in range(2)
    ]

    joined = join(answers, 0)

    urls = {s["id"]: s["url"] for s in joined["sources"]}
    for a in joined["answers"]:
        (id,) = a["tool_calls"][0]["source_ids"]
        assert urls[id] == f"https://{a['index']}.example/"


def test_a_citation_of_nothing_stays_and_is_told():
    joined = join([answer(0, "Wet [1], dry [4].", sources=[source(1, "https://w.example")])], 0)

    assert joined["answers"][0]["content"] == "Wet [1], dry [4]."
    (loss,) = joined["degradations"]
    assert (loss["code"], "member 0" in loss["detail"], "4" in loss["detail"]) == (
        "unknown_citation",
        True,
        True,
    )


def test_a_failed_member_keeps_its_place_and_its_pages_without_a_label():
    answers = [
        answer(0, failed=True, sources=[source(1, "https://read.example/", fetched=True)]),
        answer(1, "Wet [1].", sources=[source(1, "https://wet.example/")]),
        answer(2, "Dry."),
    ]

    for seed in range(5):
        joined = join(answers, seed)

        assert [a["label"] is None for a in joined["answers"]] == [True, False, False]
        assert set(by_label(joined)) == {"A", "B"}
        assert [s["url"] for s in joined["sources"]] == [
            "https://wet.example/",
            "https://read.example/",
        ]
        (loss,) = members_lost(joined["answers"])
        assert (loss["code"], "auth" in loss["detail"]) == ("panelist_failed", True)


def test_what_a_member_lost_is_told_with_the_panels_losses():
    loss = {"code": "parameter_refused", "detail": "member 0 does not take temperature."}

    joined = join([answer(0, "Wet.", degradations=[loss])], 0)

    assert joined["degradations"] == [loss]


def test_a_panel_that_failed_whole_is_joined_too():
    joined = join([answer(n, failed=True) for n in range(3)], 0)

    assert by_label(joined) == {}
    assert len(members_lost(joined["answers"])) == 3
