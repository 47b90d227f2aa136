"""`python -m fusion_graph`, and the `fusion-graph` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from fusion_graph.cli import main as run

    run()


if __name__ == "__main__":
    main()
