"""English number words."""

from __future__ import annotations

from fusion_graph.evidence._tables import table

_TABLE = table("english")["numbers"]

SMALL = {word: number for number, word in enumerate(_TABLE["small"].split())}
TENS = {word: 10 * number for number, word in enumerate(_TABLE["tens"].split(), 2)}
HUNDREDS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
DOZEN = 12
ORDINALS = {word: number for number, word in enumerate(_TABLE["ordinals"].split(), 1)} | {
    "thirtieth": 30,
    "fortieth": 40,
    "fiftieth": 50,
    "hundredth": 100,
}
FRACTIONS = {"half": 2, "halves": 2, "quarter": 4, "quarters": 4} | {
    word + ending: number
    for word, number in ORDINALS.items()
    if 3 <= number <= 10
    for ending in ("", "s")
}
