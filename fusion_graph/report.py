"""FusionReport: what a run did, as typed data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from fusion_graph.analysis import Analysis


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
    """A failure with the member it struck."""

    name: str
    model: str


class ReportedToolCall(_Record):
    """One search or fetch of a panelist. `status` is `ok` or the tool's failure code; seconds."""

    name: str
    args: dict[str, Any]
    status: str
    seconds: float
    source_ids: list[int]


class AnswerUsage(_Record):
    """Calls and tokens of one panelist."""

    calls: int
    input_tokens: int
    output_tokens: int


class ReportedAnswer(_Record):
    """What one panelist came to. Citations in `content` are ids of the report's sources."""

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


class ReportedQuote(_Record):
    """A quoted passage and what became of checking it."""

    text: str
    verdict: Literal["verified", "near", "not_found"]


class ReportedSource(_Record):
    """A source; `id` is the n of `[n]`. `retrieved_at` is None if the page was not fetched."""

    id: int
    url: str
    title: str
    retrieved_at: str | None
    fetched: bool
    cited_by: list[str]
    quotes: list[ReportedQuote]


class ReportedTotals(_Record):
    """Sums over calls; an unknown cost is None, never 0. Seconds of parallel calls add up."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    seconds: float


class ReportedUsage(_Record):
    """What the run used, by stage, by model, in total."""

    stages: dict[str, ReportedTotals]
    models: dict[str, ReportedTotals]
    total: ReportedTotals
    cost_known: bool


class TimelineRow(_Record):
    """One model or tool call; seconds from the start of the run."""

    stage: str
    name: str
    what: str
    start: float
    end: float
    outcome: str


class FusionReport(_Record):
    """What a run did: the question, the answer, who said what, what it cost, what was lost.

    Example:
        >>> from fusion_graph import FusionReport, create_fusion_graph
        >>> graph = create_fusion_graph("offline")
        >>> result = graph.invoke({"messages": [("user", "What is DRACO?")]})
        >>> report = FusionReport.from_state(result)
        >>> report.status
        'ok'
        >>> [answer.name for answer in report.answers]
        ['keyword', 'figures', 'central']
    """

    status: Literal["ok", "degraded", "error"]
    degradations: list[ReportedDegradation]
    question: str
    answer: str
    invoked: bool
    invocation_reason: str
    preset: str | None
    preset_reason: str
    config: dict[str, Any]
    analysis: Analysis | None
    answers: list[ReportedAnswer]
    sources: list[ReportedSource]
    failures: list[NamedFailure]
    usage: ReportedUsage
    timeline: list[TimelineRow]
    seed: int
    versions: dict[str, str]
    thread_id: str | None

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FusionReport:
        """The report in a fusion graph's output.

        Args:
            state: What `invoke` returned, or a state's values.

        Raises:
            KeyError: No fusion has run in it.
        """
        return cls.model_validate(state["fusion"])
