"""Citations: what is one is read however it is written, and what is none is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_graph.evidence import cited, quoted, read_citations, renumber

PROPERTY = settings(derandomize=True, max_examples=2 * settings.default.max_examples)

KNOWN = {1, 2, 3}

# What is read


@pytest.mark.parametrize(
    ("text", "numbers", "written"),
    [
        ("Wet [1].", [1], "Wet [11]."),
        ("Wet [2][1], very [2].", [2, 1], "Wet [12][11], very [12]."),
        ("Wet [1, 3,2].", [1, 3, 2], "Wet [11][13][12]."),
        ("Wet [1; 2].", [1, 2], "Wet [11][12]."),
        ("Wet [1 and 2].", [1, 2], "Wet [11][12]."),
        ("Wet [1, 2, and 3].", [1, 2, 3], "Wet [11][12][13]."),
        ("Wet [1-3].", [1, 2, 3], "Wet [11][12][13]."),
        ("Wet [1–3].", [1, 2, 3], "Wet [11][12][13]."),
        ("Wet [1, 1].", [1], "Wet [11]."),
        ("Wet ([2]).", [2], "Wet ([12])."),
        ("Wet [ 2 ].", [2], "Wet [12]."),
        ("Wet[^1].", [1], "Wet [11]."),
        ("Wet [^1][^2].", [1, 2], "Wet [11][12]."),
        ("Wet [^1].\n\n[^1]: https://wet.example", [1], "Wet [11].\n\n[^11]: https://wet.example"),
        ("Wet【2】.", [2], "Wet [12]."),
        ("Wet【2†source】.", [2], "Wet [12]."),
        ("Wet 【1†L5-L9】.", [1], "Wet [11]."),
        ("Wet [Source 1].", [1], "Wet [11]."),
        ("Wet [source: 1].", [1], "Wet [11]."),
        ("Wet [Sources 1, 2].", [1, 2], "Wet [11][12]."),
        ("Wet [Source 1, Source 3].", [1, 3], "Wet [11][13]."),
        ("Wet [cite: 2].", [2], "Wet [12]."),
        ("Wet [ref 2].", [2], "Wet [12]."),
        ("Wet [1, p. 12].", [1], "Wet [11]."),
        ("Wet [1, pp. 3–5; 2, § 4].", [1, 2], "Wet [11][12]."),
        ("Wet <sup>2</sup>.", [2], "Wet [12]."),
        ("Wet<sup>[1]</sup>.", [1], "Wet [11]."),
        ("Water is wet.¹", [1], "Water is wet.[11]"),
        ("水是湿的[1]。", [1], "水是湿的[11]。"),
        ("**Wet**[1] and *wet [2]*.", [1, 2], "**Wet**[11] and *wet [12]*."),
        ("| a | b |\n|--|--|\n| wet [1] | dry |", [1], "| a | b |\n|--|--|\n| wet [11] | dry |"),
        ("> Wet [1]\n> and dry [2].", [1, 2], "> Wet [11]\n> and dry [12]."),
        ("- [1] Water, https://w.example", [1], "- [11] Water, https://w.example"),
        ("It costs $5 [1] here and $6 [2] there.", [1, 2], None),
        ("Sources: [1, 2]", [1, 2], "Sources: [11][12]"),
        ("See: [3]", [3], "See: [13]"),
        ("As [see [1]] has it.", [1], None),
    ],
)
def test_a_citation_is_read_however_it_is_written(text, numbers, written):
    new = renumber(text, {n: n + 10 for n in KNOWN})

    assert cited(text, KNOWN) == numbers
    assert cited(new, range(11, 14)) == [n + 10 for n in numbers]
    assert written is None or new == written


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ('It says [1: "water is wet"].', [(1, "water is wet")]),
        ("It says [1: 'the sea's water is wet'].", [(1, "the sea's water is wet")]),
        ("It says [1: “water is [very] wet”].", [(1, "water is [very] wet")]),
        ("It says [1: «water is wet»].", [(1, "water is wet")]),
        ("It says [1: „water is wet“].", [(1, "water is wet")]),
        ('It says [1 – "water is wet"].', [(1, "water is wet")]),
        ('It says [1, "water is wet"].', [(1, "water is wet")]),
        ('It says [1, p. 4: "water is wet"].', [(1, "water is wet")]),
        ('It says [Source 1: "water is wet"].', [(1, "water is wet")]),
        ('> It says [1: "water\n> is wet"].', [(1, "water is wet")]),
        ('It says [1, 2: "water is wet"].', [(1, "water is wet"), (2, "water is wet")]),
        ('It says [1: "wet"; 2: "very wet"].', [(1, "wet"), (2, "very wet")]),
        ('It says [1: "wet", "very wet"].', [(1, "wet"), (1, "very wet")]),
        ('It says [1: "he said "wet" aloud"].', [(1, 'he said "wet" aloud')]),
        ('It says [1: "water is wet" and more.', [(1, "water is wet")]),
        ('It says [1: "water is wet"', [(1, "water is wet")]),
        ("It says [1].", []),
    ],
)
def test_words_of_a_citation_are_read_in_any_quotation_marks(text, quotes):
    new = renumber(text, {n: n + 10 for n in KNOWN})

    assert quoted(text, KNOWN) == quotes
    assert quoted(new, range(11, 14)) == [(n + 10, words) for n, words in quotes]


# What is none

BRACKETS = [
    "Take x[1], arr[2] and f(x)[1], or rows[1][2].",
    "Call np.array([1, 2]) or f(x, [1]).",
    "Take `items[1]` and ``a ` [2]``.",
    "```python\nfirst = items[0]\nlast = [1]\n```",
    "~~~\nx[2] ? y : [3]\n~~~",
    "    indented = [1]\n",
    "On [0, 1] it is bounded.",
    "The interval [1, 3] is closed.",
    "Let k ∈ [1, 3] and A = [1, 2].",
    "So [1, 2] ∪ [2, 3] covers it.",
    "It is $a_{[1]} + [2]$ or $$x [1]$$.",
    "$$\ny = [1]\n\n- z [2]\n$$",
    r"It is \( [1] \) or \[ [2] \].",
    r"\begin{pmatrix} [1] & [2] \end{pmatrix}",
    r"Escaped: \[1], and \\sum[2].",
    '{"ids": [1, 2, 3], "k": [1]}',
    'The JSON is {"ids": [1, 2], "k": [3]} as it stands.',
    "[[1, 2], [3, 1]]",
    "ports: [1, 2]",
    "The vector [1, 2, 3] is long.",
    "It returns [1, 2].",
    "- [ ] water\n- [x] fire",
    "A link [1](https://wet.example), and [see [2]](https://dry.example).",
    "![Figure [1]](wet.png) and ![2](dry.png)",
    "In the census [2024] it grew.",
    "[0], [007], [12345], [], [wet]",
    "Match ^[1-3]+$ or x[^1]* or [0-9]{2}.",
    "E = mc<sup>2</sup>, 10<sup>3</sup> m², 5 km³.",
    "Wet[^1].\n\n[^1]: Said of the sea only.",
    '<a name="x[1]">here</a> <code>y [2]</code>',
    "## Title {#part-[1]}",
]
"""Brackets that cite nothing, though sources 1, 2 and 3 exist."""


@pytest.mark.parametrize("text", BRACKETS)
def test_brackets_of_code_mathematics_and_data_are_no_citations(text):
    assert cited(text, KNOWN) == []
    assert renumber(text, {1: 11, 2: 12, 3: 13}) == text
    assert read_citations(text, KNOWN).plain() == text


PIECES = st.one_of(
    st.sampled_from(BRACKETS),
    st.sampled_from(
        [
            "Wet [1].",
            "dry [2-3]",
            '[1: "a"]',
            "[^2]",
            "【3】",
            "\n\n",
            "\n",
            " ",
            "`",
            "$",
            "[",
            "]",
        ]
    ),
    st.text(alphabet='[](){}<>\\`$*_|:;,.-^"†0123456789 abfx\n', max_size=12),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


@PROPERTY
@given(TEXTS)
def test_without_sources_no_text_is_changed(text):
    assert cited(text, []) == []
    assert renumber(text, {}) == text
    assert read_citations(text, []).plain() == text


@PROPERTY
@given(TEXTS)
def test_where_no_number_is_a_source_no_text_is_changed(text):
    assert renumber(text, {77777: 88888}) == text


@PROPERTY
@given(st.lists(st.sampled_from(BRACKETS), min_size=1, max_size=6).map("\n\n".join))
def test_what_is_no_citation_is_left_alone_whatever_stands_beside_it(text):
    assert renumber(f"{text}\n\nWet [1].", {1: 2, 2: 1}) == f"{text}\n\nWet [2]."


@PROPERTY
@given(st.lists(PIECES, max_size=8).map(" ".join))
def test_what_has_been_normalised_stays_as_it_is(text):
    same = {n: n for n in KNOWN}
    once = renumber(text, same)

    assert renumber(once, same) == once


@PROPERTY
@given(st.lists(st.one_of(st.sampled_from(["wet", "dry."]), st.integers(1, 9))))
def test_after_renumbering_only_sources_that_were_meant_are_cited(parts):
    text = "It is so: " + " ".join(f"w [{p}]." if isinstance(p, int) else p for p in parts)
    ids = {n: n + 2 for n in range(1, 6)}
    meant = [ids[p] for p in parts if isinstance(p, int) and p in ids]

    assert cited(renumber(text, ids), set(ids.values())) == list(dict.fromkeys(meant))


# Numbers of no source


def test_numbers_that_change_places_do_not_collide():
    assert renumber("Wet [1] [2] [3].", {1: 2, 2: 3, 3: 1}) == "Wet [2] [3] [1]."


def test_a_number_that_exists_nowhere_stays_and_is_reported():
    reading = read_citations("Wet [7]. Dry [1, 9]. It is [8: 'wet'].", KNOWN)

    assert reading.unknown == [7, 9, 8]
    assert reading.cited == [1]
    assert reading.plain() == "Wet [7]. Dry [1][9]. It is [8: 'wet']."


def test_a_private_number_never_comes_to_point_at_another_members_page():
    reading = read_citations('Wet [7]. Dry [1, 8]. It says [9: "wet"]. The [7] more.', KNOWN)

    new = reading.renumbered({1: 4, 2: 5, 3: 6}, range(1, 10))

    assert cited(new, range(1, 10)) == [4]
    assert new == 'Wet [?]. Dry [4][?]. It says [?: "wet"]. The \\[7] more.'


def test_what_cannot_be_read_stays_and_is_reported():
    text = "Wet [source 1 or so]. Dry [2: as they say]. Both 【4:0†source】."
    reading = read_citations(text, KNOWN)

    assert reading.unreadable == ["[source 1 or so]", "[2: as they say]", "【4:0†source】"]
    assert reading.cited == []
    assert reading.plain() == text
    assert reading.renumbered({1: 5, 2: 6, 3: 7}, range(5, 8)).startswith("Wet [source 5 or so].")


def test_words_the_text_has_just_said_are_not_quoted_again():
    said = 'A panel costs four times as much [1: "A panel costs four times as much."]. Or "more".'
    reading = read_citations(said, [1])

    assert reading.plain() == 'A panel costs four times as much [1]. Or "more".'
    assert read_citations('It is dear [1: "costs four times"].', [1]).plain() == (
        'It is dear "costs four times" [1].'
    )


# Odd texts


@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "[1",
        '[1: "',
        " ",
        "> ",
        "- ",
        "`a``",
        "$a ",
        "[a](",
        "{a: ",
        "<sup>1",
        "\\[",
        "【1",
        "[1, ",
    ],
)
def test_no_text_exhausts_it(piece):
    text = piece * (20_000 // len(piece))

    assert renumber(f"{text}\n\n# Wet [1]", {1: 1}).startswith(text)


def test_a_long_answer_is_read_like_the_same_answer_in_short_parts() -> None:
    part = (
        "# On trams [1]\n\nBlue [1] and red [2].\n\n- one [1]\n  - two [2]\n\n"
        "```\nrow[1]\n\n- [2]\n```\n\n~~~~\n```\n[1]\n~~~~\n\n"
        "| a | b [1] |\n|---|---|\n| c | d |\n\n"
    )
    alone = [(m.start, m.kind) for m in read_citations(part, {1, 2}).marks]
    many = read_citations(part * 400, {1, 2}).marks
    assert [(m.start, m.kind) for m in many] == [
        (n * len(part) + start, kind) for n in range(400) for start, kind in alone
    ]


def test_code_that_a_list_item_of_a_long_answer_holds_is_no_prose() -> None:
    filler = "Blue trams [1] run.\n\n" * 600
    answer = filler + "- so:\n\n  ```\n  x [2]\n\n- y [2]\n  ```\n" + filler
    whole = read_citations(answer, {1, 2})
    code = answer.index("x [2]") + 2
    assert code not in [mark.start for mark in whole.citations]
