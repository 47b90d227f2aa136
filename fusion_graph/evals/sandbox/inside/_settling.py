"""Changes that the answer made to an argument, seen from the next statement on.

In `assert f(xs) == sorted(xs)` the tests' own value must still be theirs, or an answer that empties
`xs` and returns `[]` would pass; in the statement after it, `xs` is what the answer made of it.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

SETTLE = "__settle__"
"""What is called after each statement of the tests."""


class _Settling(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.ClassDef):
            return node
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, _settled(statements))
        return node


def _settled(statements: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in statements:
        found.append(statement)
        words = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        # Nothing but words and imports may stand before an import from __future__.
        if not words and not isinstance(statement, ast.Import | ast.ImportFrom):
            call = ast.Expr(ast.Call(ast.Name(SETTLE, ast.Load()), [], []))
            found.append(ast.fix_missing_locations(ast.copy_location(call, statement)))
    return found


def settling(tree: ast.Module) -> ast.Module:
    """Tests in which every statement is followed by a call of `SETTLE`."""
    visited = _Settling().visit(tree)
    assert isinstance(visited, ast.Module)
    return visited


def own_lines(tests: str | Iterable[str]) -> frozenset[int]:
    """Lines right inside a `with` that name nothing but built-ins: `1 / 0`, `raise ValueError`.

    What is raised there says nothing of the answer, and no condition stands before it.
    """
    own: set[int] = set()
    others: set[int] = set()
    for text in [tests] if isinstance(tests, str) else tests:
        tree = ast.parse(text)
        found: set[int] = set()
        for node in ast.walk(tree):
            for line in node.body if isinstance(node, ast.With) else ():
                plain = isinstance(line, ast.Raise | ast.Expr) and all(
                    hasattr(builtins, name.id)
                    for name in ast.walk(line)
                    if isinstance(name, ast.Name)
                )
                if plain:
                    found.update(range(line.lineno, (line.end_lineno or line.lineno) + 1))
        own |= found
        others |= {n.lineno for n in ast.walk(tree) if isinstance(n, ast.stmt)} - found
    return frozenset(own - others)
