"""What an answer's code can do to the machine: every answer here is really run.

Those that must be stopped get a second of processor time, and minutes of patience otherwise.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fusion_graph.evals.sandbox._limits import Limits
from fusion_graph.evals.sandbox.run import MEASURES
from tests.evals.conftest import started_by

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

SHORT = Limits(seconds=120, cpu_seconds=1)
DOUBLE = "def f(x):\n    return x * 2\n"

MEASURE_SETS = pytest.mark.parametrize(
    "measures",
    [MEASURES, ("user",), ("user", "landlock"), ("user", "namespace"), ("filter",)],
    ids="+".join,
)
"""All that there is, and what a system without this or that has."""


# What an answer can do to the machine


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    pass",
        "def f(x):\n    while True:\n        pass",
        "import signal\nfor n in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT):\n"
        "    signal.signal(n, signal.SIG_IGN)\nwhile True:\n    pass",
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    ],
)
async def test_an_answer_that_loops_is_stopped_by_its_processor_time(judged, code):
    run = await judged(code, limits=SHORT)

    assert run.outcome in ("failed", "over_limit")
    assert run.passed == 0


@pytest.mark.parametrize(
    "code",
    [
        "import time\ntime.sleep(10**6)",
        "def f(x):\n    import threading\n    threading.Event().wait()",
        "import sys\ndef f(x):\n    sys.stdin.read()\n    input()",
    ],
)
async def test_an_answer_that_waits_is_stopped_by_the_clock(judged, code):
    run = await judged(code, limits=Limits(seconds=4))

    assert run.outcome in ("timed_out", "failed")


async def test_tests_that_never_end_are_stopped_too(judged):
    run = await judged(DOUBLE, "while True:\n    pass", limits=SHORT)

    assert run.outcome == "failed"


STARTING = {
    "fork": "import os\ndef f(x):\n    os.fork()\n    return x * 2",
    "spawn": "import os\ndef f(x):\n    os.posix_spawn('/bin/sh', ['sh', '-c', ':'], {})\n"
    "    return x * 2",
    "run": "import subprocess, sys\ndef f(x):\n    subprocess.run([sys.executable, '-c', ''])\n"
    "    return x * 2",
    "system": "import os\ndef f(x):\n    if os.system('true') != 0:\n        raise OSError\n"
    "    return x * 2",
    "exec": "import os, sys\ndef f(x):\n    os.execv(sys.executable, ['python', '-c', ''])",
    "daemon": "import os\ndef f(x):\n    if os.fork() == 0:\n        os.setsid()\n"
    "        if os.fork() == 0:\n            while True: pass\n    return x * 2",
    "multiprocessing": "import multiprocessing as m\ndef f(x):\n"
    "    with m.get_context('fork').Pool(2) as p:\n        return p.apply(int, (x * 2,))",
}


@pytest.mark.parametrize("code", STARTING.values(), ids=STARTING)
async def test_an_answer_starts_no_process(judged, code):
    run = await judged(code, limits=SHORT)

    assert (run.outcome, run.passed) == ("failed", 0)


@MEASURE_SETS
async def test_an_answer_starts_no_process_in_any_of_many_ways(judged, measures):
    ways = "\n".join(c.replace("def f", f"def start_{name}") for name, c in STARTING.items())
    names = ", ".join(f"start_{name}" for name in STARTING)
    tests = f"""
        for start in ({names}):
            try:
                start(2)
            except (OSError, RuntimeError):
                continue
            raise AssertionError(start)
    """

    run = await judged(ways, tests, limits=SHORT, measures=measures)

    assert (run.outcome, run.detail) == ("passed", "")


@pytest.fixture
def listener():
    """A server on this machine, which notes whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


@MEASURE_SETS
async def test_an_answer_reaches_no_network(judged, listener, measures):
    port = listener.getsockname()[1]
    code = f"""
        import socket
        def f(x):
            with socket.create_connection(("127.0.0.1", {port}), timeout=30) as s:
                s.sendall(b"secret")
            return x * 2
    """

    run = await judged(code, measures=measures)

    assert (run.outcome, run.passed) == ("failed", 0)


@MEASURE_SETS
async def test_an_answer_opens_no_socket_to_other_programs_of_the_machine(
    judged, tmp_path, measures
):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.setblocking(False)
        code = f"""
            import socket
            def f(x):
                a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
                a.sendto(b"secret", {str(path)!r})
                return x * 2
        """

        run = await judged(code, measures=measures)

        if "filter" in measures or run.containment["network"] == "audit hook":
            assert (run.outcome, run.passed) == ("failed", 0)
            with pytest.raises(BlockingIOError):
                server.recv(10)


@MEASURE_SETS
@pytest.mark.parametrize("name", ["secret.txt", "../secret.txt"])
async def test_an_answer_reads_no_file_but_pythons_and_its_own(judged, tmp_path, measures, name):
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / name
    path.write_text("the key")
    path.chmod(0o644)
    code = f"def f():\n    return open({str(path)!r}).read()"

    run = await judged(code, "assert f() == 'the key'", measures=measures)

    assert (run.outcome, run.passed) == ("failed", 0)


@MEASURE_SETS
async def test_an_answer_writes_no_file_but_its_own(judged, tmp_path, measures):
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o777)
    code = f"""
        import os
        def f(x):
            for attempt in (
                lambda: open({str(folder / "evil")!r}, "w").close(),
                lambda: os.mkdir({str(folder / "evil")!r}),
                lambda: os.rename("answer.py", {str(folder / "evil")!r}),
                lambda: os.symlink("/", "root"),
                lambda: os.mkdir("deep"),
            ):
                try:
                    attempt()
                except OSError:
                    continue
                return "done"
            return x * 2
    """

    run = await judged(code, measures=measures)

    assert run.outcome == "passed"
    assert list(folder.iterdir()) == []


@MEASURE_SETS
async def test_an_answer_sees_no_environment(judged, monkeypatch, measures):
    monkeypatch.setenv("SOME_API_KEY", "the-key")
    code = """
        import os
        def f():
            found = dict(os.environ)
            for pid in ("self", os.getppid(), 1):
                try:
                    found[pid] = open(f"/proc/{pid}/environ", "rb").read()
                except OSError:
                    pass
            return str(found)
    """

    run = await judged(code, "assert 'the-key' not in f()", measures=measures)

    assert run.outcome == "passed"


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    open('x', 'wb').write(bytes(10**8))\n    return x * 2",
        "def f(x):\n    for n in range(10**6):\n        open(str(n), 'wb').write(bytes(10**5))\n"
        "    return x * 2",
        "def f(x):\n    return len([bytearray(10**8) for _ in range(100)]) and x * 2",
        "def f(x):\n    return len([open('answer.py') for _ in range(1000)]) and x * 2",
        "import threading\nthreading.stack_size(32768)\nend = threading.Event()\ndef f(x):\n"
        "    for _ in range(5000):\n"
        "        threading.Thread(target=end.wait, daemon=True).start()\n"
        "    threading.Event().wait()",
        "import sys\ndef f(x):\n    while True:\n        sys.stdout.write('x' * 10**6)",
    ],
    ids=["file", "files", "memory", "descriptors", "threads", "output"],
)
async def test_an_answer_that_takes_too_much_is_stopped(judged, code):
    run = await judged(code, limits=SHORT)

    assert run.outcome in ("failed", "over_limit")
    assert run.passed == 0


async def test_the_system_calls_themselves_refuse(judged):
    run = await judged(
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def f(name, *arguments):
            result = getattr(libc, name)(*[ctypes.c_long(a) for a in arguments])
            return result, ctypes.get_errno()
        def pid():
            return os.getppid()
        """,
        """
        import errno
        refused = (-1, errno.EPERM)
        assert f("fork") == refused
        assert f("socket", 1, 1, 0) == f("socket", 2, 2, 0) == refused
        assert f("kill", pid(), 0) == f("kill", -1, 0) == f("kill", 0, 0) == refused
        assert f("ptrace", 16, pid(), 0, 0) == refused
        assert f("fcntl", 0, 8, pid()) == f("fcntl", 0, 10, 9) == refused
        assert f("ioctl", 0, 0x5412, 0) == refused
        assert f("prctl", 1, 0, 0, 0, 0) == refused
        assert f("unshare", 0x10000000) == refused
        assert f("syscall", 1000) == (-1, errno.ENOSYS)
        """,
    )

    if run.containment["network"] != "system-call filter":
        pytest.skip("this system has no such filter")
    assert (run.outcome, run.detail) == ("passed", "")


@MEASURE_SETS
async def test_what_confined_an_answer_is_told(judged, measures):
    run = await judged(DOUBLE, measures=measures)

    assert run.outcome == "passed"
    told = run.containment
    assert told["files"] in ("Landlock", "audit hook")
    assert told["network"] in ("system-call filter", "empty network namespace", "audit hook")
    assert told["processes"] in ("system-call filter", "process limit", "audit hook")
    assert told["privileges"] in (
        "an unprivileged user",
        "the user who runs the evaluation",
        "root without capabilities",
        "root",
    )
    if "landlock" not in measures:
        assert told["files"] == "audit hook"
    if "filter" not in measures:
        assert "filter" not in told["network"] + told["processes"]


# What the evaluation does to it


async def test_a_cancelled_run_leaves_nothing(judged):
    task = asyncio.ensure_future(judged("import time\ntime.sleep(10**6)"))
    while not started_by(os.getpid()):
        await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


EVALUATION = """
import asyncio
from fusion_graph.evals.sandbox.run import run_suite
from fusion_graph.evals.sandbox._suite import Suite
asyncio.run(run_suite("import time\\ntime.sleep(10**6)", Suite("assert f(2) == 4")))
"""


def test_a_killed_evaluation_takes_its_processes_along(tmp_path):
    evaluation = subprocess.Popen(
        [sys.executable, "-c", EVALUATION],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path / "evaluation")},
    )
    (tmp_path / "evaluation").mkdir()
    children: list[int] = []
    while len(children) < 2:
        assert evaluation.poll() is None
        children = started_by(evaluation.pid)
    watched = [os.pidfd_open(pid) for pid in children]

    evaluation.send_signal(signal.SIGKILL)
    evaluation.wait()

    for descriptor in watched:
        assert select.select([descriptor], [], [], 60)[0], "a process lives on"
        os.close(descriptor)
