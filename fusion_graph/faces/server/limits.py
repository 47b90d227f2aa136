"""What the owner of a server lets a request set, and how much of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from fusion_graph.config import MAX_PANEL, MAX_TOOL_CALLS, FusionConfig, Panelist
from fusion_graph.config.presets import Preset
from fusion_graph.config.providers import INTEGRATION_KEYS, providers
from fusion_graph.errors import ApiError, ConfigurationError

SETTABLE = frozenset(
    {
        "panel",
        "judge",
        "synthesizer",
        "verify",
        "verifier",
        "fallbacks",
        "invocation",
        "panel_policy",
        "scouts",
        "recheck",
        "search",
        "max_tool_calls",
        "research",
        "judge_tools",
        "criteria",
        "max_completion_tokens",
        "reasoning_effort",
        "temperature",
        "panelist_timeout",
        "panelist_stall",
        "judge_timeout",
        "synthesis_timeout",
        "quorum",
        "grace",
        "run_timeout",
        "max_cost_usd",
        "max_tokens_total",
        "max_concurrency",
        "allowed_domains",
        "blocked_domains",
        "seed",
    }
)
"""Settings a request may hold in its `fusion` object, besides a preset's name. A new setting is
closed until it stands here: requests come from people who need not be the server's owner."""

CLOSED = {
    "providers": "It names variables of the server's environment: put it into a preset there.",
    "tests": "No code is run here: `fusion-graph code --tests` runs it.",
    "tools": "It starts programs on the server: put it into a preset there.",
    "corpus": "It names a folder of the server: put it into a preset there.",
    "provider_concurrency": "It is between the server and its providers.",
    "follow_links": "What pages may learn is the server owner's to say: put it into a preset.",
    "respect_robots": "How pages are fetched is the server owner's to say: put it into a preset.",
    "writer_max_tokens": "Send `max_completion_tokens` beside `messages`.",
    "writer_tools": "Send `tools`, as to any OpenAI endpoint.",
    "writer_tool_choice": "Send `tool_choice`, as to any OpenAI endpoint.",
    "response_format": "Send `response_format` beside `messages`.",
}
"""Settings that no request may hold, and what to do instead."""

MODEL_FIELDS = ("panel", "judge", "synthesizer", "fallbacks")
"""Settings that name models."""

BUDGETS = ("max_cost_usd", "max_tokens_total", "run_timeout")
"""Settings that only a preset's owner may loosen: a request's must not be above the preset's."""

DOMAINS = ("allowed_domains", "blocked_domains")
"""Settings that a request may hold only where the preset has no rule of its own."""

KEYLESS_SEARCHES = frozenset({"none", "ddgs", "wikipedia", "corpus"})
"""Searches any request may name. The others spend the owner's key, and a preset's own is allowed
with that preset."""

USUAL_MODELS = tuple(f"{name}:*" for name in ("offline", *providers({}), *INTEGRATION_KEYS))
"""Models a request may name unless the owner says which: those of the providers known here by
name. LangChain knows more, and some of them download weights and run them."""


@dataclass(frozen=True)
class Limits:
    """What requests may ask for.

    Attributes:
        presets: Presets on offer, by name or by the path of a file; None for all.
        models: Patterns (`openrouter:*`) of models that requests may name, besides those of the
            preset they choose; None for `USUAL_MODELS` and the preset's own providers, empty to
            let requests name none.
        max_panel: Most panelists, and most fallbacks, that a request may name.
        max_tool_calls: Most tool calls of one panelist; also caps what a preset says.
        max_tokens: Most tokens of one model call; also caps what a preset says.
        max_cost: Most US dollars of one run; also caps what a preset says. None for no cap.
        max_runs: Most runs at work at the same time.
        elsewhere: Whether panels are at work on other machines, which have the keys and programs.
    """

    presets: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    max_panel: int = MAX_PANEL
    max_tool_calls: int = MAX_TOOL_CALLS
    max_tokens: int = 128_000
    max_cost: float | None = None
    max_runs: int = 64
    elsewhere: bool = False


def run_context(
    fusion: Mapping[str, Any], beside: Mapping[str, tuple[str, Any]], preset: Preset, limits: Limits
) -> dict[str, Any]:
    """The configuration of a run from what a request asks for, checked against the limits.

    Args:
        fusion: The request's `fusion` object; it goes before what stands beside it.
        beside: Settings that OpenAI's own fields stand for: `(name of the field, value)` by
            setting.
        preset: The preset the request chose.
        limits: The owner's limits.

    Returns:
        Fields of `FusionConfig`, without the preset.

    Raises:
        ApiError: 400, naming the field, its value and the limit.
    """
    for name in fusion:
        if name not in SETTABLE:
            known = ", ".join(sorted(SETTABLE))
            remedy = CLOSED.get(name) or f"Known: {known}."
            said = f"A request cannot set `fusion.{name[:60]}`. {remedy}"
            raise ApiError(400, said, "unknown_parameter", param=f"fusion.{name[:60]}")
    names = {field: name for field, (name, _) in beside.items()}
    names |= {field: f"fusion.{field}" for field in fusion}
    fields = {field: value for field, (_, value) in beside.items()} | dict(fusion)
    config = _checked(fields, names)
    # A request's null says nothing, as in OpenAI's API: it lifts no limit of the preset's.
    fields = {field: value for field, value in fields.items() if value is not None}
    given = config.given()
    _check_models(config, preset, limits)
    _check_search(given.get("search"), preset)
    _check_rules(given, preset)
    for field, limit, option in (
        ("max_tool_calls", limits.max_tool_calls, "--max-tool-calls"),
        ("max_completion_tokens", limits.max_tokens, "--max-tokens"),
        ("writer_max_tokens", limits.max_tokens, "--max-tokens"),
        ("max_cost_usd", limits.max_cost, "--max-cost"),
    ):
        if limit is None:
            continue
        if given.get(field) is not None:
            if given[field] > limit:
                raise _too_many(names[field], given[field], limit, option)
            continue
        usual = preset.fields.get(field, FusionConfig.model_fields[field].default)
        if usual is None and field == "writer_max_tokens":
            continue  # the writer then keeps to max_completion_tokens
        if usual is None or usual > limit:
            fields[field] = limit
    return fields


def max_cost(context: Mapping[str, Any], preset: Preset) -> float | None:
    """What a run may cost by its configuration, US dollars; None for no limit.

    Args:
        context: From `run_context`.
        preset: The preset that was chosen.
    """
    limit = context.get("max_cost_usd", preset.fields.get("max_cost_usd"))
    return None if limit is None else float(limit)


def _check_rules(given: Mapping[str, Any], preset: Preset) -> None:
    """Refuse to loosen what the preset's owner has settled."""
    for field in BUDGETS:
        wanted, limit = given.get(field), preset.fields.get(field)
        if wanted is not None and limit is not None and wanted > limit:
            raise _too_many(f"fusion.{field}", wanted, limit, f"the preset's {field}")
    ruled = [field for field in DOMAINS if preset.fields.get(field)]
    for field in DOMAINS:
        if ruled and given.get(field) is not None:
            said = f"`fusion.{field}` is not yours to set: this preset has {ruled[0]} of its own."
            raise ApiError(400, said, "domains_not_allowed", param=f"fusion.{field}")


def _checked(fields: Mapping[str, Any], names: Mapping[str, str]) -> FusionConfig:
    try:
        return FusionConfig(**fields)
    except ConfigurationError as error:
        field = re.match(r"(?:Unknown field|Field) '([\w.]+)'", error.problem)
        path = field[1].split(".") if field else []
        param = ".".join([names[path[0]], *path[1:]]) if path and path[0] in names else "fusion"
        said = str(error)
        if field and param != "fusion":
            said = said.replace(f"'{field[1]}'", f"`{param}`", 1)
        raise ApiError(400, said, "invalid_value", param=param) from None


def _check_models(config: FusionConfig, preset: Preset, limits: Limits) -> None:
    named = {field: _refs(getattr(config, field)) for field in MODEL_FIELDS}
    own = {ref for field in MODEL_FIELDS for ref in _refs(preset.fields.get(field))}
    patterns = limits.models
    if patterns is None:
        providers_of_preset = preset.fields.get("providers") or {}
        patterns = (*USUAL_MODELS, *(f"{name}:*" for name in providers_of_preset))
    for field, refs in named.items():
        if len(refs) > limits.max_panel:
            raise _too_many(f"fusion.{field}", len(refs), limits.max_panel, "--max-panel")
        for ref in refs:
            if limits.models == ():
                said = "This server's owner lets requests choose a preset, not models (--no-models)"
                raise ApiError(400, f"{said}.", "model_not_allowed", param=f"fusion.{field}")
            if ref not in own and not any(fnmatchcase(ref, pattern) for pattern in patterns):
                raise ApiError(
                    400,
                    f"`fusion.{field}` names {ref[:80]!r}, which this server does not allow. "
                    f"Allowed: {', '.join(patterns)}.",
                    "model_not_allowed",
                    param=f"fusion.{field}",
                )


def _refs(value: Any) -> list[str]:
    """The model strings in the value of a field that names models."""
    members = value if isinstance(value, list) else [value]
    refs = (member.model if isinstance(member, Panelist) else member for member in members)
    return [ref for ref in refs if isinstance(ref, str)]


def _check_search(search: str | None, preset: Preset) -> None:
    if search is None or search in KEYLESS_SEARCHES or search == preset.fields.get("search"):
        return
    allowed = ", ".join(sorted(KEYLESS_SEARCHES))
    raise ApiError(
        400,
        f"`fusion.search` is {search!r}, which spends a key of this server's owner: only a preset "
        f"can choose it. Allowed: {allowed}.",
        "search_not_allowed",
        param="fusion.search",
    )


def _too_many(param: str, value: float, limit: float, option: str) -> ApiError:
    said = f"`{param}` asks for {value}; this server allows at most {limit} ({option})."
    return ApiError(400, said, "limit_exceeded", param=param)
