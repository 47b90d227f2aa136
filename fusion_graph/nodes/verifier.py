"""verifier: one model reads the claims that code could not decide beside their passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ValidationError

from fusion_graph.config import model_name
from fusion_graph.errors import (
    CallFailed,
    ConfigurationError,
    Degradation,
    OutOfTime,
    VerifierFailed,
)
from fusion_graph.evidence import Claim, passages
from fusion_graph.evidence.quotes import check_quotes
from fusion_graph.models.model import Model
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.prompts import VERIFIER_SYSTEM, verifier_material
from fusion_graph.run.stage import Stage
from fusion_graph.text.mended_json import Mended, json_objects, mended
from fusion_graph.text.off_loop import off_loop
from fusion_graph.text.thinking import without_thinking

MOST_CLAIMS = 60
"""Claims that one call is asked about, in the answer's order; the others stay not checkable."""

MOST_PASSAGES = 3
"""Passages of each cited page that a claim is shown with."""

PASSAGE_CHARACTERS = 700
"""Most characters of one passage that the verifier sees."""


class VerifierVerdict(BaseModel):
    """A verifier's verdict on one claim."""

    claim: int
    verdict: Literal["supported", "contradicted", "unsupported"]
    quote: str = ""


async def ask_verifier(
    stage: Stage, claims: Sequence[Claim], pages: Mapping[int, str]
) -> tuple[list[Claim], list[Degradation]]:
    """Have a model give a verdict on the claims where code had none.

    A verdict counts only with words that are on a cited page: a verifier is a model, and may be as
    confused as the writer.

    Args:
        stage: The verifier's; its settings' `asked_to_verify` is asked first, then the fallbacks.
        claims: All claims of the answer.
        pages: The texts of the pages, by source number.

    Returns:
        All claims, and what was lost.

    Raises:
        VerifierFailed: Nobody gave readable verdicts in time.
    """
    open_ones = [
        (at, claim)
        for at, claim in enumerate(claims)
        if claim["verdict"] == "not_checkable" and any(n in pages for n in claim["sources"])
    ][:MOST_CLAIMS]
    if not open_ones:
        return list(claims), []
    shown = await off_loop(True, _with_passages, [claim for _, claim in open_ones], pages)
    prompt: list[BaseMessage] = [
        SystemMessage(VERIFIER_SYSTEM),
        HumanMessage(verifier_material(shown, stage.run["nonce"])),
    ]
    verdicts, losses = await _asked(stage, prompt)
    decided, invented = await off_loop(True, _decided, open_ones, verdicts, pages)
    checked = list(claims)
    for at, claim in decided.items():
        checked[at] = claim
    silent = len(open_ones) - len({v.claim for v in verdicts if 1 <= v.claim <= len(open_ones)})
    if invented:
        losses.append(_lost(f"for {invented} it gave no words of a cited page"))
    if silent:
        losses.append(_lost(f"it said nothing of {silent}"))
    return checked, losses


def _lost(why: str) -> Degradation:
    detail = f"The verifier did not decide some claims: {why}. They stay not checkable."
    return {"code": "verify_failed", "detail": detail}


def _with_passages(
    claims: Sequence[Claim], pages: Mapping[int, str]
) -> list[tuple[str, list[tuple[int, str]]]]:
    return [
        (
            claim["sentence"],
            [
                (n, passage[:PASSAGE_CHARACTERS])
                for n in claim["sources"]
                if n in pages
                for passage in passages(claim["sentence"], pages[n], MOST_PASSAGES)
            ],
        )
        for claim in claims
    ]


async def _asked(
    stage: Stage, prompt: Sequence[BaseMessage]
) -> tuple[list[VerifierVerdict], list[Degradation]]:
    """Get the verdicts of the first model that gives some."""
    settings, failures = stage.settings, list[str]()
    try:
        async with stage.at_work() as caller:
            for ref in (settings.asked_to_verify, *settings.fallbacks):
                try:
                    model = await open_model(ref, settings.providers)
                    options = Options(
                        temperature=0.0,
                        reasoning_effort=settings.reasoning_effort,
                        max_tokens=settings.max_completion_tokens,
                        response_formats=_formats(model),
                    )
                    reply = await caller.ask(model, prompt, options)
                except (CallFailed, ConfigurationError) as error:
                    failures.append(f"{model_name(ref)}: {error}")
                    continue
                if verdicts := read_verdicts(reply.message.text):
                    return verdicts, []
                failures.append(f"{model_name(ref)}: no verdicts in {reply.message.text[:200]!r}")
    except OutOfTime as error:
        failures.append(f"it {error}")
    raise VerifierFailed("; ".join(failures))


def _formats(model: Model) -> tuple[dict[str, Any], ...]:
    if not model.takes_schema:
        return ()
    verdict = {
        "type": "object",
        "properties": {
            "claim": {"type": "integer"},
            "verdict": {"type": "string", "enum": ["supported", "contradicted", "unsupported"]},
            "quote": {"type": "string"},
        },
        "required": ["claim", "verdict", "quote"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"verdicts": {"type": "array", "items": verdict}},
        "required": ["verdicts"],
        "additionalProperties": False,
    }
    named = {"name": "verdicts", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}, {"type": "json_object"}


def read_verdicts(text: str) -> list[VerifierVerdict]:
    """The verdicts in a verifier's reply, whatever stands around them; [] if there are none.

    The last object with verdicts counts. An item that is not of the shape is passed over, and of
    two verdicts on one claim that differ neither counts.

    Args:
        text: The reply.
    """
    for found in reversed(list(json_objects(without_thinking(text), _mend))):
        items = found.data.get("verdicts")
        if isinstance(items, list) and (read := _read(items[: 2 * MOST_CLAIMS])):
            return read
    return []


def _read(items: Sequence[Any]) -> list[VerifierVerdict]:
    found: dict[int, VerifierVerdict] = {}
    torn: set[int] = set()
    for item in items:
        try:
            verdict = VerifierVerdict.model_validate(item)
        except ValidationError:
            continue
        before = found.setdefault(verdict.claim, verdict)
        if before.verdict != verdict.verdict:
            torn.add(verdict.claim)
    return [verdict for claim, verdict in found.items() if claim not in torn]


def _mend(text: str, start: int) -> Mended | None:
    if '"verdicts"' not in text[start : start + 40]:
        return None
    return Mended(mended(text[start:].rstrip().removesuffix("```")), len(text))


def _decided(
    open_ones: Sequence[tuple[int, Claim]],
    verdicts: Sequence[VerifierVerdict],
    pages: Mapping[int, str],
) -> tuple[dict[int, Claim], int]:
    """The claims that got a verdict, by place, and how many had words that are on no page."""
    decided: dict[int, Claim] = {}
    invented = 0
    for verdict in verdicts:
        if not 1 <= verdict.claim <= len(open_ones):
            continue
        at, claim = open_ones[verdict.claim - 1]
        words = " ".join(verdict.quote.split())
        if verdict.verdict == "unsupported":
            words = ""
        elif not _stands_on(words, [pages[n] for n in claim["sources"] if n in pages]):
            invented += 1
            continue
        decided[at] = {
            **claim,
            "verdict": verdict.verdict,
            "passage": words,
            "checked_by": "model",
        }
    return decided, invented


def _stands_on(words: str, pages: Sequence[str]) -> bool:
    return bool(words) and any(
        found.verdict in ("verified", "near")
        for page in pages
        for found in check_quotes([words], page)
    )
