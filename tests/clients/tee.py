"""Run a command and tell somebody what goes over its standard streams, line by line.

`python tee.py PORT COMMAND…`; who listens at PORT on this machine gets JSON lines
{"at", "from": "client" | "server", "message"}. The command imports from this tree; a program may
withhold PYTHONPATH (Gemini CLI does).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO


def main() -> int:
    """Run the command; returns its exit code."""
    port, *command = sys.argv[1:]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tools'}"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with socket.create_connection(("127.0.0.1", int(port))) as listener:
        told = listener.makefile("w", encoding="utf-8")
        lock, begun = threading.Lock(), time.monotonic()

        def carry(source: IO[bytes], sink: IO[bytes], who: str) -> None:
            with suppress(OSError):
                for line in source:
                    record = {"at": round(time.monotonic() - begun, 3), "from": who}
                    record["message"] = line.decode("utf-8", "replace").strip()
                    with lock:
                        told.write(json.dumps(record) + "\n")
                        told.flush()
                    sink.write(line)
                    sink.flush()
            with suppress(OSError):
                sink.close()

        inward = (sys.stdin.buffer, process.stdin, "client")
        threading.Thread(target=carry, args=inward, daemon=True).start()
        carry(process.stdout, sys.stdout.buffer, "server")
        return process.wait()


if __name__ == "__main__":
    # Straight out: the thread that reads standard input would hold up the interpreter's end.
    os._exit(main())
