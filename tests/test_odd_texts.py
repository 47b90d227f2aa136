"""Odd texts: whatever a model or a page writes, the checks of evidence come to an end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.evidence.citations import cited, read_citations, renumber
from fusion_graph.evidence.claims import check_claims
from fusion_graph.evidence.counting import miscounted, unfounded
from fusion_graph.evidence.difference import figures, same
from fusion_graph.evidence.quotes import check_quote

WORDS = """
water the of not no cannot never about over at least most of all none only may
die der was nicht kein les ne pas ninguno non 不 没有 の ない 안 못 غير не
1 2.5 1,000 1.000 12 400 3/4 -99999999999999999999999999999999/3 2½ ½ ٣ IV third 19th 1990s '90s
9999999999999999999999999999999999999990s 10⁵² 10^99 1e52 ×10^9 million billion dozen half twice
$3 €5 £ % °C mg/l km² 5-6 2019 2019-03-02 3 March mars 10:30 Q3 century sum difference times ratio
[1] [2,3] [1-9] [^1] 【1†source】 [1:"water"] (Source 2) ] [ ( ) { } < > <b> & ` `` ```
\\` \\``` \\( $$ $
" “ ” « » ' . ! ? … 。 ： ; , - – | * ** # > Marie Curie Lyon U.S. Dr. e.g. 3 of 4 models agree
"""
"""Words and signs that mean something to what reads evidence, in no order."""

texts = st.lists(
    st.tuples(
        st.sampled_from(WORDS.split()), st.sampled_from([" ", " ", "", "\n", "\n\n", "\n- "])
    ),
    max_size=30,
).map(lambda pairs: "".join(piece + gap for piece, gap in pairs))


@given(texts, texts, texts)
def test_every_answer_is_checked_against_every_page(answer, page, other):
    check_claims(f"{answer} [1]. {other} [2]", {1: page, 2: other})
    assert unfounded(answer, {"a": page}, other) in ([], ["a"])
    miscounted(answer, [(page, ["a", "b"]), (other, ["a"])], asked=3, answered=2)


@given(texts, texts)
def test_every_quote_is_looked_for_on_every_page(quote, page):
    assert check_quote(quote, page)


@given(texts)
def test_every_text_is_what_it_is(text):
    assert same(text, text)


@given(texts)
def test_every_citation_is_told_and_renumbered(text):
    known = [1, 2, 3]
    assert set(cited(text, known)) <= set(known)
    read_citations(text, known).plain()
    renumber(text, {1: 2, 2: 1})


@pytest.mark.parametrize(
    "text", [r"Kettles \``` boil water [1].", r"A `b` and a \``` c [1]", r"\`````` [1]"]
)
def test_behind_an_escaped_backtick_a_run_of_any_length_may_stand(text):
    assert cited(text, [1]) == [1]


def test_a_number_of_many_digits_is_a_figure_like_any():
    (figure,) = figures("It holds 9999999999999999999999999999999999999990s.")
    assert figure.first == 9999999999999999999999999999999999999990


def test_no_century_holds_a_year_beyond_all_counting():
    page = "Its halls, built in the 19th century, hold atoms."
    (claim,) = check_claims("It holds 10⁵² atoms in its 5 halls [1].", {1: page})
    assert claim["verdict"] == "unsupported"
