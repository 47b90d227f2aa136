"""The tree of errors: drawn whole, complete, and each error with what to do about it."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import fusion_graph
import fusion_tools.errors
from fusion_graph import errors
from tests.benchmarks.rooms import ROOT, modules

TREES = {"fusion_graph": errors, "fusion_tools": fusion_tools.errors}

INSIDE = re.compile(r"fusion_graph\.sandbox\.")
"""What runs inside the sandbox, beside the code under test, raises errors of its own there."""


def raised_by(home: ModuleType) -> dict[str, type[Exception]]:
    """The exception classes of a module."""
    return {
        name: thing
        for name, thing in vars(home).items()
        if inspect.isclass(thing)
        and issubclass(thing, Exception)
        and thing.__module__ == home.__name__
    }


def drawn(home: ModuleType) -> dict[str, tuple[str, str]]:
    """The tree of a module's docstring: each error's parent, and the builtin said beside it."""
    found: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    for line in (home.__doc__ or "").splitlines():
        match = re.fullmatch(r"([│├└─ ]*)(\w+)(?: \(also an? (\w+)\))?", line)
        if match is None or not (match[1] or match[2] in raised_by(home)):
            continue
        depth = len(match[1]) // 4
        path[depth:] = [match[2]]
        found[match[2]] = (path[depth - 1] if depth else "", match[3] or "")
    return found


def built(home: ModuleType) -> dict[str, tuple[str, str]]:
    """The same of the classes themselves."""
    found = {}
    for name, error in raised_by(home).items():
        ours = [base.__name__ for base in error.__bases__ if base.__module__ == home.__name__]
        others = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins"]
        found[name] = ((ours or [""])[0], "" if others in ([], ["Exception"]) else others[0])
    return found


@pytest.mark.parametrize("home", TREES.values(), ids=TREES)
def test_the_tree_that_is_drawn_is_the_tree_that_is_built(home):
    assert drawn(home) == built(home)


def exceptions_of(path: Path, known: set[str]) -> set[str]:
    """The exception classes that a file defines."""
    classes = {
        node.name: [ast.unparse(base).rpartition(".")[2] for base in node.bases]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }

    def is_exception(name: str) -> bool:
        builtin = getattr(builtins, name, None)
        if inspect.isclass(builtin):
            return issubclass(builtin, Exception)
        bases = [base for base in classes.get(name, ()) if base != name]
        return name in known or any(map(is_exception, bases)) or name.endswith("Error")

    return {name for name in classes if is_exception(name)}


@pytest.mark.parametrize("package", TREES)
def test_every_error_that_more_than_one_module_knows_is_in_the_tree(package):
    tree = set(built(TREES[package]))
    elsewhere = {
        f"{module}.{name}"
        for module, path in modules(ROOT).items()
        if module.startswith(package) and module != f"{package}.errors" and not INSIDE.match(module)
        for name in exceptions_of(path, tree)
        if not name.startswith("_")
    }
    assert not elsewhere, "Move them into errors.py, or mark them `_` if no other module sees them."


ALL = [error for home in TREES.values() for error in raised_by(home).values()]


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_says_when_it_comes_and_what_to_do(error):
    said = inspect.getdoc(error) or ""
    assert re.match(r"[A-Z`].+[.;]", said)
    assert re.search(r"^Do: [A-Z].+\.$", said, re.MULTILINE | re.DOTALL), said


@pytest.mark.parametrize("error", raised_by(errors).values(), ids=lambda error: error.__name__)
def test_every_error_is_of_a_builtin_family_so_that_a_langgraph_server_shows_its_message(error):
    if error is not errors.FusionError:
        assert issubclass(error, (ValueError, RuntimeError))


def test_what_a_caller_may_catch_is_exported_beside_what_he_calls():
    internal = (errors.InnerError, errors.ApiError, errors.OutputFailed, errors.ReaderGone)
    internal += (errors.EvaluationStopped, errors.DatasetError, errors.MixedGraders)  # of commands
    for name, error in raised_by(errors).items():
        if not issubclass(error, internal):
            assert name in fusion_graph.__all__, name
            assert getattr(fusion_graph, name) is error


def test_no_error_of_one_tree_is_one_of_the_other():
    ours: Any = errors.FusionError
    assert not any(issubclass(e, ours) for e in raised_by(fusion_tools.errors).values())
