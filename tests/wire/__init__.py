"""Recorded exchanges of providers, replayed against the installed product.

`python -m tests.wire DIR` plays every folder of DIR that holds a `case.json`, streamed and in one
piece, through `fusion-graph ask`, and prints a table.
"""
