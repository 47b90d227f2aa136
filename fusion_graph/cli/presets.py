"""`fusion-graph presets`: all presets in a table, or one as the text of its file."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fusion_graph.cli.answer import speaks_utf8, write_out
from fusion_graph.cli.app import Work, app
from fusion_graph.cli.completion import preset_names
from fusion_graph.cli.exits import ANSWERED
from fusion_graph.cli.recorded import entries_if_any
from fusion_graph.errors import ConfigurationError
from fusion_graph.text.phrases import clean
from fusion_graph.text.printable import printable

if TYPE_CHECKING:
    from fusion_graph.config.presets import Preset
    from fusion_graph.cost.standings import Standing

PIPE_COLUMNS = 120
"""Width of the table where no terminal says one."""


def show_presets() -> int:
    """Print a table of all presets. Returns the exit code."""
    from fusion_graph.config.presets import names, user_folder

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("Preset", style="bold", no_wrap=True)
    table.add_column("Panel, judge and writer", overflow="fold")
    table.add_column("Keys", overflow="fold")
    record = _own_standings()
    for name in names():
        table.add_row(*_row(name, record))
    terminal = sys.stdout.isatty()
    text = io.StringIO()
    Console(file=text, width=None if terminal else PIPE_COLUMNS, force_terminal=terminal).print(
        table
    )
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    write_out("\n".join(lines).strip("\n") + "\n\n")
    write_out(f"Your own presets: {user_folder()} (NAME.toml). One in full: presets NAME.\n")
    return ANSWERED


def show_presets_as_json() -> int:
    """Print all presets as a JSON list. Returns the exit code."""
    from fusion_graph.config.presets import names

    presets = [_data(name) for name in names()]
    write_out(json.dumps(presets, indent=2, ensure_ascii=not speaks_utf8()) + "\n")
    return ANSWERED


def _data(name: str) -> dict[str, Any]:
    """One preset as data; of one that cannot be used, its name and why."""
    from fusion_graph.config.keys import is_set
    from fusion_graph.config.presets import load

    try:
        preset = load(name)
    except ConfigurationError as error:
        return {"name": name, "problem": str(error)}
    try:
        stack = preset.stack() if preset.discovers else preset.fields
        problem = None
    except ConfigurationError as error:
        stack, problem = {}, str(error)
    panel = [getattr(member, "model", member) for member in stack.get("panel", [])]
    judge = stack.get("judge") or (panel[0] if panel else None)
    return {
        "name": preset.name,
        "description": preset.description,
        "source": preset.source,
        "panel": panel,
        "judge": judge,
        "synthesizer": stack.get("synthesizer") or judge,
        "keys": {key: is_set(key) for key in _keys(preset)},
        "problem": problem,
    }


def show_preset(name: str) -> int:
    """Print one preset as a file that could be loaded again. Returns the exit code.

    Raises:
        ConfigurationError: There is none of that name, or its file cannot be used.
    """
    from fusion_graph.config.presets import load

    preset = load(name)
    source = "shipped with fusion-graph" if preset.source == "shipped" else preset.source
    comments = [f"Preset {preset.name}: {source}"]
    if preset.candidates:
        comments.append("Its panel: the first candidate of each family whose key is set")
    keys = _keys(preset)
    if keys:
        comments.append(f"Keys: {', '.join(f'{key} ({_state(key)})' for key in keys)}")
    if preset.discovers:
        comments.append(_here(preset))
    comments += [
        f"{model} in your own evaluations: {how}"
        for model, how in _records(preset, _own_standings())
    ]
    head = "".join(f"# {clean(comment)}\n" for comment in comments)
    write_out(printable(f"{head}\n{toml_text(preset)}"))
    return ANSWERED


def toml_text(preset: Preset, *, verdict: bool = True) -> str:
    """A preset as TOML, with the values of headers and passwords in addresses left out.

    Args:
        preset: The preset.
        verdict: Whether the verdict of its file stands in it.
    """
    from fusion_graph.config import FusionConfig, shown_address
    from fusion_graph.config.tool_servers import shown_url

    lines = [f"description = {_value(preset.description)}"]
    if preset.discover:
        lines.append(f"discover = {_value(preset.discover)}")
    fields = FusionConfig(**preset.fields).model_dump(mode="json", exclude_unset=True)
    providers, servers = fields.pop("providers", {}), fields.pop("tools", {})
    for name, value in fields.items():
        lines.append(f"{name} = {_panel(value) if name == 'panel' else _value(value)}")
    for candidate in preset.candidates:
        lines += ["", "[[candidates]]"]
        lines += [f"{name} = {_value(value)}" for name, value in vars(candidate).items() if value]
    for name, provider in providers.items():
        lines += ["", f"[providers.{_key(name)}]"]
        provider["headers"] = dict.fromkeys(provider.get("headers", {}), "***")
        if provider.get("base_url"):
            provider["base_url"] = shown_address(provider["base_url"])
        lines += [f"{_key(key)} = {_value(value)}" for key, value in provider.items() if value]
    for name, server in servers.items():
        lines += ["", f"[tools.{_key(name)}]"]
        if server.get("url"):
            server["url"] = shown_url(server["url"])
        lines += [f"{_key(key)} = {_value(value)}" for key, value in server.items() if value]
    return "\n".join(lines) + "\n" + (verdict_text(preset.verdict) if verdict else "")


def verdict_text(verdict: Mapping[str, str | int | float]) -> str:
    """A preset's verdict as a TOML table; empty where there is none."""
    if not verdict:
        return ""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in verdict.items()]
    return "\n".join(["", "[verdict]", *lines, ""])


def _row(name: str, record: Mapping[str, Standing]) -> tuple[str, Text, Text]:
    from fusion_graph.config.keys import is_installed, is_set, programs_of
    from fusion_graph.config.presets import load

    try:
        preset = load(name)
    except ConfigurationError as error:
        return name, Text(f"cannot be used: {clean(error)}", style="red"), Text("")
    lines = [Text(clean(preset.description), style="italic"), *map(Text, _stack(preset, record))]
    keys = [
        Text(f"{key} {_state(key)}", style="green" if is_set(key) else "") for key in _keys(preset)
    ]
    for program in programs_of(preset.fields):
        here = is_installed(program)
        told = f"{program} {'' if here else 'not '}installed"
        keys.append(Text(told, style="green" if here else ""))
    return preset.name, Text("\n").join(lines), Text("\n").join(keys or [Text("none needed")])


def _stack(preset: Preset, record: Mapping[str, Standing]) -> list[str]:
    if preset.discovers:
        return ["panel: found on this machine when asked"]
    fields = preset.fields
    panel = [member.model for member in fields["panel"]]
    judge = fields.get("judge") or panel[0]
    writer = fields.get("synthesizer") or judge
    rest = [f"judge: {judge}", f"writer: {writer}"]
    if judge == writer:
        rest = [f"judge and writer: {judge}"]
    recorded = dict(_records(preset, record))
    members = [f"{model} ({recorded[model]})" if model in recorded else model for model in panel]
    return [clean(model) for model in [*members, *rest]]


def _own_standings() -> dict[str, Standing]:
    from fusion_graph.cost.standings import standings

    return standings(entries_if_any())


def _records(preset: Preset, record: Mapping[str, Standing]) -> list[tuple[str, str]]:
    """How each of a preset's models did alone in the user's own evaluations, each once."""
    from fusion_graph.cli.estimate import dollars

    if preset.discovers:
        return []
    models = dict.fromkeys(str(member.model) for member in preset.fields["panel"])
    return [
        (
            model,
            f"{its.right} of {its.graded} right, {dollars(its.usd_each)} and "
            f"{its.seconds_each:.1f} s an answer",
        )
        for model in models
        if (its := record.get(model)) is not None
    ]


def _keys(preset: Preset) -> list[str]:
    from fusion_graph.config.keys import keys_of

    own = [candidate.key for candidate in preset.candidates]
    return list(dict.fromkeys([*own, *keys_of(preset.fields)]))


def _state(key: str) -> str:
    from fusion_graph.config.keys import is_set

    return "set" if is_set(key) else "not set"


def _here(preset: Preset) -> str:
    """What a discovering preset comes to on this machine now."""
    try:
        stack = preset.stack()
    except ConfigurationError as error:
        return f"Here and now: {error}"
    return f"Here and now: panel {', '.join(stack['panel'])}; judge and writer {stack['judge']}"


def _panel(members: list[dict[str, Any]]) -> str:
    lines = [_value(member["model"] if len(member) == 1 else member) for member in members]
    return "[\n" + "".join(f"    {line},\n" for line in lines) + "]"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(item)}" for key, item in value.items())
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON string, number or boolean is a TOML one; DEL is all that TOML wants escaped besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


@app.command("presets")
def _presets(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A preset's name or file: show it in full.",
            autocompletion=preset_names,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list as JSON: panel, judge, writer, keys.")
    ] = False,
) -> Work:
    """List the presets, or show one in full.

    [bold]Examples[/bold]

    fusion-graph presets
    fusion-graph presets budget > mine.toml
    fusion-graph ask --preset ./mine.toml "…"
    fusion-graph presets --json | jq -r '.[] | select(.problem == null) | .name'
    """

    if name is None:
        return show_presets_as_json if as_json else show_presets
    if as_json:
        raise typer.BadParameter("--json is for the list; one preset in full is TOML")
    return lambda: show_preset(name)
