"""Reads the tests that a model proposes: calls with what they are expected to return.

Most tests say `assert f(2) == 4`. Of these only the call goes into the sandbox, and what comes
back is compared outside of it. A test that cannot be taken apart so is run as a whole.
"""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fusion_graph.coding.extraction import blocks, is_fenced, parsed
from fusion_graph.coding.values import is_true, same
from fusion_graph.errors import ConfigurationError
from fusion_graph.sandbox import Output, Suite, used_names, written

MOST_TESTS = 16
"""Tests taken of one proposer: one that proposes many has no more votes than others."""

MOST_CALLS = 120
"""Calls that candidates are compared by; those of tests come first."""

MOST_CHARACTERS = 4_000
"""Length of one test; longer ones are not read."""

SMALL = 0.1
"""Up to here, what a difference is compared with is how far it may be off."""


@dataclass(frozen=True)
class Expected:
    """What a call is expected to do.

    Attributes:
        value: What it returns, as data; None where only its truth counts, or it raises.
        tolerance: How far a number may be off.
        truth: Whether what it returns is true; None where that is not asked.
        raises: The error that it raises; empty where it returns.
    """

    value: list[Any] | None = None
    tolerance: float = 0.0
    truth: bool | None = None
    raises: str = ""

    def met_by(self, output: Output | None) -> bool:
        """Say whether a call did what is expected.

        Args:
            output: What it did; None where it was never reached.
        """
        if output is None:
            return False
        if self.raises:
            return self.raises in (output.error, "Exception") and bool(output.error)
        if output.value is None:
            return False
        if self.value is not None:
            return same(self.value, output.value, self.tolerance)
        return is_true(output.value) is self.truth


@dataclass(frozen=True)
class ProposedTest:
    """One test.

    Attributes:
        text: As Python.
        proposer: Who proposed it; empty for a test that the user gave.
        call: The expression that it asks about; None where the text is run as a whole.
        expected: What the call is to do; None where the text is run as a whole.
    """

    text: str
    proposer: str
    call: str | None = None
    expected: Expected | None = None


def read_tests(reply: str, proposer: str, most: int = MOST_TESTS) -> tuple[ProposedTest, ...]:
    """Read the tests in a model's reply; those said twice count once.

    Args:
        reply: The reply, prose and all.
        proposer: Whose it is.
        most: Tests taken, the first ones.
    """
    found: dict[str, ProposedTest] = {}
    for text in blocks(reply) if is_fenced(reply) else [reply]:
        for test in _tests_of(textwrap.dedent(text), proposer):
            if len(test.text) <= MOST_CHARACTERS and len(found) < most:
                found.setdefault(test.text, test)
    return tuple(found.values())


def suite_of(text: str) -> Suite:
    """Read the tests that a user gives.

    Args:
        text: Python: asserts, test functions or TestCases.

    Raises:
        ConfigurationError: It is no Python, or tests nothing.
    """
    remedy = "Give Python tests that call the code by its name, as in `assert double(2) == 4`."
    try:
        used = used_names(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigurationError(f"tests: this is not Python{line}: {error}.", remedy) from None
    if not used:
        raise ConfigurationError("tests: they use nothing of the code that they test.", remedy)
    return Suite(text)


def calls_given(suite: Suite) -> tuple[str, ...]:
    """List the calls that given tests ask about, to compare candidates by.

    Args:
        suite: The user's tests.
    """
    texts = [suite.tests] if isinstance(suite.tests, str) else suite.tests
    renamed = {"candidate": suite.entry_point} if suite.entry_point else {}
    found: dict[str, None] = {}
    for text in texts:
        for node in ast.walk(parsed(text) or ast.Module([], [])):
            if isinstance(node, ast.Assert):
                condition = _Renamed(renamed).visit(node.test)
                case = _case(condition, frozenset())
                if case is not None:
                    found[case[0]] = None
    return tuple(found)


def names_used(tests: Iterable[ProposedTest]) -> set[str]:
    """List the names that tests use and do not define: what a candidate has to define.

    Args:
        tests: Any.
    """
    return {name for test in tests for name in used_names(test.text)}


def _tests_of(text: str, proposer: str) -> Iterator[ProposedTest]:
    tree = parsed(text)
    if tree is None:  # prose, or cut off: what stands whole on a line of its own counts
        for line in text.splitlines():
            said = line.strip().removeprefix(">>>").strip()
            one = parsed(said) if said.startswith("assert ") else None
            if one is not None:
                yield from _read(one.body, [], proposer)
        return
    yield from _read(tree.body, [], proposer)


def _read(
    body: Sequence[ast.stmt], before: list[ast.stmt], proposer: str
) -> Iterator[ProposedTest]:
    """Read statements in their order; what is no test prepares the tests after it."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            plain = isinstance(node, ast.FunctionDef) and not node.decorator_list
            if node.name.startswith("test") and plain and not node.args.args:
                yield from _read(node.body, list(before), proposer)
                continue
        own = frozenset(_defined_by(before))
        case = None
        if isinstance(node, ast.Assert):
            case = _case(node.test, own)
        elif isinstance(node, ast.With):
            case = _raises(node, own)
        if case is not None:
            yield ProposedTest(ast.unparse(node), proposer, *case)
        elif any(isinstance(inner, ast.Assert | ast.With) for inner in ast.walk(node)) and (
            not isinstance(node, ast.FunctionDef | ast.ClassDef)
        ):
            whole = ast.unparse(ast.Module([*before, node], []))
            if _uses_something(whole):
                yield ProposedTest(whole, proposer)
        else:
            before.append(node)


def _uses_something(text: str) -> bool:
    return bool(used_names(text))


def _defined_by(nodes: Iterable[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        for inner in ast.walk(node):
            match inner:
                case ast.Name(id=name, ctx=ast.Store()):
                    yield name
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.alias(name=name, asname=other):
                    yield (other or name).partition(".")[0]


def _case(test: ast.expr, own: frozenset[str]) -> tuple[str, Expected] | None:
    """The call that a condition asks about, and what it expects; None if it is not of that kind."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            for call, said in ((left, right), (right, left)):
                if isinstance(said, ast.Call) and ast.unparse(said.func).endswith("approx"):
                    near = _literal(said.args[0]) if said.args else None
                    return _asked(call, near, own, 1e-6 * _size(near))
                if found := _asked(call, _literal(said), own):
                    return found
            return None
        case ast.Compare(
            left=ast.Call(
                func=ast.Name(id="abs"), args=[ast.BinOp(left=one, op=ast.Sub(), right=other)]
            ),
            ops=[ast.Lt() | ast.LtE()],
            comparators=[ast.Constant(value=float() | int() as reach)],
        ) if reach <= SMALL:
            found = _asked(one, _literal(other), own, float(reach))
            return found or _asked(other, _literal(one), own, float(reach))
        case ast.Call(func=func, args=[one, other]) if ast.unparse(func).endswith("isclose"):
            for call, said in ((one, other), (other, one)):
                value = _literal(said)
                if found := _asked(call, value, own, 1e-6 * _size(value)):
                    return found
            return None
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call) if _closed(call, own):
            return ast.unparse(call), Expected(truth=False)
        case ast.Call() if _closed(test, own) and ast.unparse(test.func) not in vars(builtins):
            return ast.unparse(test), Expected(truth=True)
    return None


def _asked(
    call: ast.expr, value: list[Any] | None, own: frozenset[str], tolerance: float = 0.0
) -> tuple[str, Expected] | None:
    if value is None or not _closed(call, own):
        return None
    return ast.unparse(call), Expected(value, tolerance)


def _raises(node: ast.With, own: frozenset[str]) -> tuple[str, Expected] | None:
    match node:
        case ast.With(
            items=[
                ast.withitem(
                    context_expr=ast.Call(func=func, args=[ast.Name(id=error)]),
                    optional_vars=None,
                )
            ],
            body=[ast.Expr(value=call)],
        ) if ast.unparse(func).endswith("raises") and _closed(call, own):
            return ast.unparse(call), Expected(raises=error)
    return None


def _closed(node: ast.expr, own: frozenset[str]) -> bool:
    """Whether an expression asks a candidate something, and needs nothing besides."""
    names = {
        name.id
        for name in ast.walk(node)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load)
    }
    calls = any(isinstance(inner, ast.Call) for inner in ast.walk(node))
    foreign = names & (own | sys.stdlib_module_names) - set(vars(builtins))
    try:
        return calls and not foreign and bool(used_names(ast.unparse(node)))
    except (SyntaxError, RecursionError):
        return False


def _literal(node: ast.expr) -> list[Any] | None:
    try:
        return written(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _size(value: list[Any] | None) -> float:
    match value:
        case ["float", str(digits)]:
            return abs(float(digits))
        case ["int", str(digits)]:
            return float(min(abs(int(digits, 16)), 10**15))
    return 1.0


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.copy_location(ast.Name(self._names.get(node.id, node.id), node.ctx), node)
