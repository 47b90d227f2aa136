"""`ask --report` and `fusion-graph report`, in processes of their own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from fusion_graph import FusionReport, create_fusion_graph
from tests.commands import run, run_here

QUESTION = "How wet is water? <b>"


@pytest.fixture
def saved(panel_config, tmp_path) -> Path:
    """A run's report in a file, as `ask --json > run.json` leaves it."""
    graph = create_fusion_graph(panel_config())
    record = graph.invoke({"messages": [("user", QUESTION)]})["fusion"]
    file = tmp_path / "run.json"
    file.write_text(json.dumps(record), "utf-8")
    return file


def test_ask_writes_the_page_beside_the_answer(models, preset_file, tmp_path):
    models.script("b", {"status": 402})
    page = tmp_path / "run.html"

    ended = run_here("ask", "-p", preset_file(), "--report", str(page), QUESTION)

    assert ended.code == 0
    assert ended.out == "The final answer of the writer.\n"
    assert f"report: {page}" in ended.err
    html = page.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert "The final answer of the writer." in html
    assert "insufficient_credits" in html
    assert "How wet is water? &lt;b&gt;" in html


def test_the_page_is_written_also_when_nobody_answered(models, preset_file, tmp_path):
    for name in "abc":
        models.script(name, {"status": 401})
    page = tmp_path / "run.html"

    ended = run_here("ask", "-q", "-p", preset_file(), "--report", str(page), QUESTION)

    assert ended.code == 3
    assert "Why there is no answer" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("no/such/folder/run.html", "does not exist"),
        ("folder", "is a folder"),
        ("locked/run.html", "takes no file"),
        ("locked.html", "may not be written"),
        ("-", "--report wants a file"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_paid(
    models, preset_file, tmp_path, monkeypatch, file, said
):
    if "locked" in file and (sys.platform == "win32" or os.geteuid() == 0):
        pytest.skip("nothing is locked to root")
    (tmp_path / "folder").mkdir()
    (tmp_path / "locked").mkdir(mode=0o500)
    (tmp_path / "locked.html").touch(mode=0o400)
    preset = preset_file()
    path = file if file == "-" else str(tmp_path / file)

    ended = run_here("ask", "-p", preset, "--report", path, QUESTION)

    assert ended.code == 2
    assert said in ended.err
    assert models.calls() == []


def test_report_makes_the_page_beside_the_saved_run(saved, tmp_path):
    ended = run_here("report", str(saved))

    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"wrote {tmp_path / 'run.html'}\n"
    report = FusionReport.from_json(saved.read_bytes())
    assert (tmp_path / "run.html").read_text("utf-8") == report.to_html()


def test_report_reads_standard_input_and_writes_standard_output(saved, tmp_path):
    report = FusionReport.from_json(saved.read_bytes())

    page = run("report", "-", stdin=saved.read_text("utf-8"))
    text = run_here("report", "--text", str(saved))
    named = run_here("report", "--text", "-o", str(tmp_path / "run.txt"), str(saved))
    out = run_here("report", str(saved), "-o", "-")

    assert (page.code, page.out, page.err) == (0, report.to_html(), "")
    assert (text.code, text.out, text.err) == (0, report.to_text(), "")
    assert named.code == 0
    assert (tmp_path / "run.txt").read_text("utf-8") == report.to_text()
    assert out.out == page.out


def test_a_terminal_without_unicode_gets_the_whole_page(saved, monkeypatch):
    record = json.loads(saved.read_text("utf-8"))
    record["answer"] = "Wasser ist naß. 水"
    saved.write_text(json.dumps(record), "utf-8")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    ended = run("report", str(saved), "-o", "-")

    assert "Wasser ist na&#223;. &#27700;" in ended.out
    assert "?" not in ended.out[ended.out.index("<style>") : ended.out.index("</style>")]


def test_what_is_no_report_is_told_in_one_line(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("Buy milk.", "utf-8")

    ended = run_here("report", str(file))
    missing = run_here("report", str(tmp_path / "nothing.json"))
    page = tmp_path / "run.html"
    page.write_text("<!doctype html>", "utf-8")
    itself = run_here("report", str(page))

    assert ended.code == missing.code == itself.code == 2
    assert "notes.txt: This is not JSON" in ended.err
    assert "ask --json" in ended.err
    assert "No such file" in missing.err
    assert "written over" in itself.err
    assert page.read_text("utf-8") == "<!doctype html>"
    assert not (tmp_path / "notes.html").exists()
    assert all(len(end.err.splitlines()) == 1 for end in (ended, missing, itself))
