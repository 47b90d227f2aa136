"""The private worker process: reads documents from its parent, one after the other.

Started by `extract`, never by hand. Frames go over the pipes that were its standard input and
output: two lengths, a JSON header, a body. The first frame is the configuration.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
from dataclasses import asdict
from queue import SimpleQueue
from typing import IO, Any

from fusion_tools.errors import ToolError

_LENGTHS = struct.Struct(">II")

Frame = tuple[dict[str, Any], bytes]


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Send one frame over an unbuffered pipe. Raises `OSError` when the other side is gone."""
    encoded = json.dumps(header).encode()
    for part in (_LENGTHS.pack(len(encoded), len(body)) + encoded, body):
        unsent = memoryview(part)
        while unsent:
            unsent = unsent[stream.write(unsent) :]


def read_frame(stream: IO[bytes]) -> Frame:
    """Receive one frame. Raises `EOFError` when the other side is gone."""
    header_length, body_length = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    header = json.loads(_read(stream, header_length))
    return header, _read(stream, body_length)


def _read(stream: IO[bytes], length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = stream.read(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


def main() -> None:
    """Serve until the parent closes the pipe or is gone."""
    # Ctrl-C goes to the whole process group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, replies = _private_pipes()
    config, _ = read_frame(requests)
    _die_with_parent(config["parent"])
    sys.path.extend(entry for entry in config["path"] if entry not in sys.path)

    try:
        # Loaded before memory is limited and before the first page's clock runs.
        import trafilatura  # noqa: F401

        from fusion_tools._readers import Document, read_document
    except Exception as error:  # the parent says it to whoever can mend it
        write_frame(replies, {"crash": " ".join(f"{type(error).__name__}: {error}".split())[:300]})
        return
    _limit_resources(config["memory_bytes"])
    if hasattr(os, "nice"):
        os.nice(2)  # the event loop first: this process takes all the time it is given
    frames: SimpleQueue[Frame] = SimpleQueue()
    threading.Thread(target=_receive, args=(requests, frames), daemon=True).start()
    write_frame(replies, {"ready": True})
    while True:
        header, body = frames.get()
        try:
            extracted = asdict(read_document(Document(body=body, **header)))
            write_frame(replies, extracted, extracted.pop("text").encode())
        except ToolError as error:
            write_frame(replies, {"failure": error.failure()})
        except MemoryError:
            # What is left of the heap is not worth keeping.
            write_frame(replies, {"crash": "it needed more memory than it may have"})
            os._exit(1)
        except Exception as error:  # pages provoke every kind
            write_frame(replies, {"crash": f"it raised {type(error).__name__}"})


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Move the pipes away from standard input and output, where any library may print."""
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return requests, replies


def _receive(requests: IO[bytes], frames: SimpleQueue[Frame]) -> None:
    """Read ahead, so that the parent's end is noticed even in the middle of a page."""
    try:
        while True:
            frames.put(read_frame(requests))
    except (EOFError, OSError):
        os._exit(0)


def _die_with_parent(parent: int) -> None:
    """Have the kernel end this process with its parent, also when no Python code can run.

    Linux counts the thread that started this process as the parent: it must live on as long
    as the worker is wanted.
    """
    if sys.platform != "linux":
        return
    import ctypes

    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)


def _limit_resources(memory_bytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    for name, limit in (("RLIMIT_AS", memory_bytes), ("RLIMIT_CORE", 0)):
        try:
            resource.setrlimit(getattr(resource, name), (limit, limit))
        except (AttributeError, ValueError, OSError):
            continue  # macOS refuses some of them
