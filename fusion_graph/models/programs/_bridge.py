"""Carries an MCP client's lines to a Unix socket and back: `python -I -S _bridge.py SOCKET`.

A program starts it as an MCP server of its own; the tools are at the other end, in the process
that asked the program. The standard library alone, so that it is there before the client waits.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading


def main() -> None:
    """Carry until either side has ended."""
    tools = socket.socket(socket.AF_UNIX)
    tools.connect(sys.argv[1])

    def carry_questions() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(0, 65536):
                tools.sendall(data)
            tools.shutdown(socket.SHUT_WR)

    threading.Thread(target=carry_questions, daemon=True).start()
    with contextlib.suppress(OSError):
        while data := tools.recv(65536):
            while data:
                data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
    os._exit(0)
