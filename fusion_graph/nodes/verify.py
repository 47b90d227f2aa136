"""verify: the final answer's claims, checked on the pages they cite, and mended if wanted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple, get_args

from langchain_core.messages import AnyMessage

from fusion_graph.errors import Degradation, VerifierFailed
from fusion_graph.evidence import (
    Claim,
    ClaimVerdict,
    PageIndex,
    SourceRecord,
    check_claims,
    open_ledger,
    source_list,
    with_found,
)
from fusion_graph.evidence.counting import Miscount, miscounted, unfounded
from fusion_graph.nodes.draft import new_message_id
from fusion_graph.nodes.synthesis import rewrite
from fusion_graph.nodes.verifier import ask_verifier
from fusion_graph.nodes.writing import wrote
from fusion_graph.prompts import mend_answer
from fusion_graph.run.stage import OnText, Stage
from fusion_graph.state import CallRecord, FinalAnswer, Joined, Judgement
from fusion_graph.text.off_loop import is_long, off_loop

logger = logging.getLogger(__name__)

MOST_TOLD = 20
"""False claims that are told one by one as degradations; the rest are in `claims` alone."""


OF_THE_TEXT = frozenset(
    {
        "unverified_quote",
        "unknown_citation",
        "answer_truncated",
        "answer_stub",
        "labels_mentioned",
        "instructions_repeated",
    }
)
"""What was wrong with a text, and is gone with it when another takes its place."""


class Verified(NamedTuple):
    """A checked answer.

    Attributes:
        final: The answer, mended if it was; its message ends with the list of sources.
        claims: What became of its claims.
        calls: Calls of the verifier.
        degradations: What is false in the answer, and what of the check was lost.
    """

    final: FinalAnswer
    claims: list[Claim]
    calls: list[CallRecord]
    degradations: list[Degradation]


class _Findings(NamedTuple):
    """The findings of one check: the answer's claims, wrong counts, and losses of the check."""

    claims: list[Claim]
    miscounts: list[Miscount]
    losses: list[Degradation]

    def false(self) -> list[Claim]:
        """The claims that are not what their pages say."""
        return [c for c in self.claims if c["verdict"] in ("contradicted", "unsupported")]


async def verify(
    stage: Stage,
    conversation: Sequence[AnyMessage],
    joined: Joined,
    judgement: Judgement | None,
    final: FinalAnswer,
) -> Verified:
    """Check an answer's claims, have them mended if that is wanted, and list its sources.

    Args:
        stage: The verifier's stage.
        conversation: The conversation.
        joined: The labelled answers and their sources.
        judgement: The judge's comparison; None where there was no panel.
        final: The answer.
    """
    found = judgement.get("sources", []) if judgement else []
    joined = {**joined, "sources": with_found(joined["sources"], found)}
    settings, checking = stage.settings, _Checking(stage, joined, judgement)
    findings = _Findings([], [], [])
    if settings.verify != "off" and final["cites"]:
        findings = await checking.look(final)
        faults = _faults(findings)
        repaired = False
        if faults and settings.verify == "repair" and judgement and final["writer"]:
            mending = _Mending(stage, str(final["writer"]), len(faults))
            asked = mend_answer(faults, stage.run["nonce"])
            writer = stage.hand_over("synthesis", mending.on_text)
            again = await rewrite(writer, conversation, joined, judgement, final, asked)
            stage.take_back(writer.calls)
            repaired = wrote(again)
            final = mending.result(final, again)
            if repaired:
                findings = await checking.look(final)
        if findings.claims:
            verdicts = [claim["verdict"] for claim in findings.claims]
            counts = {verdict: verdicts.count(verdict) for verdict in get_args(ClaimVerdict)}
            stage.emit("verify.completed", claims=findings.claims, repaired=repaired, **counts)
    final = await _with_sources(final, joined["sources"], findings.claims, stage.on_text)
    losses = [*findings.losses, *_as_losses(findings)]
    return Verified(final, findings.claims, stage.calls, losses)


class _Checking:
    """The check of a run's answer, made once or, of a mended answer, twice."""

    def __init__(self, stage: Stage, joined: Joined, judgement: Judgement | None) -> None:
        self._stage, self._joined, self._judgement = stage, joined, judgement

    async def look(self, final: FinalAnswer) -> _Findings:
        """Check an answer: by code, then by the verifier if there is one.

        Whatever goes wrong here costs the check and never the answer, which is paid for.
        """
        try:
            read = [answer["content"] for answer in self._joined["answers"]]
            much = bool(self._joined["sources"]) or is_long(final["answer"], *read)
            pages = await off_loop(much, self._pages)
            claims, miscounts, losses = await off_loop(much, self._by_code, final, pages)
        except Exception as error:  # an error of the check is no verdict
            logger.debug("the check of the answer failed", exc_info=error)  # told as verify.failed
            return _Findings([], [], [self._failed(f"{type(error).__name__}: {error}")])
        if not claims:
            return _Findings(claims, miscounts, losses)
        verifier = self._stage.settings.asked_to_verify
        self._stage.emit("verify.in_progress", claims=len(claims))
        if verifier is not None:
            try:
                claims, lost = await ask_verifier(self._stage, claims, pages)
                losses += lost
            except VerifierFailed as error:
                losses.append(self._failed(str(error)))
        return _Findings(claims, miscounts, losses)

    def _failed(self, why: str) -> Degradation:
        self._stage.emit("verify.failed", detail=why)
        return {"code": "verify_failed", "detail": f"The check of the answer failed: {why}"}

    def _pages(self) -> dict[int, str]:
        """The texts of the sources that were read, by number."""
        read = open_ledger(self._stage.run["id"]).page
        pages = {
            source["id"]: read(content)
            for source in self._joined["sources"]
            if (content := source.get("content"))
        }
        return {n: text for n, text in pages.items() if text is not None}

    def _by_code(
        self, final: FinalAnswer, pages: dict[int, str]
    ) -> tuple[list[Claim], list[Miscount], list[Degradation]]:
        claims = check_claims(final["answer"], pages)
        analysis = (self._judgement["analysis"] if self._judgement else None) or {}
        answers = {a["name"]: a["content"] for a in self._joined["answers"] if a["status"] == "ok"}
        losses, points = list[Degradation](), list[tuple[str, list[str]]]()
        indexes: dict[str, PageIndex] = {}
        for point in analysis.get("consensus", []):
            named = {name: answers[name] for name in point["models"] if name in answers}
            strangers = unfounded(point["point"], named, self._stage.run["question"], indexes)
            points.append((point["point"], [n for n in point["models"] if n not in strangers]))
            # Who changed its mind when it was asked again said otherwise in its answer.
            if strangers and not point.get("rechecked"):
                detail = (
                    f"The judge says that {', '.join(strangers)} made this point, and the answer "
                    f'says otherwise or nothing of it: "{point["point"][:300]}"'
                )
                losses.append({"code": "consensus_unfounded", "detail": detail})
        if not answers or self._judgement is None:
            return claims, [], losses
        asked = len(self._joined["answers"])
        return claims, miscounted(final["answer"], points, asked, len(answers)), losses


class _Mending:
    """The answer's second writing, as its readers see it: the first is void once it begins."""

    def __init__(self, stage: Stage, writer: str, faults: int) -> None:
        self._stage, self._writer, self._faults = stage, writer, faults
        self._begun = False

    def on_text(self, message_id: str, text: str) -> None:
        """Take a piece of the new answer."""
        if not self._begun:
            self._begun = True
            count = "1 sentence" if self._faults == 1 else f"{self._faults} sentences"
            reason = f"{count} did not pass the check: the writer mends its answer"
            self._stage.emit("synthesis.restarted", model=self._writer, reason=reason)
        self._stage.on_text(message_id, text)

    def result(self, first: FinalAnswer, again: FinalAnswer) -> FinalAnswer:
        """The mended answer; or the first one, said once more if the second had begun."""
        calls = [*first["calls"], *again["calls"]]
        if wrote(again):
            lasting = [loss for loss in first["degradations"] if loss["code"] not in OF_THE_TEXT]
            losses = [*lasting, *again["degradations"]]
            return {**again, "calls": calls, "degradations": losses}
        lost: Degradation = {
            "code": "repair_failed",
            "detail": "No writer mended the answer: it stands as it was. "
            + "; ".join(loss["detail"] for loss in again["degradations"]),
        }
        message = first["message"]
        if self._begun:
            message = message.model_copy(update={"id": new_message_id()})
            self._stage.emit(
                "synthesis.restarted", model=self._writer, reason="the mending broke off"
            )
            self._stage.on_text(str(message.id), str(message.content))
        losses = [*first["degradations"], lost]
        return {**first, "message": message, "calls": calls, "degradations": losses}


def _faults(findings: _Findings) -> list[tuple[str, str, str]]:
    """List what the writer is to mend: the sentence, what is wrong, the page's own words."""
    claims = [(claim["sentence"], _wrong(claim), claim["passage"]) for claim in findings.false()]
    return [*claims, *((count.sentence, _real_count(count), "") for count in findings.miscounts)]


def _real_count(count: Miscount) -> str:
    if count.agreeing is None:
        return f'"{count.said}" is wrong: {count.answered} answered'
    made = f"{count.agreeing} of {count.answered} make this point" if count.agreeing else ""
    return f'"{count.said}" is wrong: {made or "the answers agree on no such point"}'


def _wrong(claim: Claim) -> str:
    cited = ", ".join(f"[{n}]" for n in claim["sources"])
    if claim["verdict"] == "contradicted":
        return f"{cited} says otherwise"
    if claim["missing"]:
        return f"not on {cited}: {', '.join(claim['missing'][:5])}"
    return f"{cited} does not say it"


def _as_losses(findings: _Findings) -> list[Degradation]:
    """Report what is false in an answer."""
    false = findings.false()
    losses: list[Degradation] = []
    for claim in false[:MOST_TOLD]:
        detail = f'"{claim["sentence"][:300]}": {_wrong(claim)}'
        if claim["passage"]:
            detail += f'; the page says: "{claim["passage"][:300]}"'
        losses.append({"code": f"claim_{claim['verdict']}", "detail": detail})
    if len(false) > MOST_TOLD:
        more = len(false) - MOST_TOLD
        detail = f"{more} more sentences of the answer are not what their pages say."
        losses.append({"code": "claim_unsupported", "detail": detail})
    for count in findings.miscounts[:MOST_TOLD]:
        detail = f'"{count.sentence[:300]}": {_real_count(count)}'
        losses.append({"code": "miscounted", "detail": detail})
    return losses


async def _with_sources(
    final: FinalAnswer, sources: Sequence[SourceRecord], claims: Sequence[Claim], on_text: OnText
) -> FinalAnswer:
    """The answer with the list of its sources after it, said too."""
    if not final["cites"]:
        return final
    much = bool(sources) or is_long(final["answer"])
    listed = await off_loop(much, source_list, sources, final["answer"], claims)
    if not listed:
        return final
    message = final["message"]
    on_text(str(message.id), f"\n\n{listed}")
    content = f"{message.content}\n\n{listed}"
    return {**final, "message": message.model_copy(update={"content": content})}
