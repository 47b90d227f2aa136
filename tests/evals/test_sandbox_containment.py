"""What an answer's code can do to the machine: every answer here is really run, in bubblewrap.

Those that must be stopped get a second of processor time, and minutes of patience otherwise.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from fusion_graph.sandbox import Limits, Suite, _child, run_suite
from tests.depth import in_depth
from tests.evals.conftest import started_by

SHORT = Limits(seconds=120, cpu_seconds=1)
DOUBLE = "def f(x):\n    return x * 2\n"


# What an answer can do to the machine


@pytest.mark.parametrize(
    "code",
    [
        in_depth("while True:\n    pass"),
        in_depth("def f(x):\n    while True:\n        pass"),
        "import signal\nfor n in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT):\n"
        "    signal.signal(n, signal.SIG_IGN)\nwhile True:\n    pass",
        in_depth(
            "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass"
        ),
    ],
)
async def test_an_answer_that_loops_is_stopped_by_its_processor_time(judged, code):
    run = await judged(code, limits=SHORT)

    assert run.outcome in ("failed", "over_limit")
    assert run.passed == 0


@pytest.mark.parametrize(
    "code",
    [
        in_depth("import time\ntime.sleep(10**6)"),
        "def f(x):\n    import threading\n    threading.Event().wait()",
        in_depth("import sys\ndef f(x):\n    sys.stdin.read()\n    input()"),
    ],
)
async def test_an_answer_that_waits_is_stopped_by_the_clock(judged, code):
    run = await judged(code, limits=Limits(seconds=4))

    assert run.outcome in ("timed_out", "failed")


async def test_tests_that_never_end_are_stopped_too(judged):
    run = await judged(DOUBLE, "while True:\n    pass", limits=SHORT)

    assert run.outcome == "over_limit"


@pytest.mark.parametrize(
    "code",
    [
        "import os, time\ndef f(x):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        if os.fork() == 0:\n            time.sleep(10**6)\n    return x * 2",
        in_depth(
            "import subprocess, sys\ndef f(x):\n"
            "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(10**6)'],\n"
            "        start_new_session=True)\n    return x * 2"
        ),
    ],
    ids=["daemon", "session"],
)
async def test_what_an_answer_starts_ends_with_it(judged, code):
    run = await judged(code)

    assert run.outcome in ("passed", "failed")  # and nothing is left, as everywhere here


async def test_a_fork_bomb_stays_small_and_is_stopped(judged):
    code = """
        import os, time
        def f(x):
            for _ in range(1000):
                try:
                    os.fork()
                except OSError:
                    break
            time.sleep(10**6)
    """

    run = await judged(code, limits=Limits(seconds=4, cpu_seconds=1))

    assert run.outcome in ("timed_out", "failed")


async def test_processes_of_an_answer_share_what_memory_there_is(judged):
    code = """
        import os, time
        def f(x):
            for _ in range(8):
                if os.fork() == 0:
                    held = bytearray(b"x") * 10**8
                    time.sleep(10**6)
            time.sleep(10**6)
    """

    run = await judged(code)

    assert run.outcome == "over_limit"
    assert "bytes of memory in" in run.detail


async def test_an_answer_sees_and_stops_no_other_process(judged):
    code = f"""
        import os, signal
        def f(x):
            for pid in ({os.getpid()}, {os.getppid()}):
                try:
                    os.kill(pid, 0)
                except OSError:
                    continue
                return "it is there"
            return x * 2
    """

    assert (await judged(code)).outcome == "passed"


@pytest.fixture
def listener():
    """A server on this machine, which notes whether anybody came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_an_answer_reaches_no_network(judged, listener):
    port = listener.getsockname()[1]
    code = f"""
        import socket
        def f(x):
            with socket.create_connection(("127.0.0.1", {port}), timeout=30) as s:
                s.sendall(b"secret")
            return x * 2
    """

    run = await judged(code)

    assert (run.outcome, run.passed) == ("failed", 0)


async def test_an_answer_opens_no_socket_to_other_programs_of_the_machine(judged, tmp_path):
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

        run = await judged(code)

        assert (run.outcome, run.passed) == ("failed", 0)
        with pytest.raises(BlockingIOError):
            server.recv(10)


@pytest.mark.parametrize("name", ["secret.txt", "../secret.txt"])
async def test_an_answer_reads_no_file_but_pythons_and_its_own(judged, tmp_path, name):
    folder = tmp_path / "home"
    folder.mkdir()
    path = folder / name
    path.write_text("the key")
    path.chmod(0o644)
    code = f"def f():\n    return open({str(path)!r}).read()"

    run = await judged(code, "assert f() == 'the key'")

    assert (run.outcome, run.passed) == ("failed", 0)


async def test_an_answer_writes_no_file_but_its_own(judged, tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(0o777)
    places = [str(folder), "/", "/usr", "/dev", str(Path(sys.executable).resolve().parent)]
    code = f"""
        import os
        def f(x):
            for place in {places!r}:
                for attempt in (
                    lambda: open(place + "/evil", "w").close(),
                    lambda: os.mkdir(place + "/evil"),
                    lambda: os.rename("answer.py", place + "/evil"),
                ):
                    try:
                        attempt()
                    except OSError:
                        continue
                    return place
            return x * 2
    """

    run = await judged(code)

    assert (run.outcome, run.detail) == ("passed", "")
    assert list(folder.iterdir()) == []


async def test_an_answer_has_no_rights_and_gets_none(judged):
    code = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        def f():
            tried = [libc.mount(b"none", b"/tmp", b"tmpfs", 0, None), libc.unshare(0x20000)]
            for attempt in (lambda: os.chroot("/tmp"), lambda: os.setuid(0), lambda: os.nice(-1)):
                try:
                    attempt()
                except OSError:
                    continue
                tried.append(os.getuid())
            return [result for result in tried if result == 0]
    """

    assert (await judged(code, "assert f() == []")).outcome == "passed"


async def test_an_answer_sees_no_environment(judged, monkeypatch):
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

    run = await judged(code, "assert 'the-key' not in f()")

    assert run.outcome == "passed"


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    open('x', 'wb').write(bytes(10**8))\n    return x * 2",
        "def f(x):\n    for n in range(10**6):\n        open(str(n), 'wb').write(bytes(10**5))\n"
        "    return x * 2",
        "def f(x):\n    return len([bytearray(10**8) for _ in range(100)]) and x * 2",
        in_depth("def f(x):\n    return len([open('answer.py') for _ in range(1000)]) and x * 2"),
        in_depth(
            "import threading\nthreading.stack_size(32768)\nend = threading.Event()\ndef f(x):\n"
            "    for _ in range(5000):\n"
            "        threading.Thread(target=end.wait, daemon=True).start()\n"
            "    threading.Event().wait()"
        ),
        in_depth("import sys\ndef f(x):\n    while True:\n        sys.stdout.write('x' * 10**6)"),
    ],
    ids=["file", "files", "memory", "descriptors", "threads", "output"],
)
async def test_an_answer_that_takes_too_much_is_stopped(judged, code):
    run = await judged(code, limits=SHORT)

    assert run.outcome in ("failed", "over_limit")
    assert run.passed == 0


# A machine that cannot confine


EVALUATION = """
import asyncio
from fusion_graph.sandbox import Suite, run_suite
asyncio.run(run_suite("import time\\ntime.sleep(10**6)", Suite("assert f(2) == 4")))
"""


def _where(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `run_suite` says in a process that finds its programs in a folder."""
    return subprocess.run(
        [sys.executable, "-c", EVALUATION.replace("time.sleep(10**6)", "print()")],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PATH": str(path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_bubblewrap_no_answer_is_run_and_the_remedy_is_told(tmp_path):
    ended = _where(tmp_path)

    assert "SandboxUnavailable: Answers in code cannot be run safely here" in ended.stderr
    assert "bubblewrap (bwrap) is not installed. Install bubblewrap" in ended.stderr
    assert "--unconfined" in ended.stderr


def test_a_bubblewrap_that_is_not_permitted_is_told_in_its_own_words(tmp_path):
    program = tmp_path / "bwrap"
    program.write_text(
        "#!/bin/sh\n"
        '[ "$1" = --version ] && echo bubblewrap 0.9.0 && exit\n'
        "echo 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    program.chmod(0o755)

    ended = _where(tmp_path)

    assert "bubblewrap 0.9.0 cannot make a sandbox (bwrap: No permissions to" in ended.stderr
    assert "--unconfined" in ended.stderr


@pytest.mark.parametrize(("code", "outcome"), [(DOUBLE, "passed"), ("def f(x): ...", "failed")])
async def test_whoever_says_so_has_answers_run_unconfined(nothing_is_left, code, outcome):
    limits = Limits(seconds=120, cpu_seconds=30, confined=False)

    assert (await run_suite(code, Suite("assert f(2) == 4"), limits)).outcome == outcome


@pytest.mark.parametrize(
    "code",
    [
        in_depth("while True:\n    pass"),
        "def f(x):\n    return len(bytearray(10**10)) and x * 2",
        "def f(x):\n    open('x', 'wb').write(bytes(10**8))\n    return x * 2",
    ],
)
async def test_limits_hold_for_the_unconfined_too(nothing_is_left, code):
    limits = Limits(seconds=120, cpu_seconds=1, confined=False)

    assert (await run_suite(code, Suite("assert f(2) == 4"), limits)).passed == 0


# What the evaluation does to it


async def test_a_run_that_is_cancelled_while_it_starts_leaves_nothing(judged):
    await judged(DOUBLE)  # what is found out once has been
    for step in range(20):
        task = asyncio.ensure_future(judged("import time\ntime.sleep(10**6)"))
        await asyncio.sleep(step / 1000)  # from before there is a process until it reads

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert started_by(os.getpid()) == [], step


async def test_a_cancelled_run_leaves_nothing(judged):
    task = asyncio.ensure_future(judged("import time\ntime.sleep(10**6)"))
    while not started_by(os.getpid()):
        await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


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


def test_a_sandbox_works_where_the_package_itself_lies_below_tmp(tmp_path):
    root = Path(__file__).parents[2]
    for package in ("fusion_graph", "tools/fusion_tools"):
        shutil.copytree(root / package, tmp_path / Path(package).name)
    code = "from fusion_graph.sandbox._bubblewrap import wall; print(wall().version)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("bubblewrap")


def test_files_of_the_machine_are_not_counted_as_the_sandboxs():
    # bubblewrap's own process is seen before it has left the machine's folders.
    outside = _child._Process(pid=os.getpid(), parent=0, seconds=0.0, memory=0)

    assert _child._files(outside) == 0
