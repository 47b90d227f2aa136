"""The report as plain text."""

from __future__ import annotations

from fusion_graph import FusionReport
from tests.claims import ANSWER, CLAIMS, claim


def test_the_text_tells_the_run_in_order(record):
    report = FusionReport.model_validate(record)
    text = report.to_text()

    titles = ["Question", "Run", "Answer", "Comparison", "offline:keyword", "Sources", "Cost"]
    places = [text.index(f"{title}\n---") for title in titles]
    assert places == sorted(places)
    assert "3 of 3: keyword, figures, central" in text
    assert report.answer in text
    assert all(answer.content in text for answer in report.answers)
    assert '": on the page' in text


def test_the_claims_of_the_answer_are_told_the_false_ones_first(record):
    record["answer"], record["claims"] = ANSWER, CLAIMS

    text = FusionReport.model_validate(record).to_text()

    section = text[text.index("Claims\n---") : text.index("Comparison\n---")].splitlines()
    assert section[2:] == [
        "5 claims checked: 2 supported, 1 contradicted, 1 unsupported, 1 not checkable",
        '* contradicted: "Judges see no names." [2]; not there: no; '
        'the page: "Judges see the names of all." (checked by a model)',
        '* unsupported: "It was invented in 1804, says [the page](https://example.org/x_y)." '
        "[1][2]; not there: 1804 (checked by code)",
        '* not checkable: "Most people like it." [3] (checked by code)',
        '* supported: "A panel costs **4 to 5 times** a single completion." [1]; '
        'the page: "A panel costs 4 to 5 times one completion." (checked by code)',
        '* supported: "| judge | 12 % |" [2]; the page: "The judge: 12 %." (checked by code)',
        "",
    ]
    assert "    1 of 3 claims found there" in text[text.index("Sources\n---") :].splitlines()


def test_a_run_whose_answer_was_not_checked_has_no_section_of_claims(record):
    record.pop("claims", None)

    assert "Claims\n---" not in FusionReport.model_validate(record).to_text()


def test_failures_losses_and_unknown_money_are_told(models, ran):
    models.script("a", {"text": "Wet."})
    models.script("b", {"status": 402})

    text = ran().to_text()

    assert "status: degraded" in text
    assert "panelist_failed: b: insufficient_credits: Insufficient credits" in text
    assert "failed: insufficient_credits: Insufficient credits" in text
    assert "cost unknown" in text
    assert "2 of 3 panelists answered" in text


def test_nothing_in_it_acts_on_a_terminal(record):
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m\r\x00evil"
    record["question"] = record["answer"] = evil
    record["answers"][0]["content"] = record["answers"][0]["name"] = evil
    record["sources"][0]["title"] = record["sources"][0]["url"] = evil
    record["claims"] = [claim(evil, [1], "contradicted", passage=evil, missing=[evil])]

    text = FusionReport.model_validate(record).to_text()

    assert "evil" in text
    assert not {c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160}
