"""An answer and what a check says of its claims: at least one of every verdict, by hand."""

from __future__ import annotations

from typing import Any

ANSWER = """\
# What it costs

A panel costs **4 to 5 times** a single completion [1]. It was invented in 1804 [1][2], says
[the page](https://example.org/x_y).

- Judges see no names [2].
- Most people like it [3].

| part | share |
|---|---|
| judge | 12 % [2] |
"""


def claim(sentence: str, sources: list[int], verdict: str, **more: Any) -> dict[str, Any]:
    """A claim as a record has it."""
    told = {"sentence": sentence, "sources": sources, "verdict": verdict}
    return {**told, "missing": [], "passage": "", "checked_by": "code", **more}


CLAIMS = [
    claim(
        "A panel costs **4 to 5 times** a single completion.",
        [1],
        "supported",
        passage="A panel costs 4 to 5 times one completion.",
    ),
    claim(
        "It was invented in 1804, says [the page](https://example.org/x_y).",
        [1, 2],
        "unsupported",
        missing=["1804"],
    ),
    claim(
        "Judges see no names.",
        [2],
        "contradicted",
        missing=["no"],
        passage="Judges see the names of all.",
        checked_by="model",
    ),
    claim("Most people like it.", [3], "not_checkable"),
    claim("| judge | 12 % |", [2], "supported", passage="The judge: 12 %."),
]
