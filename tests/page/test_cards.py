"""The cards of a run that is watched: which pieces are sent, and what they may hold."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fusion_graph import FusionReport
from fusion_graph.report.html.cards import ARTICLE, Cards
from fusion_graph.report.html.thread import thread
from tests.page.hostile import PAYLOADS, harm

STARTED = {
    "type": "fusion.started",
    "question": "How wet is water?",
    "preset": "budget",
    "preset_reason": "",
    "panel": ["a", "b"],
    "invoked": True,
    "reason": "",
}
ADDED = [{"type": "panel.added", "name": name, "model": f"x:{name}", "at": 1} for name in "ab"]


def begun(*events: dict[str, Any]) -> Cards:
    """The cards of a run that has been drawn once."""
    cards = Cards("How wet is water?")
    cards.take([STARTED, *ADDED, *events])
    assert [piece["id"] for piece in cards.changes()] == [ARTICLE]
    return cards


def after(cards: Cards, *events: dict[str, Any]) -> dict[str, str]:
    """What is sent after these events, by the id of the element."""
    cards.take(events)
    return {piece["id"]: piece["html"] for piece in cards.changes()}


def delta(name: str, text: str, turn: int = 1) -> dict[str, Any]:
    return {"type": "panel.delta", "name": name, "turn": turn, "text": text}


def wrote(text: str, message_id: str = "1") -> dict[str, Any]:
    return {"type": "answer.delta", "message_id": message_id, "text": text}


def words(html: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", html).split())


def ended(cards: Cards, report: FusionReport | None = None, **how: Any) -> str:
    """The article of a run that has ended."""
    given = {"status": "ok", "report_address": "report/x", "error": "", "seconds": 2.0, **how}
    (piece,) = cards.end(report=report, **given)
    return str(piece["html"])


def test_everything_is_drawn_first_and_then_what_changes():
    cards = begun()

    assert after(cards, delta("a", "Water is "))["prose-1"] == '<p dir="auto">Water is</p>'
    assert list(after(cards, delta("a", "wet."))) == ["prose-1"]
    assert after(cards) == {}
    sent = after(cards, {"type": "panel.tool", "name": "b", "tool": "web_search", "args": {}})
    assert list(sent) == ["card-2"]


def test_a_card_leaves_what_is_written_in_it_to_itself():
    cards = begun(delta("a", "Water is wet."))

    sent = after(
        cards, {"type": "panel.tool", "name": "a", "tool": "web_fetch", "args": {"url": "x:y"}}
    )

    assert '<div class="prose" id="prose-1" data-kept></div>' in sent["card-1"]
    assert "Water is wet." not in "".join(sent.values())


def test_whoever_comes_later_gets_all_that_stands():
    cards = begun()
    after(cards, delta("a", "One.\n\nTwo."), wrote("# So\n\nit is."))

    (piece,) = cards.whole()

    assert piece["id"] == ARTICLE
    for said in ("<p dir=", "One.", "Two.", "<h4", "So", "it is."):
        assert said in piece["html"]
    assert after(cards) == {}


def test_a_draft_that_is_void_is_taken_back():
    cards = begun()
    after(cards, wrote("A draft.\n\nIt breaks off."))

    sent = after(
        cards,
        {"type": "synthesis.restarted", "model": "x:w", "reason": "gone"},
        wrote("The real one.", "2"),
    )

    assert sent["prose-answer"] == '<p dir="auto">The real one.</p>'


def test_the_check_of_the_answer_is_seen_while_it_goes_on():
    cards = begun(wrote("So it is."))
    lines = []

    for event in (
        {"type": "verify.in_progress", "claims": 5},
        {"type": "verify.in_progress", "claims": 5, "model": "x:v"},
        {"type": "fusion.waiting", "stage": "verify", "name": "v", "seconds": 12},
        {"type": "verify.failed", "detail": "It broke."},
        {"type": "verify.completed", "claims": [], "supported": 5},
    ):
        lines.append(words(after(cards, event)["card-answer"]))

    assert lines == [
        "Answer is being checked",
        "Answer is being checked · x:v",
        "Answer still at it, silent for 12 s",
        "Answer could not be checked (It broke.)",
        "Answer 5 claims checked: 5 supported",
    ]


def test_the_choice_between_panel_and_model_makes_no_panelist():
    cards = Cards("Why?")
    waiting = {"type": "fusion.waiting", "stage": "route", "name": "router", "seconds": 11}

    assert "router" not in "".join(after(cards, waiting).values())


def test_a_cancelled_run_says_so_on_every_card():
    html = ended(begun(), status="cancelled")

    assert words(html).count("cancelled") == 5  # the run, both panelists, the judge, the answer


def test_a_finished_run_shows_its_report_with_marks_and_sources(record):
    report = FusionReport.model_validate(record)
    cards = Cards(report.question)
    cards.take([{**STARTED, "panel": [answer.name for answer in report.answers]}])

    html = ended(cards, report)

    cited = set(re.findall(r'href="#source-(\d+)"', html))
    assert cited
    assert set(re.findall(r'id="source-(\d+)"', html)) == cited
    assert not re.search(r' <sup class="cite">', html)
    assert "claims checked" in words(html)
    assert 'href="report/x"' in html


def test_a_card_says_plan_where_a_subscription_paid(record):
    report = FusionReport.model_validate(record)
    first = next(answer for answer in report.answers if answer.status == "ok")
    first.usage.plan_calls, first.cost_usd = first.usage.calls, None
    cards = Cards(report.question)
    panel = [answer.name for answer in report.answers]
    told = {"characters": 5, "tool_calls": 0, "seconds": 1, "at": 2}
    cards.take([{**STARTED, "panel": panel}])
    cards.take([{"type": "panel.completed", "name": first.name, **told}])

    html = ended(cards, report)

    card = html.partition(f'id="card-{panel.index(first.name) + 1}"')[2].partition("</summary>")[0]
    assert words(card).endswith("· plan")


def test_no_piece_brings_a_style_or_a_script():
    # The page's policy would refuse them, and say so in the console.
    cards = begun(delta("a", "x"))
    html = "".join(piece["html"] for piece in cards.whole())

    assert not re.search(r"\s(style|on\w+)=|<(style|script|img|svg)", html)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_texts_are_escaped(record, payload):
    report = FusionReport.model_validate(harm(record, payload))
    cards = Cards(payload, files=[{"name": payload, "kind": payload}])
    html = ""
    tool = {"type": "panel.tool", "name": payload, "args": {"query": payload, "url": payload}}
    failure = {"reason": payload, "detail": f"{payload} → {payload}"}
    for event in (
        STARTED | {"question": payload, "panel": [payload, "b"], "preset": payload},
        {"type": "panel.added", "name": payload, "model": payload},
        *(tool | {"tool": name} for name in ("web_search", "web_fetch", payload)),
        {"type": "panel.tool.completed", "name": payload, "tool": payload, "status": payload},
        delta(payload, payload),
        {"type": "call.retried", "stage": "panel", "name": payload, "seconds": 1, **failure},
        {"type": "panel.replaced", "name": payload, "by": payload, "failure": failure},
        {"type": "panel.failed", "name": "b", "seconds": 1, **failure},
        {"type": "analysis.in_progress", "model": payload, "answers": 2},
        {"type": "analysis.completed", "analysis": report.analysis.model_dump(), **COUNTS},
        {"type": "synthesis.in_progress", "model": payload},
        wrote(payload),
        {"type": "synthesis.restarted", "model": payload, "reason": payload},
        {"type": "verify.failed", "detail": payload},
    ):
        html += "".join(after(cards, event).values())
    html += ended(cards, report)
    html += ended(cards, None, status="error", error=payload)

    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", html))
    assert tags <= {
        *("article", "header", "section", "details", "summary", "div", "p", "span", "button", "a"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "sup", "q", "code", "strong", "em"),
        *("table", "thead", "tbody", "tr", "th", "td", "bdi", "b"),
    }
    names = set(re.findall(r'(?<=\s)([a-z-]+)="[^"]*"', re.sub(r">[^<]*<", "><", html)))
    assert not {name for name in names if name.startswith("on") or name in ("style", "src")}
    links = set(re.findall(r'href="([^"]*)"', html))
    assert all(re.match(r"#(source|claim)-\d+$|report/x$", link) for link in links)
    html.encode("utf-8")


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_turns_of_a_thread_are_escaped(payload):
    turn = {
        "question": payload,
        "files": [{"name": payload, "kind": payload}],
        "answer": f"{payload} It is so [1][2].",
        "sources": [
            {"id": 1, "url": payload, "title": payload},
            {"id": 2, "url": "https://example.org/", "title": payload},
        ],
        "run": "0" * 32,
        "kept": True,
    }
    (piece,) = Cards("Why?", thread([turn])).whole()
    html = piece["html"].partition("<header")[0]

    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", html))
    assert tags <= {
        *("article", "section", "h2", "h4", "h5", "h6", "p", "ul", "li", "a", "span", "sup"),
        *("strong", "em", "code", "ol", "div", "q"),
    }
    names = set(re.findall(r'(?<=\s)([a-z-]+)="[^"]*"', re.sub(r">[^<]*<", "><", html)))
    assert not {name for name in names if name.startswith("on") or name in ("style", "src")}
    links = set(re.findall(r'href="([^"]*)"', html))
    assert all(re.match(r"\?run=[\w%.~/-]*$|https?://", link) for link in links), links
    html.encode("utf-8")


COUNTS = {
    "consensus": 1,
    "contradictions": 1,
    "partial_coverage": 1,
    "unique_insights": 1,
    "blind_spots": 1,
}


def test_a_member_that_is_not_asked_says_so_on_its_card() -> None:
    cards = Cards("How wet is water?")
    cards.take([{**STARTED, "panel": ["a", "b", "c"]}, *ADDED])
    cards.changes()

    told = {"type": "panel.stopped", "names": ["c"], "reason": "agreed", "detail": "They agree."}
    pieces = after(cards, told)

    assert "not asked" in pieces["card-3"]
    assert not {"card-1", "card-2"} & pieces.keys()
