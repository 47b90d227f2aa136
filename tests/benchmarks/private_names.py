"""Finds uses of other libraries' private names outside `fusion_graph/langgraph_seams`.

A private name is an underscored attribute, method, parameter or module of an object that is not
ours, a key of LangGraph's own (`__pregel_…`), or one of `UNDOCUMENTED`. A name is ours if the same
room defines it; a method or field in a subclass of a library's class is the library's if that class
has it too, which is looked up in the library itself.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

SEAMS = "fusion_graph.langgraph_seams"

OURS = ("fusion_graph", "fusion_tools")

UNDOCUMENTED = {
    "var_child_runnable_config": "langchain-core's variable of the config around",
    "set_config_context": "langchain-core's setter of it",
    "subgraphs": "LangGraph's place of a node's graph (if assigned)",
    "__class__": "an object's class (if assigned)",
    "cast_to": "the OpenAI SDK's type of a reply (as an argument)",
    "root_async_client": "the SDK's client under ChatOpenAI",
}
"""Names without an underscore that no documentation promises either."""

EXTENSION_POINTS = frozenset(
    {"_generate", "_agenerate", "_stream", "_astream", "_llm_type", "_identifying_params"}
    | {"_resolve_model_profile", "_run", "_arun"}
)
"""Methods that LangChain's docstrings tell subclasses to override in a model or a tool."""

DOCUMENTED = frozenset(
    {"_exit", "_replace", "_asdict", "_fields", "_make", "_missing_", "_repr_html_"}
    | {"_repr_mimebundle_", "_ipython_display_"}
)
"""Underscored names of Python's and IPython's documentation."""


class Use(NamedTuple):
    """One use of a private name: where, and the code."""

    module: str
    line: int
    code: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line} `{self.code}`"


def uses(modules: Mapping[str, Path]) -> list[Use]:
    """Every use of a private name outside the seams.

    Args:
        modules: The files of both packages, by dotted name.
    """
    trees = {name: ast.parse(path.read_text("utf-8")) for name, path in modules.items()}
    classes = {
        (module, node.name): node
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    overrides = {module: list(_overrides(module, trees, classes)) for module in trees}
    # What a class of ours redefines is the library's all the same.
    taken = {name for found in overrides.values() for name, _, _ in found}
    own: dict[Path, set[str]] = {}
    for module, tree in trees.items():
        own.setdefault(modules[module].parent, set()).update(set(_defined(tree)) - taken)
    everywhere = set().union(*own.values())
    found = set()
    for module, tree in trees.items():
        if module.startswith(SEAMS):
            continue
        found |= {Use(module, line, code) for _, line, code in overrides[module]}
        reader = _Reader(tree, own[modules[module].parent], everywhere)
        found |= {Use(module, *use) for use in reader.accesses()}
    return sorted(found)


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore and is neither Python's own nor documented."""
    python = name.startswith("__") and name.endswith("__")
    named = name.startswith("_") and name.strip("_")
    return bool(named) and not python and name not in DOCUMENTED | EXTENSION_POINTS


def _defined(tree: ast.AST) -> Iterator[str]:
    """Underscored names that a file gives to things of its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # `__slots__`, `object.__setattr__(made, "_answer", …)`


class _Reader:
    """Reads one module."""

    def __init__(self, tree: ast.AST, own: set[str], everywhere: set[str]) -> None:
        self.tree, self.own, self.everywhere = tree, own, everywhere

    def accesses(self) -> Iterator[tuple[int, str]]:
        """Private names that are read, imported, passed or assigned to."""
        docstrings = set(_docstrings(self.tree))
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield from self._import(node)
            elif isinstance(node, ast.keyword):
                if node.arg and (node.arg == "cast_to" or node.arg.startswith("__pregel")):
                    yield node.value.lineno, f"{node.arg}=…"
            elif isinstance(node, ast.Call):
                yield from self._by_string(node)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                # LangGraph's builder gives its nodes to look at, and `add_node` to set one.
                if isinstance(node.value, ast.Attribute) and node.value.attr == "nodes":
                    yield node.lineno, f"{ast.unparse(node)} = …"
            elif (
                isinstance(node, ast.Constant)
                and id(node) not in docstrings
                and str(node.value).startswith("__pregel_")
            ):
                yield node.lineno, repr(node.value)

    def _attribute(self, node: ast.Attribute) -> Iterator[tuple[int, str]]:
        name, stored = node.attr, isinstance(node.ctx, ast.Store)
        if name in UNDOCUMENTED and (stored or name not in ("subgraphs", "__class__", "cast_to")):
            yield node.lineno, ast.unparse(node)
        elif is_private(name):
            # `self` may have it from a base of ours in another room.
            mine = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if name not in (self.everywhere if mine else self.own):
                yield node.lineno, ast.unparse(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[int, str]]:
        inside = node.module or "" if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            path = f"{inside}.{alias.name}".strip(".")
            relative = isinstance(node, ast.ImportFrom) and node.level > 0
            if relative or path.split(".")[0] in (*OURS, "__future__"):
                continue
            if any(map(is_private, path.split("."))) or alias.name in UNDOCUMENTED:
                yield node.lineno, path

    def _by_string(self, node: ast.Call) -> Iterator[tuple[int, str]]:
        """`getattr(model, "_name")` and its like."""
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        called = node.func.id if isinstance(node.func, ast.Name) else called
        if called not in ("getattr", "setattr", "hasattr", "delattr", "__setattr__"):
            return
        for argument in node.args[1:2]:
            name = argument.value if isinstance(argument, ast.Constant) else None
            assigned = called in ("setattr", "__setattr__") and name in ("__class__", "subgraphs")
            attributes = {n.attr for n in ast.walk(self.tree) if isinstance(n, ast.Attribute)}
            mine = self.own & attributes
            if isinstance(name, str) and (assigned or (is_private(name) and name not in mine)):
                yield node.lineno, ast.unparse(node)


def _overrides(
    module: str,
    trees: Mapping[str, ast.AST],
    classes: Mapping[tuple[str, str], ast.ClassDef],
) -> Iterator[tuple[str, int, str]]:
    """Private names that a subclass of a library's class redefines: name, line, code."""
    for node in ast.walk(trees[module]):
        if not isinstance(node, ast.ClassDef):
            continue
        unknown, bases = _library_bases(module, node, trees, classes)
        for name, line in _members(node):
            if is_private(name) and (unknown or any(hasattr(base, name) for base in bases)):
                yield name, line, f"{node.name}.{name}"


def _members(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            yield inner.name, inner.lineno
            for deeper in ast.walk(inner):
                if (
                    isinstance(deeper, ast.Attribute)
                    and isinstance(deeper.ctx, ast.Store)
                    and isinstance(deeper.value, ast.Name)
                    and deeper.value.id == "self"
                ):
                    yield deeper.attr, deeper.lineno
        elif isinstance(inner, ast.AnnAssign) and isinstance(inner.target, ast.Name):
            yield inner.target.id, inner.lineno
        elif isinstance(inner, ast.Assign):
            yield from ((t.id, inner.lineno) for t in inner.targets if isinstance(t, ast.Name))


def _library_bases(
    module: str,
    node: ast.ClassDef,
    trees: Mapping[str, ast.AST],
    classes: Mapping[tuple[str, str], ast.ClassDef],
) -> tuple[bool, list[Any]]:
    """The library's classes above a class, and whether a base is not known before it runs."""
    origins = dict(_imports(trees[module]))
    unknown, found = False, []
    for base in node.bases:
        plain = base.value if isinstance(base, ast.Subscript) else base
        name = ast.unparse(plain)
        first, _, rest = name.partition(".")
        if (module, name) in classes:
            inner, bases = _library_bases(module, classes[module, name], trees, classes)
        elif first not in origins:
            inner, bases = not hasattr(builtins, name), []
        else:
            home, imported = origins[first]
            parts = [part for part in (imported, *rest.split(".")) if part]
            if home.split(".")[0] in OURS:
                again = classes.get((home, parts[-1]))
                if again is None:
                    continue  # handed on by a room's `__init__`
                inner, bases = _library_bases(home, again, trees, classes)
            else:
                thing: Any = import_module(home)
                for part in parts:
                    thing = getattr(thing, part)
                inner, bases = False, [thing]
        unknown, found = unknown or inner, found + bases
    return unknown, found


def _imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """What each imported name is: a module and a name in it, "" for the module itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, (node.module, alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                home = alias.name if alias.asname else alias.name.split(".")[0]
                yield alias.asname or home, (home, "")


def _docstrings(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)
