"""What is said of events and of a run's end."""

from __future__ import annotations

import pytest

from fusion_graph.text.phrases import (
    clean,
    counted,
    cut_off,
    doing,
    place,
    shortened,
    summary,
    tell,
)
from tests.claims import CLAIMS, claim


def test_somebody_elses_text_becomes_one_printable_line():
    assert clean("a\x1b]0;title\x07\n\tb\u202ec\x9b1m") == "a]0;title bc1m"
    assert clean("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://en.wikipedia.org/wiki/Water", "en.wikipedia.org/wiki/Water"),
        ("http://example.org/", "example.org"),
        ("corpus:///sub/green%20tea.md", "sub/green tea.md"),
        ("no address", "no address"),
        ("http://[bad", "http://[bad"),
    ],
)
def test_a_page_is_called_by_host_and_path(url, said):
    assert place(url) == said


def test_a_tool_call_is_said_as_work():
    assert doing("web_search", {"query": "wet water"}) == 'searching "wet water"'
    assert doing("calculator", {"a": 1}) == "using calculator"
    assert doing("web_fetch", {}) == "reading "


def test_counts_agree_with_their_nouns():
    assert [counted(n, "search") for n in (0, 1, 1200)] == [
        "0 searches",
        "1 search",
        "1,200 searches",
    ]


def test_an_unknown_event_says_nothing():
    assert tell({"type": "something.new", "value": 1}) == []


def test_a_long_failure_is_cut_in_its_words_and_never_in_its_advice():
    detail = f"{'The server said this. ' * 50}→ turn the server off and on again."

    assert shortened("Short → do this.") == "Short → do this."
    assert shortened("x" * 1000, 20) == "x" * 19 + "…"
    assert shortened(detail, 200).endswith("… → turn the server off and on again.")
    assert len(shortened(detail, 200)) == 200


def ended(**fields: object) -> list[str]:
    """What is said after an answer, from the line on claims on."""
    total = {"cost_usd": 0, "calls": 5, "input_tokens": 9, "output_tokens": 9}
    report = {
        **{"status": "degraded", "invoked": True, "answers": [], "degradations": []},
        "usage": {"total": total, "multiple": None},
        **fields,
    }
    return summary(report, 3.0)[1:]


def test_after_an_answer_its_false_claims_are_told_with_the_words_of_the_page():
    assert ended(claims=CLAIMS) == [
        "5 claims checked: 2 supported, 1 contradicted, 1 unsupported, 1 not checkable",
        '  contradicted: "Judges see no names." [2]; not there: no; '
        'the page: "Judges see the names of all."',
        '  unsupported: "It was invented in 1804, says [the page](https://example.org/x_y)." '
        "[1][2]; not there: 1804",
    ]


def test_an_answer_without_a_false_claim_is_not_talked_about():
    assert ended(claims=[CLAIMS[0], CLAIMS[3]]) == ended(claims=[]) == ended() == []


def test_false_claims_are_cut_and_only_some_are_told_and_none_twice():
    false = [claim("word " * 900 + "END", [1], "contradicted", passage="\x1b[2J" * 900)] * 9
    lost = [{"code": "claim_contradicted", "detail": "x"}, {"code": "miscounted", "detail": "y"}]

    lines = ended(claims=false, degradations=lost)

    assert lines[0] == "  miscounted: y"
    assert len(lines) == 1 + 1 + 5 + 1
    assert all(len(line) < 400 and line.isprintable() for line in lines)
    assert lines[-1].startswith("  and 4 more;")


def test_the_check_of_an_answer_is_told_as_it_goes_on():
    begun = {"type": "verify.in_progress", "claims": 11}
    done = {"type": "verify.completed", "claims": [], "supported": 8, "contradicted": 3}

    assert tell(begun) == ["check: checking 11 claims of the answer"]
    assert tell({**begun, "claims": 1, "model": "x:v"}) == [
        "check: checking 1 claim of the answer (x:v)"
    ]
    assert tell(done) == ["check: 11 claims checked: 8 supported, 3 contradicted"]
    assert tell({**done, "repaired": True})[0].startswith("check: the answer was mended; 11 claims")
    assert tell({"type": "verify.failed", "detail": "no\x1b[31m"}) == ["check: failed: no[31m"]
    assert "the answer was being checked" in cut_off([begun, {"type": "panel.completed"}], 3.0)
