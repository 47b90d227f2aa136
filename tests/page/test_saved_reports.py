"""Reports that were saved and are read again."""

from __future__ import annotations

import json

import pytest

from fusion_graph import FusionError, FusionReport, UnreadableReport


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_saved_report_is_read_again_in_any_encoding_a_shell_writes(record, encoding):
    record["question"] = "Quanto costa, città per città? 费用"

    report = FusionReport.from_json(json.dumps(record, ensure_ascii=False).encode(encoding))

    assert report.model_dump(mode="json") == record


def test_a_report_saved_before_answers_were_checked_has_no_claims(record):
    record.pop("claims", None)

    assert FusionReport.from_json(json.dumps(record)).claims == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not JSON"),
        ("The answer is 42.", "not JSON"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1, 2]", "no report"),
        ("{}", "Field 'status' is missing"),
    ],
)
def test_what_is_no_report_is_refused_in_words(content, said):
    with pytest.raises(UnreadableReport, match=said) as caught:
        FusionReport.from_json(content)

    assert isinstance(caught.value, FusionError)
    assert "fusion-graph ask --json" in str(caught.value)


def test_a_wrong_field_is_named(record):
    record["sources"][0]["quotes"] = [{"text": "x", "verdict": "probably"}]

    with pytest.raises(UnreadableReport, match=r"'sources\.0\.quotes\.0\.verdict'"):
        FusionReport.from_json(json.dumps(record))


def test_half_characters_and_numbers_that_are_none_do_not_cost_the_report(record):
    record["answer"] = "broken \ud83d"
    record["answers"][0]["tool_calls"][0]["args"] = {"que\udc00ry": ["\ud800"]}
    record["usage"]["total"]["cost_usd"] = float("nan")

    report = FusionReport.from_json(json.dumps(record))

    assert report.answer == "broken �"
    assert report.answers[0].tool_calls[0].args == {"que�ry": ["�"]}
    assert report.usage.total.cost_usd is None
    assert FusionReport.from_json(report.model_dump_json()) == report
