"""Finds the code in an answer: the fenced block that defines what was asked for.

Python with its standard library alone.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Collection

_FENCED = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n]*\n"
    r"(?P<code>.*?)(?:^[ \t]*(?P=fence)|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PYTHON = frozenset({"python", "python3", "py", "py3"})

CODE_CHARACTERS = 200_000
"""Longer answers are no answers to a coding question; Python's parser would take gigabytes."""


def blocks(answer: str) -> list[str]:
    """List the fenced blocks of an answer that are Python, or may be where none is said to be.

    Args:
        answer: Any text.
    """
    found = [(match["language"].lower(), match["code"]) for match in _FENCED.finditer(answer)]
    labelled = [code for language, code in found if language in _PYTHON]
    return labelled or [code for language, code in found if not language]


def is_fenced(answer: str) -> bool:
    """Say whether there is a fenced block in an answer, of whatever language."""
    return bool(_FENCED.search(answer))


def code_in(answer: str, names: Collection[str], prompt: str = "") -> str | None:
    """Find the Python code in an answer; None if there is none.

    Of several fenced blocks the one that defines most of the wanted names is taken, the last of
    those: answers improve on themselves, and end with the whole. For a program, the longest. An
    answer without a fence is code if it is nothing else. Code that goes on where the prompt ends
    is put behind it.

    Args:
        answer: The answer.
        names: What the tests use.
        prompt: The question.
    """
    if len(answer) > CODE_CHARACTERS:
        return None
    raw = blocks(answer)
    fenced = bool(raw)
    raw = raw or ([] if is_fenced(answer) else [answer])
    found = [textwrap.dedent(code) for code in raw]
    if names:
        best = max((len(defined(code) & set(names)) for code in found), default=0)
        fitting = [code for code in found if best and len(defined(code) & set(names)) == best]
        if fitting:
            return fitting[-1]
        for code in reversed(raw):
            joined = f"{prompt.rstrip()}\n{code}"
            if code[:1].isspace() and defined(joined) & set(names):
                return joined
    if not fenced and (names or not answer.strip() or parsed(answer) is None):
        return None
    return max(found, key=len, default=None)


def parsed(code: str) -> ast.Module | None:
    """Parse code; None if it is no Python, or more than can be parsed.

    Args:
        code: Untrusted text.
    """
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def defined(code: str) -> set[str]:
    """List the names that code defines at its top level.

    Args:
        code: Untrusted text.
    """
    names: set[str] = set()
    tree = parsed(code)
    for node in tree.body if tree else []:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(alias.asname or alias.name for alias in aliases)
    return names
