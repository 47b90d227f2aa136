"""A real server under way, and what it counts by itself."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx2

from tests.real_models.provision import Provisions, Unavailable

PATIENCE = 120.0
"""Seconds the weights may take to load."""


@dataclass(frozen=True)
class Counted:
    """Tokens by the server's own count."""

    read: int
    cached: int
    written: int

    def since(self, earlier: Counted) -> Counted:
        """What was added since an earlier count."""
        return Counted(
            self.read - earlier.read,
            self.cached - earlier.cached,
            self.written - earlier.written,
        )


class Server(AbstractContextManager["Server"]):
    """llama.cpp's server with one model.

    Args:
        provisions: What it is started from.
        context: Tokens of each slot's window.
        slots: How many requests it works on at once.
        name: What the model is called.
        port: Where it listens; 0 for a free one.
    """

    def __init__(
        self,
        provisions: Provisions,
        context: int,
        slots: int = 1,
        name: str = "smollm2",
        port: int = 0,
    ) -> None:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise Unavailable(f"port {port} cannot be used: {error.strerror}") from None
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        script = Path(__file__).with_name("serve.py")
        numbers = [str(port), str(context * slots), str(slots)]
        command = [str(provisions.python), str(script), str(provisions.weights), name, *numbers]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            with suppress(httpx2.TransportError):
                if httpx2.get(f"{self.address}/health").status_code == 200:
                    return self
            if self._process.poll() is not None:
                raise Unavailable(f"the server ended with {self._process.returncode} at its start")
            time.sleep(0.2)
        self.__exit__()
        raise Unavailable(f"the server was not ready after {PATIENCE:g} s")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def counted(self) -> Counted:
        """What it has read and written since it started; waits until it is idle."""
        while True:
            text = httpx2.get(f"{self.address}/metrics").text
            found = dict(re.findall(r"^llamacpp:(\w+) ([\d.e+]+)$", text, re.MULTILINE))
            if float(found["requests_processing"]) == float(found["requests_deferred"]) == 0:
                names = ("prompt_tokens_total", "prompt_tokens_cached_total")
                read, cached = (int(float(found[name])) for name in names)
                return Counted(read + cached, cached, int(float(found["tokens_predicted_total"])))
            time.sleep(0.05)

    def preset(self, folder: Path, members: int = 3, **fields: object) -> Path:
        """A preset file of a panel of this server's model, which judges and writes as well."""
        import json

        panel = [f'{{ model = "real:smollm2", name = "m{n}" }}' for n in range(1, members + 1)]
        lines = [f"panel = [{', '.join(panel)}]", 'judge = "real:smollm2"']
        given = {"search": "corpus", "max_completion_tokens": 160, **fields}
        lines += [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        lines += ["[providers.real]", f'base_url = "{self.address}/v1"']
        path = folder / "real.toml"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path
