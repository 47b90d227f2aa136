"""What differs between two sentences, pair by pair."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.evidence.difference import (
    agrees,
    dates,
    differences,
    figures,
    names,
    polarity,
    same,
)

SAME = """
The ferry carried 2,400 cars | The ferry carried 2400 cars
The ferry carried 2 400 cars | the ferry carried 2,400 cars.
Ridership fell by 8 % in spring | Ridership fell by 8 percent in spring
Ridership fell by 8% in spring | Ridership fell by 8 per cent in the spring
a daily dose of 5–15 mg | a daily dose of 5 to 15 mg
a daily dose of 5-15mg | a daily dose of 5 – 15 mg
The fund raised $7.2 million | The fund raised $7.2M
The fund raised $7.2 million | the fund raised US$7.2 million
The board didn't sign | The board did not sign
They can't leave | They cannot leave
The colour of the harbour | the color of the harbor
They organised a theatre programme | They organized a theater program
The travellers cancelled | the travelers canceled
A long-term plan | A long term plan
an e-mail | an email
The visit was on 4 July 1998 | The visit was on July 4, 1998
The visit was on 4th July 1998 | The visit was on 1998-07-04
It opened in three weeks | It opened in 3 weeks
thirty-one members | 31 members
two hundred and six bones | 206 bones
the lake covers 9 km² | the lake covers 9 km2
the lake covers 9 square kilometres | the lake covers 9 km²
a low of −11 °C | a low of -11°C
a low of minus 11 degrees Celsius | a low of -11 °C
about a quarter of the votes | about one quarter of the votes
a force of 10⁵ N | a force of 10^5 N
It opened in Dec. 1998 | It opened in December 1998
She wrote “the end” | She wrote "the end"
the soft­ware | the software
the ﬁrst oﬃce | the first office
The city repairs its bridges | The cities repaired their bridge
She thinks of it | She thought about it
the naïve résumé | the naive resume
1,5 Meter über dem Boden war der Tisch | 1,5 m über dem Boden war der Tisch
Die Brücke wurde am 7. Mai 1999 eröffnet | Die Bruecke wurde am 7.5.1999 eröffnet
Elle a coûté 3 millions d'euros | Elle a coûté 3 millions d’euros
人口は約900万人 | 人口は約９００万人
बाँध २०१५ में बना | बाँध 2015 में बना
بلغ العدد ٢٥ مليون نسمة | بلغ العدد 25 مليون نسمة
"""

DIFFERENT = """
figure | The ferry carried 2,400 cars | The ferry carried 2,600 cars
figure | a daily dose of 5–15 mg | a daily dose of 15–5 mg
figure | a low of -11 °C | a low of 11 °C
figure | a growth of 0.4 % | a growth of 4 %
figure | the second attempt | the third attempt
figure | in two weeks | in six weeks
content | The sum is 4*5 | The sum is 4+5
scale | The fund raised $7.2 million | The fund raised $7.2 billion
scale | 30 thousand people | 30 million people
currency | The fund raised $7.2 million | The fund raised £7.2 million
unit | a daily dose of 5–15 mg | a daily dose of 5–15 g
unit | the lake covers 9 km² | the lake covers 9 km
unit | a depth of 30 m | a depth of 30 ft
unit | Ridership fell by 8 % | Ridership fell by 8 percentage points
unit | in two weeks | in two years
unit | a low of -11 °C | a low of -11 °F
date | on 4 July 1998 | on 4 June 1998
date | on 4 July 1998 | on 5 July 1998
date | on July 4, 1998 | on July 4, 1989
date | It closed in March | It closed in April
name | The mayor of Lyon spoke | The mayor of Nice spoke
name | Anna Berg wrote it | Anna Holm wrote it
negation | The board did not sign | The board did sign
negation | The pump works without oil | The pump works with oil
negation | The motor is efficient | The motor is inefficient
negation | It no longer rains | It rains
negation | The clinic failed to open | The clinic was to open
negation | The treaty lacks a date | The treaty has a date
antonym | The council approved the plan | The council rejected the plan
antonym | Exports rose in May | Exports fell in May
antonym | the older bridge | the newer bridge
antonym | before the flood | after the flood
antonym | The gate was open | The gate was closed
quantifier | Most of the wards voted | All of the wards voted
quantifier | Some members left | Several members left
quantifier | more than 40 boats | fewer than 40 boats
quantifier | at least 40 boats | at most 40 boats
quantifier | A few boats sank | Few boats sank
modal | The drug may help | The drug will help
modal | The drug can help | The drug must help
modal | Sign if you agree | Sign when you agree
hedge | about 40 boats sank | 40 boats sank
hedge | It seems safe | It is safe
hedge | The results suggest a cause | The results show a cause
comparative | Rents rose to 9 % | Rents rose by 9 %
comparative | a better lamp | a lamp
order | Berg beat Holm in the final | Holm beat Berg in the final
order | Oslo is colder than Rome | Rome is colder than Oslo
content | The farmer sold a cow | The farmer sold a horse
content | The bridge is made of steel | The bridge is made of stone
"""


def rows(table: str) -> list[tuple[str, ...]]:
    return [tuple(cell.strip() for cell in line.split("|")) for line in table.strip().splitlines()]


@pytest.mark.parametrize(("one", "two"), rows(SAME))
def test_typography_spelling_inflection_and_function_words_are_no_difference(one, two):
    assert differences(one, two) == []
    assert differences(two, one) == []


@pytest.mark.parametrize(("kind", "one", "two"), rows(DIFFERENT))
def test_what_changes_the_meaning_is_told_by_its_kind(kind, one, two):
    assert kind in [found.kind for found in differences(one, two)]
    assert not same(two, one)


def test_a_difference_tells_the_words_on_either_side_and_where_they_stand():
    one, two = "The dam holds 40 million litres.", "The dam holds 40 billion litres."
    (found,) = differences(one, two)
    assert (found.first, found.second) == ("40 million litres", "40 billion litres")
    assert one[slice(*found.first_at)] == found.first
    assert two[slice(*found.second_at)] == found.second


@pytest.mark.parametrize(
    ("text", "first", "last", "unit", "currency"),
    [
        ("1.2 million people", "1200000", "1200000", "", ""),
        ("$3bn", "3000000000", "3000000000", "", "USD"),
        ("€4–5 million", "4000000", "5000000", "", "EUR"),
        ("10 mg to 20 mg", "10", "20", "mg", ""),
        ("12,34,567 rupees", "1234567", "1234567", "", "INR"),
        ("a third of them", "0.3333", "0.3333", "", ""),
        ("1.400 Menschen wurden im Ort gezählt", "1400", "1400", "", ""),
        ("3億5000万", "350000000", "350000000", "", ""),
        ("4 тысячи", "4000", "4000", "", ""),
        ("60 miles per hour", "60", "60", "mph", ""),
        ("half a million", "500000", "500000", "", ""),
        ("three and a half years", "3.5", "3.5", "year", ""),
        ("50 basis points", "50", "50", "bp", ""),
    ],
)
def test_figures_are_read_with_scale_unit_and_currency(text, first, last, unit, currency):
    (figure,) = figures(text)
    assert (figure.first, figure.last) == (Decimal(first), Decimal(last))
    assert (figure.unit, figure.currency) == (unit, currency)


@pytest.mark.parametrize(
    ("said", "meant", "whether"),
    [
        ("about 12,000", "12,431", True),
        ("about 12,000", "14,000", False),
        ("over 70", "71", True),
        ("over 70", "69", False),
        ("over 70", "700", False),
        ("a third", "33 %", True),
        ("a third", "38 %", False),
        ("1.2 million", "1,214,000", True),
        ("1.2 million", "1,300,000", False),
        ("5 km", "5,000 m", True),
        ("5 km", "5 miles", False),
        ("12 mg", "12 g", False),
        ("3 %", "3 percentage points", False),
        ("100 °C", "212 °F", True),
        ("nearly 50", "49", True),
        ("nearly 50", "51", False),
        ("at least 8", "8", True),
        ("the 1950s", "1953", True),
        ("the 1950s", "1963", False),
        ("$5", "€5", False),
        ("142", "139", False),
        ("two years", "24 months", True),
    ],
)
def test_figures_agree_by_rounding_and_conversion_and_not_by_percentage(said, meant, whether):
    (one,), (two,) = figures(said), figures(meant)
    assert agrees(one, two) is whether
    assert agrees(two, one) is whether


def test_dates_and_names_and_denials_are_found():
    text = "On 3 March 2019 Marie Curie did not meet the Bishop of Lyon, as he may have said."
    (date,) = dates(text)
    assert date.key == (2019, 3, 3)
    assert [name.text for name in names(text)] == ["Marie Curie", "Bishop", "Lyon"]
    assert polarity(text).denied
    assert "may" in polarity(text).hedges


@pytest.mark.parametrize("text", ["你去还是不", "我没", "ご飯は未", "먹지 못", "안"])
def test_a_text_may_end_with_a_denial_of_one_letter(text):
    assert polarity(text).denied
    assert same(text, text)


@given(st.text(max_size=200))
def test_a_text_never_differs_from_itself(text):
    assert same(text, text)


@given(st.text(max_size=80), st.text(max_size=80))
def test_sameness_has_no_direction(one, two):
    assert same(one, two) == same(two, one)
