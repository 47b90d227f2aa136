"""JSON in models' replies: found amid prose, whatever stands around it."""

from __future__ import annotations

from fusion_graph.text.mended_json import MOST_OBJECTS, Mended, json_objects, mended


def test_objects_come_from_left_to_right_with_their_places():
    text = 'First {"a": 1}, then\n```json\n{"b": {"c": 2}}\n```.'
    first, second = json_objects(text)
    assert (first.data, second.data) == ({"a": 1}, {"b": {"c": 2}})
    assert text[first.start : first.end] == '{"a": 1}'
    assert text[second.start : second.end] == '{"b": {"c": 2}}'


def test_an_object_inside_of_something_unreadable_is_marked_so():
    text = '{"whole": 1} {broken: {"inner": 2}}'
    whole, inner = json_objects(text)
    assert (whole.within_broken, inner.within_broken) == (False, True)
    assert inner.data == {"inner": 2}


def test_what_a_caller_mends_is_an_object_like_any_other():
    def mend(text: str, start: int) -> Mended | None:
        return Mended(mended(text[start:]), len(text), cut=True)

    text = "So: {'a': 1, 'b': [2, 3"
    (found,) = json_objects(text, mend)
    assert found.data == {"a": 1, "b": [2, 3]}
    assert found.cut
    assert found.end == len(text)
    assert list(json_objects(text)) == []


def test_what_cannot_be_mended_is_passed_over():
    text = '{nothing} {"a": 1}'
    assert [found.data for found in json_objects(text, lambda *_: None)] == [{"a": 1}]
    assert [found.data for found in json_objects(text, lambda *_: Mended([], 5))] == [{"a": 1}]


def test_a_line_feed_inside_a_text_does_not_hide_an_object():
    (found,) = json_objects('{"a": "one\ntwo"}')
    assert found.data == {"a": "one\ntwo"}


def test_a_text_of_braces_is_given_up_after_so_many_places():
    assert len(list(json_objects('{"a": 1} ' * (MOST_OBJECTS + 5)))) == MOST_OBJECTS
    assert list(json_objects("{" * 200_000)) == []
