"""`python -m tests.server.besieged '{"connections": 20}'`: a server with small `Bounds`.

Writes its address and its process id, and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from fusion_graph.cli.listening import http_server, listen, log_to_stderr, url_of
from fusion_graph.faces.server.app import create_app
from fusion_graph.faces.server.connections import Bounds
from fusion_graph.faces.server.runs import Runs


def main() -> None:
    """Serve on a free port."""
    runs = Runs()
    server = http_server(create_app(runs=runs), runs, Bounds(**json.loads(sys.argv[1])))
    log_to_stderr()
    with listen("127.0.0.1", 0) as listener:
        print(json.dumps([url_of(listener), os.getpid()]), flush=True)
        asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
