"""What the fusion tool hands over: OpenRouter's shape, valid JSON, never over its size."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fusion_graph import AllPanelistsFailed, ConfigurationError, EmptyQuestion, FusionRecursion
from fusion_graph.faces._tool_result import LEAST_CHARACTERS, error_result, tool_result
from tests.claims import CLAIMS, claim
from tests.depth import in_depth

ANALYSIS = {
    "consensus": [{"point": "Water is wet.", "models": ["a", "b"], "sources": [1]}],
    "contradictions": [
        {
            "topic": "How wet",
            "stances": [
                {"model": "a", "stance": "very", "sources": []},
                {"model": "b", "stance": "little", "sources": []},
            ],
        }
    ],
    "partial_coverage": [{"point": "Ice is dry.", "models": ["a", "b"], "sources": []}],
    "unique_insights": [{"insight": "Steam rises.", "model": "b", "sources": []}],
    "blind_spots": ["Salt water"],
}


def answer(name: str, content: str) -> dict[str, Any]:
    return {"name": name, "status": "ok", "content": content}


def source(id: int, *quotes: tuple[str, str]) -> dict[str, Any]:
    return {
        "id": id,
        "url": f"https://s.example/{id}",
        "title": f"Page {id}",
        "retrieved_at": None,
        "fetched": True,
        "cited_by": ["a"],
        "quotes": [
            {"text": text, "verdict": verdict, "page_says": "", "note": ""}
            for text, verdict in quotes
        ],
    }


def report(**fields: Any) -> dict[str, Any]:
    return {"analysis": ANALYSIS, "answers": [], "sources": [], "failures": [], **fields}


def told(max_characters: int = 24_000, **fields: Any) -> dict[str, Any]:
    text = tool_result(report(**fields), max_characters)
    assert len(text) <= max_characters
    result = json.loads(text)
    assert result["status"] == "ok"
    return result


def test_the_shape_is_openrouters():
    failure = {"name": "c", "reason": "rate_limited", "detail": "slow down", "http_status": 429}
    silent = {"name": "d", "reason": "timed_out", "detail": "600 s", "http_status": None}

    result = told(answers=[answer("a", "Wet.")], failures=[failure, silent])

    assert result == {
        "status": "ok",
        "analysis": {
            "consensus": ["Water is wet."],
            "contradictions": [
                {
                    "topic": "How wet",
                    "stances": [
                        {"model": "a", "stance": "very"},
                        {"model": "b", "stance": "little"},
                    ],
                }
            ],
            "partial_coverage": [{"models": ["a", "b"], "point": "Ice is dry."}],
            "unique_insights": [{"model": "b", "insight": "Steam rises."}],
            "blind_spots": ["Salt water"],
        },
        "responses": [{"model": "a", "content": "Wet."}],
        "failed_models": [
            {"model": "c", "error": "rate_limited: slow down", "status_code": 429},
            {"model": "d", "error": "timed_out: 600 s"},
        ],
    }


def test_without_a_comparison_there_is_no_analysis():
    assert told(analysis=None, answers=[answer("a", "Wet.")]).keys() == {"status", "responses"}


def test_only_the_sources_cited_are_listed_and_false_quotes_told():
    sources = [source(1), source(2), source(3, ("so wet", "not_found"), ("wet", "verified"))]

    result = told(
        answers=[answer("a", "Wet [1]."), answer("b", 'It is [3: "wet"].')], sources=sources
    )

    assert result["sources"] == [
        {"id": 1, "url": "https://s.example/1", "title": "Page 1"},
        {
            "id": 3,
            "url": "https://s.example/3",
            "title": "Page 3",
            "not_on_page": ["so wet"],
        },
    ]


def test_claims_are_counted_and_the_false_ones_told_with_the_words_of_the_page():
    assert told(claims=CLAIMS)["claims"] == {
        **{"supported": 2, "contradicted": 1, "unsupported": 1, "not_checkable": 1},
        "false": [
            {
                "sentence": "Judges see no names.",
                "sources": [2],
                "verdict": "contradicted",
                "missing": ["no"],
                "page_says": "Judges see the names of all.",
            },
            {
                "sentence": "It was invented in 1804, says [the page](https://example.org/x_y).",
                "sources": [1, 2],
                "verdict": "unsupported",
                "missing": ["1804"],
            },
        ],
    }
    assert told(claims=CLAIMS[:1])["claims"] == {"supported": 1}
    assert "claims" not in told(claims=[])


def test_long_responses_give_and_short_ones_do_not():
    answers = [answer("a", "A" * 50_000), answer("b", "Short."), answer("c", "C" * 30_000)]

    result = told(answers=answers)

    a, b, c = (response["content"] for response in result["responses"])
    assert b == "Short."
    assert a.endswith(" more characters]")
    assert a.count("A") == c.count("C") > 10_000
    assert a.count("A") + int(a.split("cut here: ")[1].split()[0]) == 50_000
    assert result["analysis"]["consensus"] == ["Water is wet."]


def test_what_fits_exactly_is_not_cut():
    answers = [answer("a", 'A "quoted" word\n' * 200)]
    size = len(tool_result(report(answers=answers), 100_000))

    assert told(size, answers=answers)["responses"][0]["content"] == answers[0]["content"]
    assert "cut here" in told(size - 1, answers=answers)["responses"][0]["content"]


def test_an_analysis_too_long_by_itself_is_cut_after_the_responses():
    long = {**ANALYSIS, "blind_spots": ["spot " * 2_000] * 4}

    result = told(analysis=long, answers=[answer("a", "A" * 5_000)])

    assert "A" not in result["responses"][0]["content"]
    assert all("cut here" in spot for spot in result["analysis"]["blind_spots"])
    assert len(result["analysis"]["blind_spots"][0]) > 3_000
    assert "truncated" not in result


def test_points_are_left_out_only_at_last_and_that_is_told():
    endless = {**ANALYSIS, "blind_spots": ["spot"] * 10_000}

    result = told(analysis=endless, answers=[answer("a", "A")])

    assert result["truncated"] is True
    assert len(result["analysis"]["blind_spots"]) > 1_000


@pytest.mark.parametrize(
    ("times", "size"),
    [
        *((100, size) for size in (LEAST_CHARACTERS, 1_500, 5_000, 24_000)),
        in_depth(3_000, LEAST_CHARACTERS),
        in_depth(3_000, 24_000),
    ],
)
@pytest.mark.parametrize("text", ["x", '"\\\n', "\x00", "日本", "[1]", "```\n[2]\n"])
def test_whatever_a_model_writes_the_result_is_valid_and_within_its_size(times, size, text):
    wild = text * times
    analysis = {
        **ANALYSIS,
        "consensus": [{"point": wild, "models": [wild, "b"], "sources": []}] * 30,
    }
    failure = {"name": wild, "reason": "upstream_error", "detail": wild, "http_status": 500}

    result = told(
        size,
        analysis=analysis,
        answers=[answer(f"{n}{wild}", wild) for n in range(16)],
        failures=[failure] * 16,
        sources=[source(1, (wild, "not_found")), source(2)],
        claims=[claim(wild, [1], "contradicted", passage=wild, missing=[wild])] * 300,
    )
    assert result.keys() >= {"analysis", "responses"}


def members(*reasons: str) -> AllPanelistsFailed:
    return AllPanelistsFailed(
        [
            (name, {"reason": reason, "detail": "d", "http_status": None, "attempts": 1})
            for name, reason in zip("abc", reasons, strict=False)
        ]
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (members("auth", "timed_out"), "all_panels_failed"),
        (members("auth", "rate_limited"), "rate_limited"),
        (members("rate_limited", "insufficient_credits"), "insufficient_credits"),
        (FusionRecursion("again"), "fusion_recursion"),
        (ConfigurationError("wrong", "do right"), "invalid_configuration"),
        (EmptyQuestion("nothing"), "empty_task"),
        (ZeroDivisionError("with a secret"), "unexpected_error"),
    ],
)
def test_every_error_has_openrouters_shape_and_a_reason(error, reason):
    result = json.loads(error_result(error))

    assert result.keys() == {"status", "error", "failure_reason"}
    assert (result["status"], result["failure_reason"]) == ("error", reason)
    assert "secret" not in result["error"]
    assert len(result["error"]) <= 700


def test_an_endless_error_is_cut():
    assert len(error_result(ConfigurationError("x" * 100_000))) < 1_000
