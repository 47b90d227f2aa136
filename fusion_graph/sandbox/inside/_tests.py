"""An answer and the dataset's tests of it in one process: loads the one, runs the others.

It reports what each test came to over a pipe with a secret, by number or name: the tests' text is
gone before the answer is loaded. What an answer can do to this process is met from outside, by
tests that nobody passes (`_altering.py`).
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import gc
import inspect
import json
import os
import random
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ._pytest import Untestable, cases_of, stand_in
from ._resources import ANSWER_FILE, answer_code, take_on

DETAIL_CHARACTERS = 400
"""How much of an error's words is kept."""

HELD = "__held__"

NAMES = ("answer", "solution")
"""What tests may import an answer as."""

Say = Callable[..., None]


def main() -> None:
    """Run as `-c` with settings in the first argument and the task on standard input."""
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [ANSWER_FILE]
    take_on(settings)
    report, write, dumps = os.dup(1), os.write, json.dumps
    write(report, b'{"ready": true}\n')
    task = json.loads(sys.stdin.buffer.read())
    nonce = task.pop("nonce")
    # What is printed goes nowhere, and nothing is there to read.
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open("/dev/null", flags), descriptor)

    def say(**line: Any) -> None:
        write(report, dumps({"nonce": nonce, **line}).encode() + b"\n")

    try:
        Tests(task, say).run()
    except Untestable as reason:
        say(untestable=str(reason)[:DETAIL_CHARACTERS])
    else:
        say(done=True)
    os._exit(0)  # whatever the answer has left running, or wants to do at the end


class Tests:
    """A dataset's tests of one question, compiled.

    Args:
        task: `tests` (one text, or a list of texts each of which is a test), `names` (what of the
            answer they use), `entry_point`, `control` (the name of a test that fails; or None).
        say: Reports a line.
    """

    def __init__(self, task: dict[str, Any], say: Say) -> None:
        self._say = say
        self._names, self._entry = task["names"], task["entry_point"]
        self._control = task["control"]
        self._unheld = ""
        texts = task.pop("tests")
        if isinstance(texts, str):
            self._codes = [
                (
                    _is_test(node),
                    compile(ast.Module([node], []), "tests", "exec", dont_inherit=True),
                )
                for node in ast.parse(texts).body
            ]
        else:
            self._codes = [(True, compile(t, "tests", "exec", dont_inherit=True)) for t in texts]

    def run(self) -> None:
        """Run all tests, whatever comes of each.

        Raises:
            Untestable: They cannot be run here, or there are none.
        """
        module = types.ModuleType("answer")
        module.__dict__["__file__"] = ANSWER_FILE
        sys.modules["pytest"] = pytest = stand_in()
        kept = [(vars(one), dict(vars(one))) for one in (builtins, pytest)]
        sys.modules.update(dict.fromkeys(NAMES, module))

        def load() -> None:
            exec(answer_code(), module.__dict__)  # noqa: S102 - what this process is for

        if not self._step("the answer's code runs", load, counts=False):
            return
        space: dict[str, Any] = {"__name__": "tests", HELD: self._held}
        found = {n: module.__dict__[n] for n in self._names if n in module.__dict__}
        space.update({k: v for k, v in found.items() if k not in vars(builtins)})
        ran = False
        for number, (is_test, code) in enumerate(self._codes):
            # What only prepares counts when it fails: the tests after it mean nothing then.
            good = self._step(str(number), partial(exec, code, space), counts=is_test)
            ran = ran or is_test or not good
        ran = self._defined(space, found) or ran
        if not ran:
            raise Untestable("there is no assert, test function, TestCase or check in the tests")
        if self._control:
            self._step(self._control, _fail)
            return
        for now, before in kept:
            for name, value in before.items():
                if now.get(name) is not value:
                    self._say(fault=f"it changed {name}, which tests are made of")
        for name in _agreeing():
            self._say(fault=f"its {name} equals whatever it is compared with")

    def _defined(self, space: dict[str, Any], found: dict[str, Any]) -> bool:
        """Run the test functions, test cases and `check(candidate)` that the text defines."""
        steps: list[tuple[str, Callable[[], Any]]] = []
        check = space.get("check")
        if self._entry is not None and isinstance(check, types.FunctionType):
            steps.append(("check", partial(self._checked, check, found)))
        for name, value in list(space.items()):
            if getattr(value, "__module__", "tests") != "tests" or name in found:
                continue
            if name.startswith("test") and isinstance(value, types.FunctionType):
                for case in cases_of(value):
                    _refuse_fixtures(name, value, case)
                    steps.append((name, partial(_call, value, **case)))
            elif isinstance(value, type) and hasattr(value, "assertEqual"):
                steps += [
                    (f"{name}.{one.id().rpartition('.')[2]}", partial(_run, one))
                    for one in _all(value)
                ]
            elif isinstance(value, type) and name.startswith("Test"):
                steps += list(_methods(name, value))
        for name, action in steps:
            self._step(name, action)
        return bool(steps)

    def _held(self, value: Any, message: Any = "") -> None:
        """Note an assertion that failed (see `_altering.HELD`)."""
        if not value:
            self._unheld = self._unheld or f"AssertionError: {message}"[:DETAIL_CHARACTERS]

    def _checked(self, check: types.FunctionType, found: dict[str, Any]) -> None:
        if self._entry not in found:
            raise NameError(f"the answer defines no {self._entry}")
        check(found[self._entry])

    def _step(self, name: str, action: Callable[[], Any], *, counts: bool = True) -> bool:
        detail = self._unheld = ""
        try:
            action()
        except Untestable:
            raise
        except ModuleNotFoundError as error:
            detail = _words(error)
            if error.name and not _of_the_answer(error):
                raise Untestable(f"the tests import {error.name}, which is not here") from None
        except BaseException as error:
            detail = _words(error)
        detail = self._unheld or detail
        if counts or detail:
            self._say(test=name[:DETAIL_CHARACTERS], ok=not detail, detail=detail)
        return not detail


def _compiled(text: str | ast.Module) -> types.CodeType:
    return compile(text, "tests", "exec", dont_inherit=True)


def _is_test(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assert | ast.For | ast.While | ast.With | ast.Try) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )


def _fail() -> None:
    raise AssertionError


def _words(error: BaseException) -> str:
    with suppress(Exception):
        return f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS]
    return "an error without words"


def _of_the_answer(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == ANSWER_FILE:
            return True
        trace = trace.tb_next
    return False


def _call(function: Callable[..., Any], **case: Any) -> None:
    result = function(**case)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def _refuse_fixtures(name: str, function: types.FunctionType, given: dict[str, Any]) -> None:
    if hasattr(function, "patchings"):  # `unittest.mock.patch` gives what it wants itself
        return
    for one in inspect.signature(function).parameters.values():
        optional = one.default is not one.empty or one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if not optional and one.name not in given:
            raise Untestable(f"{name} wants arguments; there are no fixtures here")


def _all(kind: Any) -> list[Any]:
    """The cases of a `unittest.TestCase`; that is imported only where the tests do it."""
    from unittest import defaultTestLoader

    return list(defaultTestLoader.loadTestsFromTestCase(kind))


def _run(case: Any) -> None:
    result = case.defaultTestResult()
    case.run(result)
    for _, words in (*result.errors, *result.failures):
        raise AssertionError(words.strip().splitlines()[-1])
    if not result.wasSuccessful():
        raise AssertionError("unexpected success")


def _methods(name: str, kind: type) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tests of a class as pytest takes them: a new object for each."""
    for method, value in vars(kind).items():
        if method.startswith("test") and isinstance(value, types.FunctionType):
            for case in cases_of(value):
                _refuse_fixtures(method, value, {"self": None, **case})

                def run(method: str = method, case: dict[str, Any] = case) -> None:
                    one = kind()
                    getattr(one, "setup_method", lambda: None)()
                    _call(getattr(one, method), **case)

                yield f"{name}.{method}", run


class _Stranger:
    """Equal to nothing but itself."""


def _agreeing() -> Iterator[str]:
    """Classes of the answer whose objects equal, or are less and more than, whatever comes."""
    strangers = (_Stranger(), random.random(), f"{random.random()}")
    for kind in [one for one in gc.get_objects() if isinstance(one, type)]:
        equal: Any = getattr(kind, "__eq__", None)
        code = getattr(equal, "__code__", None)
        if code is None or code.co_filename != ANSWER_FILE:
            continue
        for base in (object, int, str, float, list, dict, tuple):
            with suppress(Exception):
                one: Any = base.__new__(kind)
                if all(equal(one, stranger) is True for stranger in strangers):
                    yield kind.__name__
                break
