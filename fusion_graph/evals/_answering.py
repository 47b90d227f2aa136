"""How an arm comes to its answer: its graph is run, as users run it, and its report is read.

Every call, search and page of the run is kept as it is finished (`_recording.py`), and the answer
when it is there. A replayed run is fast; how long an answer takes is told from the kept steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from fusion_graph.config import FusionConfig
from fusion_graph.errors import AllPanelistsFailed, ArmUnavailable
from fusion_graph.evals._questions import Question
from fusion_graph.evals._recording import Cuts, RunRecording, Took
from fusion_graph.evals._same_budget import REVISE, pays_a_revision, samples_within, tokens
from fusion_graph.evals._seeds import reading_seed
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.grader import FATAL
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Store, key_of, made_by
from fusion_graph.evidence import source_list
from fusion_graph.graph import FusionGraph, build_graph
from fusion_graph.models.recording import recorded
from fusion_graph.state import CallRecord


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
        stopped: Whether those asked first were enough; None where everybody was asked at once.
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
    stopped: bool | None = None


class Answering:
    """Gets arms' answers, and keeps every finished step.

    Args:
        store: Where steps and answers are kept.
        spending: Counts their cost, and stops them at the cap.
    """

    def __init__(self, store: Store, spending: Spending) -> None:
        self._store, self._spending = store, spending
        self._cuts: Cuts = {}
        self._graphs: dict[str, FusionGraph] = {}

    async def answer(self, arm: Arm, question: Question) -> Answer:
        """An arm's answer to a question.

        Raises:
            CapReached: It would cost more than may be spent.
            ArmUnavailable: A model cannot be asked at all.
        """
        if arm.measured is None:
            return await self._answer(arm, question)
        panel = await self._answer(arm.measured, question)
        if arm.kind == "samples":
            found = await self._sampled(arm, question, panel)
        else:
            found = await self._revised(arm, question, tokens(panel.calls).all)
        return replace(found, arm=arm.name)

    async def _sampled(self, arm: Arm, question: Question, panel: Answer) -> Answer:
        """As many answers of one member as a panel's tokens pay, judged by itself."""
        first = await self._answer(arm.with_samples(1), question)
        judged = [call for call in panel.calls if call["stage"] == "judge"]
        members = {call["name"] for call in panel.calls if call["stage"] == "panel"}
        count = samples_within(
            tokens(panel.calls).all,
            tokens(first.calls),
            tokens(judged),
            len(members) if judged else 0,
        )
        return first if count == 1 else await self._answer(arm.with_samples(count), question)

    async def _revised(self, arm: Arm, question: Question, budget: int) -> Answer:
        """One member's answer, revised by itself as often as a budget of tokens pays.

        Each turn is a run of the graph in the same conversation. Where a revision fails, the
        answer before it stands.
        """
        alone = arm.with_samples(1)
        turns = [await self._answer(alone, question)]
        later: list[AnyMessage] = []
        while turns[-1].text is not None and pays_a_revision(
            budget, [tokens(turn.calls) for turn in turns]
        ):
            last = turns[-1]
            said = "\n\n".join(part for part in (last.text, last.listed) if part)
            later = [*later, AIMessage(said), HumanMessage(f"{question.text}\n\n{REVISE}")]
            turns.append(await self._answer(alone, question, later))
        best = next((turn for turn in reversed(turns) if turn.text is not None), turns[0])
        degraded = [code for turn in turns for code in turn.degradations]
        if best is not turns[-1]:
            degraded.append("panelist_failed")
        return replace(
            best,
            degradations=tuple(dict.fromkeys(degraded)),
            sources=tuple(dict.fromkeys(url for turn in turns for url in turn.sources)),
            calls=tuple(call for turn in turns for call in turn.calls),
            seconds=sum(turn.seconds for turn in turns),
        )

    async def _answer(
        self, arm: Arm, question: Question, later: Sequence[AnyMessage] = ()
    ) -> Answer:
        seed = reading_seed(arm, question)
        said = [str(message.content) for message in later]
        key = key_of(
            "answer", made_by(), question.text, arm.kind, arm.public(), arm.corpus, seed, *said
        )

        async def make() -> dict[str, Any]:
            recording = RunRecording(self._store, self._spending, self._cuts, arm, question)
            report = await self.report(arm, question, recording, later)
            # In a box of its own: the calls were counted when they were made.
            return {"answer": _of_report(arm, report, recording)}

        kept = (await self._store.once(key, make))["answer"]
        lists = {name: tuple(kept[name]) for name in ("degradations", "sources", "calls")}
        return Answer(**{**kept, **lists}, arm=arm.name, question=question.id)

    async def report(
        self,
        arm: Arm,
        question: Question,
        recording: RunRecording,
        later: Sequence[AnyMessage] = (),
    ) -> Mapping[str, Any]:
        """What an arm's graph reports of a question, answered or not.

        Args:
            arm: The arm.
            question: The question.
            recording: Keeps the steps.
            later: What was said after the question.

        Raises:
            CapReached: It would cost more than may be spent.
            ArmUnavailable: A model cannot be asked at all.
        """
        graph = self._graphs.get(arm.name)
        if graph is None:
            graph = self._graphs[arm.name] = build_graph(arm.configuration, arm.course)
        seed = reading_seed(arm, question)
        try:
            with recorded(recording):
                state = await graph.ainvoke(
                    {"messages": [HumanMessage(question.text), *later]},
                    context=FusionConfig(seed=seed),
                )
            report: Mapping[str, Any] = state["fusion"]
        except AllPanelistsFailed as failed:
            report = failed.report or {}
        if recording.stopped is not None:
            raise recording.stopped
        for failure in report["failures"]:
            # Not of a call: a model that could not even be opened.
            if failure["reason"] in FATAL:
                raise ArmUnavailable(failure["model"], failure["reason"], failure["detail"])
        recording.keep_cuts()
        return report


def _of_report(arm: Arm, report: Mapping[str, Any], recording: RunRecording) -> dict[str, Any]:
    """An answer as plain data, without the names of its arm and its question."""
    answered = report["status"] != "error"
    why = [f"{item['name']}: {item['reason']}: {item['detail']}" for item in report["failures"]]
    names = [answer["name"] for answer in report["answers"]]
    scouting = report.get("scouting") or {}
    scouts = scouting.get("scouts", [])
    waves = [[n for n in names if n in scouts], [n for n in names if n not in scouts]]
    answer = Answer(
        arm="",
        question="",
        text=report["answer"] if answered else None,
        listed=source_list(report["sources"], report["answer"]),
        failure="" if answered else "; ".join(why),
        degradations=tuple(item["code"] for item in report["degradations"]),
        sources=tuple(dict.fromkeys(source["url"] for source in report["sources"])),
        calls=tuple(recording.calls),
        seconds=round(seconds_by_itself(recording.took, waves, arm.settings.max_concurrency), 4),
        stopped=scouting["reason"] == "agreed" if scouting else None,
    )
    plain = asdict(answer)
    del plain["arm"], plain["question"]
    return plain


def seconds_by_itself(
    took: Sequence[Took], waves: Sequence[Sequence[str]], at_once: int | None
) -> float:
    """How long a run takes whose every step takes what it took when it was made.

    A panelist works for as long as its calls and its tools take, those of one round side by side.
    What code does between them, and waiting in line for a provider, is not counted.

    Args:
        took: The steps, each asker's in their order.
        waves: The panel, in its order: who is asked together, wave after wave.
        at_once: How many of them work at the same time; None for all.
    """
    spent: dict[tuple[str, str], float] = {}
    tools: dict[tuple[str, str], float] = {}
    for step in took:
        who = step.asked.stage, step.asked.name
        if step.asked.kind == "call":
            spent[who] = spent.get(who, 0.0) + tools.pop(who, 0.0) + step.seconds
        else:
            tools[who] = max(tools.get(who, 0.0), step.seconds)
    for who, seconds in tools.items():  # the last thing it did before it was cut off
        spent[who] = spent.get(who, 0.0) + seconds
    panel = [[spent.pop(("panel", name), 0.0) for name in wave] for wave in waves]
    # Who differed on a point is asked about it again side by side.
    panel.append([spent.pop(who) for who in list(spent) if who[0] == "recheck"])
    return sum(elapsed(wave, at_once) for wave in panel) + sum(spent.values())


def elapsed(durations: Sequence[float], at_once: int | None) -> float:
    """How long work takes, begun in order, so many pieces at once (None: all)."""
    slots = [0.0] * (at_once or max(len(durations), 1))
    for seconds in durations:
        slots[slots.index(min(slots))] += seconds
    return max(slots)
