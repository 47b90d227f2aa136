"""The table of clients: what each asks of `fusion-graph serve`, and whether it gets it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.clients.provision import provide_npm, provide_python
from tests.clients.scenes import ANSWER, write_preset
from tests.clients.serving import serving
from tests.mcp.client import environment
from tests.scripted_models.client import ModelServer, Scope

DRIVERS = Path(__file__).with_name("drivers")

CELLS = (
    "plain",
    "stream",
    "tools",
    "structured",
    "image",
    "file",
    "usage",
    "error",
    "cancel",
)

PATIENCE = 240
"""Seconds until a driver counts as hanging."""

NODE = ("openai@7.59.0", "@anthropic-ai/sdk@1.14.0", "ai@7.0.173", "@ai-sdk/openai@4.0.118")
NODE += ("@ai-sdk/openai-compatible@3.0.92", "@ai-sdk/anthropic@4.0.105", "zod@4.6.7")
"""The SDKs from npm, of November 2026."""


@dataclass(frozen=True)
class Client:
    """A client of the table.

    title: its name and version.
    speaks: the protocol.
    driver: a script of the folder `drivers`.
    python: packages of an environment of its own; None for the one that runs this.
    variables: of the driver's environment.
    """

    title: str
    speaks: str
    driver: str
    python: tuple[str, ...] | None = None
    variables: tuple[tuple[str, str], ...] = ()


def _version(package: str) -> str:
    """The version that is installed beside the tests."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "that is missing"


CHAT, RESPONSES, MESSAGES = "chat completions", "Responses", "Messages"

_OPENAI = f"openai {_version('openai')} (Python)"
_ANTHROPIC = f"anthropic {_version('anthropic')} (Python)"
_LANGCHAIN_ANTHROPIC = f"langchain-anthropic {_version('langchain-anthropic')}"
_LANGCHAIN_OPENAI = f"langchain-openai {_version('langchain-openai')}"
_PYDANTIC_AI = ("pydantic-ai-slim[openai,anthropic]==2.68.0",)
_AGENTS = ("openai-agents==0.24.0",)
_LITELLM = ("litellm==1.110.2",)


def _python(
    title: str, speaks: str, driver: str, chat: str = "", own: tuple[str, ...] | None = None
) -> Client:
    variables = (("FUSION_CHAT", chat),) if chat else ()
    return Client(title, speaks, driver, own, variables)


def _vercel(package: str, speaks: str, provider: str) -> Client:
    return Client(
        f"Vercel AI SDK 7.0.173, {package}",
        speaks,
        "ai_sdk.mjs",
        variables=(("FUSION_PROVIDER", provider),),
    )


CLIENTS = {
    "openai-chat": _python(_OPENAI, CHAT, "openai_chat.py"),
    "openai-responses": _python(_OPENAI, RESPONSES, "openai_responses.py"),
    "openai-npm-chat": Client("openai 7.59.0 (npm)", CHAT, "openai_chat.mjs"),
    "openai-npm-responses": Client("openai 7.59.0 (npm)", RESPONSES, "openai_responses.mjs"),
    "anthropic": _python(_ANTHROPIC, MESSAGES, "anthropic_messages.py"),
    "anthropic-npm": Client("@anthropic-ai/sdk 1.14.0 (npm)", MESSAGES, "anthropic_messages.mjs"),
    "ai-sdk-compatible": _vercel("openai-compatible 3.0.92", CHAT, "compatible"),
    "ai-sdk-openai": _vercel("openai 4.0.118", RESPONSES, "openai"),
    "ai-sdk-anthropic": _vercel("anthropic 4.0.105", MESSAGES, "anthropic"),
    "langchain": _python(_LANGCHAIN_OPENAI, CHAT, "with_langchain.py", "openai"),
    "langchain-responses": _python(_LANGCHAIN_OPENAI, RESPONSES, "with_langchain.py", "responses"),
    "langchain-anthropic": _python(
        _LANGCHAIN_ANTHROPIC,
        MESSAGES,
        "with_langchain.py",
        "anthropic",
    ),
    "llama-index": _python(
        "LlamaIndex, openai-like 0.8.1",
        CHAT,
        "with_llama_index.py",
        own=("llama-index-llms-openai-like==0.8.1",),
    ),
    "pydantic-ai": _python(
        "pydantic-ai 2.68.0", CHAT, "with_pydantic_ai.py", "openai", _PYDANTIC_AI
    ),
    "pydantic-ai-responses": _python(
        "pydantic-ai 2.68.0", RESPONSES, "with_pydantic_ai.py", "responses", _PYDANTIC_AI
    ),
    "pydantic-ai-anthropic": _python(
        "pydantic-ai 2.68.0", MESSAGES, "with_pydantic_ai.py", "anthropic", _PYDANTIC_AI
    ),
    "openai-agents": _python(
        "openai-agents 0.24.0", RESPONSES, "with_openai_agents.py", "responses", _AGENTS
    ),
    "openai-agents-chat": _python(
        "openai-agents 0.24.0", CHAT, "with_openai_agents.py", "chat", _AGENTS
    ),
    "instructor": _python(
        "instructor 1.17.0", CHAT, "with_instructor.py", own=("instructor==1.17.0",)
    ),
    "litellm": _python("litellm 1.110.2", CHAT, "with_litellm.py", "openai", _LITELLM),
    "litellm-anthropic": _python(
        "litellm 1.110.2", MESSAGES, "with_litellm.py", "anthropic", _LITELLM
    ),
    "llm": _python("llm 0.36", CHAT, "with_llm.py", own=("llm==0.36",)),
}
"""Every client by a short name."""


@dataclass(frozen=True)
class Cell:
    """What a cell showed.

    fits: whether the client got what it asked for; None where it cannot ask.
    note: what went otherwise.
    """

    fits: bool | None
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """A server with the presets of the cells, and the models behind it."""

    url: str
    models: Scope


@contextmanager
def panel(models: ModelServer, folder: Path) -> Iterator[Panel]:
    """Start a server whose presets do what the cells are about.

    models: the server of the panel's models.
    folder: gets its settings.
    """
    scope = models.scope(f"table-{secrets.token_hex(4)}")
    config = folder / "server"
    members = {
        "scripted": ["scripted:a", "scripted:b"],
        "tools": ["scripted:a", "scripted:b"],
        "structured": ["scripted:a", "scripted:b"],
        "failing": ["scripted:f", "scripted:g"],
        "slow": ["scripted:a", "scripted:h"],
    }
    write_preset(config, scope)
    found = {"city": "Paris", "degrees": 21}
    call = {"name": "get_weather", "args": {"city": "Paris"}}
    scope.script(
        "w-tools",
        {"tool_calls": [call], "when_contains": {"MARK-sunny": {"text": "It is sunny in Paris."}}},
    )
    scope.script(
        "w-structured",
        {
            # Some clients have the object as arguments of a tool of theirs.
            "tool_calls": [{"name": "Weather", "args": found}],
            "when_no_tools": {"text": json.dumps(found)},
            "when_contains": {'"json_schema"': {"text": json.dumps(found)}}
            | {
                f'"name":"{tool}"': {"tool_calls": [{"name": tool, "args": found}]}
                for tool in ("final_result", "json_tool_call", "json", "StructuredOutput")
            },
        },
    )
    for name in "fg":
        scope.script(name, {"status": 402})
    scope.script("h", {"hang": True})
    for name, asked in members.items():
        writer = f"scripted:w-{name}" if name in ("tools", "structured") else "scripted:w"
        write_preset(config, scope, name, panel=asked, synthesizer=writer)
    with serving(config) as url:
        yield Panel(url, scope)


def drive(at: Panel, name: str, folder: Path, cells: Sequence[str] = CELLS) -> dict[str, Cell]:
    """Run a client's driver, and judge each of its cells.

    at: the server.
    name: the client's.
    folder: where it may write.
    cells: those that are wanted.

    Raises:
        Unavailable: The client cannot be had here.
    """
    client = CLIENTS[name]
    mark = f"{name}-{secrets.token_hex(3)}"
    home = folder / mark
    home.mkdir(parents=True)
    variables = {
        **os.environ,
        **environment(),
        "FUSION_URL": at.url,
        "FUSION_MARK": mark,
        "FUSION_CALLED": at.models.log_url("h", len(at.models.calls("h")) + 1),
        "HOME": str(home),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **dict(client.variables),
    }
    if client.python is not None or client.driver.endswith(".mjs"):
        variables.pop("PYTHONPATH")
    ended = subprocess.run(
        [*_interpreter(name, client), *cells],
        cwd=home,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith('{"cell"')]
    told = {said.pop("cell"): said for said in map(json.loads, lines)}
    last = (ended.stderr.strip().splitlines() or ["nothing"])[-1]
    missing = {"error": "NoAnswer", "words": f"the driver said {last[:200]}"}
    return {cell: judged(at.models, cell, mark, told.get(cell, missing)) for cell in cells}


def _interpreter(name: str, client: Client) -> list[str]:
    driver = DRIVERS / client.driver
    if client.driver.endswith(".mjs"):
        modules = provide_npm("sdks", NODE)
        # Node looks for modules beside the file.
        for script in DRIVERS.glob("*.mjs"):
            shutil.copy(script, modules.parent)
        return ["node", str(modules.parent / client.driver)]
    if client.python is None:
        return [sys.executable, str(driver)]
    package = client.python[0].partition("=")[0].partition("[")[0]
    return [str(provide_python(package, client.python)), str(driver)]


def judged(models: Scope, cell: str, mark: str, told: dict[str, Any]) -> Cell:
    """Judge what a driver told of a cell, and what the models were asked for it.

    models: what was asked.
    cell: its name.
    mark: stands in what this client asked.
    told: the driver's words.
    """
    if told.get("unknown"):
        return Cell(None, told.get("why", ""))
    if cell == "error":
        words = f"{told.get('error')} {told.get('words')} {told.get('status')}"
        said = "402" in words or "credits" in words
        return Cell(bool(told.get("error")) and said, "" if said else _short(told))
    if told.get("error"):
        return Cell(False, _short(told))
    calls = [call for call in models.calls() if f"{mark}-{cell}" in str(call.body)]
    return _JUDGES[cell](told, [call for call in calls if call.model == "a"], models, mark)


Judge = Callable[[dict[str, Any], list[Any], Scope, str], Cell]


def _plain(told: dict[str, Any], _asked: list[Any], _models: Scope, _mark: str) -> Cell:
    return _is(told.get("text") == ANSWER, told)


def _stream(told: dict[str, Any], _asked: list[Any], _models: Scope, _mark: str) -> Cell:
    return _is(told.get("text") == ANSWER and told.get("pieces", 0) > 1, told)


def _tools(told: dict[str, Any], asked: list[Any], _models: Scope, _mark: str) -> Cell:
    if "sunny in Paris" not in str(told.get("text")) or told.get("called") != {"city": "Paris"}:
        return _is(False, told)
    return Cell(len(asked) == 1, "" if len(asked) == 1 else f"{len(asked)} panels for one turn")


def _structured(told: dict[str, Any], _asked: list[Any], _models: Scope, _mark: str) -> Cell:
    return _is(told.get("object") == {"city": "Paris", "degrees": 21}, told)


def _image(told: dict[str, Any], asked: list[Any], _models: Scope, _mark: str) -> Cell:
    seen = bool(asked) and "image_url" in str(asked[-1].body)
    return _plain(told, asked, _models, _mark) if seen else Cell(False, "no picture at the panel")


def _file(told: dict[str, Any], asked: list[Any], _models: Scope, _mark: str) -> Cell:
    seen = bool(asked) and "file_data" in str(asked[-1].body)
    return _plain(told, asked, _models, _mark) if seen else Cell(False, "no file at the panel")


def _usage(told: dict[str, Any], _asked: list[Any], _models: Scope, _mark: str) -> Cell:
    read, written = told.get("input") or 0, told.get("output") or 0
    # A single model's: the panel's own five calls would come to thousands.
    return _is(5 <= read <= 300 and 5 <= written <= 100, told)


def _cancel(_told: dict[str, Any], _asked: list[Any], models: Scope, mark: str) -> Cell:
    began = len(models.calls("h"))
    left = [call for call in models.calls("h", ended=began) if f"{mark}-cancel" in str(call.body)]
    if not left:
        return Cell(False, "the panel was never asked")
    return Cell(all(call.disconnected for call in left), "")


_JUDGES: dict[str, Judge] = {
    "plain": _plain,
    "stream": _stream,
    "tools": _tools,
    "structured": _structured,
    "image": _image,
    "file": _file,
    "usage": _usage,
    "cancel": _cancel,
}


def _is(fits: bool, told: dict[str, Any]) -> Cell:
    return Cell(fits, "" if fits else json.dumps(told)[:200])


def _short(told: dict[str, Any]) -> str:
    return f"{told.get('error')}: {told.get('words')}"[:300]
