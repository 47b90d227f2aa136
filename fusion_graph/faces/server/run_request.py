"""A request for a run: a question and a preset, checked before anything is paid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.errors import ApiError, MissingKey
from fusion_graph.faces.server.limits import Limits, max_cost, run_context
from fusion_graph.faces.server.offer import PREFIX, Offer


@dataclass(frozen=True)
class RunRequest:
    """A run as it was asked for; two that are equal are the same request.

    Attributes:
        question: What is asked.
        model: The preset as a model, `fusion/NAME`.
        context: The run's configuration, as `FusionConfig` fields.
        max_cost: What it may cost by that, US dollars; None for no limit.
    """

    question: str
    model: str
    context: Mapping[str, Any]
    max_cost: float | None = field(default=None, compare=False)


def run_request(
    question: str, preset: str | None, fusion: Mapping[str, Any], offer: Offer, limits: Limits
) -> RunRequest:
    """Check a request for a run: its keys, packages and servers are there.

    May take a second when something holds a local server's port without answering.

    Args:
        question: What is asked.
        preset: A preset's name; None for the one that suits this machine.
        fusion: Further settings.
        offer: The presets on offer.
        limits: The owner's limits.

    Raises:
        ApiError: The preset is not on offer, a setting is not allowed, or a key is missing.
        ConfigurationError: The preset cannot work here.
    """
    from fusion_graph.nodes.fan_out import check
    from fusion_graph.run.settings import GraphConfig

    name = preset if preset is not None else offer.chosen().name
    found = offer.find(f"{PREFIX}{name}", "fusion.preset")
    context = {**run_context(fusion, {}, found.preset, limits), "preset": found.ref}
    if found.direct:
        context["invocation"] = "never"
    limit = max_cost(context, found.preset)
    if limits.elsewhere:
        return RunRequest(question, f"{PREFIX}{name}", context, limit)
    given = GraphConfig(None)
    settings, _ = given.begin(context)
    try:
        check(settings, given)
    except MissingKey as error:
        said = missing_key_told(error)
        raise ApiError(503, said, "missing_key", type="server_error", retry=False) from None
    return RunRequest(question, f"{PREFIX}{name}", context, limit)


def missing_key_told(error: MissingKey) -> str:
    """Word a missing key for who uses a server: who runs it can mend it."""
    return (
        f"{error.problem} Set it in the server's environment and start the server again, or "
        "choose another preset."
    )
