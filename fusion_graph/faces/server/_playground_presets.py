"""The presets as the playground shows them: their models, and whether they can work here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fusion_graph.config import model_name
from fusion_graph.config.presets import Choice, load
from fusion_graph.errors import ConfigurationError, MissingKey
from fusion_graph.faces.server._api_errors import api_error
from fusion_graph.faces.server.offer import Offer
from fusion_graph.faces.server.run_request import missing_key_told

EXAMPLE = "How much more does a panel cost than one model?"
"""A question that the bundled documents answer: who has no key yet can ask it."""


def presets(offer: Offer) -> list[dict[str, Any]]:
    """Every preset on offer, with its models where they are known.

    May take a few seconds when something holds Ollama's port without answering.

    Returns:
        name, description, panel (list of name and model) or None, judge, writer, usable, problem
        (why it is not usable), chosen (the page begins with it), reason (why it was chosen),
        example (a question it can answer).
    """
    choice = offer.preferred()
    return [_told(name, ref, choice, offer.elsewhere) for name, ref in offer.refs().items()]


def problem_told(error: ConfigurationError) -> str:
    """Why a configuration cannot work, for a reader of the page: who runs the server can mend it.

    Args:
        error: What the configuration raised.
    """
    if isinstance(error, MissingKey):
        return missing_key_told(error)
    return api_error(error).message


def _told(name: str, ref: str, choice: Choice, elsewhere: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": name,
        "description": "",
        "panel": None,
        "judge": None,
        "writer": None,
        "usable": False,
        "problem": None,
        "chosen": name == choice.name,
        "reason": choice.reason if name == choice.name else "",
        "example": None,
    }
    try:
        told["description"] = load(ref).description
        told |= _working(ref, elsewhere)
    except ConfigurationError as error:
        told["problem"] = problem_told(error)
    return told


def _working(ref: str, elsewhere: bool) -> Mapping[str, Any]:
    """What a preset comes to here and now.

    Raises:
        ConfigurationError: Its models cannot even be named.
    """
    from fusion_graph.nodes.fan_out import check
    from fusion_graph.run.settings import GraphConfig

    given = GraphConfig({"preset": ref})
    settings, _ = given.begin(None)
    try:
        if not elsewhere:
            check(settings, given)
        problem = None
    except ConfigurationError as error:
        problem = problem_told(error)
    members = zip(settings.names, settings.panel, strict=True)
    bundled = settings.search == "corpus" and not settings.corpus
    return {
        "panel": [{"name": name, "model": model_name(member.model)} for name, member in members],
        "judge": model_name(settings.judge),
        "writer": model_name(settings.synthesizer),
        "usable": problem is None,
        "problem": problem,
        "example": EXAMPLE if bundled else None,
    }
