"""The view on a terminal: a real pseudo-terminal, and the board's rows."""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from fusion_graph.cli.board import Board
from tests.commands import start
from tests.evals.evaluations import PRICES, question_file, script, stack_file

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""What hides and shows the cursor."""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_the_board_is_gone_before_the_answer_comes(models, preset_file, monkeypatch):
    preset = preset_file()
    models.script("b", {"status": 401})
    models.script("w", {"text": "Water is \x1b[31mvery\x1b[2J wet."})
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")

    code, shown = on_terminal("ask", "-p", preset, "How wet is water?")

    assert code == 0
    board, _, rest = shown.rpartition(SHOW)
    assert HIDE in board
    assert HIDE not in rest
    last = board.rpartition("panel of 3: a, b, c")[2]
    assert "a" in last
    assert "answered, 16 characters, 0 tool calls" in last
    assert "failed: auth: " in last
    assert "2 of consensus" not in last
    assert "1 of consensus, 1 contradiction" in last
    assert "Water" not in board
    lines = rest.replace("\r", "").strip("\n").split("\n")
    # What a model writes does not command the terminal.
    assert lines[0] == "Water is [31mvery[2J wet."
    assert lines[1] == ""
    assert lines[2].startswith("status: degraded; 2 of 3 of the panel answered")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_an_evaluation_draws_a_bar_with_its_cost(models, tmp_path, monkeypatch):
    script(models)
    stack, dataset = stack_file(models, tmp_path), question_file(tmp_path, 2)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")

    code, shown = on_terminal(
        *("eval", "--dataset", dataset, "--arms", stack, "--out", str(tmp_path / "out"))
    )

    assert code == 0
    bar, _, rest = shown.rpartition(SHOW)
    first = bar.replace("\r", "").split("\n")[0]
    assert "2 answers, cost unknown: nobody knows the price of " in first
    assert "$0.0000" not in first
    assert "the price of scripted:a, scripted:b" in first
    assert "0/2" in bar
    assert "2/2" in bar
    assert f"${2 * sum(PRICES.values()):.4f} so far" in bar
    assert "questions" in rest


def on_terminal(*args: str) -> tuple[int, str]:
    """Run the command line on a terminal of its own: exit code and all that was shown."""
    ours, theirs = os.openpty()
    with ThreadPoolExecutor(1) as reader:
        shown = reader.submit(lambda: b"".join(iter(lambda: _read(ours), b"")))
        try:
            code = start(*args, terminal=os.ttyname(theirs)).wait().code
        finally:
            os.close(theirs)  # once nobody holds it any more, the reading ends
    os.close(ours)
    return code, shown.result().decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""


def test_each_row_says_what_its_panelist_is_doing_now():
    console = Console(file=io.StringIO(), width=100, force_terminal=False)
    board = Board(console)
    for event in [
        {"type": "panel.added", "name": "a", "model": "x:a"},
        {"type": "panel.tool", "name": "a", "tool": "web_search", "args": {"query": "wet\x1b[0m"}},
        {"type": "panel.added", "name": "b", "model": "x:b"},
        {
            "type": "panel.tool",
            "name": "b",
            "tool": "web_fetch",
            "args": {"url": "https://user@example.org/water/"},
        },
        {"type": "panel.added", "name": "judge", "model": "x:c"},
        {
            "type": "call.retried",
            "stage": "panel",
            "name": "judge",
            "model": "x:c",
            "reason": "rate_limited",
            "seconds": 2.5,
        },
        {"type": "analysis.in_progress", "model": "x:j", "answers": 2},
        {"type": "synthesis.in_progress", "model": "x:w"},
        {"type": "verify.in_progress", "claims": 3},
        {"type": "something.new", "value": 1},
    ]:
        board.event(event)

    with console.capture() as capture:
        console.print(board.picture())
    board.close()

    rows = [line.split(maxsplit=1)[1] for line in capture.get().splitlines()]
    assert rows[0].startswith('a      searching "wet[0m", 1 call, 0.')
    assert rows[1].startswith("b      reading example.org/water, 1 call, 0.")
    assert rows[2].startswith("judge  rate_limited, trying again in 2.5 s, 0.")
    assert rows[3].startswith("judge  comparing 2 answers (x:j), 0.")
    assert rows[4].startswith("writer done")
    assert rows[5].startswith("check  checking 3 claims of the answer, 0.")
