"""Runs a program, and sees to it that nothing of it outlives whoever asked.

Started by its path, with the standard library alone: `python -I -S watch.py JSON COMMAND…`, the
JSON being {"pipe": descriptor, "folder": what to remove, "logins": [[kept, the user's], …]}. The
pipe's other end is held by the asking process and nobody else: it closes when that process has
no more use for the program, and when that process dies, however it dies.

A program that is spoken to while it runs is started with `{}`: then its standard input comes
through here, and the end of that is what closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from functools import partial

PATIENCE = 0.4
"""Seconds a program has for its own end before it is killed."""

_PR_SET_CHILD_SUBREAPER = 36


def main() -> int:
    """Run the command to its end, or until nobody waits for it any more; give its exit code."""
    told, command = json.loads(sys.argv[1]), sys.argv[2:]
    _adopt_orphans()
    spoken_to = "pipe" not in told
    taken = subprocess.PIPE if spoken_to else None
    try:
        program = subprocess.Popen(command, stdin=taken, process_group=0)  # noqa: S603 - the user's
    except OSError as error:
        sys.stderr.write(f"{command[0]} does not start: {error.strerror}\n")
        _tidy(told)
        return 127 if isinstance(error, FileNotFoundError) else 126
    attend = partial(_pass_on, program)
    if not spoken_to:
        attend = partial(_end_when_unwanted, told["pipe"], program)
    threading.Thread(target=attend, daemon=True).start()
    code = program.wait()
    _signal(program.pid, signal.SIGKILL)  # what it has left behind
    _tidy(told)
    return code if code >= 0 else 128 - code


def _end_when_unwanted(pipe: int, program: subprocess.Popen[bytes]) -> None:
    while os.read(pipe, 1):
        pass
    _end(program)


def _pass_on(program: subprocess.Popen[bytes]) -> None:
    """Pass on what is said to the program, until there is nobody left to say anything."""
    # A queue between the two: a program that reads nothing must not keep the end from being seen.
    said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_say, args=(said, program), daemon=True).start()
    with contextlib.suppress(OSError):
        while heard := os.read(0, 65_536):
            said.put(heard)
    said.put(b"")
    time.sleep(PATIENCE)  # a server ends by itself once nothing more can come
    _end(program)


def _say(said: queue.SimpleQueue[bytes], program: subprocess.Popen[bytes]) -> None:
    into = program.stdin
    assert into is not None
    with contextlib.suppress(OSError):
        while part := said.get():
            into.write(part)
            into.flush()
    with contextlib.suppress(OSError):
        into.close()


def _end(program: subprocess.Popen[bytes]) -> None:
    _signal(program.pid, signal.SIGTERM)
    time.sleep(PATIENCE)
    _signal(program.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    """Signal the program's group, and whatever of it has left the group."""
    with contextlib.suppress(OSError):
        os.killpg(group, number)
    for process in _descendants():
        with contextlib.suppress(OSError):
            os.kill(process, number)


def _adopt_orphans() -> None:
    """On Linux, become the parent of whatever descendant loses its own."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants() -> Iterable[int]:
    """Every process below this one, where /proc tells them."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    found, todo = [], [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _tidy(told: dict[str, object]) -> None:
    """Remove the folder; a login that the program has renewed goes back to the user's own place.

    The program renews it through the link that stands for it, or puts a file in the link's place.
    A file that the user's program has written since is newer, and stays.
    """
    if "folder" not in told:
        return
    for kept, own in told["logins"]:  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            renewed = os.path.isfile(kept) and not os.path.islink(kept) and os.path.getsize(kept)
            if renewed and os.path.getmtime(kept) >= os.path.getmtime(own):
                beside = f"{own}.{os.getpid()}"
                shutil.copy2(kept, beside)
                os.replace(beside, own)
    shutil.rmtree(str(told["folder"]), ignore_errors=True)


if __name__ == "__main__":
    ended = main()
    sys.stderr.flush()
    os._exit(ended)
