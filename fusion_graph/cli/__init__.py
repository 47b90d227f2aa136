"""The command line: `fusion-graph ask | presets | doctor`, also as `python -m fusion_graph`."""

from __future__ import annotations


def main() -> None:
    """Run the command line, and end the process with its exit code (see `exits`)."""
    import sys

    from fusion_graph.cli.exits import StopSignals, finish, prepare_process, send_spans
    from fusion_graph.run.recursion import mark_children

    prepare_process()
    mark_children()
    with StopSignals() as signals:
        code = finish(_command_line, signals)
        send_spans()
        sys.exit(code)


def _command_line() -> int:
    from fusion_graph.cli.app import parse

    return parse()()
