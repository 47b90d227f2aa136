"""Runs a model's code against tests it cannot see, change or answer for.

An answer and its tests are two processes, each in a sandbox of its own (`_bubblewrap.py`). The
tests' process asks the answer's for values over a pipe, compares them itself, and alone reports
what came of it. So an answer gains nothing by printing, by leaving early, by changing `assert`,
built-ins or test frameworks, or by objects that equal everything: what comes back is plain data of
built-in types, and expected values never reach it.

What remains possible:
- Tests that ask too little pass too easily: `assert f(2)` takes any true value. Where a test asks
  an object of the answer's own class (`Stack().empty()`), its word is taken; that is what the
  question is about.
- An answer may hold a table of results it has seen elsewhere; only tests nobody knows help there.
- Tests may hand over plain data, functions and the answer's own objects, no objects of classes of
  their own; third-party packages are out of reach, but for a little of pytest
  (`inside/_pytest.py`). What the answer prints and reads by `input` goes through the tests'
  process, so `redirect_stdout` and a patched `input` work; other patches do not reach it. Tests
  that need more are `untestable`.
- Without bubblewrap code is run only where whoever evaluates said `--unconfined`; then limits of
  resources are all there is.
"""

from fusion_graph.evals.sandbox._bubblewrap import wall
from fusion_graph.evals.sandbox._limits import Limits
from fusion_graph.evals.sandbox._run import ProgramRun, SuiteRun, run_program, run_suite
from fusion_graph.evals.sandbox._suite import Suite, used_names

__all__ = [
    "Limits",
    "ProgramRun",
    "Suite",
    "SuiteRun",
    "run_program",
    "run_suite",
    "used_names",
    "wall",
]
