"""The answer as the tests' process reaches it: asks over the wire, believes plain data alone."""

from __future__ import annotations

import builtins
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ._standin import StandIn
from ._wire import Frame, NotPlain, Wire, decode, encode

DETAIL_CHARACTERS = 400
"""How much of an error's or a failed test's words is kept."""


class Untestable(BaseException):
    """A test asks for what cannot be done here: the dataset's fault, not the answer's."""


class AnswerError(Exception):
    """The answer's code ended, or raised what is no ordinary exception."""


class Answer:
    """The answer's code, as the tests reach it.

    Args:
        wire: To its process.
        classes: Names that the tests' text spells as classes.
    """

    def __init__(self, wire: Wire, classes: frozenset[str]) -> None:
        self._wire = wire
        self._classes = classes
        self._lent: list[Callable[..., Any]] = []
        self._errors: dict[str, type[Exception]] = {}
        self._changed: deque[tuple[Any, Any]] = deque()
        self._raised: deque[Exception] = deque(maxlen=100)
        self.lines: frozenset[int] = frozenset()
        self.fault = ""
        self.untestable = ""

    @property
    def lost(self) -> str:
        """Why its process can be asked no more; empty while it can."""
        return self._wire.broken

    def load(self, names: Sequence[str]) -> dict[str, Any]:
        """Have the code run, and take what the tests name: stand-ins, plain data, exceptions."""
        reply = self._converse({"ask": "load", "names": list(names)})
        found = reply.get("is")
        if not isinstance(found, dict):
            raise NotPlain("what is no list of names")
        return {name: self._named(name, value) for name, value in found.items() if name in names}

    def _named(self, name: str, data: Any) -> Any:
        value = self._in(data)
        if isinstance(value, StandIn) and name in self._classes:
            return StandIn(self, value._number, "class")
        return value

    def ask(self, what: str, on: int | None, arguments: Sequence[Any], named: Any = None) -> Any:
        """Ask for an operation on something of the answer's.

        Args:
            what: One of `_candidate.OPERATIONS`.
            on: Which thing; None if all operands are among the arguments.
            arguments: Positional arguments.
            named: Keyword arguments.

        Raises:
            Exception: What the answer raised, as the built-in class it is.
        """
        frame: Frame = {"ask": what, "on": on, "with": self._out(list(arguments))}
        if named:
            frame["named"] = self._out(named)
        reply = self._converse(frame, stops=what == "next")
        for argument, after in zip(arguments, reply.get("after") or (), strict=False):
            if after is None:
                continue
            changed = self._in(after)
            if reply.get("is") is None:  # all it was called for is what it changed
                self._changed = deque(one for one in self._changed if one[0] is not argument)
                _take_over(argument, changed)
            else:
                self._changed.append((argument, changed))
        return self._in(reply.get("is"))

    def settle(self) -> None:
        """Make of the tests' values what the answer made of them: a statement is over."""
        while self._changed:
            _take_over(*self._changed.popleft())

    def leave(self, on: int, error: BaseException | None) -> bool:
        """Have a context manager of the answer's end. Returns whether an exception ends there.

        Only one that came of a line which has nothing of the answer's in it (`1 / 0` in a question
        for a manager that suppresses errors): an answer that could end a failed assertion, or its
        own error in front of one, would pass by that.
        """
        if error is None:
            self.ask("exit", on, ())
            return False
        told = (type(error).__name__, str(error)[:DETAIL_CHARACTERS])
        swallowed = self.ask("exit", on, told) is True
        trace = error.__traceback__
        of_its_own = trace is not None and trace.tb_next is None and trace.tb_lineno in self.lines
        return swallowed and of_its_own and isinstance(error, Exception)

    def reflected(self, what: str, left: Any, right: StandIn) -> Any:
        """An operation whose left operand is plain: `2 * vector`."""
        return self.ask(what, None, (left, right))

    def _converse(self, frame: Frame, *, stops: bool = False) -> Frame:
        self._wire.send(frame)
        while True:
            reply = self._wire.receive()
            for stream in ("stdout", "stderr"):
                if isinstance(reply.get(stream), str):
                    with suppress(Exception):  # where a test looks for it; else nowhere
                        getattr(sys, stream).write(reply[stream])
            if "raised" in reply:
                error = self._error(reply["raised"], stops=stops)
                self._raised.append(error)
                raise error
            if "ask" not in reply:
                return reply
            self._wire.send(self._called_back(reply))

    def _called_back(self, frame: Frame) -> Frame:
        """The answer calls a function that the tests handed to it, or `input`. Nothing else."""
        try:
            if frame["ask"] == "input":
                return {"is": self._out(input(*map(str, frame["with"])))}
            function = self._lent[frame["on"]]
            return {"is": self._out(function(*self._in(frame["with"])))}
        except AssertionError as error:
            # The answer may catch what it gets; the test has failed all the same.
            self.fault = self.fault or f"AssertionError in a function of the tests: {error}"
            return {"raised": "AssertionError"}
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"[:DETAIL_CHARACTERS]}

    def _error(self, told: Any, *, stops: bool) -> Exception:
        """The exception to raise here: the nearest built-in class of the answer's, or its own."""
        if not isinstance(told, dict):
            return NotPlain("what is no exception")
        text = str(told.get("text"))[:DETAIL_CHARACTERS]
        names = told.get("names")
        try:
            arguments = self._in(told.get("args", [text]))
        except NotPlain:
            arguments = [text]
        for name in names if isinstance(names, list) else []:
            kind = self._errors.get(name) or getattr(builtins, str(name), None)
            # Raised anywhere else, this one would quietly end the tests' own loops.
            if kind in (StopIteration, StopAsyncIteration) and not stops:
                continue
            if isinstance(kind, type) and issubclass(kind, Exception):
                with suppress(Exception):  # some want arguments of their own kind
                    return self._with_state(kind(*arguments), told.get("state"))
        return AnswerError(text)

    def told(self, error: Exception) -> bool:
        """Whether an exception is one that the answer raised."""
        return any(error is one for one in self._raised)

    def _with_state(self, error: Exception, state: Any) -> Exception:
        """An exception with the attributes that the answer gave it."""
        for name, value in state.items() if isinstance(state, dict) else ():
            if not name.startswith("_"):
                with suppress(Exception):
                    setattr(error, name, self._in(value))
        return error

    def _out(self, value: Any) -> Any:
        return encode(value, self._export)

    def _export(self, value: Any) -> Frame:
        if isinstance(value, StandIn):
            return {"!": "yours", "v": value._number}
        if callable(value):
            self._lent.append(value)
            return {"!": "mine", "v": len(self._lent) - 1}
        self.untestable = f"a {type(value).__name__} of the tests cannot be handed to the answer"
        raise Untestable(self.untestable)

    def _in(self, data: Any) -> Any:
        return decode(data, self._adopt)

    def _adopt(self, data: Frame) -> Any:
        kind, number = data["!"], data["v"]
        if kind == "mine" and type(number) is int:
            return StandIn(self, number)
        if kind == "yours" and type(number) is int:
            return self._lent[number]
        if kind == "exception":
            return self._own_error(data["names"])
        raise NotPlain("an unknown kind of value")

    def _own_error(self, names: Any) -> type[Exception]:
        """A class of the tests' own for an exception that the answer defines."""
        for name in names[1:]:
            base = self._errors.get(name) or getattr(builtins, str(name), None)
            if isinstance(base, type) and issubclass(base, Exception):
                made = type(str(names[0]), (base,), {})
                return self._errors.setdefault(str(names[0]), made)
        raise NotPlain("an exception without a base")


def _take_over(argument: Any, after: Any) -> None:
    """What a function made of an argument, in place."""
    if type(argument) is not type(after) or argument == after:
        return
    if isinstance(argument, list | bytearray):
        argument[:] = after
    elif isinstance(argument, deque):
        argument.clear()
        argument.extend(after)
    else:
        argument.clear()
        argument.update(after)
