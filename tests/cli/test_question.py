"""The question as people type it: loose words, pipes beside it, files, an answer into a file."""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.children import Child
from tests.commands import run, run_here, start

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ANSWER = "The final answer of the writer."


def asked(models) -> list[dict]:
    """The user's last message as a panelist was sent it, in parts."""
    content = models.calls("a")[-1].body["messages"][-1]["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def test_words_need_no_quotes(models, preset_file):
    done = run_here("ask", "How", "wet", "is", "water?", "--preset", preset_file())

    assert done.out.strip() == ANSWER
    assert asked(models)[0]["text"].endswith("How wet is water?")


def test_what_is_piped_in_beside_a_question_is_context(models, preset_file):
    done = run("ask", "--preset", preset_file(), "Sum this up", stdin="ice\nsteam\n")

    assert done.code == 0
    said = asked(models)[0]["text"]
    assert said.endswith(
        "Sum this up\n\n[File: standard input]\nice\nsteam\n[End of standard input]"
    )


def test_a_pipe_alone_is_the_question(models, preset_file):
    run_here("ask", "--preset", preset_file(), stdin="How wet?\n")

    assert asked(models)[0]["text"].endswith("How wet?")


def test_a_pipe_that_nobody_writes_to_is_told_and_waited_for(models, preset_file):
    process = start("ask", "--preset", preset_file(), "Sum this up", stdin=None)
    process.says("reading standard input as context")
    process.tell(b"late words")
    process.hang_up()

    assert process.wait().out.strip() == ANSWER
    assert "late words" in asked(models)[0]["text"]


def test_texts_pictures_and_pdfs_go_with_the_question(models, preset_file, tmp_path):
    (tmp_path / "notes.md").write_text("Ice floats.")
    (tmp_path / "chart").write_bytes(PNG)
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.4\n%%EOF")
    files = [f"-a{tmp_path / name}" for name in ("notes.md", "chart", "paper.pdf")]

    done = run_here("ask", "--preset", preset_file(), "What do they say?", *files)

    assert done.code == 0
    text, picture, paper = asked(models)
    assert text["text"].endswith(
        "What do they say?\n\n[File: notes.md]\nIce floats.\n[End of notes.md]"
    )
    encoded = base64.b64encode(PNG).decode()
    assert picture["image_url"]["url"] == f"data:image/png;base64,{encoded}"
    assert paper["file"]["filename"] == "paper.pdf"


def test_a_picture_alone_is_a_question(models, preset_file, tmp_path):
    (tmp_path / "chart.png").write_bytes(PNG)

    run_here("ask", "--preset", preset_file(), "-a", str(tmp_path / "chart.png"))

    assert [part["type"] for part in asked(models)][-1] == "image_url"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\x00\x01\x02\xff", "is neither text (UTF-8), a picture"),
        (b"a" * 10_000_001, "is larger than 10 MB"),
    ],
    ids=["missing", "empty", "binary", "large"],
)
def test_a_file_that_no_model_takes_is_refused_and_nobody_is_asked(
    models, preset_file, tmp_path, content, said
):
    path = tmp_path / "thing"
    if content is not None:
        path.write_bytes(content)

    done = run_here("ask", "--preset", preset_file(), "What is it?", "-a", str(path))

    assert done.code == 2
    assert f"The attachment {path} {said}" in done.err
    assert models.calls() == []


def test_the_answer_or_the_report_goes_into_a_file(models, preset_file, tmp_path):
    answer, report = tmp_path / "answer.md", tmp_path / "run.json"

    first = run_here("ask", "--preset", preset_file(), "How wet?", "-o", str(answer))
    run_here("ask", "--preset", preset_file(), "How wet?", "--json", "-o", str(report))

    assert (first.code, first.out) == (0, "")
    assert answer.read_text() == f"{ANSWER}\n"
    assert json.loads(report.read_text())["answer"] == ANSWER
    assert f"answer: {answer}" in first.err


def test_a_file_that_takes_no_answer_does_not_cost_it(models, preset_file, tmp_path):
    nowhere = tmp_path / "no folder" / "answer.md"
    refused = run_here("ask", "--preset", preset_file(), "How wet?", "-o", str(nowhere))
    assert (refused.code, models.calls()) == (2, [])

    full = run("ask", "--preset", preset_file(), "How wet?", "-o", "/dev/full")
    assert full.code == 1
    assert full.out == f"{ANSWER}\n"
    assert "No space left on device; it stands here instead" in full.err


def test_a_thread_knows_a_question_with_a_picture_again(models, preset_file, tmp_path, monkeypatch):
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "chart.png").write_bytes(PNG)
    question = ("How wet?", "-a", str(tmp_path / "chart.png"), "--thread", "t")

    run_here("ask", "--preset", preset_file(), *question)
    run_here("ask", "--preset", preset_file(), "And ice?", "--thread", "t")

    kinds = [
        part["type"]
        for message in models.calls("a")[-1].body["messages"]
        for part in message["content"]
        if isinstance(part, dict)
    ]
    assert "image_url" in kinds
    assert run_here("resume").out.split("\t")[2].strip() == "And ice?"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_shell_on_a_terminal_pipes_attaches_and_looks_back(
    models, preset_file, tmp_path, monkeypatch
):
    monkeypatch.setenv("FUSION_GRAPH_LOG", "on")
    monkeypatch.setenv("FUSION_GRAPH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "notes.md").write_text("Ice floats.")
    command = f"{shlex.quote(sys.executable)} -m fusion_graph"
    typed = (
        f"printf 'ice\\nsteam' | {command} ask -p {preset_file()} Sum this up "
        f"-a {tmp_path}/notes.md && {command} log"
    )
    ours, theirs = os.openpty()
    with ThreadPoolExecutor(1) as reader:
        shown = reader.submit(lambda: b"".join(iter(lambda: read_on(ours), b"")))
        with Child(["sh", "-c", typed], stdin=theirs, stdout=theirs, stderr=theirs):
            os.close(theirs)
        screen = shown.result().decode()
    os.close(ours)

    said = asked(models)[0]["text"]
    assert "Sum this up" in said
    assert "[File: standard input]\nice\nsteam\n" in said
    assert "[File: notes.md]\nIce floats.\n" in said
    assert ANSWER in screen
    assert "\tSum this up [File: standard input]" in screen.rpartition("status: ")[2]


def read_on(terminal: int) -> bytes:
    """What comes from a terminal; nothing once nobody holds its other end."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
