"""Where a provider's annotations put citations into a text."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph.models.citation_places import Annotation, annotations_in, with_marks

LAKE = "https://lakes.example/baikal"
LIST = "https://depths.example/list_(water)"


def placed(text: str, *annotations: Annotation) -> str:
    numbers = {LAKE: "<1>", LIST: "<2>"}
    return with_marks(text, annotations, lambda a: numbers[a.url.partition("?")[0]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Deep ([lakes.example]({LAKE})).", "Deep (<1>)."),
        (f"Deep [[1]]({LAKE}).", "Deep <1>."),
        (f"Deep <{LAKE}>.", f"Deep <{LAKE}><1>."),
        (f"Deep [1]({LAKE}).", "Deep <1>."),
        (f"The [survey of 2019]({LAKE}) says so.", "The survey of 2019<1> says so."),
        (f'Deep [Lake Baikal]({LAKE} "a title").', "Deep <1>."),
        (f"See {LAKE}.", f"See {LAKE}<1>."),
        (f"Deep ([lakes.example]({LAKE}?utm_source=openai)).", "Deep (<1>)."),
        (f"`{LAKE}`", f"`{LAKE}`"),
        (f"```\ncurl {LAKE}\n```", f"```\ncurl {LAKE}\n```"),
        (f"![picture]({LAKE})", f"![picture]({LAKE})"),
        ("No link at all.", "No link at all."),
    ],
)
def test_links_to_a_source_cite_it(text: str, expected: str) -> None:
    assert placed(text, Annotation(LAKE, "Lake Baikal")) == expected


def test_links_to_what_no_search_found_stay_links() -> None:
    text = "Deep ([made.up](https://made.up/page))."
    assert placed(text, Annotation(LAKE)) == text


def test_a_place_without_a_link_cites_at_its_end_and_splits_no_word() -> None:
    text = "Baikal is deep. Others are not."
    end = text.index("ep.")
    assert placed(text, Annotation(LAKE, start=0, end=end)) == "Baikal is deep<1>. Others are not."
    both = [Annotation(LAKE, start=0, end=14), Annotation(LIST, start=0, end=14)]
    assert placed(text, *both, both[0]) == "Baikal is deep<1><2>. Others are not."


@pytest.mark.parametrize(("start", "end"), [(0, 0), (5, 3), (0, 10_000), (-4, -1)])
def test_places_that_are_none_are_passed_over(start: int, end: int) -> None:
    assert placed("Baikal is deep.", Annotation(LAKE, start=start, end=end)) == "Baikal is deep."


def test_addresses_with_brackets_are_read_whole() -> None:
    assert placed(f"Deep ([list]({LIST})).", Annotation(LIST)) == "Deep (list<2>)."


@pytest.mark.parametrize(
    "found",
    [
        None,
        "url_citation",
        [None, 3, {"type": "file_citation", "url": LAKE}, {"type": "url_citation"}],
        [{"type": "url_citation", "url_citation": {"url": 3}}],
        [{"type": "url_citation", "url_citation": None}],
    ],
)
def test_annotations_of_any_other_shape_are_none(found: Any) -> None:
    assert annotations_in(found) == []


def test_both_forms_of_an_annotation_are_read() -> None:
    flat = {"type": "url_citation", "url": LAKE, "title": "Lake", "start_index": 3, "end_index": 9}
    inner = {"url": LAKE, "title": None, "content": "Deep.", "start_index": None, "end_index": True}
    assert annotations_in([flat, {"type": "url_citation", "url_citation": inner}]) == [
        Annotation(LAKE, "Lake", "", 3, 9),
        Annotation(LAKE, "", "Deep."),
    ]
