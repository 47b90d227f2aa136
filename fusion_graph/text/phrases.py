"""The command line's words about a run: its progress events, and its end, as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from fusion_graph.errors import ARROW
from fusion_graph.text.claims import beside_claims, counts, is_false, summed_up, worst_first

LINE_CHARACTERS = 300
"""Longest piece of somebody else's text (a query, a provider's error) in one line."""

FEWEST_CHARACTERS = 120
"""How much of a failure's words is shown, however long the advice after them."""

PLACE_CHARACTERS = 70
"""Longest address: the host and the beginning of the path tell pages apart."""


CLAIM_CHARACTERS = 160
"""Longest piece of a false claim, and of the page's words against it, in one line."""

CLAIMS_TOLD = 5
"""False claims told one by one after an answer; the report has them all."""


def clean(text: object, limit: int | None = None) -> str:
    """Text as one line, without anything a terminal would act on.

    Queries, titles and errors come from models, web pages and servers: escape sequences in them
    could rewrite the screen.

    Args:
        text: What to show.
        limit: Most characters.
    """
    line = " ".join(str(text).split())
    if not line.isprintable():
        line = "".join(filter(str.isprintable, line))
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def shortened(detail: object, limit: int = LINE_CHARACTERS) -> str:
    """A failure's detail as one line: long words are cut, what to do next is not.

    Args:
        detail: What happened and, after an arrow, what to do next.
        limit: Most characters of both together, as long as that leaves room for some words.
    """
    words, arrow, remedy = clean(detail).rpartition(ARROW)
    if not arrow:
        return clean(detail, limit)
    return f"{clean(words, max(limit - len(arrow + remedy), FEWEST_CHARACTERS))}{arrow}{remedy}"


def counted(number: int, noun: str) -> str:
    """`1 call`, `3 calls`, `2 searches`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('h') else 's'}"


def paid(dollars: str, calls: int, plan_calls: int) -> str:
    """What calls cost, where a subscription may have paid: `plan`, `$0.0100 + plan`, `$0.0100`.

    Args:
        dollars: What those cost that were billed, in words.
        calls: How many there were.
        plan_calls: How many of them the user's subscription paid.
    """
    if not plan_calls:
        return dollars
    return "plan" if plan_calls >= calls else f"{dollars} + plan"


def seconds(value: float) -> str:
    """A duration as people read it: `0.4 s`, `83 s`."""
    return f"{value:.1f} s" if value < 20 else f"{value:.0f} s"


def place(url: str) -> str:
    """Shorten an address: host and path, or a document's name in its folder."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return clean(url, PLACE_CHARACTERS)
    path = unquote(parts.path)
    if parts.scheme in ("http", "https"):
        return clean((parts.netloc.rpartition("@")[2] + path).rstrip("/"), PLACE_CHARACTERS)
    return clean(path.lstrip("/") or url, PLACE_CHARACTERS)


def doing(tool: str, args: Mapping[str, Any]) -> str:
    """A tool call as what somebody is doing: `searching "…"`, `reading host/page`."""
    if tool == "web_search":
        return f'searching "{clean(args.get("query", ""), LINE_CHARACTERS)}"'
    if tool == "web_fetch":
        return f"reading {place(str(args.get('url', '')))}"
    return f"using {clean(tool, PLACE_CHARACTERS)}"


def tell(event: Mapping[str, Any]) -> list[str]:
    """The lines for one progress event (see `state.events`); none for an unknown one."""
    teller = _TELLERS.get(str(event.get("type")))
    return teller(event) if teller else []


def summary(report: Mapping[str, Any], took: float) -> list[str]:
    """The lines after an answer: how good it is, what was lost, what it cost.

    Args:
        report: The run's report.
        took: Seconds the run lasted.
    """
    total = report["usage"]["total"]
    dollars = spent(total["cost_usd"], report["usage"]["multiple"], total.get("known_usd"))
    answers = report["answers"]
    answered = sum(answer["status"] == "ok" for answer in answers)
    if report["invoked"]:
        panel = f"{answered} of {len(answers)} of the panel answered"
        scouting = report.get("scouting") or {}
        if rest := scouting.get("not_asked"):
            panel = f"{panel}, {len(rest)} more were not asked"
    else:
        panel = "one model answered"
    facts = [
        f"status: {report['status']}",
        panel,
        counted(total["calls"], "call"),
        f"{total['input_tokens']:,} tokens in, {total['output_tokens']:,} out",
        f"cost {paid(dollars, total['calls'], total.get('plan_calls', 0))}",
        seconds(took),
    ]
    claims = report.get("claims", [])
    losses = beside_claims(report["degradations"], claims)
    lost = [f"  {item['code']}: {clean(item['detail'])}" for item in losses]
    return ["; ".join(facts), *lost, *_false_claims(claims)]


def _false_claims(claims: Sequence[Mapping[str, Any]]) -> list[str]:
    """Word what of an answer is not what its pages say; nothing where all of it may be."""
    false = [claim for claim in worst_first(claims) if is_false(claim)]
    if not false:
        return []
    lines = [summed_up(counts(claims)), *(f"  {claimed(c)}" for c in false[:CLAIMS_TOLD])]
    if (more := len(false) - CLAIMS_TOLD) > 0:
        lines.append(f"  and {more} more; --report FILE writes a page with all of them")
    return lines


def claimed(claim: Mapping[str, Any], limit: int | None = CLAIM_CHARACTERS) -> str:
    """A claim and what became of it: `contradicted: "Water is dry." [2]; the page: "…"`.

    Args:
        claim: As a record has it.
        limit: Most characters of the sentence, and of the page's words.
    """
    cited = "".join(f"[{n}]" for n in claim["sources"])
    verdict = claim["verdict"].replace("_", " ")
    said = [f'{verdict}: "{clean(claim["sentence"], limit)}" {cited}']
    if claim["missing"]:
        said.append(f"not there: {clean(', '.join(claim['missing']), limit)}")
    if claim["passage"]:
        said.append(f'the page: "{clean(claim["passage"], limit)}"')
    return "; ".join(said)


def spent(cost: float | None, multiple: float | None, known: float | None = None) -> str:
    """Word what a run cost, and how many plain calls of its dearest panelist that comes to.

    Args:
        cost: US dollars, or None if nobody knows.
        multiple: How many plain calls; None if nobody knows.
        known: US dollars of the calls whose cost is known.
    """
    if cost is None:
        return f"unknown (at least ${known:.4f})" if known else "unknown"
    if not cost:
        return "$0"
    compared = "" if multiple is None else f" ({multiple:.1f} x one call)"
    return f"${cost:.4f}{compared}"


def cut_off(events: Sequence[Mapping[str, Any]], took: float) -> str:
    """Word what a run had done by its interruption: `after 12 s: 2 of 3 of the panel had answered`.

    Args:
        events: Its progress events.
        took: Seconds it lasted.
    """
    latest = {str(event["type"]): event for event in events}  # the latest of each type
    after = f"after {seconds(took)}"
    gone = [event for event in events if event["type"] in ("panel.completed", "panel.failed")]
    answered = sum(event["type"] == "panel.completed" for event in gone)
    began = latest.get("fusion.started")
    if began is None:
        # A resumed run begins where it was cut off, and tells of no panel again.
        facts = [f"{answered} more of the panel had answered"] if gone else []
    elif began["invoked"]:
        facts = [f"{answered} of {len(began['panel'])} of the panel had answered"]
    else:
        facts = ["one model was at work"]
    if len(gone) > answered:
        facts.append(f"{len(gone) - answered} had failed")
    if "verify.in_progress" in latest:
        facts.append("the answer was being checked")
    elif "synthesis.in_progress" in latest:
        facts.append("the writer was at work")
    elif "analysis.in_progress" in latest:
        facts.append("the judge was at work")
    spent = _spent(gone)
    if not facts:
        return f"{after}, before anybody had answered"
    return f"{after}: {', '.join(facts)}{spent}"


def _spent(gone: Sequence[Mapping[str, Any]]) -> str:
    """Add up what the panelists that are done had spent; calls under way are anybody's guess."""
    calls = sum(event.get("calls", 0) for event in gone)
    if not calls:
        return ""
    plan_calls = sum(event.get("plan_calls", 0) for event in gone)
    billed = [event for event in gone if event.get("calls", 0) > event.get("plan_calls", 0)]
    costs = [event["cost_usd"] for event in billed]
    known = None if None in costs else sum(costs)
    cost = "a cost unknown" if known is None else f"${known:.4f}" if known else "$0"
    words = f"{'at' if known is None and billed else 'for'} {paid(cost, calls, plan_calls)}"
    return f"; {counted(calls, 'call')} {words}, besides what was under way"


def _started(event: Mapping[str, Any]) -> list[str]:
    lines = []
    if event["preset_reason"]:
        lines.append(
            f"taking preset {event['preset']} ({clean(event['preset_reason'])}); "
            "--preset NAME takes another"
        )
    names = ", ".join(clean(name) for name in event["panel"])
    if event["invoked"]:
        lines.append(f"panel of {len(event['panel'])}: {names}")
    else:
        lines.append(f"no panel, {names} answers alone: {clean(event['reason'])}")
    return lines


def _tool(event: Mapping[str, Any]) -> list[str]:
    return [f"{clean(event['name'])}: {doing(event['tool'], event['args'])}"]


def _tool_completed(event: Mapping[str, Any]) -> list[str]:
    what = {"web_search": "search", "web_fetch": "page"}.get(event["tool"], clean(event["tool"]))
    if event["status"] != "ok":
        outcome = clean(event["status"])
    elif event["tool"] == "web_search":
        outcome = f"{event['found']} found"
    else:
        outcome = "read" if event["tool"] == "web_fetch" else "done"
    # What a provider did while its model answered is told afterwards, without how long it took.
    took = f", {seconds(event['seconds'])}" if event["seconds"] else ""
    return [f"{clean(event['name'])}: {what}: {outcome}{took}"]


def _completed(event: Mapping[str, Any]) -> list[str]:
    return [f"{clean(event['name'])}: {answered(event)}"]


def answered(event: Mapping[str, Any]) -> str:
    """Word a `panel.completed`: size, tool calls and time of the answer."""
    return (
        f"answered, {counted(event['characters'], 'character')}, "
        f"{counted(event['tool_calls'], 'tool call')}, {seconds(event['seconds'])}"
    )


def _failed(event: Mapping[str, Any]) -> list[str]:
    return [f"{clean(event['name'])}: {failed(event)}"]


def failed(event: Mapping[str, Any]) -> str:
    """Word a `panel.failed`: the reason, the provider's words, the time."""
    detail = shortened(event["detail"])
    return f"failed: {event['reason']}: {detail} ({seconds(event['seconds'])})"


def _analysed(event: Mapping[str, Any]) -> list[str]:
    return [f"judge: {found(event)}"]


def found(event: Mapping[str, Any]) -> str:
    """Word an `analysis.completed`: how many points of each kind."""
    return ", ".join(
        [
            f"{event['consensus']} of consensus",
            counted(event["contradictions"], "contradiction"),
            f"{event['partial_coverage']} partly covered",
            counted(event["unique_insights"], "unique insight"),
            counted(event["blind_spots"], "blind spot"),
        ]
    )


def waiting(event: Mapping[str, Any]) -> str:
    """Word a `call.retried`: why, and for how long."""
    return f"{clean(event['reason'])}, trying again in {seconds(event['seconds'])}"


def restarted(event: Mapping[str, Any]) -> str:
    """Word a `synthesis.restarted`."""
    return f"{clean(event['model'])} broke off ({shortened(event['reason'])})"


def checking(event: Mapping[str, Any]) -> str:
    """Word a `verify.in_progress`: how many claims, and which model is asked, if one is."""
    asked = f" ({clean(event['model'])})" if event.get("model") else ""
    return f"checking {counted(event['claims'], 'claim')} of the answer{asked}"


def checked(event: Mapping[str, Any]) -> str:
    """Word a `verify.completed`: how many claims of each verdict, and if it was mended."""
    mended = "the answer was mended; " if event.get("repaired") else ""
    return f"{mended}{summed_up(event) or 'no claim to check'}"


def extended(event: Mapping[str, Any]) -> str:
    """Word a `panel.extended`: who else is asked, and why."""
    return f"asking {_names(event)} too: {shortened(event['detail'])}"


def stopped(event: Mapping[str, Any]) -> str:
    """Word a `panel.stopped`: who is not asked, and why."""
    return f"not asking {_names(event)}: {shortened(event['detail'])}"


def asking_again(event: Mapping[str, Any]) -> str:
    """Word a `recheck.started`: who is asked again, and about what."""
    return f"asking {_names(event)} again about one point: {shortened(event['topic'])}"


def asked_again(event: Mapping[str, Any]) -> str:
    """Word a `recheck.completed`: how it ended."""
    return f"{event['outcome']}: {shortened(event['detail'])}"


def proposed(event: Mapping[str, Any]) -> str:
    """Word a `code.proposed`: how many tests, and whose."""
    whose = ", ".join(clean(name) for name in event["by"]) or "nobody"
    return f"{counted(event['tests'], 'test')} proposed by {whose}"


def tried(event: Mapping[str, Any]) -> list[str]:
    """Word a `code.tried`: what running each candidate showed, and which did best."""
    lines = []
    for one in event["candidates"]:
        parts = []
        if one["given"] is not None:
            parts.append("passes your tests" if one["given"] == "passed" else "fails your tests")
        if one["broken"]:
            parts.append(f"cannot be run: {shortened(one['broken'])}")
        elif asked := one["passed"] + one["failed"]:
            parts.append(f"passes {one['passed']} of {counted(asked, 'proposed test')}")
        lines.append(f"{clean(one['name'])}: {', '.join(parts) or 'not compared'}")
    best = " or ".join(clean(name) for name in event["best"])
    return [*lines, f"best: {best or 'none'}"]


def _names(event: Mapping[str, Any]) -> str:
    return ", ".join(clean(name) for name in event["names"])


_TELLERS: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "fusion.started": _started,
    "panel.added": lambda e: [f"{clean(e['name'])}: asked ({clean(e['model'])})"],
    "panel.tool": _tool,
    "panel.tool.completed": _tool_completed,
    "panel.completed": _completed,
    "panel.failed": _failed,
    "panel.extended": lambda e: [extended(e)],
    "panel.stopped": lambda e: [stopped(e)],
    "code.proposed": lambda e: [f"code: {proposed(e)}"],
    "code.tried": lambda e: [f"code: {line}" for line in tried(e)],
    "recheck.started": lambda e: [asking_again(e)],
    "recheck.completed": lambda e: [asked_again(e)],
    "call.retried": lambda e: [f"{clean(e['name'])}: {waiting(e)}"],
    "analysis.in_progress": lambda e: [
        f"judge: comparing {counted(e['answers'], 'answer')} ({clean(e['model'])})"
    ],
    "analysis.completed": _analysed,
    "analysis.failed": lambda e: [f"judge: failed: {e['code']}: {shortened(e['detail'])}"],
    "synthesis.in_progress": lambda e: [f"writer: writing ({clean(e['model'])})"],
    "synthesis.restarted": lambda e: [f"writer: {restarted(e)}; what it wrote does not count"],
    "verify.in_progress": lambda e: [f"check: {checking(e)}"],
    "verify.completed": lambda e: [f"check: {checked(e)}"],
    "verify.failed": lambda e: [f"check: failed: {shortened(e['detail'])}"],
}
