"""An evaluation killed with SIGKILL at every one of its model calls, and gone on with.

    python -m tests.benchmarks.eval_kills

Two questions, a panel of three that search and read, a judge, a writer, a grader: 24 calls. For
each of them that call is left hanging until everything else that can be done is done; then the
process is killed and the same command given again. The model server's own log counts the calls.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from tests.evals import killing
from tests.scripted_models import start_server


def main() -> None:
    """Kill at every call and print the table."""
    print("| hanging when killed | finished before | made again of those | answers | figures |")
    print("|---|---|---|---|---|")
    with start_server() as server, tempfile.TemporaryDirectory() as temporary:
        scope, folder = server.scope(), Path(temporary)
        killing.script(scope, None)
        whole = folder / "whole"
        killing.finish(killing.command(scope, folder, whole))
        for number, point in enumerate(killing.points()):
            out = folder / str(number)
            made = killing.killed(scope, folder, out, point)
            again = made - Counter(killing.CALLS) - Counter([point.model])
            answers, figures = "answers.jsonl", killing.figures
            alike = (out / answers).read_bytes() == (whole / answers).read_bytes()
            print(
                f"| {point.model}, call {point.number} | {killing.arrived_by(point) - 1} "
                f"| {again.total() or 'none'} | {'same bytes' if alike else 'DIFFERENT'} "
                f"| {'same' if figures(out) == figures(whole) else 'DIFFERENT'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
