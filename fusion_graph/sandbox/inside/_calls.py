"""An answer, and calls of it: what each returns or raises is reported, and nothing is expected.

What a test expects never comes in here, so that no answer can read it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from ._resources import ANSWER_FILE, answer_code, take_on
from ._written import written

WORDS = 300
"""Characters kept of an error's words."""


class Late(BaseException):
    """A call takes longer than it may."""


def main() -> None:
    """Run as `-c` with settings in the first argument and the task on standard input."""
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [ANSWER_FILE]
    take_on(settings)
    report, write, dumps = os.dup(1), os.write, json.dumps
    write(report, b'{"ready": true}\n')
    task = json.loads(sys.stdin.buffer.read())
    nonce, names, seconds = task["nonce"], task["names"], task["seconds"]
    calls = [compile(text, "call", "eval", dont_inherit=True) for text in task["calls"]]
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        os.dup2(os.open("/dev/null", flags), descriptor)

    def say(**line: Any) -> None:
        write(report, dumps({"nonce": nonce, **line}).encode() + b"\n")

    signal.signal(signal.SIGALRM, _late)
    module = types.ModuleType("answer")
    module.__dict__["__file__"] = ANSWER_FILE
    sys.modules["answer"] = module

    def load() -> None:
        exec(answer_code(), module.__dict__)  # noqa: S102 - what this process is for

    loaded = _outcome(load, seconds)
    if "error" in loaded:
        say(broken=loaded)
        os._exit(0)
    space = {name: module.__dict__[name] for name in names if name in module.__dict__}
    for number, code in enumerate(calls):
        say(call=number, **_outcome(partial(eval, code, dict(space)), seconds))
    say(done=True)
    os._exit(0)  # whatever the answer has left running, or wants to do at the end


def _outcome(action: Callable[[], Any], seconds: float) -> dict[str, Any]:
    """What an action returns, as data, or the error that it raises."""
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        value = written(action())
    except Late:
        return {"error": "Late", "words": f"not done after {seconds:g} s"}
    except BaseException as error:
        return {"error": type(error).__name__, "words": _words(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"value": value}


def _late(*_: Any) -> None:
    raise Late


def _words(error: BaseException) -> str:
    with suppress(Exception):
        return str(error)[:WORDS]
    return ""
