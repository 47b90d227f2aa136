"""What one run of an arm's graph asks, kept under its content in the evaluation's store.

Arms whose panelists are asked the same share the replies, searches and pages, and each is paid
once. A model that is asked the same twice in one run (self-fusion) answers twice: who asks counts
too, as the number of panelists before it that are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from fusion_graph.config import model_name
from fusion_graph.errors import ArmUnavailable, CallFailed, CapReached, FusionError
from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.grader import FATAL
from fusion_graph.evals.spending import Spending
from fusion_graph.evals.store import Place, Store, key_of
from fusion_graph.models.recording import Asked
from fusion_graph.state import CallRecord

Cuts = dict[str, dict[str, Any]]
"""Calls that a deadline cut off, by key, until it is known that it was one."""

_LIMITS = (
    "panelist_timeout",
    "panelist_stall",
    "judge_timeout",
    "synthesis_timeout",
    "run_timeout",
)
"""Settings that decide when a call is cut off."""


@dataclass(frozen=True)
class Took:
    """How long a step took when it was made, in seconds."""

    asked: Asked
    seconds: float


class RunRecording:
    """Keeps the steps of one run of an arm's graph, and counts what they cost.

    Args:
        store: Where they are kept.
        spending: Says whether a call may be made, and counts its cost.
        cuts: The evaluation's calls that were cut off.
        arm: Whose run it is.
        question: The question.

    Attributes:
        calls: Records of all calls behind the run, those that other arms share included.
        took: Its steps in their order.
        stopped: Why nothing further may begin; the run's answer then means nothing.
    """

    def __init__(
        self, store: Store, spending: Spending, cuts: Cuts, arm: Arm, question: Question
    ) -> None:
        self._store, self._spending, self._cuts = store, spending, cuts
        self._arm, self._question = arm, question
        settings = arm.settings
        self._models = {n: model_name(m.model) for n, m in _members(arm)}
        self._repetitions = dict(zip(settings.names, arm.repetitions, strict=True))
        self._asked: Counter[str] = Counter()
        self._cut: set[str] = set()
        self.calls: list[CallRecord] = []
        self.took: list[Took] = []
        self.stopped: FusionError | None = None

    def fixed(self, name: str, value: str) -> str:
        """The value that the question's first run had: models are shown it."""
        kept = self._store.first(key_of("fixed", self._question.text, name), {"value": value})
        return str(kept["value"])

    @asynccontextmanager
    async def step(self, asked: Asked) -> AsyncIterator[_Step]:
        """A step's place, once no other run is at it.

        Raises:
            CallFailed: It is a call, and nothing more may be asked.
        """
        key = self._key(asked)
        async with self._store.place(key) as place:
            kept = place.kept or await self._cut_before(key)
            step = _Step(self, asked, key, place, kept)
            if kept is not None:
                self._note(asked, kept)
                yield step
            elif asked.kind == "call":
                with self._paying(asked, step):
                    yield step
            else:
                yield step

    def keep_cuts(self) -> None:
        """Keep what was cut off: the run went on to its end, so its own deadlines did it."""
        for key in self._cut:
            self._store.first(key, self._cuts[key])

    async def _cut_before(self, key: str) -> dict[str, Any] | None:
        """The record of a call that the same limits of time have cut off before, if it is one."""
        key = self._limited(key)
        if key in self._cuts:
            return self._cuts[key]
        async with self._store.place(key) as place:
            return place.kept

    def _limited(self, key: str) -> str:
        limits = [getattr(self._arm.settings, name) for name in _LIMITS]
        return key_of("cut", key, limits)

    @contextmanager
    def _paying(self, asked: Asked, step: _Step) -> Iterator[None]:
        if self.stopped is not None:
            raise _refused(self.stopped)
        kind = f"{asked.stage} {asked.of}"
        try:
            likely = self._spending.begin(kind)
        except CapReached as reached:
            self.stopped = reached
            raise _refused(reached) from None
        try:
            yield
        finally:
            self._spending.end(kind, likely, step.paid)

    def _note(self, asked: Asked, kept: dict[str, Any]) -> None:
        calls: list[CallRecord] = [
            {**call, "stage": asked.stage, "name": asked.name}  # type: ignore[typeddict-item]
            for call in kept.get("calls", ())
        ]
        self.calls += calls
        seconds = calls[-1]["end"] - calls[0]["start"] if calls else kept.get("seconds", 0.0)
        self.took.append(Took(asked, seconds))

    def _key(self, asked: Asked) -> str:
        if asked.kind != "call":
            decides = [self._question.text, self._arm.corpus, asked.of, asked.content]
            return key_of(asked.kind, *decides)
        settings = self._arm.settings
        provider = settings.providers.get(asked.of.partition(":")[0])
        where = [provider.base_url, provider.api] if provider else None
        whose: Any = 0
        if asked.stage == "panel" and asked.name in self._models:
            stands_in = self._models[asked.name] != asked.of
            whose = asked.name if stands_in else self._repetitions[asked.name]
        content = key_of("call", asked.of, where, asked.content, whose)
        # A caller asks one thing after another: a blank reply is asked for again in the same words.
        which = f"{asked.stage}\0{asked.name}\0{content}"
        number = self._asked[which]
        self._asked[which] += 1
        return key_of("call", content, number)

    def _keep(self, asked: Asked, place: Place, value: dict[str, Any]) -> None:
        failure = value.get("failure")
        if failure is not None and failure["reason"] in FATAL:
            self.stopped = ArmUnavailable(asked.of, failure["reason"], failure["detail"])
            return
        place.keep(value)
        self._note(asked, value)

    def _note_cut(self, asked: Asked, key: str, value: dict[str, Any]) -> None:
        key = self._limited(key)
        self._cuts[key] = value
        self._cut.add(key)
        self._note(asked, value)


class _Step:
    """A step's place, for the one that is at it.

    Attributes:
        kept: What it brought before.
        paid: Records of the calls that were made for it now.
        same_run: Never: what is kept may have been paid by another arm, at another time.
    """

    same_run = False

    def __init__(
        self,
        recording: RunRecording,
        asked: Asked,
        key: str,
        place: Place,
        kept: dict[str, Any] | None,
    ) -> None:
        self._recording, self._asked, self._key, self._place = recording, asked, key, place
        self.kept = kept
        self.paid: Sequence[CallRecord] = ()

    def keep(self, value: dict[str, Any]) -> None:
        """Keep what it brought, unless its model cannot be asked at all."""
        self.paid = value.get("calls", ())
        self._recording._keep(self._asked, self._place, value)

    async def receive(self, value: dict[str, Any]) -> None:
        """Keep a reply; as `keep`."""
        self.keep(value)

    def cut(self, calls: Sequence[CallRecord]) -> None:
        """It was cut off, by a deadline or by the end of the evaluation."""
        self.paid = calls
        if calls:
            self._recording._note_cut(self._asked, self._key, {"calls": list(calls)})


def _members(arm: Arm) -> Sequence[tuple[str, Any]]:
    return list(zip(arm.settings.names, arm.settings.panel, strict=True))


def _refused(why: FusionError) -> CallFailed:
    return CallFailed(
        {"reason": "over_budget", "detail": str(why), "http_status": None, "attempts": 0}
    )
