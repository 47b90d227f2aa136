"""The report as plain text: the same things in the same order as on the page, to read in a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fusion_graph.report.html._wording import duration, from_sources, moment, money, others
from fusion_graph.report.html.panel import Member, Panel
from fusion_graph.report.html.strangers import readable
from fusion_graph.text.claims import Told, checker, counts, found_at, summed_up, worst_first
from fusion_graph.text.phrases import claimed, clean, counted, paid

if TYPE_CHECKING:
    from fusion_graph.judgement import Analysis
    from fusion_graph.report.model import (
        ReportedAnswer,
        ReportedCode,
        ReportedQuote,
        ReportedSource,
        ReportedTotals,
        RunReport,
    )

LONGEST_TITLE = 88
"""Characters of a section's title."""

_VERDICTS = {
    "verified": "on the page",
    "near": "nearly on the page",
    "altered": "ALTERED",
    "not_found": "not found",
    "unchecked": "not checked",
}


def render_text(report: RunReport) -> str:
    """A report as plain text, without anything a terminal would act on; ends with a line end.

    Args:
        report: The report of a run.
    """
    panel = Panel.of(report)
    parts = [
        _section("Question", report.question.strip().splitlines()),
        _section("Run", _run(report, panel)),
        _section("Answer", report.answer.strip().splitlines() or ["(none)"]),
    ]
    claims = [claim.model_dump() for claim in report.claims]
    if claims:
        parts.append(_section("Claims", _claims(claims)))
    if report.code is not None:
        parts.append(_section("Code", list(_code(report.code))))
    if report.analysis is not None:
        parts.append(_section("Comparison", list(_comparison(report.analysis, panel))))
    parts += [_section(_heading(answer), _answer(answer)) for answer in report.answers]
    if report.sources:
        found = found_at(claims)
        listed = [line for source in report.sources for line in _source(source, found)]
        parts.append(_section("Sources", listed))
    parts.append(_section("Cost", _cost(report)))
    return readable("\n\n".join(parts)) + "\n"


def _section(title: str, lines: Sequence[str]) -> str:
    # Lines stay as long as they are: models write tables and code, and terminals wrap.
    title = clean(title, LONGEST_TITLE)
    return "\n".join([title, "-" * len(title), *lines])


def _run(report: RunReport, panel: Panel) -> list[str]:
    total = report.usage.total
    asked = f"{panel.answered} of {len(panel.members)} panelists answered"
    length = max((row.end for row in report.timeline), default=0.0)
    lines = [
        f"status: {report.status}",
        asked if report.invoked else f"one model, no panel: {clean(report.invocation_reason)}",
        f"{counted(total.calls, 'call')}, {duration(length)}, cost {_paid(total)}",
    ]
    if spared := report.spared:
        likely = f"{counted(spared.calls, 'call')}, {money(spared.cost_usd)}"
        lines.append(f"spared: the panel would likely have taken {likely}")
    if scouting := report.scouting:
        first = ", ".join(clean(name) for name in scouting.scouts)
        lines.append(f"asked first: {first}. {clean(scouting.detail)}")
        if scouting.not_asked:
            rest = ", ".join(clean(member.name) for member in scouting.not_asked)
            lines.append(f"not asked: {rest}")
    if recheck := report.recheck:
        lines.append(f"asked again ({recheck.outcome}): {clean(recheck.topic)}")
    return lines + [f"{lost.code}: {clean(lost.detail)}" for lost in report.degradations]


def _claims(claims: Sequence[Told]) -> list[str]:
    """What the answer claims, the worst first."""
    lines = [f"* {claimed(claim, None)} ({checker(claim)})" for claim in worst_first(claims)]
    return [summed_up(counts(claims)), *lines]


def _code(code: ReportedCode) -> Iterator[str]:
    """What running the members' code showed, candidate by candidate."""
    yield f"run {'in bubblewrap' if code.confined else 'unconfined'}; best: " + (
        ", ".join(clean(name) for name in code.best) or f"none ({code.reason})"
    )
    for one in code.candidates:
        parts = [f"your tests: {one.given}"] if one.given is not None else []
        if one.given_detail:
            parts.append(clean(one.given_detail))
        if one.broken:
            parts.append(f"cannot be run: {clean(one.broken)}")
        if asked := one.passed + len(one.failed):
            parts.append(f"{one.passed} of {counted(asked, 'proposed test')} passed")
        yield f"* {clean(one.name)}: {'; '.join(parts) or 'not compared'}"
        yield from (f"    fails: {clean(test)}" for test in one.failed)
    suspects = [test for test in code.tests if test.suspect]
    yield from (f"* suspect, no vote: {clean(t.text)} ({clean(t.proposer)})" for t in suspects)


def _comparison(analysis: Analysis, panel: Panel) -> Iterator[str]:
    yield from _points(
        "Consensus",
        ((i.point, i.models, i.sources, i.independent) for i in analysis.consensus),
        panel,
    )
    if analysis.contradictions:
        yield "Contradictions:"
        for clash in analysis.contradictions:
            yield f"  * {clean(clash.topic)}"
            for side in panel.sides(clash.stances):
                yield f"    - {_who(side.members)}: {clean(side.stance)}{_marks(side.sources)}"
            if clash.rechecked:
                yield f"    {clean(clash.rechecked)}"
    yield from _points(
        "Partly covered",
        ((i.point, i.models, i.sources, i.independent) for i in analysis.partial_coverage),
        panel,
    )
    yield from _points(
        "Said by one alone",
        ((i.insight, [i.model], i.sources, None) for i in analysis.unique_insights),
        panel,
    )
    if analysis.blind_spots:
        yield "Blind spots:"
        yield from (f"  * {clean(spot)}" for spot in analysis.blind_spots)


def _points(
    title: str, points: Iterable[tuple[str, list[str], list[int], int | None]], panel: Panel
) -> Iterator[str]:
    for number, (said, models, sources, origins) in enumerate(points):
        if number == 0:
            yield f"{title}:"
        members = panel.called(models)
        of = f"{len(members)} of {panel.answered}: " if members else ""
        yield f"  * {clean(said)}{_marks(sources)} ({of}{_who(members)}{from_sources(origins)})"


def _who(members: Sequence[Member]) -> str:
    return ", ".join(clean(member.name) for member in members) or "the judge did not say whose"


def _marks(sources: Sequence[int]) -> str:
    return "".join(f" [{n}]" for n in sources)


def _heading(answer: ReportedAnswer) -> str:
    same = answer.model.endswith(answer.name)
    return answer.model if same else f"{answer.name} ({answer.model})"


def _answer(answer: ReportedAnswer) -> list[str]:
    facts = (
        f"{duration(answer.seconds)}, {counted(answer.usage.calls, 'call')}, "
        f"{counted(len(answer.tool_calls), 'tool call')}, "
        f"cost {paid(money(answer.cost_usd), answer.usage.calls, answer.usage.plan_calls)}"
    )
    lines = [facts]
    if really := others(answer.model, answer.served):
        lines.append(f"answered by {clean(really)}")
    if answer.failure:
        lines.append(f"failed: {answer.failure.reason}: {clean(answer.failure.detail)}")
    if answer.content.strip():
        if answer.failure:
            lines += ["", "What it had written by then, which was not used:"]
        lines += ["", *answer.content.strip().splitlines()]
    return lines


def _source(source: ReportedSource, found: Mapping[int, str]) -> list[str]:
    when = f" {moment(source.retrieved_at)}" if source.retrieved_at else ""
    read = f"page read{when}" if source.fetched else "search result, page not read"
    title = clean(source.title) or clean(source.url)
    lines = [f"[{source.id}] {title}", f"    {clean(source.url)} ({read})"]
    if source.id in found:
        lines.append(f"    {found[source.id]}")
    return lines + [f'    "{clean(quote.text)}": {_checked(quote)}' for quote in source.quotes]


def _checked(quote: ReportedQuote) -> str:
    said = _VERDICTS[quote.verdict]
    if quote.verdict == "altered":
        said += f', the page says "{clean(quote.page_says)}"'
    return f"{said} ({clean(quote.note)})" if quote.note else said


def _cost(report: RunReport) -> list[str]:
    usage = report.usage
    rows = [*usage.stages.items(), *usage.models.items(), ("total", usage.total)]
    return [
        f"{clean(name)}: {counted(totals.calls, 'call')}, {totals.input_tokens:,} tokens in"
        f"{_cached(totals)}, {totals.output_tokens:,} out, "
        f"{_paid(totals)}"
        for name, totals in rows
    ]


def _paid(totals: ReportedTotals) -> str:
    dollars = f"{money(totals.cost_usd)}{_at_least(totals)}"
    return paid(dollars, totals.calls, totals.plan_calls)


def _at_least(totals: ReportedTotals) -> str:
    """What is known of an unknown sum."""
    if totals.cost_usd is not None or not totals.known_usd:
        return ""
    return f" (at least {money(totals.known_usd)})"


def _cached(totals: ReportedTotals) -> str:
    return f" ({totals.cached_tokens:,} cached)" if totals.cached_tokens else ""
