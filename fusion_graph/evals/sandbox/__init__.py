"""Runs a model's code against tests it cannot see, change or answer for.

`run.py` is the way in. An answer and its tests are two processes. The tests' process asks the
answer's for values over a pipe, compares them itself, and alone reports what came of it. So an
answer gains nothing by printing, by leaving early, by changing `assert`, built-ins or test
frameworks, or by objects that equal everything: what comes back is plain data of built-in types,
and expected values never reach it. Before they touch foreign code, both give up files, network,
processes and privileges (`_confine.py`), as far as the system lets them; what was in force is told
with every run.

What remains possible:
- Tests that ask too little pass too easily: `assert f(2)` takes any true value. Where a test asks
  an object of the answer's own class (`Stack().empty()`), its word is taken; that is what the
  question is about.
- An answer may hold a table of results it has seen elsewhere; only tests nobody knows help there.
- Tests may hand over plain data, functions and the answer's own objects, no objects of classes of
  their own; `async` functions and third-party packages are out of reach, but for a little of pytest
  (`_pytest.py`). What the answer prints and reads by `input` goes through the tests' process, so
  `redirect_stdout` and a patched `input` work; other patches do not reach it. A context manager of
  the answer's ends no exception that the answer had a part in.
- Without Landlock or the system-call filter (another system than Linux, another processor than
  x86_64 or aarch64, a container that forbids them) an audit hook stands in, and code that is out to
  break it can. Do not grade strangers' code there.

The child processes run in an interpreter that has the standard library alone: `_candidate`,
`_driver` and what they import must do with it, this package's parents included.
"""
