"""Runs a model's code against tests, and finds out who only seems to pass them.

An answer and its tests run in one process, in bubblewrap (`_bubblewrap.py`), as they would at the
question's author's. What such a process reports of itself is not believed by itself. An answer that
passes is run against altered tests too, which no right answer can pass (`_altering.py`): once with
every assertion turned into its opposite, once with other values expected, and each time with a test
that fails whatever the answer is. Whoever passes these has changed what tests are made of, ended
their failures, reported in their place, read what they expect, or returned what equals everything.
The runs are processes of their own, so that an answer cannot tell by the others which it is in.

What an answer returns on given inputs is asked for by `run_calls`, which nothing is expected in: it
is compared outside, so that there is nothing to read and nothing to forge.

What remains possible:
- Tests that ask too little pass too easily: `assert f(2)` takes any true value, and where a test
  compares objects of the answer's own class, its word is taken.
- An answer may hold a table of results it has seen elsewhere; only tests nobody knows help there.
- An answer that draws by lot whether it forges a pass or fails wins at most one time in seven: it
  must pass one run and fail two, p(1-p)^2.
- What stands in an `assertIn` of variables or in a helper's table is not altered; an answer that
  reads just that out of the interpreter, and computes nothing, passes.
- Third-party packages are out of reach, but for a little of pytest (`inside/_pytest.py`). Tests
  that need more are `untestable`, which is no fault of the answer.
- Without bubblewrap code is run only where whoever evaluates said `--unconfined`; then limits of
  resources are all there is.
"""

from fusion_graph.sandbox._bubblewrap import wall
from fusion_graph.sandbox._calls import CallsRun, Output, run_calls
from fusion_graph.sandbox._limits import Limits
from fusion_graph.sandbox._run import ProgramRun, SuiteRun, run_program, run_suite
from fusion_graph.sandbox._suite import Suite, used_names
from fusion_graph.sandbox.inside._written import written

__all__ = [
    "CallsRun",
    "Limits",
    "Output",
    "ProgramRun",
    "Suite",
    "SuiteRun",
    "run_calls",
    "run_program",
    "run_suite",
    "used_names",
    "wall",
    "written",
]
