"""Reading a grader's verdict out of what it wrote."""

from __future__ import annotations

import pytest

from fusion_graph.errors import UnreadableGrade
from fusion_graph.evals._replies import REFERENCE_WORDS, RUBRIC_WORDS, read_verdict


@pytest.mark.parametrize(
    ("text", "met", "reason"),
    [
        ('{"verdict": "MET", "justification": "Line 2."}', True, "Line 2."),
        ('{"verdict": "UNMET", "justification": "Nowhere."}', False, "Nowhere."),
        ('{"criterion_status": "MET", "explanation": "Line 2."}', True, "Line 2."),
        ('{"criterion_status": "UNMET", "explanation": "Nowhere."}', False, "Nowhere."),
        ('{"explanation": "Line 2.", "criterion_status": "MET"}', True, "Line 2."),
        ('{"Verdict": " met. ", "Justification": "x"}', True, "x"),
        ('{"verdict": "Not met"}', False, ""),
        ('{"verdict": "NOT_MET"}', False, ""),
        ('{"verdict": "**UNMET**", "justification": 7}', False, ""),
        ('```json\n{"verdict": "MET", "justification": "x"}\n```', True, "x"),
        ('Here it is: {"verdict": "MET", "justification": "a {b} c"} Done.', True, "a {b} c"),
        ('<think>UNMET? {"verdict": "UNMET"}</think>{"verdict": "MET"}', True, ""),
        ('{"note": 1} {"verdict": "MET"}', True, ""),
        ('{"verdict": "MET"} {"verdict": "MET"}', True, ""),
        ('{"verdict": "MET", "justification": "two\nlines"}', True, "two\nlines"),
    ],
)
def test_a_verdict_is_read_in_either_published_style_whatever_stands_around_it(text, met, reason):
    assert read_verdict(text, RUBRIC_WORDS) == (met, reason)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("MET", True),
        ("UNMET", False),
        ("**Verdict: UNMET**", False),
        ("The requirement was met with care, so: MET.", True),
        ("It could be MET or UNMET. Verdict: UNMET", False),
        ('{"verdict": "MET", "justification": "it says so in', True),
        ("verdict = not met", False),
    ],
)
def test_a_verdict_without_json_is_read_where_it_is_unmistakable(text, met):
    assert read_verdict(text, RUBRIC_WORDS)[0] is met


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<think>MET</think>",
        "I cannot say.",
        "It was met.",
        "MET or UNMET, who knows?",
        '{"verdict": "PARTIALLY MET"}',
        '{"verdict": "PARTLY"}',
        '{"verdict": true}',
        '{"verdict": ["MET"]}',
        '{"verdict": "MET"} {"verdict": "UNMET"}',
        "Verdict: MET. Verdict: UNMET.",
        "{" * 10_000,
        "[" * 100_000 + '{"verdict":',
    ],
)
def test_what_does_not_say_or_says_both_is_no_verdict(text):
    with pytest.raises(UnreadableGrade) as caught:
        read_verdict(text, RUBRIC_WORDS)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("Overall, I find that the criterion is MET.", True),
        ("The response gives the year, so the requirement is MET.", True),
        ("MET, since the third paragraph gives the year.", True),
        ("- **Verdict**: MET\n- **Justification**: It names both rivers, not one.", True),
        ("The answer leaves out the unit. It could be clearer.\n\nMET", True),
        ("The requirement is not MET.", False),
        ("So it isn\u2019t MET.", False),
        ("UNMET. The response does not name a river.", False),
        ("The requirement is UNMET because no river is named.", False),
        ('It doesn\'t name one.\n```json\n{"verdict": "UNMET"}\n```\nNo river is named.', False),
    ],
)
def test_prose_is_read_where_it_states_a_verdict_plainly(text, met):
    assert read_verdict(text, RUBRIC_WORDS)[0] is met


@pytest.mark.parametrize(
    "text",
    [
        "The requirement is scarcely MET.",
        "The requirement is partly MET.",
        "MET in the first half.",
        "MET, but without the year.",
        "This is far from MET.",
        "Anything but MET.",
        "MET would be too kind.",
        "Nobody would call this MET.",
        "It fails to be MET.",
        "MET? Hardly.",
        "Is the requirement MET? No, it is missing.",
        "MET. On second thoughts, no.",
        "MET\nWait, that was another river.",
        "I would not call this\nMET",
        "Verdict: perhaps MET",
        "Verdict: MET (though I am not sure)",
        "If it named a river, the requirement is MET.",
        "MET = 0",
        "~MET",
        "MET/UNMET",
        "Status: MET (pending)",
        "Das ist nicht MET.",
        "Ce n'est pas MET.",
        'Reply with {"verdict": "MET" or "UNMET", "justification": "why"}',
        'To say {"verdict": "MET"} would be wrong.',
        '{"verdict": "MET"} No, I take that back.',
        '{"verdict": "MET?"}',
        '{"verdict": "!MET"}',
        '{"verdict": "hardly MET"}',
    ],
)
def test_a_verdict_that_its_own_words_deny_hedge_or_take_back_is_never_met(text):
    with pytest.raises(UnreadableGrade):
        read_verdict(text, RUBRIC_WORDS)


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ('{"verdict": "MET", "justification": "x"}', True),
        ('\n {"criterion_status": "UNMET", "explanation": "x"} \n', False),
        ('```json\n{"verdict": "MET"}\n```', None),
        ('So: {"verdict": "MET"}', None),
        ('{"verdict": "MET"} {"verdict": "MET"}', None),
        ('[{"verdict": "MET"}]', None),
        ('{"verdict": "met"}', None),
        ('{"verdict": "MET", "justification": "cut', None),
        ("MET", None),
        ('"MET"', None),
        ("[" * 100_000, None),
    ],
)
def test_bare_json_is_one_object_with_the_verdict_spelt_as_asked(text, met):
    if met is None:
        with pytest.raises(UnreadableGrade):
            read_verdict(text, RUBRIC_WORDS, bare=True)
    else:
        assert read_verdict(text, RUBRIC_WORDS, bare=True)[0] is met


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"verdict": "CORRECT", "justification": "Same."}', True),
        ('{"verdict": "INCORRECT"}', False),
        ('{"verdict": "not correct"}', False),
        ("INCORRECT", False),
        ("Verdict: correct", True),
    ],
)
def test_a_comparison_with_a_reference_has_words_of_its_own(text, right):
    assert read_verdict(text, REFERENCE_WORDS)[0] is right


def test_the_words_of_one_kind_are_none_of_the_other():
    with pytest.raises(UnreadableGrade):
        read_verdict('{"verdict": "MET"}', REFERENCE_WORDS)
