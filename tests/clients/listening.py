"""What goes between a program and our server, as it comes from `tee.py`."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

Message = dict[str, Any]

PATIENCE = 420
"""Seconds until a wait counts as a failure: longer than the longest limit of a program (300 s)."""


class Wire:
    """A wire keeps the messages of one program's server, in their order.

    port: where `tee.py` tells them.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._records: list[Message] = []
        self._more = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def records(self) -> list[Message]:
        """All so far: {"at": seconds, "from": "client" | "server", "message": JSON-RPC}."""
        with self._more:
            return list(self._records)

    def sent(self, who: str, method: str) -> list[Message]:
        """The parameters of the requests and notifications of a method that somebody sent."""
        return [
            record["message"].get("params", {})
            for record in self.records
            if record["from"] == who and record["message"].get("method") == method
        ]

    def calls(self) -> list[Message]:
        """The tool calls that the program sent: their parameters."""
        return self.sent("client", "tools/call")

    def progress(self, call: Message) -> list[Message]:
        """The progress that a call was told."""
        token = call["_meta"]["progressToken"]
        told = self.sent("server", "notifications/progress")
        return [params for params in told if params["progressToken"] == token]

    def wait_for(self, wanted: Callable[[Message], bool], count: int = 1) -> Message:
        """The count-th record that is wanted, once it is there."""

        def found() -> list[Message]:
            return [record for record in self._records if wanted(record)]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= count, PATIENCE), self._records[-5:]
            return found()[count - 1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                record["message"] = json.loads(record["message"])
                with self._more:
                    self._records.append(record)
                    self._more.notify_all()
