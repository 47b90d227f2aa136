"""A suite of tests, and which names of the answer it uses: nothing else is let into the tests."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Suite:
    """Python tests of one question.

    Attributes:
        tests: A text with asserts, test functions, TestCases or `check(candidate)`; or several
            texts, each of which is one test.
        entry_point: The function that `check` gets.
    """

    tests: str | tuple[str, ...]
    entry_point: str | None = None


def used_names(tests: str | Iterable[str]) -> set[str]:
    """The names that tests use and do not define.

    Names of built-ins and of modules of the standard library are never taken from an answer: a
    test of its own `all` or `math` would be a test no longer.

    Args:
        tests: One text or several that share their names.

    Raises:
        SyntaxError: A text is not Python.
    """
    used: set[str] = set()
    own: set[str] = set()
    for text in [tests] if isinstance(tests, str) else tests:
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Name(id=name, ctx=ast.Load()):
                    used.add(name)
                case ast.Name(id=name) | ast.arg(arg=name):
                    own.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    own.add(name)
                case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                    own.add(name)
                case ast.Import(names=names) | ast.ImportFrom(names=names):
                    own.update((n.asname or n.name).partition(".")[0] for n in names)
    return used - own - set(vars(builtins)) - sys.stdlib_module_names
