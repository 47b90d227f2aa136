"""What `python -m tests.benchmarks.rooms` counts, and what has to stay at none."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.benchmarks.duplicates import duplicates
from tests.benchmarks.private_names import uses
from tests.benchmarks.rooms import ROOT, modules


@pytest.mark.slow
def test_no_private_name_of_another_library_is_used_outside_the_seams():
    found = uses(modules(ROOT))
    assert not found, (
        f"{'; '.join(map(str, found))}: put each into fusion_graph/langgraph_seams behind a public "
        "function that says what breaks without it, with a test in tests/langgraph_seams"
    )


def written(folder: Path, **files: str) -> dict[str, Path]:
    """Modules of a package of ours, by dotted name."""
    found = {}
    for name, code in files.items():
        path = folder / name / "module.py"
        path.parent.mkdir()
        path.write_text(textwrap.dedent(code), "utf-8")
        found[f"fusion_graph.{name}.module"] = path
    return found


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("def f(model): return model._get_ls_params()", "model._get_ls_params"),
        ("from openai._base_client import AsyncAPIClient", "openai._base_client.AsyncAPIClient"),
        ("import langgraph._internal", "langgraph._internal"),
        ("from langchain_core.runnables.config import set_config_context", "set_config_context"),
        ("KEY = '__pregel_read'", "'__pregel_read'"),
        ("def f(graph, cls): graph.__class__ = cls", "graph.__class__"),
        ("def f(graph, inner): graph.nodes['a'].subgraphs = [inner]", "subgraphs"),
        ("def f(builder, node): builder.nodes['synthesis'] = node", "builder.nodes['synthesis']"),
        ("def f(client): return client.post('/x', cast_to=object)", "cast_to"),
        ("def f(graph): return getattr(graph, '_migrate_checkpoint')", "_migrate_checkpoint"),
        (
            """
            from langchain_openai import ChatOpenAI
            class Mine(ChatOpenAI):
                def _get_request_payload(self, given, **kwargs): return {}
            """,
            "Mine._get_request_payload",
        ),
        (
            """
            def mend(cls):
                class Kept(cls):
                    def _whatever(self): return 1
                return Kept
            """,
            "Kept._whatever",
        ),
    ],
)
def test_each_way_of_using_a_private_name_is_seen(tmp_path, code, use):
    found = uses(written(tmp_path, room=code))
    assert any(use in item.code for item in found), found


@pytest.mark.parametrize(
    "code",
    [
        "class Own:\n    def __init__(self): self._part = 1\ndef f(own): return own._part",
        "import os\ndef f(): os._exit(0)",
        "def f(thing): return type(thing).__name__",
        """
        from langchain_core.language_models import BaseChatModel
        class Mine(BaseChatModel):
            @property
            def _llm_type(self): return "mine"
            def _own_part(self): return self._llm_type
        """,
    ],
)
def test_names_of_our_own_and_documented_ones_are_no_private_names(tmp_path, code):
    assert uses(written(tmp_path, room=code)) == []


def test_a_private_name_of_another_room_of_ours_is_one_too(tmp_path):
    rooms = written(
        tmp_path,
        one="class Own:\n    def __init__(self): self._part = 1",
        other="def f(own): return own._part",
    )
    assert [use.code for use in uses(rooms)] == ["own._part"]


SUM = """
def {name}({given}):
    found = {{}}
    for {item} in {given}:
        key = {item}.strip().lower()
        if not key:
            continue
        found[key] = found.get(key, 0) + 1
    {last}
    return found
"""


def test_functions_that_differ_in_names_and_one_statement_are_duplicates(tmp_path):
    rooms = written(
        tmp_path,
        one=SUM.format(name="count", given="words", item="word", last="print('counted')"),
        other=SUM.format(name="tally", given="lines", item="line", last="del found['total']"),
    )
    (pair,) = duplicates(rooms)
    assert "count" in pair.one
    assert "tally" in pair.other
    assert pair.lines == 8


def test_functions_that_call_other_things_are_no_duplicates(tmp_path):
    lines = "\n".join(f"    a{n} = {{f}}{n}(given)" for n in range(8))
    rooms = written(
        tmp_path,
        one="def one(given):\n" + lines.format(f="read") + "\n    return a7",
        other="def other(given):\n" + lines.format(f="write") + "\n    return a7",
    )
    assert duplicates(rooms) == []


@pytest.mark.slow
def test_no_function_stands_twice_but_for_a_synchronous_and_an_asynchronous_face():
    def name(place: str) -> str:
        return place.rpartition(" ")[2].lstrip("_").removeprefix("a")

    found = [pair for pair in duplicates(modules(ROOT)) if pair.alike >= 0.75]
    assert [str(pair) for pair in found if name(pair.one) != name(pair.other)] == []
