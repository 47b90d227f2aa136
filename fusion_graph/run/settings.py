"""The settings of a run, from the caller's layers and what the run has already decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool, tool

from fusion_graph.config import (
    FusionConfig,
    ResolvedConfig,
    coerce,
    combine,
    inherited,
    model_name,
)
from fusion_graph.config.presets import choose, load
from fusion_graph.errors import ConfigurationError
from fusion_graph.state import Run


class GraphConfig:
    """The configuration that a graph was made with: the layer below a run's own context.

    Args:
        config: The caller's configuration.
        tools: The caller's tools in place of the web tools; functions may stand for tools.

    Raises:
        ConfigurationError: A field is wrong, or something is no tool.
    """

    def __init__(
        self,
        config: FusionConfig | Mapping[str, Any] | str | None,
        tools: Sequence[BaseTool | Callable[..., Any]] | None = None,
    ) -> None:
        self.given = coerce(config)
        self.tools = None if tools is None else [_as_tool(given) for given in tools]
        self._settled: tuple[list[Mapping[str, Any]], ResolvedConfig] | None = None
        if name := self.given.get("preset"):
            load(name)  # a wrong name should fail where it is written, not at the first question

    def begin(self, context: Any) -> tuple[ResolvedConfig, dict[str, Any]]:
        """Settle a new run's configuration, and what of it its later nodes need.

        Args:
            context: The run's context, in any form LangGraph hands it over.

        Raises:
            ConfigurationError: Something in it cannot work.
        """
        layers = [inherited(context), self.given]
        name, reason = next((n for x in layers if (n := x.get("preset"))), None), ""
        if name is None and not any(layer.get("panel") for layer in layers):
            choice = choose()
            name, reason = choice.name, choice.reason
        fields: dict[str, Any] = {}
        discovered = None
        if name:
            preset = load(name)
            discovered = preset.discovered() or None
            fields = preset.with_stack(discovered or {})
        settings = self._combined(_with_preset(layers, name, fields))
        return settings, {
            "preset": name,
            "preset_reason": reason,
            "discovered": discovered,
            "context": sorted(layers[0].keys() - {"preset"}),
        }

    def has_preset(self, context: Any, run: Run) -> bool:
        """Whether a later node of a run has a preset to look up, which may take files or a server.

        Args:
            context: The run's context.
            run: The run.
        """
        named = (inherited(context).get("preset"), self.given.get("preset"), run["preset"])
        return any(named)

    def resume(self, context: Any, run: Run) -> ResolvedConfig:
        """Settle the configuration for a later node of a run, maybe a resumed or replayed one.

        A context that names another preset wins: that is what replaying with another
        configuration is for.

        Raises:
            ConfigurationError: The context the run began with is missing, or lacks a field.
        """
        layers = [inherited(context), self.given]
        if not layers[0].get("preset"):
            _need_fields(run, layers[0])
        name = next((n for x in layers if (n := x.get("preset"))), run["preset"])
        if name is None and not any(layer.get("panel") for layer in layers):
            raise ConfigurationError(
                "The run began with models named in its context, and goes on without any.",
                "Give the same context again.",
            )
        fields: dict[str, Any] = {}
        if name:
            preset = load(name)
            recorded = _discovered(run) if name == run["preset"] else None
            fields = preset.with_stack(recorded) if recorded else preset.stack()
        return self._combined(_with_preset(layers, name, fields))

    def _combined(self, layers: Sequence[Mapping[str, Any]]) -> ResolvedConfig:
        """Combine layers, unless they are those of the last time: a run settles eight times."""
        settled = self._settled
        if settled is None or not _are_same(settled[0], layers):
            settled = self._settled = (list(layers), combine(*layers))
        return settled[1]


def _as_tool(given: Any) -> BaseTool:
    """Make a tool of a function, as LangChain's agents do.

    Raises:
        ConfigurationError: It cannot be made one.
    """
    if isinstance(given, BaseTool):
        return given
    name = getattr(given, "__name__", type(given).__name__)
    if not callable(given):
        raise ConfigurationError(
            f"'{name}' is no tool.", "Give LangChain tools, or functions with a docstring."
        )
    try:
        made: BaseTool = tool(given)
    except (TypeError, ValueError) as error:  # no docstring, or arguments without types
        raise ConfigurationError(f"'{name}' cannot be made a tool: {error}") from None
    return made


def _are_same(some: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether layers hold the very same values: two models that are equal may be two."""
    return len(some) == len(others) and all(
        a.keys() == b.keys() and all(a[name] is b[name] for name in a)
        for a, b in zip(some, others, strict=True)
    )


def _discovered(run: Run) -> dict[str, Any] | None:
    """Read what the run's preset found on the machine.

    Runs that earlier versions began call it `stack`.
    """
    earlier: dict[str, Any] = {**run}
    found: dict[str, Any] | None = earlier.get("discovered", earlier.get("stack"))
    return found


def _need_fields(run: Run, given: Mapping[str, Any]) -> None:
    """Refuse to go on without what the run's context set: LangGraph does not keep a context.

    Raises:
        ConfigurationError: A field is missing.
    """
    missing = [name for name in run.get("context", ()) if name not in given]
    if not missing:
        return
    names = ", ".join(missing)
    if "panel" in missing and run["invoked"] and (models := run.get("models")):
        names += f" (panel: {', '.join(models)})"
    raise ConfigurationError(
        f"The run began with fields in its context that are missing now: {names}.",
        "Give the same context again; a field set to None goes on without its value.",
    )


def check_members(run: Run, settings: ResolvedConfig) -> None:
    """Refuse to go on with other models than the run began with.

    Raises:
        ConfigurationError: Those who are to be asked now are not those who were to be asked.
    """
    begun = run.get("models")
    now = asked_models(run["invoked"], settings)
    if begun is None:
        begun = now if len(now) == len(run["members"]) else run["members"]
    if begun != now:
        raise ConfigurationError(
            f"The run began with {', '.join(begun)}, and would go on with {', '.join(now)}.",
            "Give the same context again, to a graph made with the same models; or ask anew.",
        )


def asked_models(invoked: bool, settings: ResolvedConfig) -> list[str]:
    """List the models that answer: the panel's, or the writer's where no panel is wanted."""
    refs = [member.model for member in settings.panel] if invoked else [settings.synthesizer]
    return [model_name(ref) for ref in refs]


def _with_preset(
    layers: list[dict[str, Any]], name: str | None, fields: dict[str, Any]
) -> list[dict[str, Any]]:
    """Put the preset's fields below the layer that names it.

    So a preset named for one run replaces the models the graph was made with, and fields set
    beside its name go before its own.
    """
    place = next((i for i, layer in enumerate(layers) if layer.get("preset")), len(layers) - 1)
    return [*layers[: place + 1], {**fields, "preset": name}, *layers[place + 1 :]]
