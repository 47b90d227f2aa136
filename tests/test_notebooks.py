"""The notebooks run from top to bottom without a key or a network, and show what is committed."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
from pathlib import Path
from types import CoroutineType, FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from notebooks.run import NOTEBOOKS, execute

if TYPE_CHECKING:
    from nbformat import NotebookNode

HINT = "If the change is meant, commit what `python -m notebooks.run` writes."

MOST_BYTES = 400_000
"""A notebook with its reports and plots: enough for two reports, still quick to open anywhere."""

MACHINES = re.compile(r"(?<![\w:/])/(?:root|home|work|tmp|var|private|Users)/|[A-Z]:\\Users")
"""How paths of somebody's machine begin."""

GUARD = """
def guard():
    import pathlib, socket, sys
    log = pathlib.Path("network").absolute()

    def refuse(event, args):
        if event == "socket.getaddrinfo":
            host = args[0]
        elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
            host = args[1][0]
        else:
            return
        if host not in (None, "", "127.0.0.1", "::1", "localhost"):
            log.write_text(f"{event} {args}")
            raise PermissionError(f"The notebook asked for {host}.")

    sys.addaudithook(refuse)
    try:
        socket.create_connection(("192.0.2.1", 9), 0.1)
    except PermissionError:
        log.rename("guarded")

guard()
del guard
"""
"""Runs before the first cell: refuses, and tells of, every address but this machine's."""

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart",
        "02_plug_into_an_agent",
        "03_compare_stacks",
    ]


@pytest.mark.slow
async def test_the_code_of_the_first_prints_what_is_committed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in read(NOTEBOOKS[0]).cells if cell.cell_type == "code"]
    for cell in cells:
        program = compile(cell.source, cell.id, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            awaited = FunctionType(program, names)()
            if isinstance(awaited, CoroutineType):
                await awaited

        if "varies" not in cell.metadata.get("tags", []):
            printed = [output.text for output in cell.outputs if output.output_type == "stream"]
            assert said.getvalue() == "".join(printed), HINT
    assert len(cells) > 5


@pytest.mark.slow
@each
async def test_it_runs_without_key_or_network_and_shows_what_is_committed(path, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "guard.py").write_text(GUARD)

    fresh = await execute(path, tmp_path)

    assert (tmp_path / "guarded").exists(), "the guard refused nothing"
    assert not (tmp_path / "network").exists(), (tmp_path / "network").read_text()
    committed = read(path)
    assert shown(fresh) == shown(committed), HINT


@each
def test_what_is_committed_is_from_one_run_and_fit_to_be_read(path):
    # Plain JSON: nbformat takes two seconds to import.
    text = path.read_text("utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    said = [words for output in outputs for words in told(output)]

    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), HINT
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert {o["name"] for o in outputs if o["output_type"] == "stream"} == {"stdout"}
    assert len("".join(said)) > 100
    assert not MACHINES.findall("\n".join(said))
    assert path.stat().st_size < MOST_BYTES


def told(output: dict[str, Any]) -> list[str]:
    """The texts of an output as the file has them, pictures aside."""
    if output["output_type"] == "stream":
        return ["".join(output["text"])]
    data = output["data"].items()
    return ["".join(text) for kind, text in data if kind.startswith("text/")]


def read(path: Path) -> NotebookNode:
    """What is committed."""
    import nbformat  # here: it takes two seconds, and each worker collects this module

    return nbformat.read(path, as_version=4)


def words(output: NotebookNode) -> str:
    """Everything an output says, pictures aside."""
    if output.output_type == "stream":
        return output.text
    return "\n".join(text for kind, text in output.data.items() if kind.startswith("text/"))


def shown(notebook: NotebookNode) -> dict[str, list[Any]]:
    """What each cell shows: words where they are the same in every run, else the kind of thing.

    Of lines that differ from run to run the figures and the order are left out. Pictures and
    reports hold times, and are compared by kind.
    """
    return {
        cell.id: [_shown(output, "varies" in cell.metadata.get("tags", [])) for output in outputs]
        for cell in notebook.cells
        if (outputs := cell.get("outputs"))
    }


def _shown(output: NotebookNode, varies: bool) -> Any:
    if output.output_type == "stream":
        lines = output.text.splitlines()
        if varies:
            lines = sorted(re.sub(r"\s+|\d+(?:[.,]\d+)*", " ", line) for line in lines)
        return output.name, lines
    kinds = sorted(output.data)
    told = None if varies else output.data.get("text/markdown", output.data["text/plain"])
    return output.output_type, kinds, told
