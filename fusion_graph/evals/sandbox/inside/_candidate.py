"""The answer's process: gives up everything it does not need, then runs the answer's code.

In a suite it does what the tests' process asks (load, call, look up); as a program it is the
answer and nothing else. Whatever the code does to this process, all that leaves it is values.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import operator
import sys
import threading
import types
from collections import deque
from collections.abc import Callable
from typing import Any, Never

from ._resources import take_on
from ._wire import Frame, NotPlain, Wire, decode, encode

ANSWER_FILE = "answer.py"

TEXT_CHARACTERS = 500
"""How much of an exception's words is passed on."""

PRINTED_BYTES = 1_000_000
"""How much of what an answer prints at a time is passed on."""

OPERATIONS: dict[str, Callable[..., Any]] = {
    "call": lambda thing, *arguments, **named: thing(*arguments, **named),
    "get": getattr,
    "set": setattr,
    "enter": lambda thing: type(thing).__enter__(thing),
    "exit": lambda thing, *told: bool(type(thing).__exit__(thing, *_exception(*told))),
    **{f.__name__: f for f in (iter, next, len, str, repr, bool, hash, isinstance)},
    **{
        name: getattr(operator, name)
        for name in (
            "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod",
            "pow", "matmul", "and_", "or_", "xor", "neg", "pos", "abs", "getitem", "setitem",
            "delitem", "contains",
        )
    },
}  # fmt: skip
"""What the tests' process may ask of something that lives here."""


def _exception(name: str = "", text: str = "") -> tuple[Any, Any, None]:
    """What a context manager is told at its end: an exception of the tests', or none."""
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return (None, None, None) if not name else (Exception, Exception(text), None)
    try:
        return kind, kind(text), None
    except Exception:  # some want arguments of their own kind
        return Exception, Exception(text), None


def main() -> None:
    """Run as `-c` with settings in the first argument."""
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [ANSWER_FILE]
    take_on(settings)
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    with open(ANSWER_FILE, encoding="utf-8") as file:
        code = file.read()
    if settings["wire"] is None:
        run_program(code)
    else:
        Candidate(Wire(*settings["wire"]), code).serve()


def run_program(code: str) -> None:
    """The answer as a whole program, with the test's standard input and output."""
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = ANSWER_FILE
    sys.modules["__main__"] = module
    run(code, module)


def run(code: str, module: types.ModuleType) -> None:
    """Run the answer's code as a module, with nothing of this file's own `__future__`."""
    compiled = compile(code, ANSWER_FILE, "exec", dont_inherit=True)
    exec(compiled, module.__dict__)  # noqa: S102 - what this process is for


def _text_to(stream: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", errors="replace", write_through=True)


class Callback:
    """A function of the tests, as the answer's code sees it."""

    def __init__(self, candidate: Candidate, number: int) -> None:
        self._candidate = candidate
        self._number = number

    def __call__(self, *arguments: Any) -> Any:
        return self._candidate.call_back(self._number, arguments)


class Candidate:
    """The answer's code, behind a wire.

    Args:
        wire: To the tests' process.
        code: The answer's code.
    """

    def __init__(self, wire: Wire, code: str) -> None:
        self._wire = wire
        self._code = code
        self._kept: list[Any] = []
        self._turn = threading.RLock()

    def serve(self) -> Never:
        """Do what is asked until nobody asks."""
        builtins.input = self.input
        while True:
            frame = self._wire.receive()
            # What the answer prints while it is asked belongs to the test that asked.
            out, err = io.BytesIO(), io.BytesIO()
            words, warnings = _text_to(out), _text_to(err)  # closed when nobody holds them
            with contextlib.redirect_stdout(words), contextlib.redirect_stderr(warnings):
                reply = self._reply_to(frame)
            if frame["ask"] != "load":
                for name, printed in (("stdout", out), ("stderr", err)):
                    with contextlib.suppress(Exception):
                        text = printed.getvalue()[:PRINTED_BYTES].decode(errors="replace")
                        reply |= {name: text} if text else {}
            self._wire.send(reply)

    def call_back(self, number: int, arguments: tuple[Any, ...]) -> Any:
        """What a function of the tests returns."""
        return self._call_back({"ask": "call", "on": number, "with": self._out(list(arguments))})

    def input(self, prompt: object = "", /) -> str:
        """What the tests' `input` returns: they may have put another in its place."""
        try:
            asked = {"ask": "input", "on": None, "with": [str(prompt)[:TEXT_CHARACTERS]]}
            return str(self._call_back(asked))
        except RuntimeError as error:
            if str(error).startswith("EOFError"):
                raise EOFError("EOF when reading a line") from None
            raise

    def _call_back(self, frame: Frame) -> Any:
        with self._turn:
            self._wire.send(frame)
            while True:
                frame = self._wire.receive()
                if "ask" in frame:
                    self._wire.send(self._reply_to(frame))
                elif "raised" in frame:
                    raise RuntimeError(str(frame["raised"]))
                else:
                    return self._in(frame["is"])

    def _reply_to(self, frame: Frame) -> Frame:
        try:
            if frame["ask"] == "load":
                reply = {"is": self._load(frame["names"])}
            else:
                reply = self._do(frame)
            json.dumps(reply)
        except BaseException as error:  # exit() and the like are the answer's failures too
            return {"raised": _told(error, self._out)}
        return reply

    def _load(self, names: list[str]) -> dict[str, Any]:
        """Run the answer's code, and find what the tests name."""
        module = types.ModuleType("answer")
        module.__dict__["__file__"] = ANSWER_FILE
        sys.modules["answer"] = module
        run(self._code, module)
        found = {name: module.__dict__[name] for name in names if name in module.__dict__}
        return {name: self._named(value) for name, value in found.items()}

    def _named(self, value: Any) -> Any:
        if isinstance(value, type) and issubclass(value, BaseException):
            return {"!": "exception", "names": _names(value), "v": self._keep(value)}
        return self._out(value)

    def _do(self, frame: Frame) -> Frame:
        arguments = self._in(frame["with"])
        named = self._in(frame.get("named", {"!": "dict", "v": []}))
        things = [] if frame["on"] is None else [self._kept[frame["on"]]]
        result = OPERATIONS[frame["ask"]](*things, *arguments, **named)
        reply: Frame = {"is": self._out(result)}
        if frame["ask"] == "call":
            after = [
                self._changed(a, before)
                for a, before in zip(arguments, frame["with"], strict=False)
            ]
            if any(one is not None for one in after):
                reply["after"] = after
        return reply

    def _changed(self, argument: Any, before: Any) -> Any:
        """An argument as it is after a call; None if it is as it came."""
        if not isinstance(argument, list | dict | set | bytearray | deque):
            return None
        now = self._out(argument)
        return None if now == before else now

    def _out(self, value: Any) -> Any:
        return encode(value, self._export)

    def _export(self, value: Any) -> Frame:
        if type(value) is Callback:
            return {"!": "yours", "v": value._number}
        return {"!": "mine", "v": self._keep(value)}

    def _keep(self, value: Any) -> int:
        self._kept.append(value)
        return len(self._kept) - 1

    def _in(self, data: Any) -> Any:
        return decode(data, self._adopt)

    def _adopt(self, data: Frame) -> Any:
        if data["!"] == "yours":
            return self._kept[data["v"]]
        if data["!"] == "mine":
            return Callback(self, data["v"])
        raise NotPlain(f"a {data['!']}")


def _names(kind: type) -> list[str]:
    return [base.__name__ for base in kind.__mro__]


def _told(error: BaseException, out: Callable[[Any], Any]) -> Frame:
    """An exception in plain data: names of its classes, its words, its arguments if plain."""
    if not isinstance(error, Exception):
        return {"names": [], "text": f"{type(error).__name__}: {error}"[:TEXT_CHARACTERS]}
    try:
        words = str(error)[:TEXT_CHARACTERS]
    except Exception:
        words = ""
    told: Frame = {"names": _names(type(error)), "text": words}
    if isinstance(error, SyntaxError):
        return told
    try:
        arguments = out(list(error.args))
        if len(json.dumps(arguments)) <= 10 * TEXT_CHARACTERS:
            told["args"] = arguments
        state = {
            name: out(value) for name, value in vars(error).items() if not name.startswith("_")
        }
        if state and len(json.dumps(state)) <= 10 * TEXT_CHARACTERS:
            told["state"] = state
    except Exception:
        return told
    return told
