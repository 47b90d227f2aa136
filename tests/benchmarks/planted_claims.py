"""How many faults planted into cited sentences the check of claims sees, and its false alarms.

    python -m tests.benchmarks.planted_claims [SEED]

Texts, kinds of faults and honest changes are those of `planted`; here they stand in an answer that
cites the page. Derivations (a figure rounded, converted, added up) are made of the page's own
figures. Seen is a fault whose sentence is `contradicted` or `unsupported`; `missed` says how many
of the others were `supported`. An honest sentence is right where it is neither.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.config import combine
from fusion_graph.evidence import check_claims
from fusion_graph.nodes.verifier import ask_verifier
from fusion_graph.run.deadlines import spent
from fusion_graph.run.stage import open_stage
from fusion_graph.state import Run
from tests.benchmarks.planted import FAULTS, HONEST, KINDS, PLACES, Fault, Page, pages
from tests.scripted_models.client import start_server

SEED = 20261127
PER_KIND = 90
HONEST_EACH = 150
UNTOUCHED = 600
BATCH = 40
FOR_A_MODEL = ("order", "content")
"""Kinds that code leaves to a verifier."""


def rounded(sentence: str, page: Page, chance: random.Random) -> str | None:
    """About so many: the first two digits of a long number."""
    about = {"en": "about", "de": "etwa", "fr": "environ", "es": "unos", "pl": "około"}
    match = re.search(r"(?<![\w.,:/-])([1-9]\d{2,6})(?![\w.,:/%()-])", sentence)
    if not match or page.language not in about or 1000 <= int(match[1]) <= 2100:
        return None
    value, digits = int(match[1]), len(match[1]) - 2
    near = round(value, -digits)
    if near == value:
        return None
    return f"{sentence[: match.start()]}{about[page.language]} {near}{sentence[match.end() :]}"


CONVERTED = (
    (r"(\d+) km\b", 1000, "{n} m"),
    (r"(\d+) m\b", 100, "{n} cm"),
    (r"(\d+) minutes\b", 60, "{n} seconds"),
    (r"(\d+) hours\b", 60, "{n} minutes"),
    (r"(\d+) tonnes\b", 1000, "{n} kg"),
    (r"(\d+) million\b", 1_000_000, "{n}"),
    (r"(\d+) seconds\b", 1000, "{n} milliseconds"),
)


def converted(sentence: str, page: Page, chance: random.Random) -> str | None:
    """The same in a smaller unit."""
    for pattern, factor, written in CONVERTED:
        match = re.search(rf"(?<![\w.,-]){pattern}", sentence)
        if match:
            told = written.format(n=f"{int(match[1]) * factor:,}")
            return sentence[: match.start()] + told + sentence[match.end() :]
    return None


def decade(sentence: str, page: Page, chance: random.Random) -> str | None:
    """In the 1950s, of 1953."""
    match = re.search(r"\bIn (1[89]\d|20[01])\d\b(?=[ ,])", sentence)
    if not match or page.language != "en":
        return None
    return f"{sentence[: match.start()]}In the {match[1]}0s{sentence[match.end() :]}"


WORDED = "two three four five six seven eight nine ten eleven twelve"
NUMBERS = dict(enumerate(WORDED.split(), 2))


def worded(sentence: str, page: Page, chance: random.Random) -> str | None:
    """A small number in words."""
    match = re.search(r"(?<![\w.,:/(-])([2-9]|1[0-2]) (?=[a-z]{3,})", sentence)
    if not match or page.language != "en":
        return None
    return f"{sentence[: match.start()]}{NUMBERS[int(match[1])]} {sentence[match.end() :]}"


def shortened(sentence: str, page: Page, chance: random.Random) -> str | None:
    """Without its last clause, if that holds nothing that turns the rest."""
    head, comma, tail = sentence.rpartition(", ")
    turning = r"\b(?:if|unless|but|except|not|only|when|or|and|which|so)\b"
    if not comma or len(head.split()) < 7 or page.language != "en" or re.search(turning, tail):
        return None
    if head.count("(") != head.count(")") or head.count('"') % 2:
        return None
    return f"{head}."


def joined(sentence: str, page: Page, chance: random.Random) -> str | None:
    """A citation in the middle, and a word of the writer's own before."""
    if page.language != "en" or not sentence.startswith("The "):
        return None
    return f"Today the {sentence[4:]}"


DERIVED: dict[str, Fault] = {
    "rounded": rounded,
    "converted": converted,
    "decade": decade,
    "number words": worded,
    "clause left out": shortened,
    "word added": joined,
}


@dataclass(frozen=True)
class Open:
    """A fault that code left open: what is said, what the page says, and the page."""

    kind: str
    said: str
    sentence: str
    text: str


@dataclass
class Tally:
    """Verdicts by kind and language, and what went wrong."""

    verdicts: Counter[tuple[str, str, str]]
    wrong: list[str]
    left_open: list[Open] = field(default_factory=list)

    def right(self, kind: str, language: str | None = None) -> tuple[int, int]:
        """How many of a kind came out right, and of how many."""
        faulty = kind in FAULTS
        right = asked = 0
        for (k, spoken, verdict), count in self.verdicts.items():
            if k == kind and language in (None, spoken):
                asked += count
                seen = verdict in ("contradicted", "unsupported")
                right += count if seen is faulty else 0
        return right, asked

    def share(self, kind: str) -> float:
        """The share of a kind that came out right."""
        right, asked = self.right(kind)
        return right / asked if asked else 1.0


def measure(
    seed: int = SEED,
    per_kind: int = PER_KIND,
    honest: int = HONEST_EACH,
    untouched: int = UNTOUCHED,
) -> Tally:
    """Plant, check, count."""
    chance = random.Random(seed)
    texts = [page for page in pages(seed) if len(page.text) < 60_000]
    places = [(page, sentence) for page in texts for sentence in page.sentences]
    tally = Tally(Counter(), [])
    for kind, plant in FAULTS.items():
        _count(kind, plant, places, per_kind, tally, chance)
    _count("untouched", lambda s, p, c: s, places, untouched, tally, chance)
    for kind, dress in (HONEST | DERIVED).items():
        _count(kind, dress, places, honest, tally, chance)
    return tally


def _count(
    kind: str,
    change: Fault,
    places: list[tuple[Page, str]],
    most: int,
    tally: Tally,
    chance: random.Random,
) -> None:
    chance.shuffle(places)
    used: Counter[str] = Counter()
    for page, sentence in places:
        if sum(used.values()) >= most:
            return
        if used[page.language] >= (most * 0.6 if page.language == "en" else most / 8) and (
            kind in ("figure", "date", "negation", "name", "untouched", "typography")
        ):
            continue
        if re.search(r"[\[`$<*|]|[.!?][\"')]*\s", sentence):  # markup, or two sentences
            continue
        said = change(sentence, page, chance)
        if said is None or (
            kind in FAULTS and " ".join(said.split()) in " ".join(page.text.split())
        ):
            continue
        used[page.language] += 1
        n = chance.randint(1, 40)
        answer = f"A first remark that cites nothing.\n\n{said} [{n}]\n\n{PLACES[0]} is a town.\n"
        claims = check_claims(answer, {n: page.text})
        verdict = claims[-1]["verdict"] if claims else "no claim"
        if len(claims) > 1:  # a sentence that this program takes for one
            bad = [c for c in claims if c["verdict"] in ("contradicted", "unsupported")]
            verdict = (bad or claims)[-1]["verdict"]
        tally.verdicts[kind, page.language, verdict] += 1
        if kind in FOR_A_MODEL and verdict == "not_checkable":
            tally.left_open.append(Open(kind, said, sentence, page.text))
        if (verdict in ("contradicted", "unsupported")) is not (kind in FAULTS):
            tally.wrong.append(
                f"{kind} {page.language} {verdict}: {said}\n    page: {sentence}\n    "
                + "\n    ".join(
                    f"{c['verdict']} {c['missing']} {c['passage'][:300]}" for c in claims
                )
            )


async def verified(tally: Tally) -> Counter[str]:
    """How many faults that code left open a verifier's verdicts decide, by kind.

    The verifier is scripted, in a process of its own: it knows what was planted, and quotes the
    page. What is measured is all that lies between its reply and the claim's verdict.
    """
    seen = Counter[str]()
    with start_server() as server:
        models = server.scope()
        settings = combine(
            {
                "panel": ["scripted:v"],
                "verify": "model",
                "verifier": "scripted:v",
                "providers": {"scripted": {"base_url": models.base_url}},
            }
        )
        for start in range(0, len(tally.left_open), BATCH):
            some = tally.left_open[start : start + BATCH]
            pages = {n: one.text for n, one in enumerate(some, 1)}
            answer = "\n\n".join(f"{one.said} [{n}]" for n, one in enumerate(some, 1))
            claims = check_claims(answer, pages)
            asked = [c for c in claims if c["verdict"] == "not_checkable"]
            verdicts = [
                {
                    "claim": place,
                    "verdict": "contradicted",
                    "quote": some[claim["sources"][0] - 1].sentence,
                }
                for place, claim in enumerate(asked, 1)
            ]
            models.script("v", json.dumps({"verdicts": verdicts}))
            run = Run(id="benchmark", started=time.time(), nonce="", calls=[])  # type: ignore[typeddict-item]
            with open_stage(run, settings, "verify", _quiet, spent(run)) as stage:
                decided, _ = await ask_verifier(stage, claims, pages)
            told = {c["sources"][0] for c in decided if c["verdict"] == "contradicted"}
            seen.update(one.kind for n, one in enumerate(some, 1) if n in told)
    return seen


def _quiet(type: str, **data: Any) -> None:
    """Nobody watches a benchmark."""


def table(tally: Tally) -> str:
    """The counts as Markdown."""
    languages = sorted({language for _, language, _ in tally.verdicts})
    lines = [
        "| kind | " + " | ".join(languages) + " | all | told as supported |",
        "|---" * (len(languages) + 3) + "|",
    ]
    for kind in (*FAULTS, "untouched", *HONEST, *DERIVED):
        cells = []
        for language in languages:
            right, asked = tally.right(kind, language)
            cells.append(f"{right} of {asked}" if asked else "")
        right, asked = tally.right(kind)
        share = f"{right} of {asked} ({100 * right / asked:.1f} %)" if asked else "none"
        supported = sum(
            n for (k, _, v), n in tally.verdicts.items() if k == kind and v == "supported"
        )
        lines.append(f"| {kind} | " + " | ".join(cells) + f" | {share} | {supported} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, and what went wrong to stderr."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    tally = measure(seed)
    print(table(tally))
    decisive = [tally.right(kind) for kind in KINDS]
    right, asked = (sum(numbers) for numbers in zip(*decisive, strict=True))
    print(f"\n{', '.join(KINDS)}: {right} of {asked} seen ({100 * right / asked:.1f} %).")
    decided = asyncio.run(verified(tally))
    for kind in FOR_A_MODEL:
        right, asked = tally.right(kind)
        right += decided[kind]
        print(
            f"{kind}, with a scripted verifier: {right} of {asked} ({100 * right / asked:.1f} %)."
        )
    for wrong in tally.wrong:
        print(wrong, file=sys.stderr)


if __name__ == "__main__":
    main()
