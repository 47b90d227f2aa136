"""The tests' process: runs the dataset's tests against stand-ins, and alone says what came of it.

The answer is in another process, which has no way to this one's memory, files or report. The
tests are confined just as the answer is: a dataset is somebody's file.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import os
import sys
import types
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from ._answer import DETAIL_CHARACTERS, Answer, Untestable
from ._pytest import cases_of, stand_in
from ._resources import take_on
from ._settling import SETTLE, own_lines, settling
from ._wire import Wire


def main() -> None:
    """Run as `-c` with settings in the first argument and the tests on standard input."""
    settings = json.loads(sys.argv[1])
    take_on(settings)
    # What the tests print goes nowhere; the report has a descriptor of its own.
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open("/dev/null", os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)

    def say(**line: Any) -> None:
        report.write(json.dumps(line) + "\n")
        report.flush()

    say(ready=True)
    suite = json.loads(sys.stdin.buffer.read())
    answer = Answer(Wire(*settings["wire"]), frozenset(suite["classes"]))
    try:
        total = Tests(suite, answer, say).run()
    except Untestable as reason:
        say(untestable=str(reason)[:DETAIL_CHARACTERS])
        return
    say(done=total)


class Tests:
    """A dataset's tests of one question.

    Args:
        suite: `tests` (one text, or a list of texts each of which is a test), `names` (what of
            the answer they use), `entry_point`, `classes`.
        answer: The answer.
        say: Reports a line.
    """

    def __init__(self, suite: dict[str, Any], answer: Answer, say: Callable[..., None]) -> None:
        self._suite = suite
        self._answer = answer
        self._say = say
        self._count = 0

    def run(self) -> int:
        """Run all tests, whatever comes of each, and return how many there were.

        Raises:
            Untestable: They cannot be run here, or there are none.
        """
        space: dict[str, Any] = {"__name__": "tests"}
        space[SETTLE] = self._answer.settle
        sys.modules["pytest"] = stand_in()
        found: dict[str, Any] = {}

        def load() -> None:
            found.update(self._answer.load(self._suite["names"]))

        if not self._step("the answer's code runs", load, counts=False):
            return self._count
        entry_point = self._suite["entry_point"]
        space.update({k: v for k, v in found.items() if k not in vars(builtins)})
        tests = self._suite["tests"]
        self._answer.lines = own_lines(tests)
        before = self._count
        if isinstance(tests, str):
            for node in ast.parse(tests).body:
                self._statement(node, space)
        else:
            for text in tests:
                code = compile(settling(ast.parse(text)), "tests", "exec", dont_inherit=True)
                self._step(text, lambda code=code: exec(code, space))  # type: ignore[misc]  # noqa: S102
        self._defined(space, found, entry_point)
        if self._count == before:
            raise Untestable("there is no assert, test function, TestCase or check in the tests")
        return self._count

    def _statement(self, node: ast.stmt, space: dict[str, Any]) -> None:
        told = ast.unparse(node)
        code = compile(settling(ast.Module([node], [])), "tests", "exec", dont_inherit=True)

        def run() -> None:
            exec(code, space)  # noqa: S102 - the dataset's tests

        tests = isinstance(node, ast.Assert | ast.For | ast.While | ast.With | ast.Try) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        )
        # What only prepares counts when it fails: the tests after it mean nothing then.
        self._step(f"line {node.lineno}: {told}", run, counts=tests)

    def _defined(self, space: dict[str, Any], found: dict[str, Any], entry: str | None) -> None:
        """Test functions, test cases and `check(candidate)` that the tests' text defines."""
        check = space.get("check")
        if entry is not None and isinstance(check, types.FunctionType):

            def checked() -> None:
                if entry not in found:
                    raise NameError(f"the answer defines no {entry}")
                check(found[entry])

            self._step(f"check({entry})", checked)
        for name, value in list(space.items()):
            if name.startswith("test") and isinstance(value, types.FunctionType):
                for told, case in cases_of(value):
                    if _needs_arguments(value, case):
                        raise Untestable(f"{name} wants arguments; there are no fixtures here")
                    self._step(f"{name}{told}", partial(value, **case))
            elif isinstance(value, type) and hasattr(value, "assertEqual"):
                for case in _cases(value):
                    self._step(str(case), lambda case=case: _run_case(case))  # type: ignore[misc]

    def _step(self, name: str, action: Callable[[], Any], *, counts: bool = True) -> bool:
        detail = ""
        try:
            action()
        except Untestable:
            raise
        except ModuleNotFoundError as error:
            detail = f"{type(error).__name__}: {error}"
            if error.name and not self._answer.told(error):
                raise Untestable(f"the tests import {error.name}, which is not here") from None
        except BaseException as error:
            detail = f"{type(error).__name__}: {error}"
        if self._answer.untestable:
            raise Untestable(self._answer.untestable)
        detail = detail or self._answer.fault or self._answer.lost
        self._answer.fault = ""
        if counts or detail:
            self._count += 1
            self._say(
                test=name[:DETAIL_CHARACTERS], ok=not detail, detail=detail[:DETAIL_CHARACTERS]
            )
        return not detail


def _cases(kind: Any) -> list[Any]:
    """The test cases of a `unittest.TestCase`; that is imported only where the tests do it."""
    from unittest import defaultTestLoader

    return list(defaultTestLoader.loadTestsFromTestCase(kind))


def _run_case(case: Any) -> None:
    result = case.defaultTestResult()
    case.run(result)
    for _, words in (*result.errors, *result.failures):
        raise AssertionError(words.strip().splitlines()[-1])
    if not result.wasSuccessful():
        raise AssertionError("unexpected success")


def _needs_arguments(function: types.FunctionType, given: Collection[str]) -> bool:
    wanted = inspect.signature(function).parameters.values()
    return any(
        one.default is one.empty and one.name not in given
        for one in wanted
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    )
