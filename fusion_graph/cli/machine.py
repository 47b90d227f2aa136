"""What works on this machine, and what the chosen preset lacks; `doctor` prints it."""

from __future__ import annotations

import asyncio
import platform
import re
import sys
import time
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from typing import Any

from fusion_graph.cli.answer import write_out
from fusion_graph.cli.exits import ANSWERED, WRONG_USAGE, leave
from fusion_graph.cli.members import first_broken, prospects
from fusion_graph.config import ResolvedConfig
from fusion_graph.config.keys import KEY_OF_PROVIDER, SEARCH_KEYS, is_set, keys_of
from fusion_graph.config.presets import Choice, Preset, choose, load, user_folder
from fusion_graph.config.presets.servers import USUAL, find_servers
from fusion_graph.errors import ConfigurationError
from fusion_graph.langgraph_seams.loops import run_blocking
from fusion_graph.text.phrases import clean, counted, seconds
from fusion_graph.version import own_version

SEARCH_SECONDS = 12.0
"""How long the search engines may take to answer the trial query."""

PACKAGES = ("langgraph", "langchain-core", "langchain-openai", "openai", "pydantic", "ddgs")

LABEL_COLUMNS = 14

MOST_NAMED = 20
"""Most models of one server that are named."""


def examine(preset_name: str | None) -> int:
    """Print what works here. Returns the exit code; with a search still hanging, ends the process.

    Args:
        preset_name: The preset to examine; None for the one that would be chosen.
    """
    _say("version", f"fusion-graph {own_version()}, Python {platform.python_version()}")
    _say("", f"{platform.platform()}, {sys.executable}")
    _say("packages", ", ".join(f"{package} {_version(package)}" for package in PACKAGES))
    _say_extras()
    own = _own_presets()
    _say_keys([preset for preset in own.values() if isinstance(preset, Preset)])
    _say_servers()
    _say_programs()
    _say_own_presets(own)
    broken, settings = _say_preset(preset_name)
    _say_corpus(settings)
    _say_sandbox()
    leftover = _say_search(settings)
    code = ANSWERED
    if broken is not None:
        code = WRONG_USAGE
        _say("broken", broken.problem)
        _say("", f"→ {broken.remedy}" if broken.remedy else "")
    else:
        _say("verdict", "ready")
    if leftover:
        leave(code)  # else the process would wait for the search engines
    return code


def _say(label: str, text: str) -> None:
    if text:
        write_out(f"{label:<{LABEL_COLUMNS}}{clean(text)}\n")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _say_extras() -> None:
    """The optional parts of this package, as its metadata lists them."""
    try:
        metadata = distribution("fusion-graph")
    except PackageNotFoundError:
        return
    extras = metadata.metadata.get_all("Provides-Extra") or []
    found = []
    for extra in extras:
        wanted = [
            re.split(r"[^A-Za-z0-9._-]", requirement)[0]
            for requirement in metadata.requires or []
            if re.search(rf"""extra == ['"]{re.escape(extra)}['"]""", requirement)
        ]
        missing = [name for name in wanted if _version(name) == "not installed"]
        state = f"lacks {', '.join(missing)}" if missing else "installed"
        found.append(f"[{extra}] {state}")
    _say("extras", "; ".join(found))
    packages = dict.fromkeys(c.package for c in load("auto").candidates if c.package)
    here = [package for package in packages if find_spec(package)]
    _say("", f"LangChain providers: {', '.join(here) or 'none besides OpenAI'}")


def _say_keys(own: list[Preset]) -> None:
    keys = [*KEY_OF_PROVIDER.values(), *SEARCH_KEYS]
    keys += [key for preset in own for key in keys_of(preset.fields)]
    known = list(dict.fromkeys(keys))
    _say("keys", f"set: {', '.join(key for key in known if is_set(key)) or 'none'}")
    _say("", f"not set: {', '.join(key for key in known if not is_set(key)) or 'none'}")


def _say_servers() -> None:
    """What answers where local model servers listen."""
    label = "servers"
    for found in find_servers():
        at = f"{found.url} ({USUAL[found.looked_for].title}): "
        if found.kind is not None:
            names = ", ".join(model.name for model in found.models[:MOST_NAMED])
            more = "…" if len(found.models) > MOST_NAMED else ""
            told = f"{found.said}, {counted(len(found.models), 'chat model')}: {names}{more}"
            _say(label, at + told.removesuffix(": "))
        else:
            _say(label, at + found.said)
        label = ""


def _say_programs() -> None:
    """Which programs can be members here, and of which version."""
    from fusion_graph.models.programs.installed import installed_programs

    for number, found in enumerate(run_blocking(installed_programs())):
        program = found.program
        if not found.path:
            told = "not installed"
        else:
            told = found.version or "installed, and does not say its version"
            if found.too_old:
                told += f", older than {'.'.join(map(str, program.oldest))}: {program.update}"
            if found.logged_in is False:
                told += f", not logged in: {program.login}"
        _say("" if number else "programs", f"{program.title} (`{program.name}:`): {told}")


def _own_presets() -> dict[str, Preset | ConfigurationError]:
    """The user's preset files by path, each read or with its error."""
    found: dict[str, Preset | ConfigurationError] = {}
    for path in sorted(user_folder().glob("*.toml")):
        try:
            found[str(path)] = load(str(path))
        except ConfigurationError as error:
            found[str(path)] = error
    return found


def _say_own_presets(own: dict[str, Preset | ConfigurationError]) -> None:
    _say("your presets", f"{user_folder()}: {counted(len(own), 'file')}")
    for path, preset in own.items():
        good = isinstance(preset, Preset)
        _say("", f"{path}: ok" if good else f"cannot be used: {preset}")


def _say_preset(name: str | None) -> tuple[ConfigurationError | None, ResolvedConfig | None]:
    """The preset that a run would take, and what it lacks; its settings if it can be resolved."""
    from fusion_graph.nodes.fan_out import check
    from fusion_graph.run.settings import GraphConfig

    choice = Choice(name, "--preset") if name else choose()
    _say("preset", f"{choice.name} ({choice.reason})")
    settings = None
    try:
        given = GraphConfig(choice.name)
        settings, _ = given.begin(None)
        panel = ", ".join(member["model"] for member in settings.public()["panel"])
        _say("", f"panel: {panel}; search: {settings.search}")
        check(settings, given)
    except ConfigurationError as error:
        return error, settings
    seats = run_blocking(prospects(settings))
    for number, seat in enumerate(seats):
        _say("" if number else "models", seat.said)
    return first_broken(seats), settings


def _say_corpus(settings: ResolvedConfig | None) -> None:
    from fusion_graph.run.toolbox import bundled_corpus
    from fusion_tools.corpus import open_corpus
    from fusion_tools.errors import CorpusError

    folder = (settings.corpus if settings else None) or bundled_corpus()
    try:
        corpus = open_corpus(folder)
    except CorpusError as error:
        _say("corpus", str(error))
        return
    _say("corpus", f"{counted(len(corpus.urls()), 'document')} in {corpus.folder}")


def _say_sandbox() -> None:
    """Whether `eval` can run answers in code."""
    from fusion_graph.errors import SandboxUnavailable
    from fusion_graph.sandbox import wall

    try:
        _say("code in eval", f"runs in {wall().version}")
    except SandboxUnavailable as error:
        _say("code in eval", str(error))


def _say_search(settings: ResolvedConfig | None) -> bool:
    """Try the search engines, or the preset's own search. Returns whether a try still hangs."""
    name = settings.search if settings else None
    if name == "provider" and settings is not None and not _say_own_searches(settings):
        return False
    if name in (None, "provider", "corpus", "none"):
        name = "ddgs"
    began = time.monotonic()
    runner = asyncio.Runner()
    try:
        hits = runner.run(_try_search(str(name)))
    except TimeoutError:
        _say(str(name), f"no answer: nothing within {SEARCH_SECONDS:g} s")
        return True
    except Exception as error:  # other packages' searches raise what they like
        _say(str(name), f"no answer: {clean(error, 120)}")
    else:
        took = seconds(time.monotonic() - began)
        _say(str(name), f"answers: {counted(len(hits), 'hit')} in {took}")
    runner.close()
    return False


def _say_own_searches(settings: ResolvedConfig) -> bool:
    """Which members search with their provider. Returns whether others search the web."""
    from fusion_graph.models.provider_search import searching_provider
    from fusion_graph.run.toolbox import search_name

    instead = search_name(settings)
    others = False
    for number, (name, member) in enumerate(zip(settings.names, settings.panel, strict=True)):
        found = searching_provider(member.model) if member.tools else None
        if found is not None:
            said = f"{found[0]}'s own search (not tried: it is billed)"
        elif member.tools:
            said, others = f"its provider has none that is known here; {instead}", True
        else:
            said = "no tools"
        _say("" if number else "search", f"{name}: {said}")
    return others and instead == "ddgs"


async def _try_search(name: str) -> list[Any]:
    from fusion_tools.search import search_provider

    provider = search_provider(name)
    async with asyncio.timeout(SEARCH_SECONDS):
        return list(await provider.search("comparing answers of several language models", 3))
