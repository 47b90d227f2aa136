"""The keyless panel comes to the same in every process: a set's order may not decide anything."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ANSWERS = """
from fusion_graph import create_fusion_graph
graph = create_fusion_graph({"preset": "offline", "seed": 7, "max_tool_calls": 2})
report = graph.invoke({"messages": [("user", "What is DRACO?")]})["fusion"]
print(*(answer["content"] for answer in report["answers"]), report["answer"], sep="\\n")
"""


def answers(hash_seed: int) -> str:
    env = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


# Python orders the words of a set by a seed that it draws for every process.
@pytest.mark.parametrize("hash_seed", [2, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_another_process_gives_the_same_answers(hash_seed):
    assert answers(hash_seed) == answers(1)
