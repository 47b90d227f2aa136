"""trials: the panel's code is run, against the given tests and those that its members propose."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from langchain_core.messages import AnyMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_graph.coding import (
    Candidate,
    ProposedTest,
    Selection,
    Trial,
    code_in,
    defined,
    names_used,
    read_tests,
    select,
    suite_of,
    try_all,
)
from fusion_graph.coding.extraction import blocks
from fusion_graph.config import ResolvedConfig, model_name
from fusion_graph.errors import CallFailed, ConfigurationError, Degradation, OutOfTime
from fusion_graph.models.open import open_model
from fusion_graph.models.request import Options
from fusion_graph.prompts import (
    REPAIR_SYSTEM,
    TESTER_SYSTEM,
    repair_material,
    tester_material,
)
from fusion_graph.run.stage import Stage
from fusion_graph.sandbox import Limits, Suite, used_names
from fusion_graph.state import CallRecord, Joined, PanelAnswer, Trials, TriedCandidate
from fusion_graph.state.conversation import calls_as_text, cut_conversation, transcript

CONVERSATION_CHARACTERS = 60_000
"""Most characters of the conversation that whoever proposes a test or mends code is shown."""

MOST_TOLD = 5
"""Failures of one candidate that are told, of however many there are."""

REPAIRED = "{name} (repaired)"


def check_tests(settings: ResolvedConfig, runs_code: bool) -> None:
    """Refuse tests that cannot be used, before anybody is asked.

    Args:
        settings: The run's settings.
        runs_code: Whether the graph was made to run code.

    Raises:
        ConfigurationError: The tests are no Python, or nobody would run them.
    """
    if not settings.tests:
        return
    suite_of(settings.tests)
    if not runs_code:
        raise ConfigurationError(
            "tests: this graph runs no code.",
            "Make it with create_fusion_graph(…, run_code='sandbox'), or ask `fusion-graph code`.",
        )


async def trials(
    stage: Stage, conversation: Sequence[AnyMessage], joined: Joined, limits: Limits
) -> Trials:
    """Run the code of every answer, have it mended once where none passes, and rank it.

    Args:
        stage: The tester's stage.
        conversation: The conversation.
        joined: The labelled answers.
        limits: What each run of code may use.

    Raises:
        SandboxUnavailable: Code cannot be confined here, as `limits` want it.
    """
    settings = stage.settings
    suite = suite_of(settings.tests) if settings.tests else None
    told = transcript(cut_conversation(calls_as_text(conversation), CONVERSATION_CHARACTERS))
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    tester = _Tester(stage, told, survivors)
    texts = {answer["name"]: answer["content"] for answer in survivors}
    authors = {name: name for name in texts}
    tests: tuple[ProposedTest, ...] = ()
    # Where one alone passes the given tests, or nobody, proposed ones could change nothing.
    found = await _tried(texts, authors, (), suite, limits) if suite else ()
    repaired: dict[str, str] = {}
    if suite and not _passing(found):
        repaired = await tester.repairs({trial.author: _given_failure(trial) for trial in found})
    if suite is None or len(_passing(found)) > 1:
        tests = await tester.proposals(_names(texts))
        found = await _tried(texts, authors, tests, suite, limits)
        if suite is None and not any(trial.runs for trial in found) and tests:
            faults = {trial.author: _told(trial, tests) for trial in found}
            repaired = await tester.repairs(faults)
    if repaired:
        again = {REPAIRED.format(name=name): text for name, text in repaired.items()}
        authors |= {REPAIRED.format(name=name): name for name in repaired}
        texts, repaired = {**texts, **again}, again
        if suite:
            found = (*found, *await _tried(again, authors, (), suite, limits))
            if len(_passing(found)) > 1:
                tests = await tester.proposals(_names(again))
        if tests:
            found = await _tried(texts, authors, tests, suite, limits)
    selection = select(found, tests)
    record = _record(found, tests, selection, repaired, tester, texts, suite, limits)
    stage.emit(
        "code.tried",
        candidates=[
            {
                "name": one["name"],
                "given": one["given"],
                "passed": one["passed"],
                "failed": len(one["failed"]),
                "broken": one["broken"],
            }
            for one in record["candidates"]
        ],
        best=record["best"],
        reason=record["reason"],
    )
    return record


class _Tester:
    """Asks members for tests, and for mended code.

    Attributes:
        losses: What could not be had.
    """

    def __init__(self, stage: Stage, told: str, survivors: Sequence[PanelAnswer]) -> None:
        self._stage, self._told, self._survivors = stage, told, survivors
        self.losses: list[Degradation] = []

    @property
    def calls(self) -> list[CallRecord]:
        """The records of all that was asked."""
        return self._stage.calls

    async def proposals(self, names: Sequence[str]) -> tuple[ProposedTest, ...]:
        """Have each member propose tests; it sees the request and nobody's code."""
        prompt: list[BaseMessage] = [
            SystemMessage(TESTER_SYSTEM),
            HumanMessage(tester_material(self._told, names, self._stage.run["nonce"])),
        ]
        members = {answer["name"]: answer for answer in self._survivors}
        # What one member proposes judges the others: alone it has nobody to judge.
        wanted = dict.fromkeys(members, prompt) if len(members) > 1 else {}
        replies = await self._asked(wanted, "proposed no tests")
        found = {name: read_tests(text, name) for name, text in replies.items()}
        for name in replies:
            if not found[name]:
                self._lose(name, "what it proposed holds no test that can be read")
        tests = tuple(test for name in members for test in found.get(name, ()))
        self._stage.emit("code.proposed", tests=len(tests), by=[n for n in members if found.get(n)])
        return tests

    async def repairs(self, faults: Mapping[str, Sequence[str]]) -> dict[str, str]:
        """Have members mend their code, once. Returns their replies."""
        nonce, tests = self._stage.run["nonce"], self._stage.settings.tests or ""
        prompts: dict[str, list[BaseMessage]] = {
            answer["name"]: [
                SystemMessage(REPAIR_SYSTEM),
                HumanMessage(
                    repair_material(
                        self._told, answer["content"], faults[answer["name"]], nonce, tests
                    )
                ),
            ]
            for answer in self._survivors
            if faults.get(answer["name"])
        }
        return await self._asked(prompts, "mended nothing")

    async def _asked(
        self, prompts: Mapping[str, Sequence[BaseMessage]], otherwise: str
    ) -> dict[str, str]:
        settings = self._stage.settings
        refs = {answer["name"]: _asked_model(settings, answer) for answer in self._survivors}
        turns = asyncio.Semaphore(settings.max_concurrency or max(len(prompts), 1))
        replies: dict[str, str] = {}

        async def one(name: str, prompt: Sequence[BaseMessage]) -> None:
            async with turns:
                try:
                    model = await open_model(refs[name], settings.providers)
                    options = Options(
                        temperature=0.0,
                        reasoning_effort=settings.reasoning_effort,
                        max_tokens=settings.max_completion_tokens,
                    )
                    reply = await caller.ask(model, prompt, options)
                    replies[name] = reply.text
                except (CallFailed, ConfigurationError) as error:
                    self._lose(name, f"{otherwise}: {error}")

        try:
            async with self._stage.at_work() as caller, asyncio.TaskGroup() as group:
                for name, prompt in prompts.items():
                    group.create_task(one(name, prompt))
        except OutOfTime as error:
            for name in prompts.keys() - replies.keys():
                self._lose(name, f"{otherwise}: it {error}")
        return {name: replies[name] for name in prompts if name in replies}

    def _lose(self, name: str, why: str) -> None:
        self.losses.append({"code": "tests_missing", "detail": f"{name}: {why}"})


def _asked_model(settings: ResolvedConfig, answer: PanelAnswer) -> object:
    """The model that gave an answer: the member's own, or a fallback in its place."""
    own = settings.panel[answer["index"]].model
    refs = [own, *settings.fallbacks]
    return next((ref for ref in refs if model_name(ref) == answer["model"]), own)


def _names(texts: Mapping[str, str]) -> list[str]:
    """Names that the answers' code defines, those that most define first."""
    counts: dict[str, int] = {}
    for text in texts.values():
        for name in set().union(*map(defined, blocks(text))):
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts, key=lambda name: (-counts[name], name))[:20]


async def _tried(
    texts: Mapping[str, str],
    authors: Mapping[str, str],
    tests: Sequence[ProposedTest],
    suite: Suite | None,
    limits: Limits,
) -> tuple[Trial, ...]:
    return await try_all(_candidates(texts, authors, tests, suite), tests, suite, limits)


def _candidates(
    texts: Mapping[str, str],
    authors: Mapping[str, str],
    tests: Sequence[ProposedTest],
    suite: Suite | None,
) -> list[Candidate]:
    names = used_names(suite.tests) if suite else names_used(tests)
    return [Candidate(name, authors[name], code_in(text, names)) for name, text in texts.items()]


def _passing(found: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in found if trial.given and trial.given.outcome == "passed"]


def _given_failure(trial: Trial) -> list[str]:
    given = trial.given
    return [] if given is None else [f"{given.outcome}: {given.detail}"]


def _told(trial: Trial, tests: Sequence[ProposedTest]) -> list[str]:
    """What went wrong with a candidate, for its author."""
    lines = [trial.broken] if trial.broken else []
    errors = {f"{one.error}: {one.words}" for one in trial.outputs if one is not None and one.error}
    lines += sorted(errors)
    return (lines or [test.text for test in tests])[:MOST_TOLD]


def _record(
    found: Sequence[Trial],
    tests: Sequence[ProposedTest],
    selection: Selection,
    repaired: dict[str, str],
    tester: _Tester,
    texts: Mapping[str, str],
    suite: Suite | None,
    limits: Limits,
) -> Trials:
    authors = {trial.candidate: trial.author for trial in found}
    codes = {c.name: c.code for c in _candidates(texts, authors, tests, suite)}
    alike = {
        name: number
        for number, one in enumerate(selection.behaviours, 1)
        for name in one.candidates
    }
    candidates: list[TriedCandidate] = []
    for trial in found:
        verdicts = list(zip(tests, trial.verdicts, strict=False))
        others = [(test, said) for test, said in verdicts if test.proposer != trial.author]
        candidates.append(
            {
                "name": trial.candidate,
                "member": trial.author,
                "given": trial.given.outcome if trial.given else None,
                "given_detail": trial.given.detail if trial.given else "",
                "passed": sum(said is True for _, said in others),
                "failed": [test.text for test, said in others if said is False],
                "broken": trial.broken,
                "alike": alike.get(trial.candidate),
                "code": codes[trial.candidate],
            }
        )
    return {
        "tests": [
            {"text": test.text, "proposer": test.proposer, "suspect": n in selection.suspects}
            for n, test in enumerate(tests)
        ],
        "candidates": candidates,
        "best": list(selection.tied),
        "reason": selection.reason,
        "repaired": repaired,
        "confined": limits.confined,
        "calls": tester.calls,
        "degradations": tester.losses,
    }
