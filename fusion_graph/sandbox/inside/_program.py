"""An answer as a whole program, with a test's standard input and output."""

from __future__ import annotations

import json
import sys
import types

from ._resources import ANSWER_FILE, answer_code, take_on


def main() -> None:
    """Run as `-c` with settings in the first argument."""
    settings = json.loads(sys.argv[1])
    sys.argv[:] = [ANSWER_FILE]
    take_on(settings)
    sys.stdout.write(json.dumps({"ready": True}) + "\n")
    sys.stdout.flush()
    module = types.ModuleType("__main__")
    module.__dict__["__file__"] = ANSWER_FILE
    sys.modules["__main__"] = module
    exec(answer_code(), module.__dict__)  # noqa: S102 - what this process is for
