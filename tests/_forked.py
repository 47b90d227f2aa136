"""Spare the processes that commands run in from copying what they share with their server.

Whoever looks for garbage writes to every object, and what is written to by a forked process is a
page of memory of its own.
"""

from __future__ import annotations

import gc

gc.freeze()
gc.set_threshold(50_000, 20, 20)
