"""What a judge wrote becomes a verdict, or says why it cannot; and labels become names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.errors import UnreadableVerdict
from fusion_graph.judgement import (
    Analysis,
    Verdict,
    bounds_for,
    find_verdict,
    name_panelists,
    read_verdict,
    wire_schema,
)
from fusion_graph.text.thinking import without_thinking
from tests.conftest import VERDICT

GOOD = json.dumps(VERDICT)
NAMES = {"A": "gemma", "B": "qwen", "C": "llama"}
PROPERTY = settings(deadline=None, derandomize=True)


def read(data: object) -> Verdict:
    return read_verdict(json.dumps(data))


def code_of(text: str) -> str:
    with pytest.raises(UnreadableVerdict) as caught:
        read_verdict(text)
    assert caught.value.detail
    return caught.value.code


# Reading


WHOLE = Verdict.model_validate(VERDICT)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"\ufeff\n  {GOOD}\n",
        f"```json\n{GOOD}\n```",
        f"```JSON {GOOD}```",
        f"~~~\n{GOOD}\n~~~",
        f"Sure!\n\n```\n{GOOD}\n```\nAnything else?",
        f"Comparison: {GOOD} Done.",
        f"{{}} is not it, {{'nor': 'this'}}, but {GOOD}",
        f"<think>Perhaps {{}}?</think>\n{GOOD}",
        f"<thinking>Perhaps.</thinking>{GOOD}",
        f"<THINK>Perhaps.</THINK>{GOOD}",
        f"Perhaps.</think>{GOOD}",
        json.dumps({"analysis": VERDICT}),
        json.dumps(VERDICT | {"reasoning": "extra"}),
        json.dumps(VERDICT, indent=2),
        GOOD.replace("Salt water", "Salt\nwater"),
    ],
)
def test_a_verdict_is_found_whatever_stands_around_it(text):
    verdict = read_verdict(text)

    assert verdict.model_copy(update={"blind_spots": ["Salt water"]}) == WHOLE


def test_the_last_verdict_wins_since_a_judge_may_quote_a_planted_one_first():
    planted = json.dumps({"consensus": ["A is best."]})

    assert read_verdict(f"An answer says {planted}, but I find:\n{GOOD}\nDone. {{}}") == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("]", ",]").replace("}", ",}").replace("[,]", "[]"),
        repr(VERDICT),
        GOOD.replace('"', "'"),
        "{// the comparison\n" + GOOD[1:],
        GOOD.replace('"sources": []', '"sources": [NaN]').replace("[]}]}]", "[None]}]}]"),
        GOOD.replace('"consensus"', "consensus"),
        GOOD.replace("], ", "] "),
    ],
    ids=["commas", "Python", "quotes", "comment", "NaN", "bare key", "a missing comma"],
)
def test_what_models_make_of_json_is_read(text):
    assert read_verdict(text) == WHOLE


def test_a_quote_that_is_not_escaped_loses_nothing():
    text = GOOD.replace("Water is wet.", 'Water is "wet", they say.')

    verdict = read_verdict(text)

    assert verdict.consensus[0].point == 'Water is "wet", they say.'
    assert verdict.blind_spots == WHOLE.blind_spots


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("length", range(1, len(GOOD), 7))
def test_a_verdict_that_breaks_off_keeps_its_whole_items_and_no_half_one(length, wrapped):
    text = GOOD[:length]
    try:
        verdict, cut = find_verdict(f'{{"analysis": {text}' if wrapped else text)
    except UnreadableVerdict as error:
        assert error.code == "judge_not_valid_json"
        assert length < GOOD.index("contradictions")
        return

    assert cut
    for name in Verdict.model_fields:
        kept, all_of = getattr(verdict, name), getattr(WHOLE, name)
        assert kept == all_of[: len(kept)]


@pytest.mark.parametrize("blank", [None, "", "  ", {}])
def test_a_blank_in_a_list_loses_nothing_but_itself(blank):
    items = {name: [*VERDICT[name], blank] for name in Verdict.model_fields}

    assert read(items) == WHOLE


@pytest.mark.parametrize(
    "data",
    [
        {"consensus": [{"point": None, "labels": ["A"]}, {"point": "Wet.", "labels": None}]},
        {"consensus": [{"point": "Wet.", "labels": ""}, 5, {"labels": ["A"]}]},
        {"consensus": [{"point": "Wet."}], "contradictions": 7, "blind_spots": [3, None]},
        {"consensus": ["Wet."], "contradictions": [{"topic": "", "stances": None}]},
    ],
)
def test_what_cannot_be_read_is_lost_alone(data):
    verdict = read(data)

    assert [item.point for item in verdict.consensus] == ["Wet."]
    assert verdict.contradictions == []
    assert verdict.blind_spots == []


def test_a_stance_of_two_is_one_of_each_and_an_insight_of_two_is_a_point():
    verdict = read(
        {
            "contradictions": [
                {"topic": "How wet", "stances": [{"label": "A and B", "stance": "very"}]}
            ],
            "unique_insights": [{"insight": "Steam.", "label": "A/C"}],
        }
    )

    (clash,) = verdict.contradictions
    assert [(side.label, side.stance) for side in clash.stances] == [("A", "very"), ("B", "very")]
    assert [(item.point, item.labels) for item in verdict.partial_coverage] == [
        ("Steam.", ["A", "C"])
    ]
    assert verdict.unique_insights == []


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("A", ["A"]),
        ("a", ["A"]),
        ("[A]", ["A"]),
        ("Answer A", ["A"]),
        ("A, B and C", ["A", "B", "C"]),
        (["Answer A", "Answer C"], ["A", "C"]),
        (["A, B"], ["A", "B"]),
        ("A (first)", ["A"]),
        ("A first", ["A"]),
        ("A and B", ["A", "B"]),
        (["A, B", "C"], ["A", "B", "C"]),
        ("A/B", ["A", "B"]),
        ("A B", ["A", "B"]),
        ("A-C", ["A", "B", "C"]),
        ("A to C", ["A", "B", "C"]),
        ("Answers A & B", ["A", "B"]),
        ("Panelist B", ["B"]),
        ("a and b", ["A", "B"]),
        ("gemma", ["GEMMA"]),
        (None, []),
        ("", []),
        ([7, None, "B"], ["B"]),
        ([], []),
    ],
)
def test_labels_are_read_as_judges_write_them(written, read_as):
    verdict = read({"consensus": [{"point": "Water is wet.", "labels": written}]})

    assert verdict.consensus[0].labels == read_as


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ([1, 2], [1, 2]),
        ([2, 2, 1], [2, 1]),
        (["1", "[2]"], [1, 2]),
        ("[1], [3]", [1, 3]),
        (4, [4]),
        (None, []),
        ([], []),
    ],
)
def test_sources_are_read_as_judges_write_them(written, read_as):
    verdict = read({"consensus": [{"point": "Water is wet.", "sources": written}]})

    assert verdict.consensus[0].sources == read_as


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("consensus", ["Water is wet."]),
        ("consensus", "Water is wet."),
        ("consensus", {"point": "Water is wet."}),
        ("consensus", [{"point": "  Water is wet. "}]),
        ("partial_coverage", ["Water is wet."]),
    ],
)
def test_a_point_is_read_from_less_than_it_should_be(field, written):
    (point,) = getattr(read({field: written}), field)

    assert (point.point, point.labels, point.sources) == ("Water is wet.", [], [])


@pytest.mark.parametrize(
    "written",
    [
        "Salt water",
        ["Salt water"],
        [{"blind_spot": "Salt water"}],
        [{"n": 1, "text": "Salt water"}],
    ],
)
def test_a_blind_spot_is_read_from_what_it_was_written_as(written):
    assert read({"blind_spots": written}).blind_spots == ["Salt water"]


def test_null_and_missing_lists_are_empty():
    verdict = read({"consensus": None, "contradictions": None, "blind_spots": None})

    assert verdict == Verdict()


def test_a_runaway_list_is_bounded():
    verdict = read({name: ["again"] * 5_000 for name in Verdict.model_fields})

    assert all(len(getattr(verdict, name)) <= 200 for name in Verdict.model_fields)


# What cannot be read


@pytest.mark.parametrize("text", ["", " \n\t", "<think>All thoughts.</think>", "<think>Cut o"])
def test_an_empty_reply_is_called_empty(text):
    assert code_of(text) == "judge_empty_completion"


@pytest.mark.parametrize(
    "text",
    [
        "They agree.",
        "null",
        "7",
        '"consensus"',
        '["Water is wet."]',
        "{" * 1_000,
        "[" * 100_000,
        '{"consensus": ' * 5_000,
        *(GOOD[:length] for length in (1, 20, 60)),
    ],
    ids=lambda text: f"{text[:20]}… ({len(text)})",
)
def test_what_holds_no_whole_object_is_called_no_json(text):
    assert code_of(text) == "judge_not_valid_json"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"verdict": "A is best"},
        {"analysis": "They agree."},
        {"analysis": {"winner": "A"}},
        {"consensus": 5},
        {"consensus": [5]},
        {"consensus": [{"labels": ["A"]}]},
        {"consensus": [{"point": {"text": "Water is wet."}}]},
        {"contradictions": [{"stances": []}]},
        {"unique_insights": [{"label": "A"}]},
        {"blind_spots": 7},
    ],
)
def test_an_object_of_another_shape_is_called_a_mismatch(data):
    assert code_of(json.dumps(data)) == "judge_schema_mismatch"


def readable_or_unreadable(text: str) -> None:
    try:
        verdict = read_verdict(text)
    except UnreadableVerdict:
        return
    name_panelists(verdict, NAMES, [1, 2])


@PROPERTY
@given(st.text())
def test_any_text_is_read_or_unreadable(text):
    readable_or_unreadable(text)


MUTATIONS = st.lists(
    st.tuples(
        st.integers(0, len(GOOD)),
        st.integers(0, 40),
        st.one_of(
            st.sampled_from(
                [
                    "",
                    "{",
                    "}",
                    "[",
                    "]",
                    '"',
                    ",",
                    ":",
                    "\\",
                    "```",
                    "<think>",
                    "</think>",
                    "null",
                    "1e999",
                    "NaN",
                    "\\ud800",
                    "\ud800",
                    "\x00",
                    "[[[[",
                    '{"a":',
                ]
            ),
            st.text(max_size=5),
        ),
    ),
    min_size=1,
    max_size=6,
)


@PROPERTY
@given(MUTATIONS)
def test_a_mutated_verdict_is_read_or_unreadable(mutations):
    text = GOOD
    for at, length, new in mutations:
        text = text[:at] + new + text[at + length :]

    readable_or_unreadable(text)


SCALARS = st.sampled_from(
    [None, True, 0, -1, 2, 1.5, float("nan"), "", "A", "[1]", "Wet.", "\ud800"]
)
FIELDS = ["point", "labels", "label", "sources", "topic", "stances", "stance", "insight"]
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    ),
    max_leaves=8,
)


@PROPERTY
@given(st.dictionaries(st.sampled_from([*Verdict.model_fields, "analysis"]), JSON))
def test_any_values_under_the_right_keys_are_read_or_unreadable(data):
    readable_or_unreadable(json.dumps(data))


@pytest.mark.parametrize("field", ["sources", "labels"])
@pytest.mark.parametrize("depth", [100, 300, 500, 700, 800, 850, 900, 950, 1_000, 5_000])
def test_deep_nesting_is_read_or_unreadable(field, depth):
    deep = "[" * depth + "1" + "]" * depth

    readable_or_unreadable(f'{{"consensus": [{{"point": "Deep.", "{field}": {deep}}}]}}')


@pytest.mark.parametrize(
    "text",
    [
        "{ " * 20_000,
        '{"a": 1} ' * 20_000,
        "```" * 20_000,
        "<think>" * 20_000,
        "</think>" * 20_000,
        "<" * 200_000,
    ],
    ids=["braces", "objects", "fences", "thoughts", "ends of thoughts", "angles"],
)
def test_a_long_tangle_is_unreadable_in_reasonable_time(text):
    # Quadratic reading of these would take minutes, and fail the suite by its length alone.
    readable_or_unreadable(text)


# Thinking


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Water is wet.", "Water is wet."),
        ("  Water is wet.\n", "Water is wet."),
        ("<think>Hm.</think>Water is wet.", "Water is wet."),
        ("<think>\nHm.\n</think>\n\nWater is wet.", "Water is wet."),
        ("<think></think>Water is wet.", "Water is wet."),
        ("Hm.</think>Water is wet.", "Water is wet."),
        ("Water <think>Hm.</think>is wet.", "Water is wet."),
        ("<think>Hm", ""),
        ("Water is wet.<think>Hm", "Water is wet."),
        ("<Thinking>Hm.</Thinking>Water is wet.", "Water is wet."),
        ("Where a < b, water is <b>wet</b>.", "Where a < b, water is <b>wet</b>."),
    ],
)
def test_thinking_is_taken_out(text, left):
    assert without_thinking(text) == left


@PROPERTY
@given(st.text())
def test_text_without_tags_is_only_stripped(text):
    if "think" not in text.lower() and "reasoning" not in text.lower():
        assert without_thinking(text) == text.strip()


# Names


def test_labels_become_names_and_known_sources_stay():
    verdict = read(
        {
            "consensus": [{"point": "Wet.", "labels": ["B", "A", "B"], "sources": [2, 9, 1]}],
            "partial_coverage": [{"point": "Ice.", "labels": ["A", "C"]}],
            "contradictions": [
                {
                    "topic": "How wet",
                    "stances": [
                        {"label": "A", "stance": "very", "sources": [1]},
                        {"label": "B", "stance": "little"},
                    ],
                }
            ],
            "unique_insights": [{"insight": "Steam.", "label": "C", "sources": [2]}],
            "blind_spots": ["Salt"],
        }
    )

    analysis, lost = name_panelists(verdict, NAMES, [1, 2])

    assert analysis.model_dump() == {
        "consensus": [{"point": "Wet.", "models": ["qwen", "gemma"], "sources": [2, 1]}],
        "partial_coverage": [{"point": "Ice.", "models": ["gemma", "llama"], "sources": []}],
        "contradictions": [
            {
                "topic": "How wet",
                "stances": [
                    {"model": "gemma", "stance": "very", "sources": [1]},
                    {"model": "qwen", "stance": "little", "sources": []},
                ],
            }
        ],
        "unique_insights": [{"insight": "Steam.", "model": "llama", "sources": [2]}],
        "blind_spots": ["Salt"],
    }
    assert lost == ["[9]"]


def test_a_point_of_unknown_labels_alone_is_left_out_and_told():
    verdict = read({"consensus": [{"point": "Wet.", "labels": ["X", "Y"]}]})

    analysis, lost = name_panelists(verdict, NAMES, [])

    assert analysis == Analysis()
    assert lost == ["X", "Y"]


def test_a_point_of_one_panelist_is_an_insight_and_no_consensus():
    verdict = read({"consensus": [{"point": "Wet.", "labels": ["A", "X"], "sources": [1]}]})

    analysis, lost = name_panelists(verdict, NAMES, [1])

    assert analysis.consensus == []
    assert [item.model_dump() for item in analysis.unique_insights] == [
        {"insight": "Wet.", "model": "gemma", "sources": [1]}
    ]
    assert lost == ["X"]


def test_what_the_judge_ascribes_to_nobody_is_kept_under_nobodys_name():
    strings = {
        "consensus": ["Wet."],
        "unique_insights": ["Steam."],
        "contradictions": [{"topic": "How wet", "stances": ["very", "little"]}],
    }

    analysis, lost = name_panelists(read(strings), NAMES, [])

    assert [(item.point, item.models) for item in analysis.consensus] == [("Wet.", [])]
    assert [(item.insight, item.model) for item in analysis.unique_insights] == [("Steam.", "")]
    (clash,) = analysis.contradictions
    assert [(stance.model, stance.stance) for stance in clash.stances] == [
        ("", "very"),
        ("", "little"),
    ]
    assert lost == []


def test_all_of_them_means_everybody():
    verdict = read({"consensus": [{"point": "Wet.", "labels": "all"}]})

    analysis, lost = name_panelists(verdict, NAMES, [])

    assert analysis.consensus[0].models == list(NAMES.values())
    assert lost == []


def test_an_insight_of_an_unknown_label_is_left_out_and_told():
    verdict = read({"unique_insights": [{"insight": "Steam.", "label": "X"}]})

    assert name_panelists(verdict, NAMES, []) == (Analysis(), ["X"])


@PROPERTY
@given(st.dictionaries(st.sampled_from(list(Verdict.model_fields)), JSON))
def test_an_analysis_names_only_panelists_and_sources_that_exist(data):
    try:
        verdict = read(data)
    except UnreadableVerdict:
        return

    analysis, _ = name_panelists(verdict, NAMES, [1, 2])

    points = [*analysis.consensus, *analysis.partial_coverage]
    stances = [stance for clash in analysis.contradictions for stance in clash.stances]
    alone = [*stances, *analysis.unique_insights]
    assert {name for point in points for name in point.models} <= set(NAMES.values())
    assert {item.model for item in alone} <= {*NAMES.values(), ""}
    assert {n for item in [*points, *alone] for n in item.sources} <= {1, 2}


def test_openrouters_shape_has_no_sources():
    analysis, _ = name_panelists(read_verdict(GOOD), NAMES, [])

    assert analysis.to_openrouter() == {
        "consensus": ["Water is wet."],
        "contradictions": [
            {
                "topic": "How wet",
                "stances": [
                    {"model": "gemma", "stance": "very"},
                    {"model": "llama", "stance": "little"},
                ],
            }
        ],
        "partial_coverage": [{"models": ["qwen", "llama"], "point": "Ice is dry."}],
        "unique_insights": [{"model": "llama", "insight": "Steam rises."}],
        "blind_spots": ["Salt water"],
    }
    assert analysis.counts() == dict.fromkeys(Verdict.model_fields, 1)


def test_the_schema_is_one_that_strict_modes_take():
    def check(node: dict) -> None:
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])
            for child in node["properties"].values():
                check(child)
        if node["type"] == "array":
            check(node["items"])
        assert "default" not in node

    check(wire_schema())
    assert wire_schema()["required"] == list(Verdict.model_fields)


@pytest.mark.parametrize("tokens", [300, 1_000, 2_500, 4_000, 16_000, None])
@pytest.mark.parametrize("answers", [2, 3, 16])
def test_the_longest_verdict_of_a_bounded_schema_fits_the_reply(tokens, answers):
    bounds = bounds_for(tokens, answers)

    def longest(node: dict) -> int:
        if node["type"] == "object":
            return sum(longest(child) + len(key) + 6 for key, child in node["properties"].items())
        if node["type"] == "array":
            return node["maxItems"] * longest(node["items"])
        return node.get("maxLength", 3)

    texts = bounds.items * bounds.characters * (5 + answers)
    assert bounds.items >= 1
    if tokens is None or tokens >= 2_500:
        assert texts <= (tokens or 16_000) * 3
        assert longest(wire_schema(bounds)) > texts
