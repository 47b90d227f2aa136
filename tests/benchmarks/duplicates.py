"""Finds code that stands twice: functions whose statements are nearly the same.

A statement counts with the shape of its expressions, the attributes and functions it uses and the
kinds of its constants; names of variables and parameters and the words of texts may differ. Of two
functions of at least `STATEMENTS` statements or `LINES` lines, `ALIKE` of the statements of both
are the same, in the same order.
"""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

STATEMENTS = 6
LINES = 8
ALIKE = 0.6
"""Share of statements: 3 of 5 in each. Below it, functions begin to be alike by chance."""


class Duplicate(NamedTuple):
    """Two functions that are nearly the same; `alike` is the share of equal statements."""

    alike: float
    lines: int
    one: str
    other: str

    def __str__(self) -> str:
        return f"{self.one} = {self.other} ({self.alike:.0%}, {self.lines} lines)"


class _Function(NamedTuple):
    place: str
    lines: int
    shapes: list[str]


def duplicates(modules: Mapping[str, Path]) -> list[Duplicate]:
    """Every pair of functions that are nearly the same, longest first.

    Args:
        modules: The files of both packages, by dotted name.
    """
    functions = [
        function
        for module, path in modules.items()
        for function in _functions(module, ast.parse(path.read_text("utf-8")))
        if (len(function.shapes) >= STATEMENTS or function.lines >= LINES)
        and len(function.shapes) >= LEAST
    ]
    having: dict[str, list[int]] = defaultdict(list)
    for which, function in enumerate(functions):
        for shape in set(function.shapes):
            having[shape].append(which)
    shared = Counter(pair for whose in having.values() for pair in combinations(whose, 2))
    found = []
    for (one, other), count in shared.items():
        a, b = functions[one], functions[other]
        if 2 * count < 0.5 * ALIKE * (len(a.shapes) + len(b.shapes)):
            continue
        alike = SequenceMatcher(None, a.shapes, b.shapes, autojunk=False).ratio()
        if alike >= ALIKE:
            found.append(Duplicate(alike, min(a.lines, b.lines), a.place, b.place))
    return sorted(found, key=lambda pair: (-pair.lines, pair))


LEAST = 4
"""Statements of a function that can be a duplicate at all: three are alike by chance."""


def _functions(module: str, tree: ast.AST) -> Iterator[_Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
            place = f"{module}:{node.lineno} {node.name}"
            yield _Function(place, lines, list(_statements(node.body)))


def _statements(body: list[ast.stmt]) -> Iterator[str]:
    """The statements of a block and of the blocks in it, each by itself; inner functions alone."""
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # a docstring
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        blocks = [
            block
            for field in ("body", "handlers", "orelse", "finalbody")
            if (block := getattr(node, field, []))
        ]
        yield _shape(node)
        for block in blocks:
            for inner in block:
                if isinstance(inner, ast.ExceptHandler):
                    yield _shape(inner)
                    yield from _statements(inner.body)
                else:
                    yield from _statements([inner])


def _shape(node: ast.AST) -> str:
    """A statement without its inner blocks, its variables' names and the values of its texts."""
    parts = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        if field in ("body", "handlers", "orelse", "finalbody") and isinstance(node, ast.stmt):
            continue
        if field == "body" and isinstance(node, ast.ExceptHandler):
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.Name) and isinstance(node, ast.Call) and field == "func":
                parts.append(item.id)
            elif isinstance(item, ast.Constant):
                parts.append(type(item.value).__name__)
            elif isinstance(item, ast.Name | ast.arg):
                parts.append("name")
            elif isinstance(item, ast.AST):
                parts.append(_shape(item))
            elif isinstance(node, ast.Attribute | ast.keyword):
                parts.append(str(item))
    return f"({' '.join(parts)})"
