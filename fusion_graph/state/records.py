"""The records that a run carries from node to node: plain data that any checkpointer can keep.

One turn fills the keys from top to bottom; `fan_out` empties them for the next turn.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from langchain_core.messages import AIMessage, AnyMessage
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from fusion_graph.errors import Degradation, Failure
from fusion_graph.evidence import SourceRecord


def add_items(earlier: list[Any], later: list[Any]) -> list[Any]:
    """Add what nodes bring to what is there already.

    Not `operator.add`: LangGraph reads its signature, and a builtin's is text that is parsed each
    time, which was a third of the time it takes to build the graph.

    Args:
        earlier: What the state holds.
        later: What a node returned.
    """
    return earlier + later


StageName = Literal[
    "route", "panel", "judge", "recheck", "synthesis", "verify", "direct", "tests", "grading"
]


class CallRecord(TypedDict):
    """One HTTP call to a model, answered or not.

    Tokens are None when the provider did not say, `cost_usd` is None when nobody knows it: a call
    that was cut off is billed for what nobody tells. A call refused at once cost 0. `plan` says
    that a subscription of the user's pays: such a call is not billed by itself, and its `cost_usd`
    is None. `cached_tokens` and `cache_write_tokens` are part of `input_tokens`. `served` is the
    model that really answered and `provider` who ran it, where the reply says so. `likely_usd` and
    `likely_tokens` stand for an unknown cost where a limit has to hold. `start` and `end` are
    seconds since the run began. `outcome` is `ok` or a failure reason; `left_out` names parameters
    the model had refused. Records of earlier versions lack what is not required.
    """

    stage: StageName
    name: str
    model: str
    served: NotRequired[str | None]
    provider: NotRequired[str | None]
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: NotRequired[int | None]
    cache_write_tokens: NotRequired[int | None]
    cost_usd: float | None
    plan: NotRequired[bool]
    likely_usd: NotRequired[float | None]
    likely_tokens: NotRequired[int | None]
    start: float
    end: float
    outcome: str
    left_out: list[str]


class Spared(TypedDict):
    """What the panel would likely have taken that was not asked; see `estimate`.

    `cost_usd` is None where a price is unknown.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class Run(TypedDict):
    """The decisions that `fan_out` makes once, so that later nodes and resumed processes agree.

    Attributes:
        id: Unique per turn.
        started: Unix time in seconds; every other time in the state counts from it.
        question: Text of the last human message.
        preset: Name of the preset in force, or None when all models were given.
        preset_reason: Why that preset, when it was chosen and not named.
        discovered: Panel, judge, writer and providers that a preset found on this machine. Runs
            that earlier versions began have it under `stack`.
        members: Names of the panelists asked, in panel order.
        models: Their models, in the same order. Runs that earlier versions began have none.
        context: Fields that the run's context set when it began, its preset aside. Runs that
            earlier versions began have none.
        invoked: Whether the panel was used.
        invocation_reason: Why, or why not.
        continues: Whether the writer goes on from an earlier fusion, with its tools' results.
        seed: Orders the answers before the judge sees them.
        nonce: Marks untrusted text in this run's prompts; unknown to the pages quoted.
        calls: Calls made before the panel (the `auto` decision).
        degradations: What was lost before the panel.
        scouts: Places of the members that are asked first. Only an adaptive panel has any.
        spared: What the panel would likely have taken, where `auto` decided for one model.
    """

    id: str
    started: float
    question: str
    preset: str | None
    preset_reason: str
    discovered: NotRequired[dict[str, Any] | None]
    members: list[str]
    models: NotRequired[list[str]]
    context: NotRequired[list[str]]
    invoked: bool
    invocation_reason: str
    continues: bool
    seed: int
    nonce: str
    calls: list[CallRecord]
    degradations: list[Degradation]
    scouts: NotRequired[list[int]]
    spared: NotRequired[Spared]


class ToolRecord(TypedDict):
    """One tool call of a panelist. `status` is `ok` or the tool's failure code; seconds.

    `by` says who made it: the model, the code that searches before the model is asked, or the
    model's provider while it answered.
    """

    name: str
    args: dict[str, Any]
    status: str
    start: float
    seconds: float
    source_ids: list[int]
    by: NotRequired[Literal["model", "code", "provider"]]


class Replaced(TypedDict):
    """A model that failed, and in whose place another was asked."""

    model: str
    failure: Failure
    seconds: float


class PanelAnswer(TypedDict):
    """The answer or failure of one panelist. Before `join`, ids in it are the panelist's own.

    `start` and `end` are seconds since the run began, from the start of its work, not from when it
    was sent to wait for a slot; `waited` is how many of them it stood in line for its provider.
    Records of earlier versions lack it.
    """

    name: str
    model: str
    index: int
    label: str | None
    status: Literal["ok", "failed"]
    content: str
    failure: Failure | None
    tool_calls: list[ToolRecord]
    sources: list[SourceRecord]
    calls: list[CallRecord]
    degradations: list[Degradation]
    replaced: list[Replaced]
    start: float
    end: float
    waited: NotRequired[float]


def seconds_at_work(answer: PanelAnswer) -> float:
    """Count the seconds that a panelist worked, waiting in line aside."""
    return answer["end"] - answer["start"] - answer.get("waited", 0.0)


class Joined(TypedDict):
    """The panel's work brought together: labelled answers over one numbered source list."""

    answers: list[PanelAnswer]
    sources: list[SourceRecord]
    degradations: list[Degradation]


class Judgement(TypedDict):
    """The outcome of the judge's stage. `analysis` uses panelists' names; None if there is none.

    `sources` are those that the judge found itself, numbered after the panel's, and those of the
    panel's that it read where nobody had; `tool_calls` are its own. Records of earlier versions
    have neither.
    """

    analysis: dict[str, Any] | None
    calls: list[CallRecord]
    degradations: list[Degradation]
    sources: NotRequired[list[SourceRecord]]
    tool_calls: NotRequired[list[ToolRecord]]


class Scouting(TypedDict):
    """What came of asking two members first: `reason` as of a `judgement.Stopping`."""

    reason: str
    detail: str


class RecheckSide(TypedDict):
    """One member's stance on the point that is asked about again, with passages it rests on.

    `passages` are pairs of a source's number and words of its page.
    """

    model: str
    stance: str
    sources: list[int]
    passages: list[tuple[int, str]]


class RecheckedMember(TypedDict):
    """What a member replied when it was asked again; `position` is None where it did not.

    `position` counts from 1 over the stances that are worded alike, 0 for one who finds that the
    passages decide nothing. `on_page` says whether the words it quotes stand in a passage of it.
    """

    name: str
    model: str
    position: int | None
    why: str
    quote: str
    on_page: bool
    failure: Failure | None
    calls: list[CallRecord]


class Recheck(TypedDict):
    """One point that is asked about again, and what came of it.

    Attributes:
        topic: The contradiction's.
        sides: Who holds what.
        outcome: `settled` or `stands`; None until everybody was asked.
        detail: What it was, in a sentence; empty until then.
        replies: Of the members, in panel order; empty until then.
    """

    topic: str
    sides: list[RecheckSide]
    outcome: Literal["settled", "stands"] | None
    detail: str
    replies: list[RecheckedMember]


class TriedCandidate(TypedDict):
    """What running one member's code showed.

    Attributes:
        name: The member's, with "(repaired)" behind it where its first code was mended.
        member: Whose it is.
        given: How the given tests ended: `passed` or what else; None where there are none.
        given_detail: What was wrong with it first; may be empty.
        passed: Proposed tests passed.
        failed: Proposed tests failed, with what they say.
        broken: Why it could not be run; may be empty.
        alike: Number of its behaviour; those with one number did the same on every call. None
            where it was not compared.
        code: The code that was run; None where there is none in the answer.
    """

    name: str
    member: str
    given: str | None
    given_detail: str
    passed: int
    failed: list[str]
    broken: str
    alike: int | None
    code: str | None


class ProposedText(TypedDict):
    """A test as it was proposed; a `suspect` one has no vote (see `coding.select`)."""

    text: str
    proposer: str
    suspect: bool


class Trials(TypedDict):
    """What running the panel's code showed.

    Attributes:
        tests: The proposed tests.
        candidates: What came of each candidate.
        best: Names of the candidates between which running does not decide, the first ones first;
            empty where there is none to choose.
        reason: `chosen`, or why there is none: see `coding.Selection`.
        repaired: The whole replies of the repair round, by candidate.
        confined: Whether code ran in bubblewrap.
        calls: Calls paid for tests and repairs.
        degradations: What was lost on the way.
    """

    tests: list[ProposedText]
    candidates: list[TriedCandidate]
    best: list[str]
    reason: str
    repaired: dict[str, str]
    confined: bool
    calls: list[CallRecord]
    degradations: list[Degradation]


class FinalAnswer(TypedDict):
    """An answer as it was written and streamed, before its claims are checked.

    Attributes:
        message: What goes into the conversation: notes on what was lost and the answer; or calls
            of the caller's tools.
        answer: The answer alone, its citations all of sources that there are.
        note: What the message says before the answer.
        writer: The model that wrote it; None for a panelist's answer that was passed on.
        cites: Whether its brackets are citations, and a list of sources follows: not in a format
            of the caller's, nor beside calls of tools.
        calls: Calls paid for it.
        degradations: What was lost on the way.
    """

    message: AIMessage
    answer: str
    note: str
    writer: str | None
    cites: bool
    calls: list[CallRecord]
    degradations: list[Degradation]


def found_by_judge(
    judgement: Judgement, sources: list[SourceRecord], tool_calls: list[ToolRecord]
) -> Judgement:
    """The judgement with what a judge with tools did; as it was for one that did nothing."""
    if sources:
        judgement["sources"] = sources
    if tool_calls:
        judgement["tool_calls"] = tool_calls
    return judgement


class PanelMember(TypedDict):
    """The member that `fan_out` asks: its name and place; the rest is in the state."""

    name: str
    model: str
    index: int


class FusionInput(TypedDict):
    """The graph's input: a conversation whose last human message is the question."""

    messages: Annotated[list[AnyMessage], add_messages]


class FusionOutput(TypedDict):
    """The graph's output: the conversation with the answer, and the run's report as data."""

    messages: Annotated[list[AnyMessage], add_messages]
    fusion: dict[str, Any]


class FusionState(TypedDict):
    """The graph's state; its keys are filled in the order of the nodes."""

    messages: Annotated[list[AnyMessage], add_messages]
    run: Run
    answers: Annotated[list[PanelAnswer], add_items]
    joined: Joined
    judgement: Judgement | None
    scouting: Scouting | None
    recheck: Recheck | None
    rechecked: Annotated[list[RecheckedMember], add_items]
    trials: Trials | None
    written: FinalAnswer
    fusion: dict[str, Any]
