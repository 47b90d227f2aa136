"""Quotes against pages: what counts as there, nearly there, and not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.evidence.quotes import MOST_QUOTES, TOO_SHORT, check_quote, check_quotes

PAGE = """# Waiting for a slow model

The gateway project waits **90 seconds** for a panel, then goes on without the slow ones. A
[deadline](https://example.org/deadline) on progress does not punish a model that is still
writing; a fixed total deadline does. Users of the tool reported that two minutes were not
enough, and the limit was raised to 5 minutes in version 1.2.

“Short deadlines cut off the strongest models first” — so says the report of 2026.
"""


@pytest.mark.parametrize(
    "quote",
    [
        "waits 90 seconds for a panel",
        "The gateway project waits **90 seconds**",
        "A deadline on progress does not punish a model that is still writing",
        "a model that is still\n  writing; a fixed total deadline does",
        '"Short deadlines cut off the strongest models first"',
        "SHORT DEADLINES CUT OFF THE STRONGEST MODELS FIRST",
        "first” - so says the report of 2026.",
        "The gateway project waits 90 seconds ... goes on without the slow ones",
    ],
)
def test_words_of_the_page_are_verified_whatever_their_dress(quote):
    assert check_quote(quote, PAGE) == "verified"


@pytest.mark.parametrize(
    "quote",
    [
        "Users of this tool reported two minutes were not enough",
        "the limit was raised to five minutes in the version 1.2",
        "A deadline on progress doesn't punish models that are still writing",
        "The gateway projects wait for 90 seconds for a panel",
        "Short dead-lines cut off the strongest models first",
    ],
)
def test_spelling_inflection_and_function_words_make_a_near_quote(quote):
    assert check_quote(quote, PAGE) == "near"


def test_another_word_is_told_beside_the_words_of_the_page():
    quote = "Users of the software reported that two minutes were not enough"
    (checked,) = check_quotes([quote], PAGE)
    assert checked.verdict == "altered"
    assert checked.page_says == "Users of the tool reported that two minutes were not\nenough"


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("The gateway project waits 60 seconds for a panel, then goes on", "a figure changed"),
        ("the limit was raised to 5 minutes in version 1.3", "a figure changed at the end"),
        ("A deadline on progress does punish a model that is still writing", "'not' dropped"),
        ("reported that two minutes were enough, and the limit was raised", "'not' dropped"),
        ("The gateway project never waits 90 seconds for a panel, then", "'never' added"),
        ("waits 9", "cut in the middle of a number"),
        ("0 seconds for a panel", "cut in the middle of a number"),
    ],
)
def test_changed_words_of_the_page_are_altered(quote, why):
    assert check_quote(quote, PAGE) == "altered", why


@pytest.mark.parametrize(
    ("quote", "why"),
    [
        ("Panels are cheaper than one model in every case that was measured", "invented"),
        ("for slow", "short words that stand apart"),
        ("", "nothing"),
        ("…", "nothing but dots"),
    ],
)
def test_what_the_page_does_not_say_is_not_found(quote, why):
    assert check_quote(quote, PAGE) == "not_found", why


def test_a_quote_longer_than_the_page_is_not_found():
    assert check_quote(PAGE * 2, "Waiting for a slow model") == "not_found"


@given(st.text(max_size=300), st.text(max_size=600))
def test_any_text_gets_a_verdict(quote, page):
    assert check_quote(quote, page) in ("verified", "near", "altered", "not_found")


@given(st.integers(0, 6), st.integers(4, 8))
def test_any_run_of_whole_words_of_the_page_is_verified(start, length):
    page = "Plain words of a page about the old marks of a guild which go on for a while"
    words = page.split(" ")
    part = " ".join(words[start : start + length])
    assert check_quote(part, page) == "verified"


@pytest.mark.parametrize(
    ("quote", "page", "verdict"),
    [
        ("5 percent", "It rose by 0.5 percent.", "altered"),
        ("12 of them", "There were 12.5 million of them.", "altered"),
        ("about 500 boats", "There were about 12,500 boats.", "altered"),
        ("5 % growth last year", "They saw -5 % growth last year.", "altered"),
        ("20 mg a day", "They took 10–20 mg a day.", "altered"),
        ("The lake holds 3", "The lake holds 3 million litres.", "altered"),
        ("The city has 7 parks", "The city has 17 parks.", "altered"),
        ("The toll is 4", "The toll is $4.", "altered"),
        ("to 2000 in a decade", "The town grew from 800 to 2000 in a decade.", "verified"),
    ],
)
def test_figures_at_the_ends_of_a_quote_are_whole(quote, page, verdict):
    assert check_quote(quote, page) == verdict


@pytest.mark.parametrize(
    ("quote", "page"),
    [
        ("the vaccine stops infection", "The study did not find that the vaccine stops infection."),
        ("close the bridge", "The council refused to close the bridge."),
        ("run on petrol", "These buses no longer run on petrol."),
        ("helps old patients", "The drug may helps old patients."),
        ("批准了这项计划", "委员会没有批准了这项计划。"),
        ("complained of the noise", "Few tenants complained of the noise."),
        ("proved that tea heals", "No doctor in Ghent proved that tea heals."),
        ("the boats were lost at sea", "Some of the boats were lost at sea."),
        ("aprobó la ley", "El senado no aprobó la ley."),
    ],
)
def test_words_cut_out_of_a_denial_or_a_hedge_are_altered_and_told_as_such(quote, page):
    (checked,) = check_quotes([quote], page)
    assert checked.verdict == "altered"
    assert any(note.startswith("cut out of a") for note in checked.notes)


def test_a_thing_named_in_a_denial_is_no_denial():
    page = "The council did not close the bridge that was built in 1904."
    assert check_quote("the bridge that was built in 1904", page) == "verified"


@pytest.mark.parametrize("quote", ["the", "of a", "%", "in the"])
def test_function_words_alone_are_no_quote(quote):
    (checked,) = check_quotes([quote], "In the middle of a 5 % growth, the town was built.")
    assert checked.verdict == "not_found"
    assert checked.notes == (TOO_SHORT,)


def test_a_word_or_a_number_alone_is_told_as_too_short():
    (word, number) = check_quotes(["Porto", "5 %"], "Porto grew by 5 % in a year.")
    assert (word.verdict, number.verdict) == ("verified", "verified")
    assert word.notes == number.notes == (TOO_SHORT,)


DOTTED = """The ferry ran for sixty years. It was never cheap. Fares rose by 4 % a year and the
boats were full in summer. The last trip was in May.

The harbour was closed later, after two storms. Nobody lives there now. The quay is
still there. Boats of the coast guard use it in winter, when the sea is high and the wind is cold.

The museum opened in 1999."""


@pytest.mark.parametrize(
    ("quote", "verdict"),
    [
        ("Fares rose by 4 % a year ... in summer", "verified"),
        ("Fares rose [...] a year and the boats were full", "altered"),
        ("The ferry ran for sixty years … Fares rose by 4 % a year", "altered"),
        ("The last trip was in May ... The harbour was closed later", "verified"),
        ("The ferry ran for sixty years ... The museum opened in 1999", "altered"),
        ("The museum opened in 1999 ... The ferry ran for sixty years", "not_found"),
    ],
)
def test_dots_hide_neither_denials_nor_figures_nor_distance(quote, verdict):
    assert check_quote(quote, DOTTED) == verdict


TABLE = """| Port | Ships | Cranes |
|---|---|---|
| Lisbon | 310 | 24 |
| Porto | 120 | 150 |
"""


@pytest.mark.parametrize(
    ("quote", "right"),
    [
        ("Lisbon 310 24", True),
        ("Porto: 120", True),
        ("Porto 120 150", True),
        ("| Porto | 120 | 150 |", True),
        ("Lisbon 24", False),
        ("Porto 310", False),
        ("310 120", False),
        ("24 Porto 120", False),
        ("310 | 24 Porto", False),
    ],
)
def test_a_table_is_quoted_by_its_cells(quote, right):
    assert (check_quote(quote, TABLE) in ("verified", "near")) is right


WIKI = (
    "The mill was built in 1804<sup>[\\[7\\]](https://x.example/w#n7)</sup> and, by most accounts,"
    "[12] turned[^3] 9 stones[citation needed] at [Ely](https://x.example/wiki/Ely_(town)). It "
    "used 10<sup>4</sup> J and 6 m<sup>2</sup> of sail.<sup>2</sup> R&amp;D came later."
)


@pytest.mark.parametrize(
    "quote",
    [
        "The mill was built in 1804 and, by most accounts, turned 9 stones at Ely",
        "It used 10⁴ J and 6 m² of sail. R&D came later",
        "It used 10^4 J",
    ],
)
def test_footnote_marks_and_link_targets_are_no_words_of_a_page(quote):
    assert check_quote(quote, WIKI) == "verified"


def test_a_line_that_numbers_the_page_of_a_pdf_parts_no_sentence():
    page = "The dam was raised in\nAnnual report\nPage 4 of 9\nthree steps and is now 40 m high."
    assert check_quote("The dam was raised in three steps", page) == "altered"
    page = page.replace("Annual report\n", "")
    assert check_quote("The dam was raised in three steps", page) == "verified"


@pytest.mark.parametrize(
    ("quote", "page", "right"),
    [
        ("河流全长约640公里", "据统计，该河流全长约640公里，流域很大。", True),
        ("河流全长约460公里", "据统计，该河流全长约640公里，流域很大。", False),
        ("橋は1932年に完成した", "この橋は1932年に完成したと言われる。", True),
        ("橋は1932年に完成した", "この橋は1923年に完成したと言われる。", False),
        ("แม่น้ำยาว 370 กิโลเมตร", "ในอดีตแม่น้ำยาว 370 กิโลเมตรและไหลลงทะเล", True),
        ("다리는 1932년에 완공", "이 다리는 1932년에 완공되었다.", True),
        ("طول النهر 640 كيلومترا", "يبلغ طول النهر ٦٤٠ كيلومترا في الشمال", True),
        ("مدينة كبيرة", "كانت ومدينة كبيرة هناك", True),
        ("הגשר נבנה בשנת 1932", "ידוע כי הגשר נבנה בשנת 1932 בעיר", True),
        ("הגשר נבנה בשנת 1932", "ידוע כי הגשר לא נבנה בשנת 1932 בעיר", False),
        ("Der Rat hat den Plan gebilligt", "Der Rat hat den Plan nicht gebilligt.", False),
        ("Le conseil a voté la loi", "Le conseil n'a pas voté la loi.", False),
        ("Совет одобрил план", "Совет не одобрил план.", False),
    ],
)
def test_every_script_is_quoted_by_whole_numbers_and_with_its_denials(quote, page, right):
    assert (check_quote(quote, page) in ("verified", "near")) is right


def test_more_quotes_of_a_source_than_are_checked_are_unchecked():
    page = "The bridge was built of steel and stone in the old town."
    checked = check_quotes(["The bridge was built of steel"] * (MOST_QUOTES + 3), page)
    assert [one.verdict for one in checked[-4:]] == ["verified", *["unchecked"] * 3]
