"""How an arm comes to its answer: each stage by the graph's own nodes, and kept when it is done.

Panelists' answers are kept by question, configuration and repetition, so arms that ask the same
panelist share its answer, and each is paid once. Every panelist is waited for: what a quorum and
its grace would cut off, and which fallback would stand in for a failed panelist, depends on who is
fast that day, and would not be the arm that was named.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from langchain_core.messages import AnyMessage, HumanMessage
from langchain_core.runnables import RunnableLambda

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.errors import Failure, FusionError
from fusion_graph.evals._deciding import judge_key, panelist_key, reading_seed, writer_key
from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.grader import FATAL
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Make, Store
from fusion_graph.evidence import source_list
from fusion_graph.models.journal import Journal
from fusion_graph.models.recording import recording
from fusion_graph.nodes.join import join
from fusion_graph.nodes.judge import judge
from fusion_graph.nodes.panelist import panelist
from fusion_graph.nodes.passing_on import most_agreed, pass_on
from fusion_graph.nodes.synthesis import synthesis
from fusion_graph.run.deadlines import spent
from fusion_graph.run.member import open_member
from fusion_graph.run.panel import close_panel
from fusion_graph.run.stage import no_text, open_stage
from fusion_graph.state import CallRecord, Joined, Judgement, PanelAnswer, Run

T = TypeVar("T")

NOBODY = "panelist"
"""What a panelist is called in its record: arms that share it call it differently."""


class ArmUnavailable(FusionError):
    """A model of an arm that cannot be asked at all: its key, its credit or its name is wrong.

    Going on would only score zeros for somebody who was never asked.

    Args:
        model: The model.
        reason: The failure's reason.
        detail: The provider's words.
    """

    def __init__(self, model: str, reason: str, detail: str) -> None:
        super().__init__(
            f"{model} cannot be asked: {reason}: {detail} What was finished is kept: mend it and "
            "give the same command again."
        )


@dataclass(frozen=True)
class Answer:
    """What an arm says to a question.

    Attributes:
        arm: The arm's name.
        question: The question's id.
        text: The answer without its list of sources; None if there is none.
        listed: The list of its sources; may be empty.
        failure: Why there is no answer.
        degradations: Codes of what it had to do without.
        sources: Addresses that its tools found or read.
        calls: All model calls behind it, also those that other arms share.
        seconds: From the question to the answer, if the arm had been run by itself.
    """

    arm: str
    question: str
    text: str | None
    listed: str = ""
    failure: str = ""
    degradations: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    calls: tuple[CallRecord, ...] = field(default=(), repr=False)
    seconds: float = 0.0


class Answering:
    """Gets arms' answers, and keeps every finished stage.

    Args:
        store: Where stages are kept.
        spending: Counts their cost, and stops them at the cap.
    """

    def __init__(self, store: Store, spending: Spending) -> None:
        self._store, self._spending = store, spending

    async def answer(self, arm: Arm, question: Question) -> Answer:
        """An arm's answer to a question.

        Raises:
            CapReached: It would cost more than may be spent.
            ArmUnavailable: A model cannot be asked at all.
        """
        names = arm.settings.names
        members = zip(names, arm.settings.panel, arm.repetitions, strict=True)
        answers = await settled(
            self._member(arm, question, index, *member) for index, member in enumerate(members)
        )
        seed = reading_seed(arm, question)
        joined = join(answers, seed)
        took = elapsed([a["end"] for a in answers], arm.settings.max_concurrency)
        calls = [call for answer in answers for call in answer["calls"]]
        found = tuple(dict.fromkeys(source["url"] for source in joined["sources"]))
        if not any(answer["status"] == "ok" for answer in answers):
            why = "; ".join(_told(answer) for answer in answers)
            lost = tuple(item["code"] for item in joined["degradations"])
            return Answer(
                arm.name, question.id, None, "", why, lost, found, tuple(calls), round(took, 4)
            )
        judgement: Judgement = {"analysis": None, "calls": [], "degradations": []}
        if arm.kind not in ("solo", "no-judge"):
            judgement, seconds = await self._judged(arm, question, joined, seed)
            took += seconds
        text, listed, calls_after, lost_after, seconds = await self._written(
            arm, question, joined, judgement, seed
        )
        losses = [*joined["degradations"], *judgement["degradations"]]
        return Answer(
            arm=arm.name,
            question=question.id,
            text=text,
            listed=listed,
            degradations=(*(item["code"] for item in losses), *lost_after),
            sources=found,
            calls=(*calls, *judgement["calls"], *calls_after),
            seconds=round(took + seconds, 4),
        )

    async def _member(
        self,
        arm: Arm,
        question: Question,
        index: int,
        name: str,
        member: Panelist,
        repetition: int,
    ) -> PanelAnswer:
        settings = alone(arm, member)
        model = model_name(member.model)

        async def ask(journal: Journal) -> dict[str, Any]:
            answer = await _asked(question, settings, journal)
            failure = answer["failure"]
            if failure is not None and failure["reason"] in FATAL:
                raise ArmUnavailable(model, failure["reason"], failure["detail"])
            return {**answer}

        key = panelist_key(question, arm, settings, settings.panel[0], repetition)
        stored: Any = await self._kept(f"panel {model}", key, ask)
        return _as_member(stored, name, index)

    async def _judged(
        self, arm: Arm, question: Question, joined: Joined, seed: int
    ) -> tuple[Judgement, float]:
        """The judge's comparison, and the seconds it took."""

        async def compare(journal: Journal) -> dict[str, Any]:
            run = _run(question, arm.settings.names, seed, journal)
            with recording(journal):
                stage = open_stage(run, arm.settings, "judge", _quiet, spent(run, joined))
                with stage as at_work:
                    done = await judge(at_work, _messages(question), joined)
            _raise_if_unavailable(done["calls"], done["analysis"] is None)
            return {**done, "seconds": round(journal.seconds, 4)}

        model = model_name(arm.settings.judge)
        key = judge_key(question, arm, joined)
        stored = await self._kept(f"judge {model}", key, compare)
        return (
            {
                "analysis": stored["analysis"],
                "calls": stored["calls"],
                "degradations": stored["degradations"],
                "sources": stored.get("sources", []),
                "tool_calls": stored.get("tool_calls", []),
            },
            stored["seconds"],
        )

    async def _written(
        self, arm: Arm, question: Question, joined: Joined, judgement: Judgement, seed: int
    ) -> tuple[str, str, list[CallRecord], list[str], float]:
        """The answer, its sources, the writer's calls, what was lost, and seconds."""
        survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
        if arm.kind in ("solo", "best-of"):
            written = await pass_on(most_agreed(survivors, judgement), "", joined, no_text)
            return written["answer"], source_list(joined["sources"], written["answer"]), [], [], 0.0

        async def write(journal: Journal) -> dict[str, Any]:
            run = _run(question, arm.settings.names, seed, journal)
            with recording(journal):
                before = spent(run, joined, judgement)
                with open_stage(run, arm.settings, "synthesis", _quiet, before) as stage:
                    done = await synthesis(stage, _messages(question), joined, judgement)
            _raise_if_unavailable(done["calls"], True)
            return {
                "text": done["answer"],
                "calls": done["calls"],
                "degradations": done["degradations"],
                "seconds": round(journal.seconds, 4),
            }

        model = model_name(arm.settings.synthesizer)
        key = writer_key(question, arm, joined, judgement)
        stored = await self._kept(f"write {model}", key, write)
        lost = [item["code"] for item in stored["degradations"]]
        listed = source_list(joined["sources"], stored["text"])
        return stored["text"], listed, stored["calls"], lost, stored["seconds"]

    async def _kept(self, kind: str, key: str, make: Make) -> dict[str, Any]:
        return await kept(self._store, self._spending, kind, key, make)


def alone(arm: Arm, member: Panelist) -> ResolvedConfig:
    """The settings under which a panelist answers by itself, called `NOBODY`."""
    plain = member.model_copy(update={"name": NOBODY})
    return arm.settings.model_copy(
        update={"panel": [plain], "quorum": None, "fallbacks": [], "max_concurrency": None}
    )


async def kept(store: Store, spending: Spending, kind: str, key: str, make: Make) -> dict[str, Any]:
    """A piece of work from the store, or made now, paid and stored.

    Args:
        store: Where it is kept.
        spending: Says whether it may begin; a piece that is there already costs nothing.
        kind: What kind of work, for the expected cost.
        key: From `key_of`.
        make: Makes it; its `calls` are what it cost.

    Raises:
        CapReached: It may not begin.
    """

    async def paying(journal: Journal) -> dict[str, Any]:
        likely = spending.begin(kind)
        calls: Iterable[CallRecord] = journal.calls()  # of work that breaks off
        try:
            value = await make(journal)
            calls = value["calls"]
            return value
        finally:
            spending.end(kind, likely, list(calls)[len(journal.calls_before) :])

    return (await store.once(key, paying)).value


async def settled(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order. A failure waits for the others: they are being paid for."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results  # type: ignore[return-value]


def elapsed(durations: Sequence[float], at_once: int | None) -> float:
    """How long work takes, begun in order, so many pieces at once (None: all)."""
    slots = [0.0] * (at_once or max(len(durations), 1))
    for seconds in durations:
        slots[slots.index(min(slots))] += seconds
    return max(slots)


def _messages(question: Question) -> list[AnyMessage]:
    return [HumanMessage(question.text)]


def _run(question: Question, members: list[str], seed: int, journal: Journal) -> Run:
    return {
        "id": str(uuid4()),
        # As if it had never broken off: what is begun now comes after what was done before.
        "started": time.time() - journal.seconds_before,
        "question": question.text,
        "preset": None,
        "preset_reason": "",
        "discovered": None,
        "members": members,
        "invoked": True,
        "invocation_reason": "evaluation",
        "continues": False,
        "seed": seed,
        "nonce": _nonce(journal),
        "calls": [],
        "degradations": [],
    }


def _nonce(journal: Journal) -> str:
    """The delimiters' secret: a model that goes on sees those that it has seen before."""
    step = "nonce"
    nonce: str | None = journal.found(step)
    if nonce is None:
        nonce = secrets.token_hex(8)
        journal.keep(step, nonce)
    return nonce


async def _asked(question: Question, settings: ResolvedConfig, journal: Journal) -> PanelAnswer:
    """One panelist's answer, in a run of its own."""
    run = _run(question, [NOBODY], 0, journal)

    async def work(given: Run) -> PanelAnswer:
        try:
            with recording(journal), open_member(given, settings, 0, _quiet) as member:
                return await panelist(member, _messages(question))
        finally:
            close_panel(given["id"])

    # The panelist's loop is a graph, which looks for the run it is part of.
    answer: PanelAnswer = await RunnableLambda(work, name="panelist").ainvoke(run)
    return answer


def _as_member(stored: PanelAnswer, name: str, index: int) -> PanelAnswer:
    """A stored answer as the answer of this member of this panel."""
    sources = [
        {**source, "cited_by": [name for _ in source["cited_by"]]} for source in stored["sources"]
    ]
    calls = [{**call, "name": name} for call in stored["calls"]]
    return {**stored, "name": name, "index": index, "sources": sources, "calls": calls}  # type: ignore[typeddict-item]


def _told(answer: PanelAnswer) -> str:
    failure: Failure = answer["failure"] or {
        "reason": "internal_error",
        "detail": "",
        "http_status": None,
        "attempts": 0,
    }
    return f"{answer['name']}: {failure['reason']}: {failure['detail']}"


def _raise_if_unavailable(calls: Sequence[CallRecord], in_vain: bool) -> None:
    """Judge and writer work around a model that fails; here it must not go unnoticed.

    Raises:
        ArmUnavailable: Nobody answered, and the last one never will.
    """
    if not in_vain or not calls or any(call["outcome"] == "ok" for call in calls):
        return
    last = calls[-1]
    if last["outcome"] in FATAL:
        raise ArmUnavailable(last["model"], last["outcome"], "It was to judge or to write.")


def _quiet(type: str, **data: Any) -> None:
    """Progress within an answer is nobody's to see."""
