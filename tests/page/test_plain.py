"""The report as plain text."""

from __future__ import annotations

from fusion_graph import FusionReport


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

    text = FusionReport.model_validate(record).to_text()

    assert "evil" in text
    assert not {c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160}
