"""What the tests see of the answer: stand-ins for what lives in the other process.

A stand-in passes on calls, attributes, iteration and the like. It never tells the answer what the
tests expect: compared with plain data it is unequal, and it takes no part in arithmetic with it,
or an answer could return an object that is whatever it is compared with. The exception is an
instance the tests make themselves, of a class that their own text spells as one (`Stack(3)`): its
operators are what the question asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class Asked(Protocol):
    """The other process, as far as stand-ins reach it; `_answer.Answer` is one."""

    def ask(self, what: str, on: int | None, arguments: Any, named: Any = None) -> Any:
        """Ask for an operation on something of the answer's."""

    def leave(self, on: int, error: BaseException | None) -> bool:
        """Have a context manager of the answer's end."""

    def reflected(self, what: str, left: Any, right: StandIn) -> Any:
        """An operation whose left operand is plain."""


class StandIn:
    """Something of the answer's that is not plain data.

    Args:
        answer: Where it lives.
        number: Which it is there.
        role: `class` if the tests' text names it as one, `instance` if they made it from such a
            class, else `thing`.
    """

    __slots__ = ("_answer", "_number", "_role")

    def __init__(self, answer: Asked, number: int, role: str = "thing") -> None:
        object.__setattr__(self, "_answer", answer)
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_role", role)

    def _ask(self, what: str, *arguments: Any, **named: Any) -> Any:
        return self._answer.ask(what, self._number, arguments, named)

    def __getattr__(self, name: str) -> Any:
        return self._ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        made = self._ask("call", *arguments, **named)
        if self._role == "class" and isinstance(made, StandIn):
            return StandIn(made._answer, made._number, "instance")
        return made

    def __enter__(self) -> Any:
        return self._ask("enter")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return bool(self._answer.leave(self._number, error))

    def __iter__(self) -> Iterator[Any]:
        it = self._ask("iter")
        return it if isinstance(it, StandIn) else iter(it)

    def __next__(self) -> Any:
        return self._ask("next")

    def __len__(self) -> int:
        return int(self._ask("len"))

    def __bool__(self) -> bool:
        return self._ask("bool") is True

    def __str__(self) -> str:
        return str.__str__(self._ask("str"))

    def __repr__(self) -> str:
        return str.__str__(self._ask("repr"))

    def __hash__(self) -> int:
        return int(self._ask("hash"))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("setitem", key, value)

    def __delitem__(self, key: Any) -> None:
        self._ask("delitem", key)

    def __contains__(self, item: Any) -> bool:
        if self._role == "instance":
            return self._ask("contains", item) is True
        return any(item is one or item == one for one in self)

    def __instancecheck__(self, instance: Any) -> bool:
        return isinstance(instance, StandIn) and instance._ask("isinstance", self) is True

    def __eq__(self, other: Any) -> Any:
        return self._ask("eq", other) is True if isinstance(other, StandIn) else NotImplemented

    def __ne__(self, other: Any) -> Any:
        return self._ask("ne", other) is True if isinstance(other, StandIn) else NotImplemented


def _compares(what: str) -> Any:
    def compare(self: StandIn, other: Any) -> Any:
        return self._ask(what, other) is True if isinstance(other, StandIn) else NotImplemented

    return compare


def _combines(what: str) -> Any:
    def combine(self: StandIn, other: Any) -> Any:
        if self._role != "instance" and not isinstance(other, StandIn):
            return NotImplemented
        return _of_the_same_role(self, self._ask(what, other))

    return combine


def _combines_from_the_right(what: str) -> Any:
    def combine(self: StandIn, other: Any) -> Any:
        if self._role != "instance":
            return NotImplemented
        return _of_the_same_role(self, self._answer.reflected(what, other, self))

    return combine


def _alone(what: str) -> Any:
    def change(self: StandIn) -> Any:
        if self._role != "instance":
            raise TypeError(f"what the answer returned is no plain number ({what})")
        return _of_the_same_role(self, self._ask(what))

    return change


def _of_the_same_role(one: StandIn, result: Any) -> Any:
    if isinstance(result, StandIn):
        return StandIn(result._answer, result._number, one._role)
    return result


for _what in ("lt", "le", "gt", "ge"):
    setattr(StandIn, f"__{_what}__", _compares(_what))
for _what in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(StandIn, f"__{_what}__", _combines(_what))
    setattr(StandIn, f"__r{_what}__", _combines_from_the_right(_what))
for _what in ("and_", "or_", "xor"):
    setattr(StandIn, f"__{_what.strip('_')}__", _combines(_what))
for _what in ("neg", "pos", "abs"):
    setattr(StandIn, f"__{_what}__", _alone(_what))
