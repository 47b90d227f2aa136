"""A verdict on real small models and other people's questions, as docs/verdict.md announced it.

`python -m tests.verdict` fetches models and questions, pinned by hash, lets a panel, its members
and its controls answer, and writes what came of it. Killed, it goes on where it was.
"""
