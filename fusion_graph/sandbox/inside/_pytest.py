"""What tests take of pytest, where there is no pytest: `raises`, `approx`, `mark.parametrize`.

The tests' process has the standard library alone. Whatever else a suite wants of pytest makes it
untestable, which is the dataset's fault and not the answer's.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any


class Untestable(BaseException):
    """A test asks for what cannot be done here: the dataset's fault, not the answer's."""


NUMBERS = (int, float, complex, Decimal, Fraction)


class Raised:
    """What a `with raises(…)` caught: `value` is the exception, `type` its class."""

    value: Any = None
    type: Any = None

    def match(self, pattern: str) -> bool:
        """Whether the exception's words hold a pattern."""
        assert re.search(pattern, str(self.value)), f"{pattern!r} is not in {str(self.value)!r}"
        return True


class Raises:
    """Catches an exception of the given kinds, or fails."""

    def __init__(self, kinds: Any, match: str | None) -> None:
        self._kinds, self._match = kinds, match
        self._raised = Raised()

    def __enter__(self) -> Raised:
        return self._raised

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        if kind is None:
            raise AssertionError(f"DID NOT RAISE {self._kinds}")
        if not issubclass(kind, self._kinds):
            return False
        self._raised.value, self._raised.type = error, kind
        if self._match is not None:
            self._raised.match(self._match)
        return True


def raises(expected: Any, *call: Any, match: str | None = None, **named: Any) -> Any:
    """Wants an exception, of a `with` block or of a function that is called."""
    found = Raises(expected, match)
    if not call:
        return found
    with found as told:
        call[0](*call[1:], **named)
    return told


class Approx:
    """Equals numbers close to the expected ones, also within lists, tuples and dicts."""

    def __init__(self, expected: Any, rel: Any = None, abs: Any = None) -> None:
        self._expected, self._rel, self._abs = expected, rel, abs

    def __eq__(self, actual: Any) -> bool:
        return self._alike(self._expected, actual)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"approx({self._expected!r})"

    def _alike(self, wanted: Any, actual: Any) -> bool:
        if isinstance(wanted, dict):
            return (
                isinstance(actual, dict)
                and wanted.keys() == actual.keys()
                and all(self._alike(value, actual[key]) for key, value in wanted.items())
            )
        if isinstance(wanted, list | tuple):
            return (
                isinstance(actual, list | tuple)
                and len(wanted) == len(actual)
                and all(map(self._alike, wanted, actual))
            )
        if not isinstance(wanted, NUMBERS) or not isinstance(actual, NUMBERS):
            return bool(wanted == actual)
        if wanted == actual:
            return True
        size = abs(complex(wanted))
        reach = 1e-12 if self._abs is None else float(self._abs)
        if self._rel is not None or self._abs is None:
            reach = max(reach, size * (1e-6 if self._rel is None else self._rel))
        apart = abs(complex(wanted) - complex(actual))
        return bool(size < math.inf and apart <= reach)


CASES = "_cases"
"""Where a test function keeps the values that it is to be called with."""


def parametrize(names: Any, values: Sequence[Any], **_: Any) -> Callable[[Any], Any]:
    """Has a test function run once for each of the values."""
    wanted = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    told = [dict(zip(wanted, one if len(wanted) > 1 else [one], strict=True)) for one in values]

    def mark(function: Any) -> Any:
        before = getattr(function, CASES, [{}])
        setattr(function, CASES, [{**a, **b} for a in before for b in told])
        return function

    return mark


def cases_of(function: Any) -> list[dict[str, Any]]:
    """The values that a test function is to be called with, call by call."""
    return list(getattr(function, CASES, [{}]))


def _unknown(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    raise Untestable(f"the tests use pytest.{name}, which is not here")


def stand_in() -> types.ModuleType:
    """A module that tests may import as pytest."""
    module = types.ModuleType("pytest")
    mark = types.ModuleType("pytest.mark")
    mark.__dict__.update(parametrize=parametrize, __getattr__=_unknown)
    module.__dict__.update(raises=raises, approx=Approx, mark=mark, __getattr__=_unknown)
    return module
