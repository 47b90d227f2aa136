"""The fields of a configuration: what people write, and what a run makes of it.

`FusionConfig` is what people write, in Python, in a preset file or in Studio: every field is
optional, and unset means "as the preset says". In a `ResolvedConfig` nothing is left open;
`combine` makes it of the layers of one run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)

from fusion_graph.config.endpoints import Provider, shown_address
from fusion_graph.config.form import Offers, as_form, shipped_models, shipped_presets
from fusion_graph.config.references import ModelRef, SearchRef, model_name
from fusion_graph.config.strict import Strict
from fusion_graph.config.tool_servers import MAX_TOOL_SERVERS, ToolServerName, ToolServerRef
from fusion_graph.errors import ConfigurationError

MAX_PANEL = 16
"""Most members a panel may have; OpenRouter allows 8, and no study of wider ones is known."""

MAX_TOOL_CALLS = 16
"""Highest tool-call cap, as OpenRouter's."""

CRITERIA = ("general", "code", "safety")
"""What `criteria` may be called, besides being your own words; `prompts.py` spells them out."""

Invocation = Literal["always", "never", "auto"]
PanelPolicy = Literal["full", "adaptive"]
Recheck = Literal["off", "one"]
FollowLinks = Literal["none", "same_site", "any"]
Verify = Literal["off", "code", "model", "repair"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Panelist(Strict):
    """One member of the panel."""

    model: ModelRef = Field(title="Model")
    """`provider:model`, or a LangChain chat model."""
    name: str | None = Field(default=None, min_length=1, max_length=80, title="Name")
    """What the report calls this member; by default the model's name."""
    instructions: str | None = Field(default=None, title="Instructions")
    """Extra system instructions for this member only. By default everybody gets the same task."""
    temperature: float | None = Field(default=None, ge=0, le=2, title="Temperature")
    """Sampling temperature of this member."""
    reasoning_effort: ReasoningEffort | None = Field(default=None, title="Reasoning effort")
    """Reasoning effort of this member."""
    tools: bool = Field(default=True, title="Tools")
    """Whether this member may search and fetch."""


def _as_panelist(value: Any) -> Any:
    if isinstance(value, Panelist):
        return value
    if isinstance(value, Mapping):
        return Panelist(**value)
    return Panelist(model=value)


PanelistRef = Annotated[Panelist, BeforeValidator(_as_panelist), Offers(shipped_models)]
"""A panelist, or only its model."""


class FusionConfig(Strict):
    """Settings of a fusion. Every field may be left out: the preset's value is taken.

    A field set to None, where that is its default, is without the preset's value; `preset` and
    `panel` are not, for without them there is nobody to ask.
    """

    model_config = ConfigDict(json_schema_extra=as_form)

    preset: Annotated[str, Offers(shipped_presets)] | None = Field(default=None, title="Preset")
    """Who answers: a preset that is shipped, one of your own by name, or the path of a preset
    file. Unset: chosen from the keys found."""
    panel: list[PanelistRef] | None = Field(
        default=None, title="Panel", min_length=1, max_length=MAX_PANEL
    )
    """The models that answer side by side, 1 to 16; the same one twice is allowed. Unset: the
    preset's."""
    judge: ModelRef | None = Field(default=None, title="Judge")
    """The model that compares the answers. Unset: the preset's, or the panel's first."""
    synthesizer: ModelRef | None = Field(default=None, title="Writer")
    """The model that writes the final answer. Unset: the preset's, or the judge."""
    verify: Verify = Field(default="code", title="Check of the answer")
    """How the final answer's claims are checked on the pages they cite. off: not at all; code: by
    code alone; model: what code cannot decide goes to `verifier`, in one call; repair: as model,
    and the writer gets what was found false, once, mends it, and is checked again."""
    verifier: ModelRef | None = Field(default=None, title="Verifier")
    """The model that checks claims which code cannot decide, with `verify` set to `model` or
    `repair`. Unset: the judge."""
    fallbacks: list[ModelRef] = Field(default=[], title="Fallbacks")
    """Models tried in turn when the judge or the writer fails, and asked in the place of panelists
    that failed when too few are left for the quorum (or for a comparison)."""
    invocation: Invocation = Field(default="always", title="When to use the panel")
    """always: the panel answers; never: one model answers; auto: one short call decides."""
    panel_policy: PanelPolicy = Field(default="full", title="How much of the panel is asked")
    """full: everybody at once; adaptive: two members first, and the others only if those two do not
    agree on what carries the answer, on evidence of each one's own. A panel of two is always
    asked whole, and so is one without a judge."""
    scouts: list[str] | None = Field(
        default=None, title="Asked first", min_length=2, max_length=MAX_PANEL
    )
    """Names of the members that an adaptive panel asks first, two or more. Unset: two of different
    families, by the track record of your own evaluations and by price."""
    recheck: Recheck | None = Field(default=None, title="Ask again about one point")
    """one: after the comparison, the first contradiction that carries the answer and has evidence
    on both sides is put to the members who differ once more, alone, with the passages of both; off:
    nobody is asked again. Unset: one where `panel_policy` is adaptive, else off."""
    search: SearchRef | None = Field(default=None, title="Search")
    """Where web_search looks: a name, or any LangChain search tool. Unset: `corpus` when a folder
    is given, else `ddgs`."""
    corpus: str | None = Field(default=None, title="Corpus folder")
    """Folder of Markdown, text, HTML or PDF files that `search = "corpus"` looks in."""
    tools: dict[ToolServerName, ToolServerRef] = Field(
        default={}, max_length=MAX_TOOL_SERVERS, title="MCP tools"
    )
    """MCP servers whose tools panelists get beside search and fetch, by name: each a table with
    `command` or `url`, or only one of these. For presets and code: they start programs, so a run's
    context, which may come over a network, cannot set them."""
    max_tool_calls: int = Field(default=8, ge=0, le=MAX_TOOL_CALLS, title="Tool calls per panelist")
    """Most searches and fetches one panelist may make; parallel ones count one by one."""
    research: Literal["model", "first"] = Field(default="model", title="Who searches first")
    """model: each panelist decides whether to search; first: code searches with the question and
    reads the best hits before a panelist is asked, for small models that never call a tool."""
    judge_tools: bool = Field(default=False, title="Judge may search")
    """Gives the judge the panel's tools, under the same cap."""
    criteria: Annotated[str, Offers(lambda: CRITERIA)] = Field(
        default="general", min_length=1, title="What the judge weighs"
    )
    """`general`, `code`, `safety`, or your own words."""
    tests: str | None = Field(default=None, title="Tests of the code")
    """Python tests that code has to pass, where the graph was made to run it (`run_code`)."""
    max_completion_tokens: int = Field(default=16_000, ge=16, le=128_000, title="Tokens per call")
    """Most tokens one model call may produce, reasoning included."""
    reasoning_effort: ReasoningEffort | None = Field(default=None, title="Reasoning effort")
    """Passed to every model that takes it; unset leaves it to the provider."""
    temperature: float | None = Field(default=None, ge=0, le=2, title="Panel temperature")
    """For the panel only: the judge runs at 0 where its model takes a temperature."""
    panelist_timeout: float = Field(default=600, gt=0, le=7200, title="Panelist timeout (s)")
    """Seconds after which a panelist is given up."""
    panelist_stall: float = Field(default=300, gt=0, le=7200, title="Panelist silence (s)")
    """Seconds without a token and without a tool result after which a panelist is given up."""
    judge_timeout: float = Field(default=300, gt=0, le=7200, title="Judge timeout (s)")
    """Seconds the judge may take, repair and fallbacks included; the verifier too."""
    synthesis_timeout: float = Field(default=300, gt=0, le=7200, title="Writer timeout (s)")
    """Seconds one writing attempt may take, or the decision by `auto`."""
    quorum: int | None = Field(default=None, ge=1, le=MAX_PANEL, title="Quorum")
    """Answers after which the others get only `grace` seconds more. Unset: wait for everyone."""
    grace: float = Field(default=15, ge=0, le=3600, title="Grace (s)")
    """Seconds the rest of the panel gets once the quorum has answered."""
    run_timeout: float | None = Field(default=None, gt=0, le=86_400, title="Run timeout (s)")
    """Seconds the whole run may work: the panel gets 60 % of it, the judge half of what is left,
    the writer the rest; a decision by `auto` at most a quarter. Unset: the stages' own limits
    alone."""
    max_cost_usd: float | None = Field(default=None, ge=0, title="Most dollars")
    """US dollars after which no further call begins; the run ends with what it has."""
    max_tokens_total: int | None = Field(default=None, ge=0, title="Most tokens")
    """Tokens, in and out, after which no further call begins."""
    provider_concurrency: int = Field(default=8, ge=1, le=64, title="Calls to one provider at once")
    """Calls one run makes to one provider at the same time, so that a wide panel does not run
    into the provider's rate limit by itself."""
    max_concurrency: int | None = Field(default=None, ge=1, le=MAX_PANEL, title="Panelists at once")
    """Panelists at work at the same time; 1 suits a server with one GPU. Unset: all."""
    allowed_domains: list[str] = Field(default=[], title="Allowed domains")
    """If given, only these hosts (and their subdomains) are searched and fetched."""
    blocked_domains: list[str] = Field(default=[], title="Blocked domains")
    """Hosts never searched or fetched. Give this or `allowed_domains`, not both."""
    follow_links: FollowLinks = Field(default="same_site", title="Links that may be followed")
    """Links on pages that a panelist was shown: none; same_site: those to the page's own site;
    any. At most two of a site in a run, besides what the search finds and you name yourself."""
    respect_robots: bool = Field(default=False, title="Keep to robots.txt")
    """Fetch no page that its site's robots.txt closes to crawlers. Off: a question leads to single
    pages, one by one, which is no crawl."""
    seed: int | None = Field(default=None, ge=0, lt=2**32, title="Seed")
    """Orders the answers before the judge sees them. Unset: drawn and reported."""
    writer_max_tokens: int | None = Field(
        default=None, ge=1, le=128_000, title="Tokens of the answer"
    )
    """Most tokens of the final answer; unset: `max_completion_tokens`, as for everybody."""
    writer_tools: list[dict[str, Any]] = Field(default=[], title="Writer's tools")
    """Tools of your own application, in OpenAI's format, that only the writer may call. Its calls
    are in the final message; run them, and go on with their results."""
    writer_tool_choice: str | dict[str, Any] | None = Field(
        default=None, title="Writer's tool choice"
    )
    """As OpenAI's `tool_choice`: `auto`, `none`, `required`, or one tool."""
    response_format: dict[str, Any] | None = Field(default=None, title="Answer format")
    """As OpenAI's `response_format`, for the writer: `{"type": "json_object"}` or a schema."""
    providers: dict[str, Provider] = Field(default={}, title="Providers")
    """OpenAI-compatible endpoints by name, for `name:model` strings."""

    _cleared: frozenset[str] = PrivateAttr(default=frozenset())
    """Fields that a form sent as empty text."""

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, data: Any) -> Any:
        """A form sends an empty text for a field that was cleared."""
        if not isinstance(data, Mapping):
            return data
        optional = {name for name, field in cls.model_fields.items() if field.default is None}
        return {name: None if v == "" and name in optional else v for name, v in data.items()}

    @model_validator(mode="wrap")
    @classmethod
    def _note_cleared(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A cleared field is set, for a form sends every field, and yet sets nothing."""
        made = handler(data)
        if isinstance(data, Mapping):
            blank = {name for name, value in data.items() if value == ""}
            made._cleared = frozenset(n for n in blank if getattr(made, n, "") is None)
        return made

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.allowed_domains and self.blocked_domains:
            raise ValueError("give allowed_domains or blocked_domains, not both")
        if self.quorum and self.panel and self.quorum > len(self.panel):
            raise ValueError(f"quorum {self.quorum} is more than the panel's {len(self.panel)}")
        if self.scouts and len(set(self.scouts)) < len(self.scouts):
            raise ValueError(f"scouts names a member twice: {', '.join(self.scouts)}")
        return self

    def given(self) -> dict[str, Any]:
        """The fields that were set, as values `FusionConfig` accepts again."""
        return {name: getattr(self, name) for name in self.model_fields_set - self._cleared}


class ResolvedConfig(FusionConfig):
    """A configuration in which panel, judge, writer and search are decided."""

    panel: list[PanelistRef] = Field(min_length=1, max_length=MAX_PANEL)
    judge: ModelRef
    synthesizer: ModelRef

    @model_validator(mode="after")
    def _scouts_are_members(self) -> Self:
        strangers = sorted({*(self.scouts or ())} - {*self.names})
        if strangers and self.panel_policy == "adaptive":
            raise ValueError(
                f"scouts names {', '.join(strangers)}: the panel has {', '.join(self.names)}"
            )
        return self

    @property
    def writer_is_bound(self) -> bool:
        """Whether the caller expects tool calls or a format, which only the writer can give."""
        return bool(self.writer_tools) or self.response_format is not None

    @property
    def asked_to_verify(self) -> Any:
        """The model that checks claims which code cannot decide; None where nobody is asked."""
        if self.verify not in ("model", "repair"):
            return None
        return self.verifier if self.verifier is not None else self.judge

    @property
    def rechecks(self) -> bool:
        """Whether a contradiction that matters is asked about again."""
        # Who asks two for the price's sake can pay one short call a side where it decides.
        if self.recheck is None:
            return self.panel_policy == "adaptive"
        return self.recheck == "one"

    @property
    def names(self) -> list[str]:
        """The panelists' names in panel order, each once (`gpt-5.5`, `gpt-5.5 #2`)."""
        names: list[str] = []
        for member in self.panel:
            base = member.name or model_name(member.model).partition(":")[2].rpartition("/")[2]
            base = base or model_name(member.model)
            tries = itertools.chain([base], (f"{base} #{n}" for n in itertools.count(2)))
            names.append(next(name for name in tries if name not in names))
        return names

    def public(self) -> dict[str, Any]:
        """Plain data for the report: models by name, no header's value, no address's password."""
        data = self.model_dump(mode="json")
        for provider in data["providers"].values():
            provider["headers"] = dict.fromkeys(provider["headers"], "***")
            provider["base_url"] = provider["base_url"] and shown_address(provider["base_url"])
        data["tools"] = {name: server.shown() for name, server in self.tools.items()}
        return data


def coerce(given: FusionConfig | Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Read the fields that a caller set, from any form a configuration comes in.

    Args:
        given: A `FusionConfig`, a dict (as a parent graph's context is inherited), a preset's
            name or path, or nothing.

    Raises:
        ConfigurationError: An unknown field or a wrong value.
    """
    if given is None:
        return {}
    if isinstance(given, str):
        return {"preset": given}
    if isinstance(given, FusionConfig):
        return given.given()
    if isinstance(given, Mapping):
        return FusionConfig(**given).given()
    raise ConfigurationError(
        f"A configuration of type {type(given).__name__} cannot be read.",
        "Give a FusionConfig, a dict of its fields, or a preset's name.",
    )


def inherited(context: Any) -> dict[str, Any]:
    """Read the fields that a run's context sets, in any form LangGraph hands it over.

    A context given to this graph has become a `FusionConfig`. Anything else comes from a parent
    graph, whose context may be about other things: of a dict the fields known here are taken
    (if it holds others too, those that fit), and of any other object nothing.

    Args:
        context: What the node's runtime holds.

    Raises:
        ConfigurationError: A known field has a wrong value.
    """
    if isinstance(context, FusionConfig):
        given = context.given()
        if given.pop("tools", None):
            raise ConfigurationError(
                "A run's context sets 'tools', which start programs.",
                "Name them in a preset, or give them to create_fusion_graph.",
            )
        if len(context.model_fields_set) == len(FusionConfig.model_fields):
            # A form that sends every field (Studio's) says by a default: as the preset has it.
            usual = {name: field.default for name, field in FusionConfig.model_fields.items()}
            return {name: value for name, value in given.items() if value != usual[name]}
        return given
    if not isinstance(context, Mapping):
        return {}
    # A parent graph's own `tools` are something else.
    context = {name: value for name, value in context.items() if name != "tools"}
    known = {k: v for k, v in context.items() if k in FusionConfig.model_fields}
    if len(known) == len(context):
        return coerce(known)
    # Among fields of the parent's own, one with a name of ours need not be meant for us.
    fields: dict[str, Any] = {}
    for name, value in known.items():
        if value is None:
            continue
        with suppress(ConfigurationError):
            fields |= coerce({name: value})
    return fields


_LIFTABLE = frozenset(
    name for name, field in FusionConfig.model_fields.items() if field.default is None
) - {"preset", "panel"}
"""Fields that None lifts."""


def combine(*layers: Mapping[str, Any]) -> ResolvedConfig:
    """Resolve one configuration from layers of set fields, the strongest first.

    Providers and MCP servers are merged by name; every other field is taken whole from the
    strongest layer that sets it. None is a value where it is the default, and lifts what a weaker
    layer says.

    Raises:
        ConfigurationError: A field is wrong, or panel, judge or writer stayed open.
    """
    fields: dict[str, Any] = {}
    providers: dict[str, Any] = {}
    tools: dict[str, Any] = {}
    for layer in reversed(layers):
        fields.update({n: v for n, v in layer.items() if v is not None or n in _LIFTABLE})
        providers.update(layer.get("providers") or {})
        tools.update(layer.get("tools") or {})
    fields["providers"], fields["tools"] = providers, tools
    if fields.get("search") is None:
        fields["search"] = "corpus" if fields.get("corpus") else "ddgs"
    if fields.get("panel"):
        if fields.get("judge") is None:
            fields["judge"] = _as_panelist(fields["panel"][0]).model
        if fields.get("synthesizer") is None:
            fields["synthesizer"] = fields["judge"]
    return ResolvedConfig(**fields)
