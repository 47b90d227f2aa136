"""Who may say that an answer's tests passed: every answer here is really run."""

from __future__ import annotations

import asyncio

import pytest

from fusion_graph.sandbox import Suite, run_program, run_suite
from tests.depth import in_depth
from tests.evals.conftest import PATIENT

DOUBLE = "def f(x):\n    return x * 2\n"
TESTS = "assert f(2) == 4\nassert f(3) == 6\n"


# Honest answers


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        (DOUBLE, TESTS),
        in_depth("f = lambda x: x * 2", TESTS),
        (DOUBLE, "def test_two():\n    assert f(2) == 4\ndef test_three():\n    assert f(3) == 6"),
        (
            DOUBLE,
            """
            import unittest
            class Case(unittest.TestCase):
                def test_two(self):
                    self.assertEqual(f(2), 4)
                def test_three(self):
                    with self.assertRaises(TypeError):
                        f()
            """,
        ),
        in_depth(DOUBLE, "for n in range(100):\n    assert f(n) == 2 * n"),
        in_depth(
            "def f(x):\n    return {'a': (1, [x]), 2: {3}}",
            "assert f(5) == {'a': (1, [5]), 2: {3}}",
        ),
        in_depth("def f(n):\n    return 7 ** n", "assert f(9000) == 7 ** 9000"),
        in_depth(
            "def f():\n    return float('nan'), -0.0, 1e300",
            "import math\nassert math.isnan(f()[0])",
        ),
        in_depth(
            "def f(s):\n    return s[::-1].encode()", "assert f('añ\\ud800'[:2]) == 'ña'.encode()"
        ),
        in_depth("def f(d):\n    return sum(d.values())", "assert f({('a', 1): 2, None: 3}) == 5"),
        in_depth(
            "from decimal import Decimal\nfrom datetime import date\n"
            "def f():\n    return Decimal('1.10'), date(2026, 1, 2)",
            "from decimal import Decimal\nfrom datetime import date\n"
            "assert f() == (Decimal('1.1'), date(2026, 1, 2))",
        ),
        in_depth("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2]"),
        in_depth(
            "def f(xs):\n    return map(str, xs)",
            "assert [s + '!' for s in f([1, 2])] == ['1!', '2!']",
        ),
        ("def f(xs):\n    xs.sort()", "xs = [3, 1, 2]\nf(xs)\nassert xs == [1, 2, 3]"),
        in_depth(
            "def f(d):\n    d['k'] = [1]", "d = {'a': 1}\nf(d)\nassert d == {'a': 1, 'k': [1]}"
        ),
        in_depth("def f(g, x):\n    return g(g(x))", "assert f(lambda n: n + 3, 1) == 7"),
        in_depth("def f(g):\n    return lambda x: g(x) + 1", "assert f(lambda n: n * 2)(5) == 11"),
        (
            "def f(x):\n    if x < 0:\n        raise ValueError('below zero')\n    return x",
            """
            try:
                f(-1)
            except ValueError as error:
                assert str(error) == 'below zero'
            else:
                raise AssertionError
            """,
        ),
        in_depth(
            "class TooBig(ValueError):\n    pass\ndef f(x):\n    raise TooBig(x)",
            """
            for expected in (TooBig, ValueError):
                try:
                    f(7)
                except expected as error:
                    assert error.args == (7,)
            """,
        ),
        (
            "import random\nrandom.seed(1)\nLIMIT = 5\ndef f():\n    return LIMIT",
            "assert f() == LIMIT == 5",
        ),
        (
            "def f(x):\n    open('note', 'w').write(str(x))\n    return open('note').read()",
            "assert f(5) == '5'",
        ),
        (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "import sys, tempfile, hashlib, sqlite3, zoneinfo\n"
            "def f(xs):\n    print('working', file=sys.stderr)\n    return sorted(set(xs))",
            "assert f('ba') == ['a', 'b']",
        ),
        in_depth(
            "from typing import NamedTuple\n"
            "class Spot(NamedTuple):\n    row: int\n    column: int\n"
            "def f():\n    return [Spot(1, 2)]",
            "spot, = f()\nassert spot.column == 2\nassert spot == (1, 2)\nassert spot[0] == 1",
        ),
        in_depth(
            "def f(xs):\n    xs.reverse()\n    return len(xs)",
            "def test_it():\n    xs = [3, 1]\n    assert f(xs) == 2\n    assert xs == [1, 3]",
        ),
        in_depth(
            "def f(queue):\n    return queue.popleft()",
            "from collections import deque\nq = deque([5, 6])\n"
            "assert f(q) == 5\nassert len(q) == 1",
        ),
        in_depth(
            "from contextlib import contextmanager\nLOG = []\n@contextmanager\n"
            "def opened(name):\n    yield name.upper()\n    LOG.append(name)\n"
            "def log():\n    return LOG",
            "with opened('a') as name:\n    assert name == 'A'\nassert log() == ['a']",
        ),
        in_depth(
            "class Ignoring:\n    def __init__(self, *kinds):\n        self.kinds = kinds\n"
            "    def __enter__(self):\n        return self\n"
            "    def __exit__(self, kind, error, trace):\n"
            "        return kind is not None and issubclass(kind, ZeroDivisionError)",
            """
            with Ignoring(1):
                1 / 0
            try:
                with Ignoring(1):
                    raise KeyError('k')
            except KeyError:
                assert True
            else:
                raise AssertionError
            """,
        ),
        in_depth(
            "class Late(Exception):\n    def __init__(self, days):\n"
            "        super().__init__(f'{days} days')\n        self.days = days\n"
            "def f():\n    raise Late(3)",
            "try:\n    f()\nexcept Late as e:\n    assert e.days == 3\nelse:\n    assert False",
        ),
        (
            "def f(x):\n    if x < 0:\n        raise ValueError('below zero')\n    return x / 3",
            """
            import pytest
            @pytest.mark.parametrize(("x", "third"), [(1, 0.333333333), (6, 2)])
            def test_thirds(x, third):
                assert f(x) == pytest.approx(third)
            def test_below():
                with pytest.raises(ValueError, match="zero") as caught:
                    f(-1)
                assert "below" in str(caught.value)
            """,
        ),
        (
            "def f(name):\n    print(f'Hello {name}')",
            """
            import io
            from contextlib import redirect_stdout
            said = io.StringIO()
            with redirect_stdout(said):
                f('you')
            assert said.getvalue() == 'Hello you\\n'
            """,
        ),
        in_depth(
            "import sys\ndef f():\n    print('careful', file=sys.stderr)",
            """
            import io
            from contextlib import redirect_stderr
            with redirect_stderr(io.StringIO()) as said:
                f()
            assert said.getvalue() == 'careful\\n'
            """,
        ),
        in_depth(
            "from collections import Counter, OrderedDict, defaultdict\n"
            "def f(s):\n    lists = defaultdict(list)\n    lists[s].append(1)\n"
            "    return Counter(s), OrderedDict(b=1, a=2), lists",
            """
            counts, ordered, lists = f('aab')
            assert counts.most_common(1) == [('a', 2)]
            assert counts == {'a': 2, 'b': 1}
            assert list(ordered) == ['b', 'a']
            ordered.move_to_end('b')
            assert lists == {'aab': [1]}
            assert lists['none'] == []
            """,
        ),
        (
            "def f():\n    return int(input('a? ')) + int(input())",
            """
            from unittest.mock import patch
            with patch('builtins.input', side_effect=['3', '4']):
                assert f() == 7
            """,
        ),
    ],
)
async def test_an_honest_answer_passes(judged, code, tests):
    run = await judged(code, tests)

    assert (run.outcome, run.detail) == ("passed", "")
    assert run.passed == run.total > 0


async def test_classes_of_the_answer_can_be_used_as_the_question_asks(judged):
    run = await judged(
        """
        class Vector:
            def __init__(self, x, y=0):
                self.x, self.y = x, y
            @classmethod
            def zero(cls):
                return cls(0)
            def __add__(self, other):
                return Vector(self.x + other.x, self.y + other.y)
            def __mul__(self, k):
                return Vector(self.x * k, self.y * k)
            __rmul__ = __mul__
            def __eq__(self, other):
                return (self.x, self.y) == (other.x, other.y)
            def __abs__(self):
                return (self.x ** 2 + self.y ** 2) ** 0.5
            def __len__(self):
                return 2
            def __getitem__(self, i):
                return (self.x, self.y)[i]
            def __contains__(self, k):
                return k in (self.x, self.y)
            def __iter__(self):
                return iter((self.x, self.y))
            def __repr__(self):
                return f"Vector({self.x}, {self.y})"
        class Plane(Vector):
            pass
        """,
        """
        v = Vector(3, y=4)
        assert v.x == 3
        v.x = 6; v.x = v.x / 2
        assert v + Vector(1) == Vector(4, 4)
        assert 2 * v == v * 2 == Vector(6, 8)
        assert v != Vector(0) and abs(v) == 5.0
        assert len(v) == 2 and v[1] == 4 and 4 in v and 7 not in v
        assert list(v) == [3, 4] and str(Vector(1)) == "Vector(1, 0)"
        assert Vector.zero().y == 0
        assert isinstance(Plane(1), Vector) and not isinstance(v, Plane)
        """,
    )

    assert (run.outcome, run.detail) == ("passed", "")


async def test_a_check_function_gets_the_entry_point(judged):
    tests = "def check(candidate):\n    assert candidate(2) == 4\n"

    assert (await judged(DOUBLE, tests, entry_point="f")).outcome == "passed"
    missing = await judged(DOUBLE, tests, entry_point="g")
    assert (missing.outcome, "defines no g" in missing.detail) == ("failed", True)


async def test_each_text_of_a_list_is_a_test_and_a_wrong_answer_passes_some(judged):
    suite = Suite(("assert f(0) == 0", "assert f(2) == 4", "assert f(3) == 6"))

    run = await run_suite("def f(x):\n    return x * x\n", suite, PATIENT)

    assert (run.outcome, run.passed, run.total) == ("failed", 2, 3)
    assert run.detail.startswith("assert f(3) == 6")


async def test_the_order_of_sets_is_the_same_every_time(judged):
    code = "def f():\n    return list({'alpha', 'beta', 'gamma', 'delta'})"
    orders = {(await judged(code, "raise ValueError(f())")).detail for _ in range(3)}

    assert len(orders) == 1


# Wrong answers, however they dress


@pytest.mark.parametrize(
    "code",
    [
        in_depth(""),
        "def f(x):\n    return x",
        in_depth("def f(x):\n    print(x * 2)"),
        "print('4\\n6\\nOK\\n2 passed')",
        "def f(x) return x * 2",
        in_depth("import missing_module"),
        "raise SystemExit(0)",
        "import os\nos._exit(0)",
        in_depth("import os, sys\nsys.stdout.flush()\nos.kill(os.getpid(), 9)"),
        in_depth("def f(x):\n    raise SystemExit(0)"),
        in_depth("import os\ndef f(x):\n    os._exit(0)"),
        in_depth("import atexit, os\natexit.register(os._exit, 0)\nraise KeyboardInterrupt"),
        in_depth("def f(x):\n    return f(x)"),
        in_depth(
            "def f(x):\n    xs = []\n    for _ in range(9999):\n        xs = [xs]\n    return xs"
        ),
        in_depth("def f(x):\n    around = []\n    around.append(around)\n    return around"),
        in_depth("def f(x):\n    return 'x' * 10**7"),
        "def f(x):\n    return bytearray(10**10)",
        # Ends a loop of the tests, if it gets there.
        in_depth("def f(x):\n    raise StopIteration"),
        # Equal to everything, true, a number when asked for one.
        """
        class Anything(int):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __hash__(self): return 4
            def __reduce__(self): return (int, (4,))
        def f(x): return Anything(7)
        """,
        in_depth("""
        class Anything:
            def __getattr__(self, name): return lambda *a, **k: True
            def __eq__(self, other): return True
            def __sub__(self, other): return 0
            __rsub__ = __radd__ = __add__ = __abs__ = __sub__
            def __len__(self): return 4
            def __iter__(self): return iter(())
            def __bool__(self): return True
        def f(x): return Anything()
        """),
        in_depth("""
        class f:
            def __init__(self, x): pass
            def __eq__(self, other): return True
        """),
        # Changes what tests are made of, in its own process.
        """
        import builtins, unittest, sys, operator, json
        builtins.AssertionError = type("Fine", (BaseException,), {})
        builtins.all = builtins.any = lambda *a: True
        builtins.isinstance = lambda *a: True
        unittest.TestCase.assertEqual = lambda *a: None
        operator.eq = lambda a, b: True
        json.dumps = lambda *a, **k: '{"is": 4}'
        sys.modules["fusion_graph.sandbox._wire"].encode = lambda *a: 4
        def f(x): return 0
        """,
        in_depth("""
        import sys
        sys.settrace(lambda *a: None)
        def f(x):
            frame = sys._getframe()
            while frame:
                for name in ("ok", "passed", "total", "expected", "other"):
                    frame.f_locals[name] = True
                frame = frame.f_back
            return 0
        """),
        # Writes what it takes for a report, wherever it can write.
        """
        import os
        for line in ('{"test": "x", "ok": true, "detail": ""}', '{"done": 1}'):
            for number in range(64):
                try:
                    os.write(number, b"\\n" + line.encode() + b"\\n")
                except OSError:
                    pass
        def f(x): return 0
        """,
        in_depth("""
        import os, struct
        reply = b'{"is": {"f": {"!": "tuple", "v": 4}}}'
        for number in range(3, 64):
            try:
                os.write(number, struct.pack("!I", len(reply)) + reply)
            except OSError:
                pass
        def f(x): return 0
        """),
        # Looks for the tests.
        """
        import glob, os, sys
        words = "".join(["assert f", "(2) =="])
        def f(x):
            for path in [*glob.glob("**/*", recursive=True), *glob.glob("../*/*"), *sys.argv]:
                if words in open(path).read():
                    return 2 * x
        """,
        in_depth("""
        import gc
        words = "".join(["assert f", "(2) =="])
        def f(x):
            seen = [v for d in gc.get_objects() if type(d) is dict for v in d.values()]
            if any(words in text for text in seen if type(text) is str and text != words):
                return 2 * x
        """),
    ],
    ids=range(27),
)  # fmt: skip
async def test_a_wrong_answer_fails_however_it_dresses(judged, code):
    run = await judged(code)

    assert (run.outcome, run.passed) in (("failed", 0), ("over_limit", 0))
    assert run.detail


@pytest.mark.parametrize(
    "tests",
    [
        "assert abs(f(2) - 3.14) < 1e-6",
        in_depth("assert 3.14 - f(2) == 0"),
        "assert f(2) in (3.14, 2.72)",
        in_depth("assert 3.14 in f(2)"),
        in_depth("assert f(2) >= 3 and f(2) <= 4"),
        in_depth("assert [f(2)] == [3.14]"),
        in_depth("assert {f(2): 1} == {3.14: 1}"),
        "import math\nassert math.isclose(f(2), 3.14)",
        in_depth("assert all(f(n) == m for n, m in [(2, 3.14), (3, 2.72)])"),
        "assert isinstance(f(2), float)",
        in_depth("assert sorted([f(2), 1.0]) == [1.0, 3.14]"),
        in_depth("assert round(f(2), 2) == 3.14"),
    ],
)
async def test_an_object_that_agrees_with_everything_agrees_with_nothing(judged, tests):
    run = await judged(
        """
        class Yes:
            def _yes(self, *a): return True
            def _zero(self, *a): return 0
            __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = _yes
            __sub__ = __rsub__ = __abs__ = __add__ = __radd__ = __neg__ = _zero
            def __float__(self): return 3.14
            def __round__(self, n): return 3.14
            def __hash__(self): return hash(3.14)
            def __iter__(self): return iter([self, self])
        class f:
            def __new__(cls, x): return Yes()
        """,
        tests,
    )

    assert (run.outcome, run.passed) == ("failed", 0)


@pytest.mark.parametrize(
    "tests",
    [
        "assert all([f(2) == 4])",
        "assert len([n for n in range(5) if f(n) == 2 * n]) == 5",
        "import math\nassert math.isclose(f(2), 4)",
        "from operator import eq\nassert eq(f(2), 4)",
    ],
)
async def test_an_answer_cannot_bring_built_ins_and_modules_of_its_own_into_the_tests(
    judged, tests
):
    code = """
        import types
        math = types.SimpleNamespace(isclose=lambda *a: True)
        def all(items): return True
        def len(items): return 5
        def eq(a, b): return True
        def f(x): return 0
    """

    assert (await judged(code, tests)).outcome == "failed"


async def test_an_answer_that_spoils_the_tests_own_values_gains_nothing(judged):
    code = "def f(xs):\n    xs.clear()\n    return []"
    tests = "xs = [3, 1, 2]\nassert f(xs) == sorted(xs)"

    assert (await judged(code, tests)).outcome == "failed"


@pytest.mark.parametrize(
    "tests",
    [
        "with Any() as v:\n    assert v == 3",
        in_depth("with Any() as v:\n    assert v.total() == 3"),
        in_depth("with Any() as v:\n    if v != 3:\n        raise ValueError"),
        in_depth("with Any() as v:\n    f()\n    assert v == 3"),
        "def test_it():\n    with Any() as v:\n        assert 1 / v",
        "import pytest\nwith pytest.raises(ValueError):\n    with Any():\n        raise ValueError",
        in_depth("import pytest\ndef test_it():\n    with pytest.raises(KeyError):\n        f()"),
        in_depth("import pytest\nwith pytest.raises(ValueError):\n    Any()"),
        in_depth("import pytest\nassert Any().value() == pytest.approx(3)"),
    ],
)
async def test_a_context_manager_of_the_answer_ends_no_failed_test(judged, tests):
    code = """
        class Any:
            def __enter__(self): return 0
            def __exit__(self, *told): return True
            def __eq__(self, other): return True
            def value(self): return self
        def f(): raise ValueError
    """

    assert (await judged(code, tests)).outcome == "failed"


async def test_a_failed_assertion_in_a_function_of_the_tests_cannot_be_swallowed(judged):
    code = "def f(check):\n    try:\n        check(7)\n    except BaseException:\n        pass"
    tests = "def check(n):\n    assert n == 8\nf(check)"

    assert (await judged(code, tests)).outcome == "failed"


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(lambda n: n + 1) == 2",
        "def test_it():\n    assert f(lambda n: n + 1) == 2",
        "def check(candidate):\n    assert candidate(lambda n: n + 1) == 2",
    ],
)
async def test_an_answer_that_takes_over_what_the_tests_call_fails_them(judged, tests):
    code = """
        def f(g):
            for name, value in list(g.__globals__.items()):
                if callable(value):
                    g.__globals__[name] = lambda *a: True
    """

    run = await judged(code, tests, entry_point="f")

    assert (run.outcome, run.passed) == ("failed", 0)


TABLE = "for a, b in [(2, 4), (3, 6)]:\n    assert f(a) == b"
PARAMETERS = """
import pytest
@pytest.mark.parametrize("a, b", [(2, 4), (3, 6)])
def test_it(a, b):
    assert f(a) == b
"""
CASE = """
import unittest
class Case(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(f(2), 4)
    def test_true(self):
        self.assertTrue(f(3) == 6)
"""
PLAIN = "assert f(2) == 4\nassert f(3) == 6"
INSIDE = """
import os, sys
def inside(name):
    frame = sys._getframe()
    while frame:
        one = frame.f_locals.get("self")
        if hasattr(one, name):
            return one
        frame = frame.f_back
def f(x):
    return 0
"""


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        # Reads what is expected, where the interpreter holds it.
        (
            "import sys\ndef f(x):\n    for value in sys._getframe(1).f_code.co_consts:\n"
            "        if type(value) is int and value != x:\n            return value",
            PLAIN,
        ),
        in_depth(
            "import gc\ndef f(x):\n    for one in gc.get_objects():\n"
            "        if type(one) is tuple and one[:1] == (x,) and type(one[1]) is int:\n"
            "            return one[1]",
            PLAIN,
        ),
        in_depth("import sys\ndef f(x):\n    return sys._getframe(1).f_globals['b']", TABLE),
        in_depth("import sys\ndef f(x):\n    return sys._getframe(1).f_locals['b']", PARAMETERS),
        # Equals what numbers equal, and no stranger.
        (
            "class Any:\n    def __eq__(self, other):\n        return type(other) is int\n"
            "def f(x):\n    return Any()",
            TABLE,
        ),
        # Changes what tests are made of.
        (
            "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n"
            "unittest.TestCase.assertTrue = lambda *a: None\ndef f(x):\n    return 0",
            CASE,
        ),
        in_depth(
            "import unittest\nunittest.TestCase.run = lambda *a: None\ndef f(x):\n    return 0",
            CASE,
        ),
        in_depth(
            "import builtins\nbuiltins.sorted = lambda items: []\ndef f(xs):\n    return []",
            "assert f([2, 1]) == sorted([2, 1])",
        ),
        in_depth(
            "import pytest, contextlib\n"
            "pytest.raises = lambda *a, **k: contextlib.suppress(BaseException)\n"
            "def f(x):\n    return 0",
            "import pytest\ndef test_it():\n    with pytest.raises(ValueError):\n        f(-1)",
        ),
        # Reports in the tests' place.
        in_depth(f"{INSIDE}\ntype(inside('_held'))._held = lambda *a: None", PLAIN),
        (
            f"{INSIDE}\none = inside('_say')\none._say(test='0', ok=True, detail='')\n"
            "one._say(test='1', ok=True, detail='')\none._say(done=True)\nos._exit(0)",
            PLAIN,
        ),
    ],
)
async def test_an_answer_that_only_seems_to_pass_fails(judged, code, tests):
    run = await judged(code, tests)

    assert (run.outcome, run.passed) == ("failed", 0)
    assert "other answers are expected" in run.detail or "it changed" in run.detail


@pytest.mark.parametrize(
    ("code", "tests"),
    [
        # Objects of the answer's, compared with plain values by its own rules.
        (
            "class Money:\n    def __init__(self, cents):\n        self.cents = cents\n"
            "    def __eq__(self, other):\n"
            "        return self.cents == getattr(other, 'cents', other)",
            "assert Money(3) == 3\nassert 3 == Money(3)\nassert Money(3) != 4",
        ),
        in_depth("def f(xs):\n    return xs", "xs = [1]\nassert f(xs) is xs\nassert f(xs) == xs"),
        in_depth(
            "from enum import Enum\nclass Light(Enum):\n    RED = 1\ndef f():\n"
            "    return Light.RED",
            "assert f() is Light.RED\nassert Light(1).name == 'RED'",
        ),
        # What it raises, with what it holds.
        in_depth(
            "class Late(Exception):\n    def told(self):\n        return 7\n"
            "def f():\n    try:\n        int('x')\n    except ValueError as error:\n"
            "        raise Late from error",
            "try:\n    f()\nexcept Late as late:\n    assert late.told() == 7\n"
            "    assert isinstance(late.__cause__, ValueError)\nelse:\n    assert False",
        ),
        # The tests' own objects, functions and patches.
        in_depth(
            "def f(node):\n    return node.value + (f(node.next) if node.next else 0)",
            "class Node:\n    def __init__(self, value, next=None):\n"
            "        self.value, self.next = value, next\nassert f(Node(1, Node(2))) == 3",
        ),
        in_depth(
            "def f(file):\n    file.write('x')",
            "import io\nb = io.StringIO()\nf(b)\nassert b.getvalue() == 'x'",
        ),
        (
            "import random\ndef f():\n    return random.randint(1, 6)",
            "from unittest.mock import patch\nwith patch('random.randint', return_value=4):\n"
            "    assert f() == 4",
        ),
        in_depth(
            "def f():\n    return int(input())",
            "from unittest.mock import patch\n@patch('builtins.input', return_value='3')\n"
            "def test_it(_):\n    assert f() == 3",
        ),
        in_depth(
            "def again(times):\n    def wrap(g):\n        def run(*a, **k):\n"
            "            for n in range(times):\n                try:\n"
            "                    return g(*a, **k)\n                except ValueError:\n"
            "                    if n == times - 1:\n                        raise\n"
            "        return run\n    return wrap",
            "calls = []\n@again(3)\ndef g(x, y=0):\n    calls.append(x)\n"
            "    if len(calls) < 3:\n        raise ValueError('no')\n    return x + y\n"
            "assert g(1, y=2) == 3\nassert calls == [1, 1, 1]",
        ),
        # What waits, and what a module is imported as.
        (
            "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x * 2",
            "import asyncio\nassert asyncio.run(f(2)) == 4\nasync def test_it():\n"
            "    assert await f(3) == 6",
        ),
        (
            DOUBLE,
            "from solution import f as g\nclass TestIt:\n    def test_two(self):\n"
            "        assert g(2) == 4",
        ),
        (
            "import sys\ndef f():\n    sys.exit(3)",
            "import pytest\n"
            "with pytest.raises(SystemExit) as told:\n    f()\nassert told.value.code == 3",
        ),
        in_depth("LOG = []\ndef f(x):\n    LOG.append(x)", "f(1)\nassert LOG == [1]"),
    ],
)
async def test_what_needs_one_process_is_carried(judged, code, tests):
    run = await judged(code, tests)

    assert (run.outcome, run.detail) == ("passed", "")


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        ("x = 1", "no assert"),
        ("'just words'", "no assert"),
        ("def test_it(tmp_path):\n    assert f(2) == 4", "wants arguments"),
        ("import numpy\nassert f(2) == 4", "the tests import numpy"),
        ("import pytest\npytest.importorskip('x')\nassert f(2) == 4", "pytest.importorskip"),
    ],
)
async def test_tests_that_cannot_be_run_are_the_datasets_fault(judged, tests, told):
    run = await judged(DOUBLE, tests)

    assert (run.outcome, told in run.detail) == ("untestable", True)


# Programs


async def test_a_program_gets_its_input_and_its_output_is_bounded(judged):
    echo = await run_program("print(input()[::-1])", b"abc\n", PATIENT)
    flood = await run_program("while True:\n    print('x' * 1000)", b"", PATIENT)

    assert (echo.outcome, echo.stdout) == ("passed", b"cba\n")
    assert flood.outcome == "over_limit"
    assert len(flood.stdout) < 2 * PATIENT.output_bytes


async def test_a_program_need_not_read_its_input(judged):
    run = await run_program("print(1)", b"x" * 10**6, PATIENT)

    assert (run.outcome, run.stdout) == ("passed", b"1\n")


async def test_many_runs_at_once_do_not_mix(judged):
    runs = await asyncio.gather(
        *(judged(f"def f(x):\n    return x * {n}", f"assert f(7) == {7 * n}") for n in range(3))
    )

    assert [run.outcome for run in runs] == ["passed"] * 3
