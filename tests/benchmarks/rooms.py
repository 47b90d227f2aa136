"""Counts the rooms of the package, the imports between them, and their sizes, as Markdown.

    python -m tests.benchmarks.rooms             # this tree
    python -m tests.benchmarks.rooms ../before   # another checkout, by the contract it has itself

A room is a folder of `fusion_graph`, or a module that lies beside the folders; `fusion_tools` is
one. Every import counts, those inside functions and for type checkers alone included. An arrow runs
up if the import contract in pyproject.toml puts its end above its start.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.benchmarks.duplicates import duplicates
from tests.benchmarks.private_names import uses

ROOT = Path(__file__).parents[2]
PACKAGES = {"fusion_graph": "fusion_graph", "fusion_tools": "tools/fusion_tools"}

Graph = dict[str, set[str]]
"""What each module, or each room, imports."""


def modules(root: Path) -> dict[str, Path]:
    """Every module of both packages, by its dotted name."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((root / folder).rglob("*.py")):
            parts = [package, *path.relative_to(root / folder).with_suffix("").parts]
            found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of both packages that a file imports."""
    wanted = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                wanted.add(inner if inner in known else node.module)
    return wanted & known.keys()


def room_of(module: str) -> str:
    """The room of a module: `fusion_graph.cost.usage` is in `cost`."""
    package, *inner = module.split(".")
    if package == "fusion_tools":
        return package
    return inner[0] if inner else "__init__"


def circles(graph: Graph) -> list[list[str]]:
    """Sets of modules each of which reaches all others of its set, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for end in sorted(graph.get(node, ())):
            if end not in index:
                visit(end)
                low[node] = min(low[node], low[end])
            elif end in stack:
                low[node] = min(low[node], index[end])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def floors(root: Path) -> dict[str, int]:
    """How high each room lies by the import contract; 0 is the lowest."""
    config = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    (contract,) = (c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    height = {}
    for floor, layer in enumerate(reversed(contract["layers"])):
        for name in layer.replace("|", ":").split(":"):
            height[room_of(name.strip(" ()"))] = floor
    return height


def between(graph: Graph) -> Graph:
    """The imports between rooms, from those between modules."""
    rooms: Graph = {}
    for start, ends in graph.items():
        rooms.setdefault(room_of(start), set()).update(map(room_of, ends))
    return {room: ends - {room} for room, ends in rooms.items()}


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _listed(things: Iterable[object]) -> str:
    return "; ".join(map(str, things))


def report(root: Path) -> str:
    """All figures of a tree, as Markdown."""
    known = modules(root)
    graph = {name: imported(path, known) - {name} for name, path in known.items()}
    rooms, height = between(graph), floors(root)
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in known.items()}
    script = sum(len(p.read_text("utf-8").splitlines()) for p in root.glob("fusion_graph/**/*.js"))

    arrows = [(start, end) for start, ends in rooms.items() for end in ends]
    # The package's own `__init__` and `__main__` only hand on what is elsewhere.
    up = sorted(
        f"{start} → {end}"
        for start, end in arrows
        if start in height and end in height and height[start] < height[end]
    )
    flat = sorted(path.stem for path in (root / "fusion_graph").glob("*.py"))
    unplaced = sorted(rooms.keys() - height.keys() - {"__init__", "__main__"})
    largest = max(lines, key=lambda name: lines[name])
    round_trips = circles(graph)
    private, twice = uses(known), duplicates(known)
    figures = [
        ("rooms", len(rooms)),
        ("arrows between rooms", len(arrows)),
        ("arrows that run up", f"{len(up)} {', '.join(up)}".strip()),
        ("rooms in no layer", f"{len(unplaced)} {', '.join(unplaced)}".strip()),
        ("circles of rooms", len(circles(rooms))),
        ("circles of modules", f"{len(round_trips)} {'; '.join(map(' ↔ '.join, round_trips))}"),
        ("flat modules in `fusion_graph/`", f"{len(flat)} ({', '.join(flat)})"),
        ("private names outside the seams", f"{len(private)} {_listed(private)}".strip()),
        ("duplicates", f"{len(twice)} {_listed(twice)}".strip()),
        ("files", len(lines)),
        ("lines of Python", sum(lines.values())),
        ("lines of JavaScript", script),
        ("largest file", f"{lines[largest]} (`{largest}`)"),
        ("median file", round(statistics.median(lines.values()))),
    ]
    rows = []
    for room in sorted(rooms, key=lambda room: (-height.get(room, 99), room)):
        sizes = [count for name, count in lines.items() if room_of(name) == room]
        ends = ", ".join(sorted(rooms[room])) or "nothing"
        rows.append((room, len(sizes), sum(sizes), max(sizes), ends))
    return "\n\n".join(
        [
            table(("figure", "value"), figures),
            table(("room", "files", "lines", "largest", "imports"), rows),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=ROOT, help="another checkout")
    print(report(parser.parse_args().root))
