"""Places of citations, as JavaScript counts them."""

from __future__ import annotations

from fusion_graph.faces.server._citation_spans import spans


def test_places_count_utf_16_units_as_the_page_does():
    text = "\U0001f30a wet [1], \U0001f30a x[1] dry [2: 'so']."
    units = text.encode("utf-16-le")

    found = spans(text, [1, 2])

    said = [units[2 * s["start"] : 2 * s["end"]].decode("utf-16-le") for s in found]
    assert said == ["[1]", "[2: 'so']"]
    assert [s["parts"] for s in found] == [
        [{"ids": [1], "words": None}],
        [{"ids": [2], "words": "so"}],
    ]
