"""A `fusion-graph serve` of this tree, for clients of every language."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.mcp.client import environment


@contextmanager
def serving(config: Path, **variables: str) -> Iterator[str]:
    """Start a server on a free port; yields its URL.

    config: its folder of settings, and of data.
    variables: of its environment.
    """
    config.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "fusion_graph", "serve", "--port", "0"],
        env={
            **os.environ,
            **environment(config),
            "FUSION_GRAPH_DATA_DIR": str(config),
            **variables,
        },
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr as said:
        try:
            line = next(line for line in said if " listens on " in line)
            # Its log of accesses must go on being read.
            threading.Thread(target=lambda: [None for _ in said], daemon=True).start()
            yield line.split(" listens on ")[1].split("/v1")[0]
        finally:
            process.kill()
            process.wait()
