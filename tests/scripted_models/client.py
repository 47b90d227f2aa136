"""The tests' side of the scripted server: starts it, scripts its models, reads its log."""

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from threading import local
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

_ROOT = Path(__file__).parents[2]
_PATIENCE = 240.0
"""Seconds until a wait counts as a failure: a fresh interpreter with LangGraph on a machine with a
dozen others at work took more than sixty to make its first call."""

# Kept open: thousands of tests script half a dozen models each. One a thread, and for one server.
_kept = local()


@dataclass(frozen=True, slots=True)
class Call:
    """One call the server received.

    n: number of the call among those to this model, from 1.
    api: "chat" or "responses".
    body: the parsed request.
    headers: lower-case names.
    step: index of the step played (or that refused); None for an unknown model.
    port: the client's; calls over one connection have the same.
    started, ended: seconds since the server started; ended is None during the call.
    status: None as long as nothing was sent.
    disconnected: the client went away before the reply was finished.
    unread: the reply was finished, and the client, or its process, ended without reading it all.
    usage: what the completion said it used; None if it did not say, or broke off.
    """

    n: int
    model: str
    api: str
    body: dict[str, Any]
    headers: dict[str, str]
    stream: bool
    step: int | None
    port: int
    started: float
    ended: float | None
    status: int | None
    disconnected: bool
    unread: bool
    usage: dict[str, Any] | None


class Scope:
    """One test's own models and log.

    base_url: what an OpenAI client takes as its base URL.
    """

    def __init__(self, server_url: str, name: str) -> None:
        self._url = f"{server_url}/{quote(name, safe='')}"
        self.base_url = f"{self._url}/v1"

    def script(
        self,
        model: str,
        *steps: str | Mapping[str, Any],
        apis: Sequence[str] = ("chat", "responses"),
    ) -> None:
        """Gives a model its steps; the last one repeats for ever.

        model: the name that requests will carry.
        steps: see `behaviour.Step` for their keys; a string is short for its text.
        apis: those it is served through; another's path is answered with 404.
        Raises ValueError if the server cannot read them.
        """
        self._script([{"model": model, "steps": steps, "apis": list(apis)}])

    def script_each(self, steps: Mapping[str, str | Mapping[str, Any]]) -> None:
        """Gives several models a step each, in one request.

        steps: by model; see `script`.
        Raises ValueError if the server cannot read them.
        """
        self._script([{"model": model, "steps": [step]} for model, step in steps.items()])

    def _script(self, orders: Sequence[Mapping[str, Any]]) -> None:
        fetch("PUT", f"{self._url}/_script", json.dumps(orders).encode())

    def calls(self, model: str | None = None, *, arrived: int = 0, ended: int = 0) -> list[Call]:
        """The calls so far, in order of arrival.

        model: only the calls to this one.
        arrived: wait until so many of them have arrived (count).
        ended: wait until so many of them were answered or given up by the client (count).
        Raises TimeoutError after minutes of waiting.
        """
        query: dict[str, object] = {"arrived": arrived, "ended": ended}
        if model is not None:
            query["model"] = model
        records = fetch("GET", f"{self._url}/_log?{urlencode(query)}")
        return [Call(**record) for record in records]

    def now(self) -> float:
        """The time now, as the calls' `started` and `ended` tell it."""
        return float(fetch("GET", f"{self._url}/_now")["seconds"])

    def log_url(self, model: str, arrived: int) -> str:
        """What to GET in order to wait until a model has had so many calls, from any process."""
        return f"{self._url}/_log?{urlencode({'model': model, 'arrived': arrived})}"

    def set_clock(self, seconds: float) -> None:
        """Sets the clock that the steps' `clock` waits for; it begins at 0 and stands still."""
        fetch("PUT", f"{self._url}/_clock", json.dumps({"seconds": seconds}).encode())

    def clear(self) -> None:
        """Forgets the scripts and the log."""
        fetch("DELETE", self._url)


class ModelServer:
    """A scripted server in a process of its own, which ends with this one at the latest.

    url: http://127.0.0.1:PORT
    process: the server's process.
    """

    module = f"{__package__}.server"

    def __init__(self, port: int = 0) -> None:
        """Starts the process and waits until it listens.

        port: TCP port; 0 takes a free one.
        Raises RuntimeError if it does not come up; the reason is on stderr.
        """
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, "--port", str(port)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.close()
            raise RuntimeError(f"{self.module} did not start on port {port}, see stderr")
        self.url = f"http://{line.split()[-1]}"

    def scope(self, name: str | None = None) -> Scope:
        """A part of the server with models and a log of its own.

        name: by default a new one; one that begins with "instant" answers for every model.
        """
        return Scope(self.url, name or f"scope-{secrets.token_hex(6)}")

    def close(self) -> None:
        """Ends the process, and waits for its end."""
        try:
            self.process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start_server(port: int = 0) -> ModelServer:
    """Starts a server; end it with `close()`, or use it in a `with` statement.

    port: TCP port; 0 takes a free one.
    """
    return ModelServer(port)


def fetch(method: str, url: str, body: bytes | None = None) -> Any:
    to = urlsplit(url)
    path = f"{to.path}?{to.query}" if to.query else to.path
    kept: HTTPConnection | None = getattr(_kept, "connection", None)
    if kept is not None and f"{kept.host}:{kept.port}" == to.netloc:
        # Another server may listen there by now.
        with suppress(ConnectionError):
            return _fetch(kept, method, path, body)
    elif kept is not None:
        kept.close()
    _kept.connection = HTTPConnection(to.netloc, timeout=_PATIENCE)
    return _fetch(_kept.connection, method, path, body)


def _fetch(connection: HTTPConnection, method: str, path: str, body: bytes | None) -> Any:
    try:
        connection.request(method, path, body, {"content-type": "application/json"})
        with connection.getresponse() as response:
            data = json.load(response)
    except BaseException:
        connection.close()  # half a reply may still be under way
        raise
    if response.status >= HTTPStatus.BAD_REQUEST:
        raise ValueError(data["error"]["message"])
    return data
