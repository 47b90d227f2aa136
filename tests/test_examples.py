"""README and docs say what is so: examples run, tables are whole, links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from docs.generate import GENERATED
from docs.generate import PAGES as GENERATED_PAGES
from tests.commands import run_here
from tests.depth import in_depth
from tests.examples import PAGES, ROOT, blocks, pages_with, run_page

README = PAGES["README.md"]

SERVED = ("http://127.0.0.1:8484", "http://127.0.0.1:2024")
"""Examples that talk to a server are run where one is: tests/server, tests/integrations."""

ALONE = [
    page
    for page in pages_with("python", "py")
    if not any(address in b.text for b in blocks(page, "python", "py") for address in SERVED)
]


# langgraph-supervisor still builds on langgraph's own create_react_agent.
@pytest.mark.filterwarnings("ignore:.*moved to `langchain.agents`")
@pytest.mark.parametrize(
    "page",
    [page if page == "README.md" else in_depth(page) for page in ALONE],
    ids=ALONE,
)
def test_the_python_of_a_page_runs_and_prints_what_the_page_says(page):
    run_page(page)


def test_every_face_has_an_example_that_runs():
    faces = ("graph-node", "tool", "sub-agent", "chat-model", "follow", "own-documents")
    assert {"README.md", *(f"docs/how-to/{face}.md" for face in faces)} <= set(ALONE)


def test_the_answer_in_the_readme_is_the_answer_of_its_first_command(readme_output):
    said = " ".join(run_here(*readme_output.command).out.split())
    at = 0
    for piece in readme_output.pieces:
        assert (at := said.find(piece, at)) >= 0, piece


class ReadmeOutput:
    """The first command, what follows `fusion-graph` in it, and the pieces of what it prints."""

    def __init__(self) -> None:
        block, shown = blocks("README.md", "bash", "text")[:2]
        assert (block.language, shown.language) == ("bash", "text")
        (self.command,) = commands(block.text)
        text = " ".join(shown.text.split())
        self.pieces = [piece.strip() for piece in text.split("…") if piece.strip()]


@pytest.fixture
def readme_output() -> ReadmeOutput:
    return ReadmeOutput()


def commands(block: str) -> Iterator[list[str]]:
    """What follows `fusion-graph` in each line of a shell block, up to a pipe or its like."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        args: list[str] | None = None
        for word in words:
            if word.rpartition("/")[2] == "fusion-graph":
                args = []
            elif args is not None and set(word) <= set("|>&;()"):
                break
            elif args is not None:
                args.append(word)
        if args is not None:
            yield args


@pytest.fixture(scope="module")
def whole() -> Any:
    """The command line, made once for all pages."""
    import typer.main

    from fusion_graph.cli.app import command_line

    return typer.main.get_command(command_line())


@pytest.mark.parametrize("page", pages_with("bash"))
def test_the_commands_of_a_page_have_the_options_they_are_shown_with(page, whole):
    for block in blocks(page, "bash"):
        for args in commands(block.text):
            top = whole.make_context("fusion-graph", [*args])
            name, command, rest = whole.resolve_command(top, args)
            command.make_context(name, rest, parent=top)


@pytest.mark.parametrize("page", GENERATED)
def test_the_reference_is_what_the_types_say(page):
    made = (GENERATED_PAGES / page).read_text("utf-8")
    assert made == GENERATED[page](), "Commit what `python -m docs.generate` writes."


def test_the_reference_has_every_field_event_and_key():
    from fusion_graph import FusionConfig, FusionReport
    from fusion_graph.state.events import EVENTS

    for names, page in [
        (FusionConfig.model_fields, "configuration"),
        (EVENTS, "events"),
        (FusionReport.model_fields, "report"),
    ]:
        for name in names:
            assert f"\n| `{name}` | " in PAGES[f"docs/reference/{page}.md"], name


def test_the_preset_shown_is_one_and_all_presets_are_listed(tmp_path):
    from fusion_graph.config.presets import load
    from fusion_graph.config.presets.files import SHIPPED

    page = "docs/how-to/choose-models.md"
    (block,) = blocks(page, "toml")
    path = tmp_path / "mine.toml"
    path.write_text(block.text)
    assert len(load(str(path)).fields["panel"]) == 3
    for name in SHIPPED:
        assert f"\n| `{name}` | " in PAGES[page], name


def test_failures_lists_every_reason_and_every_code_there_is():
    from fusion_graph.errors import FailureReason

    source = "".join(path.read_text("utf-8") for path in ROOT.glob("fusion_graph/**/*.py"))
    codes = set(re.findall(r'"code": "([a-z]+_?[a-z_]+)"', source))
    codes |= set(re.findall(r'UnreadableVerdict\(\s*"([a-z_]+)"', source))
    codes |= {"claim_contradicted", "claim_unsupported"}  # made of a claim's verdict
    _, reasons_on, codes_on, _ = PAGES["docs/failures.md"].split("\n## ")

    def first_cells(section: str) -> set[str]:
        rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
        return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}

    assert first_cells(reasons_on) == set(get_args(FailureReason))
    assert first_cells(codes_on) == codes


def test_a_stranger_finds_the_six_things_in_the_first_120_lines_of_the_readme():
    lines = README.splitlines()
    assert len(lines) <= 200
    begin = "\n".join(lines[:120])
    for thing in (
        "pip install",
        "fusion-graph ask --preset offline",
        "create_fusion_tool",
        "fusion-graph ask --preset NAME",
        "fusion-graph ask --corpus",
        "fusion-graph estimate",
    ):
        assert thing in begin, thing


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    heads = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), link


# langgraph-supervisor still builds on langgraph's own create_react_agent.
@pytest.mark.filterwarnings("ignore:.*moved to `langchain.agents`")
@pytest.mark.parametrize(
    "module",
    [
        in_depth("fusion_graph.faces.follow"),
        "fusion_graph.graph",
        in_depth("fusion_graph.faces"),
        in_depth("fusion_graph.faces.chat_model"),
        in_depth("fusion_graph.faces.tool"),
        "fusion_graph.report.fusion_report",
    ],
)
def test_docstring_examples_run(module):
    failed, tried = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert tried
    assert not failed


def test_langgraph_json_points_at_the_graph():
    config = json.loads((ROOT / "langgraph.json").read_text())
    path, _, name = config["graphs"]["fusion"]["path"].partition(":")
    assert (ROOT / path).is_file()
    module = importlib.import_module("fusion_graph.faces.studio")
    assert Path(module.__file__).samefile(ROOT / path)
    assert set(getattr(module, name).nodes) >= {"fan_out", "panelist", "join", "judge", "synthesis"}
