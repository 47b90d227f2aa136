"""join: the panel's answers under opaque labels, over one numbered list of sources."""

from __future__ import annotations

import random
from collections.abc import Collection, Container, Sequence

from fusion_graph.errors import Degradation
from fusion_graph.evidence import (
    NO_SOURCE,
    Pages,
    Reading,
    cited,
    merge_sources,
    no_pages,
    read_citations,
    with_origins,
)
from fusion_graph.state import Joined, PanelAnswer
from fusion_graph.text.phrases import shortened

LABELS = "ABCDEFGHIJKLMNOP"
"""As many as a panel may have members."""


def join(answers: Sequence[PanelAnswer], seed: int, pages: Pages = no_pages) -> Joined:
    """Bring the panel's work together. Pure: the same answers, seed and pages give the same record.

    Answers are labelled in a shuffled order, so that a judge can read nothing from their order;
    sources are numbered in that order too. Failed members keep their place in the panel, without
    a label.

    Args:
        answers: In any order; parallel nodes finish as they will.
        seed: Orders the labels.
        pages: The texts that members have read; quotes are checked there, whoever read them.
    """
    panel = sorted(answers, key=lambda answer: answer["index"])
    reading_order = [answer for answer in panel if answer["status"] == "ok"]
    random.Random(seed).shuffle(reading_order)
    # Failed members come last: what they had read is kept, but numbers follow the readable.
    rest = [answer for answer in panel if answer["status"] != "ok"]
    order = [*reading_order, *rest]
    sources, maps = merge_sources([answer["sources"] for answer in order], pages)
    sources = with_origins(sources, pages)
    joined: Joined = {"answers": [], "sources": sources, "degradations": []}
    numbers = frozenset(source["id"] for source in sources)
    labelled: dict[int, PanelAnswer] = {}
    for position, (answer, ids) in enumerate(zip(order, maps, strict=True)):
        # Who found nothing has no numbers of its own: any it writes would be somebody else's.
        reading = read_citations(answer["content"], ids or numbers)
        content = reading.renumbered(ids, numbers)
        if answer["status"] == "ok":  # what was cut off may end within a citation
            joined["degradations"] += misread(answer["name"], reading, ids, numbers)
        # Of what all had to do without, as a server that ended, each tells.
        told = joined["degradations"]
        told += [loss for loss in answer["degradations"] if loss not in told]
        labelled[answer["index"]] = {
            **answer,
            "label": LABELS[position] if answer["status"] == "ok" else None,
            "content": content,
            "tool_calls": [
                {**call, "source_ids": [ids[n] for n in call["source_ids"] if n in ids]}
                for call in answer["tool_calls"]
            ],
            "sources": [],
        }
    joined["answers"] = [labelled[index] for index in sorted(labelled)]
    return joined


def misread(
    name: str, reading: Reading, exist: Container[int], taken: Container[int]
) -> list[Degradation]:
    """Report citations that lead nowhere.

    Args:
        name: Who wrote them.
        reading: The text.
        exist: The numbers that the writer of the text had.
        taken: The numbers that mean something to readers of it.
    """
    details: list[str] = []
    if unknown := [n for n in reading.numbers if n not in exist]:
        shown = f" (shown as [{NO_SOURCE}])" if any(n in taken for n in unknown) else ""
        details.append(f"{name} cited sources that no tool gave: {unknown}{shown}.")
    if unreadable := reading.unreadable:
        written = ", ".join(shortened(mark, 80) for mark in unreadable[:5])
        details.append(f"{name} wrote what looks like citations and cannot be read: {written}.")
    return [{"code": "unknown_citation", "detail": detail} for detail in details]


def without_sources(answers: Sequence[PanelAnswer], known: Collection[int]) -> Degradation | None:
    """Report members who could have searched, and whose answers all rest on nothing.

    Args:
        answers: Joined answers of those who could.
        known: The numbers of the run's sources.
    """
    survivors = [answer for answer in answers if answer["status"] == "ok"]
    if not survivors or any(cited(answer["content"], known) for answer in survivors):
        return None
    outcomes = [call["status"] for answer in survivors for call in answer["tool_calls"]]
    if "ok" in outcomes:
        happened = "Panelists searched, and no answer cites a source"
    elif outcomes:
        happened = "Panelists searched in vain"
    else:
        happened = "No panelist searched"
    return {
        "code": "no_sources",
        "detail": f"{happened}: the answer rests on what the models remember, and nothing in it "
        "was checked.",
    }
