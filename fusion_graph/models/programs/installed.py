"""Which programs can be members here, and of which version."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_graph.errors import ConfigurationError, MissingProgram
from fusion_graph.models.programs._claude import CLAUDE
from fusion_graph.models.programs._codex import CODEX
from fusion_graph.models.programs._folder import environment, make_folder
from fusion_graph.models.programs._gemini import GEMINI
from fusion_graph.models.programs._process import said_by
from fusion_graph.models.programs._program import Program, whole_version

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

PROGRAMS: Mapping[str, Program] = {program.name: program for program in (CLAUDE, CODEX, GEMINI)}
"""Every program that can be a member, by what stands before the colon."""

_MODEL = re.compile(r"\w[\w.:/@+\[\]-]*")
"""What a model may be called: `opus`, `claude-opus-4-8`, `sonnet[1m]`, `openai/gpt-5.5`."""

VERSION_SECONDS = 20.0
"""How long a program may take to say its version; on a busy machine two start in five."""


def check_program(ref: str) -> None:
    """Find that the program of a model cannot be asked here.

    Args:
        ref: `claude:opus` and the like.

    Raises:
        ConfigurationError: What follows the colon can be no model's name.
        MissingProgram: It is not installed, or programs cannot be members on this system.
    """
    name, _, model = ref.partition(":")
    program = PROGRAMS[name]
    if not _MODEL.fullmatch(model):  # it becomes an argument of the program's
        raise ConfigurationError(
            f"Model '{ref}': {model!r} is no name of a model.",
            f"Write it as {program.title} knows it, or '{name}:default' to leave it the choice.",
        )
    if os.name != "posix":
        raise MissingProgram(
            f"Model '{ref}' is behind a program: these are members on Linux and macOS alone.",
            "Take another model.",
        )
    if program.path() is None:
        raise MissingProgram(
            f"Model '{ref}' needs {program.title}, and there is no `{program.command}` in PATH.",
            f"Install it ({program.install}) and log in ({program.login}), or take another model.",
        )


def open_program(ref: str) -> BaseChatModel:
    """Open the chat model behind a program.

    Args:
        ref: `claude:opus` and the like.

    Raises:
        MissingProgram: As `check_program`.
    """
    from fusion_graph.models.programs._chat import ProgramChat

    check_program(ref)
    name, _, model = ref.partition(":")
    program = PROGRAMS[name]
    return ProgramChat(program=program, path=program.path() or "", model_name=model)


@dataclass(frozen=True)
class Installed:
    """What is known of a program here.

    Attributes:
        program: Which.
        path: Where it is; empty where it is not.
        version: As it says itself; empty where it says none.
        logged_in: Whether a file of a login is there: None where it may be in a keychain.
        too_old: Whether it is older than what was tried.
    """

    program: Program
    path: str
    version: str = ""
    logged_in: bool | None = None
    too_old: bool = False


async def installed_programs() -> list[Installed]:
    """Ask every program that is here for its version."""
    return list(await asyncio.gather(*map(_look, PROGRAMS.values())))


async def _look(program: Program) -> Installed:
    path = program.path()
    if path is None or os.name != "posix":
        return Installed(program, "")
    said = ""
    folder = await asyncio.to_thread(make_folder, program.own_folder(), program.settings[2], ())
    try:
        async with asyncio.timeout(VERSION_SECONDS):
            variables = environment(folder, ())
            said = await said_by([path, "--version"], folder, variables)
    except (TimeoutError, OSError):
        said = ""
    version = whole_version(said)
    there = any((program.own_folder() / name).is_file() for name in program.logins)
    return Installed(
        program,
        path,
        ".".join(map(str, version)) if version else "",
        True if there else None if sys.platform == "darwin" else False,
        version is not None and version[:2] < program.oldest,
    )
