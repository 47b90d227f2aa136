"""The report of a run as typed data."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from fusion_graph.config import explain
from fusion_graph.errors import UnreadableReport
from fusion_graph.judgement import Analysis
from fusion_graph.judgement.analysis import Stance
from fusion_graph.text.json_data import writable

"""Half a character, as models send it when a token is cut: no file can hold it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ReportedDegradation(_Record):
    """Something the run had to do without."""

    code: str
    detail: str


class ReportedFailure(_Record):
    """Why a panelist has no answer."""

    reason: str
    detail: str
    http_status: int | None
    attempts: int


class NamedFailure(ReportedFailure):
    """A failure with the member it struck, and what was spent on it (seconds, US dollars)."""

    name: str
    model: str
    seconds: float
    cost_usd: float | None
    plan_calls: int = 0


class ReportedToolCall(_Record):
    """One search or fetch of a panelist. `status` is `ok` or the tool's failure code; seconds.

    `by` says who made it: the model, code before the model was asked (`research = "first"`), or
    the model's provider while it answered (`search = "provider"`), which tells no times.
    """

    name: str
    args: dict[str, Any]
    status: str
    seconds: float
    source_ids: list[int]
    by: str = "model"


class AnswerUsage(_Record):
    """Calls and tokens of one panelist; a subscription of the user's paid `plan_calls` of them."""

    calls: int
    plan_calls: int = 0
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class ReportedAnswer(_Record):
    """What one panelist came to. Citations in `content` are ids of the report's sources.

    Of a failed one `content` is what it had written when it was left behind or cut off: part of an
    answer, which neither judge nor writer saw. It is empty where there was nothing.

    `served` names the models that really answered, as far as their replies say.
    """

    name: str
    model: str
    label: str | None
    status: Literal["ok", "failed"]
    content: str
    failure: ReportedFailure | None
    tool_calls: list[ReportedToolCall]
    usage: AnswerUsage
    cost_usd: float | None
    seconds: float
    served: list[str] = []


class ReportedQuote(_Record):
    """A quoted passage and what became of checking it; see `evidence.quotes.Verdict`."""

    text: str
    verdict: Literal["verified", "near", "altered", "not_found", "unchecked"]
    page_says: str = ""
    note: str = ""


class ReportedSource(_Record):
    """A source; `id` is the n of `[n]`. `retrieved_at` is None if the page was not fetched.

    `content` is the hash of the text that was read; sources with one `origin` are not independent
    of each other: they are of one site, or say the same in the same words.
    """

    id: int
    url: str
    title: str
    retrieved_at: str | None
    fetched: bool
    cited_by: list[str]
    quotes: list[ReportedQuote]
    content: str | None = None
    origin: int | None = None


class ReportedClaim(_Record):
    """A cited sentence of the final answer and what became of checking it on the cited pages.

    `sentence` stands as in the answer, without its citations; `missing` is what is on none of the
    pages; `passage` holds the page's own words that decide. The last two may be empty.
    """

    sentence: str
    sources: list[int]
    verdict: Literal["supported", "contradicted", "unsupported", "not_checkable"]
    missing: list[str]
    passage: str
    checked_by: Literal["code", "model"]


class ReportedTotals(_Record):
    """Sums over calls; an unknown cost is None, never 0. Seconds of parallel calls add up.

    `known_usd` is what the calls came to whose cost is known. Cached and cache-write tokens are
    part of the input tokens; None where no provider told of any. A subscription of the user's
    paid `plan_calls` of the calls: they are in no sum of dollars, which is None where there are no
    others.
    """

    calls: int
    plan_calls: int = 0
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_usd: float | None
    known_usd: float | None = None
    seconds: float


class ReportedUsage(_Record):
    """What the run used, by stage, by model, in total.

    `single_usd` is what one plain call of the panel's dearest model would have cost, and `multiple`
    how many such calls the run comes to; None where a price is unknown or nothing is paid.
    """

    stages: dict[str, ReportedTotals]
    models: dict[str, ReportedTotals]
    total: ReportedTotals
    cost_known: bool
    single_usd: float | None
    multiple: float | None


class TimelineRow(_Record):
    """One model or tool call; seconds from the start of the run.

    `served` and `provider` say which model really answered and who ran it, where the reply does.
    """

    stage: str
    name: str
    what: str
    start: float
    end: float
    outcome: str
    served: str | None = None
    provider: str | None = None


class UnaskedMember(_Record):
    """A member of the panel that was not asked."""

    name: str
    model: str


class ReportedScouting(_Record):
    """What came of asking two members of an adaptive panel first.

    `not_asked` are members of whom nobody knows what they would have said: they agree with nobody.
    `reason` is `agreed` where the panel stopped, else the first condition that was not met
    (docs/how-to/adaptive.md lists them).
    """

    scouts: list[str]
    not_asked: list[UnaskedMember]
    reason: str
    detail: str


class RecheckReplied(_Record):
    """What one member replied when it was asked again about one point.

    `position` counts from 1 over the stances that are worded differently; 0 is for one who finds
    that the passages decide nothing, None for one who did not reply, with its `failure`. `on_page`
    says whether the words that it quotes stand in a passage of that position.
    """

    name: str
    model: str
    position: int | None
    why: str
    quote: str
    on_page: bool
    failure: ReportedFailure | None


class ReportedRecheck(_Record):
    """What came of asking those who differ on one point that matters about it again, alone.

    `settled`: all hold one position now, with words of a page that it rests on, and the comparison
    says so; `stands`: they still differ, or not all replied. `detail` says which, in a sentence.
    """

    topic: str
    outcome: Literal["settled", "stands"]
    detail: str
    stances: list[Stance]
    replies: list[RecheckReplied]


class ProposedCodeTest(_Record):
    """A test that a member proposed; a suspect one has no vote."""

    text: str
    proposer: str
    suspect: bool


class TriedCode(_Record):
    """What running one member's code showed.

    `given` says how your tests ended (None: there were none), `passed` and `failed` tell of the
    tests that other members proposed. Candidates with the same number in `alike` did the same on
    every call. `code` is what was run.
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


class ReportedCode(_Record):
    """What running the panel's code showed.

    `best` names the candidates between which running did not decide; the answer is one of them, as
    it stands. `reason` is `chosen`, or why there is none: `none_passes_given`, `none_runs`,
    `untried`.
    """

    tests: list[ProposedCodeTest]
    candidates: list[TriedCode]
    best: list[str]
    reason: str
    confined: bool


class ReportedSpared(_Record):
    """What the panel would likely have taken that `invocation = "auto"` did not ask.

    An estimate, of which this run's own usage is to be taken; `cost_usd` is None where a price is
    unknown.
    """

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


class RunReport(_Record):
    """The data of a report: who said what, what it cost, what was lost."""

    status: Literal["ok", "degraded", "error"]
    degradations: list[ReportedDegradation]
    question: str
    answer: str
    invoked: bool
    invocation_reason: str
    spared: ReportedSpared | None = None
    scouting: ReportedScouting | None = None
    recheck: ReportedRecheck | None = None
    code: ReportedCode | None = None
    preset: str | None
    preset_reason: str
    config: dict[str, Any]
    analysis: Analysis | None
    answers: list[ReportedAnswer]
    sources: list[ReportedSource]
    claims: list[ReportedClaim] = []
    failures: list[NamedFailure]
    usage: ReportedUsage
    timeline: list[TimelineRow]
    seed: int
    versions: dict[str, str]
    thread_id: str | None

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """The report in a fusion graph's output.

        Args:
            state: What `invoke` returned, or a state's values.

        Raises:
            KeyError: No fusion has run in it.
        """
        return cls.model_validate(state["fusion"])

    @classmethod
    def from_json(cls, content: str | bytes) -> Self:
        """The report in what `fusion-graph ask --json` printed.

        Args:
            content: The text, or the bytes of a file in UTF-8, UTF-16 or UTF-32.

        Raises:
            UnreadableReport: It is something else; the message says what.
        """
        try:
            data = json.loads(content)
        except (ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise UnreadableReport(f"This is not JSON ({reason}).") from None
        if not isinstance(data, dict):
            raise UnreadableReport("This is JSON, but no report.")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problem, remedy = explain(error, cls)
            why = f"{problem} {remedy}" if problem.endswith(":") else problem
            raise UnreadableReport(f"This is JSON, but no report of this version. {why}") from None

    @model_validator(mode="before")
    @classmethod
    def _writable(cls, data: Any) -> Any:
        """What JSON has no word for could be neither saved nor sent: it is taken out."""
        return writable(data)
