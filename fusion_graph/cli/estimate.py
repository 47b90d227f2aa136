"""`fusion-graph estimate`: what a question would cost, as a table or as data. Asks no model."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fusion_graph.cli.answer import speaks_utf8, write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.ask import configuration
from fusion_graph.cli.exits import ANSWERED
from fusion_graph.cli.options import (
    OUTPUT,
    AttachOption,
    CorpusOption,
    InvocationOption,
    JudgeOption,
    MaxToolCallsOption,
    PanelOption,
    PanelPolicyOption,
    PresetOption,
    QuestionArgument,
    SearchOption,
    SynthesizerOption,
    ToolOption,
)
from fusion_graph.cli.question import read_question
from fusion_graph.cli.recorded import entries_if_any
from fusion_graph.errors import ConfigurationError
from fusion_graph.text.phrases import clean, counted, paid

if TYPE_CHECKING:
    from fusion_graph.config import ResolvedConfig
    from fusion_graph.config.presets import Preset
    from fusion_graph.estimate import Estimate, Spend

PIPE_COLUMNS = 100
"""Width of the table where no terminal says one."""

MEANING = (
    "low: everybody answers at once, in a word. likely: each panelist makes a search and reads two "
    "pages. high: every call that can be answered is, at its cap."
)


def estimate_question(
    question: str | Sequence[str],
    options: Mapping[str, Any],
    as_json: bool,
    attached: Sequence[str] = (),
) -> int:
    """Print what a question would cost. Returns the exit code.

    Args:
        question: Its words, or `-` for standard input.
        options: `FusionConfig` fields by name; None where an option was not given.
        as_json: Whether data is wanted instead of the table.
        attached: Files that go with it.

    Raises:
        ConfigurationError: An option or the preset cannot work.
        EmptyQuestion: There is no question.
    """
    from fusion_graph.estimate import estimate

    messages = [read_question(question, attached)]
    settings, taken = _settings(configuration(options))
    found = estimate(settings, messages, record=entries_if_any())
    if as_json:
        data = {"preset": settings.preset, "panel_from": taken, **found}
        write_out(json.dumps(data, indent=2, ensure_ascii=not speaks_utf8()) + "\n")
        return ANSWERED
    lines = [clean(taken), _table(found), *_notes(found, settings), MEANING]
    write_out("\n".join(line for line in lines if line) + "\n")
    return ANSWERED


def _settings(fields: dict[str, Any]) -> tuple[ResolvedConfig, str]:
    """The settings a run would take, and where its panel comes from, in a sentence."""
    from fusion_graph.config import coerce, combine
    from fusion_graph.config.presets import load
    from fusion_graph.run.settings import GraphConfig

    name = fields.get("preset")
    preset = load(name) if name else None
    if preset is not None and preset.discovers:
        try:
            preset.stack()
        except ConfigurationError as error:
            supposed = _supposed(preset)
            given = coerce(fields)
            settings = combine(given, {**preset.fields, **supposed, "preset": name})
            return settings, f"{error.problem} Taken instead: {', '.join(supposed['panel'])}."
    settings, recorded = GraphConfig(fields).begin(None)
    if name := recorded["preset"]:
        reason = f" ({recorded['preset_reason']})" if recorded["preset_reason"] else ""
        return settings, f"preset {name}{reason}"
    return settings, "panel as given"


def _supposed(preset: Preset) -> dict[str, Any]:
    """The stack of a preset that found nothing on this machine: what it would find elsewhere."""
    from fusion_graph.config.presets.discovery import AUTO_PANEL, LOCAL_PANEL

    if preset.candidates:
        firsts: dict[str, str] = {}
        for candidate in preset.candidates:
            firsts.setdefault(candidate.family, candidate.model)
        panel = list(firsts.values())[:AUTO_PANEL]
    else:
        panel = ["ollama:any"] * LOCAL_PANEL  # which of them: all cost nothing
    return {"panel": panel, "judge": panel[0], "synthesizer": panel[0]}


def _table(found: Estimate) -> str:
    from fusion_graph.cost.tokens import CASES

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for case in CASES:
        table.add_column(case, justify="right")
    for name, spent in found["stages"].items():
        table.add_row(name, *(_spent(spent[case]) for case in CASES))
    total = found["total"]
    table.add_section()
    table.add_row("total", *(_spent(total[case]) for case in CASES), style="bold")
    table.add_row("tokens in", *(f"{total[case]['input_tokens']:,}" for case in CASES))
    table.add_row("tokens out", *(f"{total[case]['output_tokens']:,}" for case in CASES))
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    Console(file=text, width=None if terminal else PIPE_COLUMNS, force_terminal=terminal).print(
        table
    )
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()).rstrip("\n") + "\n"


def _notes(found: Estimate, settings: ResolvedConfig) -> list[str]:
    from fusion_graph.estimate import stops_are_measured

    lines = []
    if found["unknown"]:
        names = clean(", ".join(found["unknown"]))
        lines.append(
            f"Nobody knows the price of {names}: give it as prices in the preset's "
            "[providers.NAME] table. Sums that need it are unknown."
        )
    if found["multiple"] is not None:
        lines.append(
            f"One plain call of {clean(found['best'])}, the panel's dearest model: "
            f"{dollars(found['single_usd'])}. The likely run costs {found['multiple']:g} times "
            "that."
        )
    elif found["single_usd"] == 0:
        lines.append("The panel's models bill nobody, so there is nothing to compare with.")
    if (stops := found["stops"]) is not None and (goes_on := found["goes_on"]) is not None:
        recorded = found["recorded"]
        of = "simulated questions"
        if recorded is not None and stops_are_measured(recorded):
            of = f"{recorded['questions']} questions of your own evaluations"
        lines.append(
            f"Two are asked first. Low and likely are for two who agree, as in {stops:.0%} of "
            f"{of}; where they do not, the likely run costs "
            f"{paid(dollars(goes_on['cost_usd']), goes_on['calls'], goes_on['plan_calls'])}."
        )
    if found["measured"]:
        who = ", ".join(f"{model} ({count})" for model, count in found["measured"].items())
        lines.append(
            "Likely counts with what answers took in your own evaluations, so many of each: "
            f"{clean(who)}."
        )
    if (recorded := found["recorded"]) is not None:
        asked = counted(recorded["questions"], "question")
        lines.append(
            f"This panel in your own evaluations, {asked}: {dollars(recorded['usd_each'])}, "
            f"{recorded['tokens_each']:,.0f} tokens and {recorded['seconds_each']:.1f} s an answer."
        )
    lines.append(_search_note(settings))
    if settings.max_cost_usd is not None:
        lines.append(f"No call begins after max_cost_usd: {dollars(settings.max_cost_usd)}.")
    return lines


def _search_note(settings: ResolvedConfig) -> str:
    """What the estimate leaves out of searches; empty where it leaves nothing out."""
    from fusion_graph.cost.prices import SEARCH_BILLS_USD

    if settings.search == "provider" and settings.max_tool_calls:
        return (
            "What a provider's own search gives a model to read is billed as its tokens, and "
            "nobody can bound it: high may be exceeded."
        )
    each = SEARCH_BILLS_USD.get(settings.search) if isinstance(settings.search, str) else None
    most = sum(member.tools for member in settings.panel) * settings.max_tool_calls
    if each is None or not most:
        return ""
    return (
        f"Searches come on a bill of their own ({settings.search}): at most {most} of the panel's, "
        f"{dollars(most * each)}."
    )


def _spent(spend: Spend) -> str:
    if not spend["calls"]:
        return "–"
    cost = paid(dollars(spend["cost_usd"]), spend["calls"], spend["plan_calls"])
    return f"{cost}, {counted(spend['calls'], 'call')}"


def dollars(value: float | None) -> str:
    """US dollars as people read them: `$0.0123`, `$1.50`, `$0`, `unknown`."""
    if value is None:
        return "unknown"
    if value >= 1:
        return f"${value:,.2f}"
    if 0 < value < 0.0001:
        return "<$0.0001"
    return f"${value:.4f}" if value else "$0"


@app.command("estimate")
def _estimate(
    words: QuestionArgument = None,
    preset: PresetOption = None,
    panel: PanelOption = None,
    judge: JudgeOption = None,
    synthesizer: SynthesizerOption = None,
    corpus: CorpusOption = None,
    search: SearchOption = None,
    max_tool_calls: MaxToolCallsOption = None,
    tool: ToolOption = None,
    invocation: InvocationOption = None,
    panel_policy: PanelPolicyOption = None,
    attach: AttachOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print it as JSON.")
    ] = False,
) -> Work:
    """Say what a question would cost, in US dollars: low, likely and high.

    Asks no model and needs no key. The options are those of [bold]ask[/bold].

    [bold]Examples[/bold]

    fusion-graph estimate --preset quality "Is fasting safe with metformin?"
    fusion-graph estimate --panel openai:gpt-5.5,ollama:qwen3 "Is P equal to NP?"
    fusion-graph estimate --preset budget --json - < question.txt | jq .total.high.cost_usd
    """

    options = {
        "preset": preset,
        "panel": panel,
        "judge": judge,
        "synthesizer": synthesizer,
        "corpus": corpus,
        "search": search,
        "max_tool_calls": max_tool_calls,
        "tools": tool or None,
        "invocation": invocation,
        "panel_policy": panel_policy,
    }
    return lambda: estimate_question(words or (), options, as_json, attach or ())
