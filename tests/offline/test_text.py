"""Reading text: stems, sentences, prose, figures."""

from __future__ import annotations

import pytest

from fusion_graph.offline._citing import cited
from fusion_graph.offline._quantities import quantities
from fusion_graph.offline._text import (
    capitalised,
    cleaned,
    content_stems,
    is_quotable,
    prose,
    sentences,
    stem,
    stop_words,
    tokens,
    word_pairs,
)


@pytest.mark.parametrize(
    "forms",
    [
        ("judge", "judges", "judged", "judging"),
        ("score", "scored", "scoring", "scores"),
        ("study", "studies", "studied"),
        ("run", "running", "runs"),
        ("wait", "waits", "waiting", "waited"),
        ("панель", "панели"),
    ],
)
def test_forms_of_a_word_share_a_stem(forms: tuple[str, ...]) -> None:
    assert len({stem(form) for form in forms}) == 1


def test_short_words_and_numbers_keep_their_form() -> None:
    assert [stem(word) for word in ("is", "gas", "68.3", "this")] == ["is", "gas", "68.3", "this"]


def test_a_denial_is_a_word_of_its_own() -> None:
    assert tokens("It doesn’t rain in the city's park.") == [
        "it", "does", "not", "rain", "in", "the", "city", "park",
    ]  # fmt: skip


def test_languages_without_spaces_are_read_in_pairs() -> None:
    assert tokens("天気は良い") == ["天気", "気は", "は良", "良い"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One is here. Two is there! Is it three? Yes.", 4),
        ("It costs approx. 4.50 dollars, e.g. Tuesdays. Dr. Lee agrees with J. Smith.", 2),
        ("水は濡れている。氷は乾いている。", 2),
        ("الماء رطب. هل الثلج جاف؟ نعم.", 3),
        ("Version 2.1 of the tool, i.e. the new one, is out.", 1),
        ('He said "stop." Then he left.', 2),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, count: int) -> None:
    assert len(sentences(text)) == count


def test_prose_leaves_out_what_is_no_sentence_and_joins_wrapped_lines() -> None:
    page = """# Tea

Green tea is
brewed at 80 degrees.

```python
print("Black tea is boiled.")
```

## Storing

| leaf | months |
|------|--------|
- Tea keeps for **two years** in a tin.
- See [the guide](https://example.org/tea) for more [3].
"""
    assert list(prose(page)) == [
        ("Green tea is brewed at 80 degrees.", "Tea"),
        ("Tea keeps for two years in a tin.", "Storing"),
        ("See the guide for more.", "Storing"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Water is wet [12] and cold [4, 5].",
        'Water is wet [2: "so they say"].',
        "Water is wet [citation needed].",
        "Water [is] wet, see https://example.org/x[1] there.",
    ],
)
def test_a_page_cannot_smuggle_in_citations_or_addresses(text: str) -> None:
    assert "[" not in cleaned(text)
    assert "://" not in cleaned(text)


@pytest.mark.parametrize(
    "text",
    ["Home About Contact", "Is water wet or is it not?", "x = {1: 2, 3: [4]}; y += 1 // 2", "…cut"],
)
def test_some_sentences_cannot_stand_in_an_answer(text: str) -> None:
    assert not is_quotable(text)


def test_stop_words_of_another_language_are_known_by_company() -> None:
    german = stop_words("Wie lange soll ein Teich ruhen?")
    assert {"wie", "lange", "ein"} <= german
    assert "die" not in stop_words("When do stars die?")


def test_names_stand_with_a_capital_inside_a_sentence() -> None:
    assert capitalised("When should I visit Japan with OpenRouter?") == {"japan", "openrouter"}
    assert capitalised("Best Time To Visit Japan") == frozenset()


def test_pairs_tell_not_using_from_using() -> None:
    asked = word_pairs("When should I not use a panel?")
    assert len(asked & word_pairs("Do not use a panel for chat.")) == 2
    assert len(asked & word_pairs("You can use any panel you like.")) == 0


def test_content_stems_leave_out_empty_words() -> None:
    assert content_stems("What is the price of the boats?") == {"price", "boat"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It takes 90 seconds.", [(90, 90, "time")]),
        ("It takes 5 minutes.", [(300, 300, "time")]),
        ("It costs 4 to 5 times as much.", [(4, 5, "times")]),
        ("It was a fourfold waste.", [(4, 4, "times")]),
        ("It costs $1,500.50 now.", [(1500.5, 1500.5, "dollar")]),
        ("It costs 2 million dollars.", [(2e6, 2e6, "dollar")]),
        ("About 35 % of them fell.", [(35, 35, "percent")]),
        ("It holds between 10 and 12 percent.", [(10, 12, "percent")]),
        ("Three boats sank.", [(3, 3, "boat")]),
        ("Rund 3,5 km weit.", [(3500, 3500, "length")]),
    ],
)
def test_figures_are_read_with_their_units(
    text: str, expected: list[tuple[float, float, str]]
) -> None:
    assert [(q.low, q.high, q.kind) for q in quantities(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "GPT-5.5 came out on 12 June 2026.",
        "Claude Opus 4.8 and Gemini 3 Flash agree.",
        "See arXiv 2306.05685 from 2023.",
        "The address is 127.0.0.1 or 10.0.0.1.",
        "One should not wait.",
        "In 1999 it rained.",
    ],
)
def test_names_dates_and_versions_are_no_figures(text: str) -> None:
    assert quantities(text) == []


def test_a_question_keeps_its_own_end_when_nothing_is_cited() -> None:
    assert cited("Who has measured it?", []) == "Who has measured it?"
    assert cited("Who has measured it?", [2]) == "Who has measured it? [2]."
    assert cited("Nobody has", []) == "Nobody has."
