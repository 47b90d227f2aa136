"""What there is to know of a program: how it is asked, and how its output is read."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fusion_graph.models.programs._folder import Folder

SERVER = "fusion"
"""What our tools' server is called in a program."""

DEFAULT_MODEL = "default"
"""The model's name that leaves the choice to the program."""


@dataclass(frozen=True)
class Question:
    """A question for a program.

    Attributes:
        model: Whom to ask, as the program calls it; empty leaves the choice to it.
        system: The instructions.
        prompt: The conversation, as one text.
        folder: The program's folder.
        own: The user's folder of settings, of which no more is read than how the program is
            to reach its vendor.
        schema: What the answer is to keep to; None for a text.
        effort: How much to reason; None leaves it to the program.
        max_tokens: Most tokens of the answer; None leaves it to the program.
        bridge: The command that brings it our tools; empty for no tools.
        tools: Their names.
    """

    model: str
    system: str
    prompt: str
    folder: Folder
    own: Path
    schema: Mapping[str, Any] | None = None
    effort: str | None = None
    max_tokens: int | None = None
    bridge: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass
class Answer:
    """What a program answered, and what it says of itself.

    Attributes:
        text: The answer.
        served: The model that answered, if it says so.
        finish: `stop`, `length` or `content_filter`.
        read: Tokens read, cached ones included; None if it does not say.
        written: Tokens written.
        cached: Tokens read from its vendor's cache.
        stored: Tokens put into it.
        by_plan: Whether the user's plan paid; None if it does not say.
        cost_usd: US dollars, if it says so.
    """

    text: str = ""
    served: str = ""
    finish: str = "stop"
    read: int | None = None
    written: int | None = None
    cached: int | None = None
    stored: int | None = None
    by_plan: bool | None = None
    cost_usd: float | None = None


class Reading(Protocol):
    """A reading of a program's output.

    Attributes:
        done: Whether the program has said its last.
    """

    done: bool

    def hear(self, event: Mapping[str, Any]) -> str:
        """Take an event in, and give the piece of the answer in it, if there is one."""

    def end(self, code: int, complaints: str) -> Answer:
        """Give the answer, once the program has ended.

        Raises:
            ProgramFailed: There is none.
        """


@dataclass(frozen=True)
class Program:
    """A program that can be a member.

    Attributes:
        name: What stands before the colon: `claude`.
        title: What people call it.
        command: What starts it.
        install: How it is installed.
        login: How a user logs in.
        update: How it is brought up to date.
        oldest: The oldest version that was tried, and is asked as below.
        settings: Its folder of settings: the variable that names it, where it is otherwise (below
            the home), and where the program looks in the folder that the variable names.
        logins: Files in there that hold its login.
        addresses: Variables that say where its vendor is asked.
        efforts: How it calls the efforts of reasoning; empty if it takes none.
        takes_schema: Whether it can hold an answer to a JSON schema.
        ask: Writes its arguments and further variables for a question.
        read: Begins to read its output.
        login_status: Arguments at which it says how the user is logged in, where its output does
            not; empty for none.
        by_plan: Tells from the user's folder of settings whether a plan pays, where neither does.
    """

    name: str
    title: str
    command: str
    install: str
    login: str
    update: str
    oldest: tuple[int, int]
    settings: tuple[str, str, str]
    logins: tuple[str, ...]
    addresses: tuple[str, ...]
    efforts: Mapping[str, str]
    takes_schema: bool
    ask: Callable[[Question], tuple[list[str], dict[str, str]]]
    read: Callable[[], Reading]
    login_status: tuple[str, ...] = ()
    by_plan: Callable[[Path], bool] | None = None

    def path(self) -> str | None:
        """Where it is installed; None where it is not."""
        found = shutil.which(self.command)
        return None if found is None else os.path.abspath(found)  # it is started in another folder

    def own_folder(self) -> Path:
        """The user's folder of settings for it."""
        variable, usual, inside = self.settings
        named = os.environ.get(variable)
        return Path(named).expanduser() / inside if named else Path.home() / usual


def whole_version(said: str) -> tuple[int, ...] | None:
    """The version in what a program says of itself; None where there is none.

    Args:
        said: `2.1.197 (Claude Code)`, `codex-cli 0.171.0`, `0.61.0`.
    """
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def first_of(*texts: str) -> str:
    """The first text that says something."""
    return next((text.strip() for text in texts if text and text.strip()), "")


def number(value: Any) -> int | None:
    """A count of tokens; None for what is none."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None


def text_in(content: Any) -> str:
    """The text of a message's content, in one piece or in blocks."""
    if isinstance(content, str):
        return content
    blocks: Sequence[Any] = content if isinstance(content, list) else ()
    texts = [b.get("text") for b in blocks if isinstance(b, Mapping) and b.get("type") == "text"]
    return "".join(text for text in texts if isinstance(text, str))
