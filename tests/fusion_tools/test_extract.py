"""Extraction in worker processes: results, limits, deaths, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import fusion_tools.extract
from fusion_tools._extract_worker import write_frame
from fusion_tools._limits import FetchLimits
from fusion_tools._readers import Document, Extracted
from fusion_tools._worker import Worker
from fusion_tools.errors import ToolError
from fusion_tools.extract import Extractor
from tests.depth import in_depth
from tests.fusion_tools import bodies
from tests.fusion_tools.bodies import article

PATIENT = FetchLimits(extract_seconds=60)
IMPATIENT = FetchLimits(extract_seconds=0.3)


def html(text: str, url: str = "https://example.com/a") -> Document:
    return Document(body=text.encode(), kind="html", url=url)


ENDLESS = html(bodies.many_links())


@pytest.fixture
def extractor() -> Iterator[Extractor]:
    extractor = Extractor(workers=1)
    yield extractor
    extractor.close()


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def test_the_main_content_of_a_page(extractor: Extractor) -> None:
    extracted = await extractor.extract(html(article()), PATIENT)
    assert extracted.title == "On panels"
    assert extracted.date == "2026-03-14"
    assert extracted.notes == []


def test_nothing_is_started_before_it_is_needed() -> None:
    extractor = Extractor(workers=2)
    assert extractor.pids() == []
    extractor.submit(html(article()), PATIENT).result()
    extractor.submit(html(article()), PATIENT).result()
    assert len(extractor.pids()) == 1
    extractor.close()
    assert extractor.pids() == []


@pytest.mark.slow
def test_several_pages_at_once_use_several_workers_and_no_more() -> None:
    extractor = Extractor(workers=2)
    pages = [html(article(f"Page {n}")) for n in range(12)]
    answers = [extractor.submit(page, PATIENT) for page in pages]
    assert [answer.result().title for answer in answers] == [f"Page {n}" for n in range(12)]
    assert len(extractor.pids()) == 2
    extractor.close()


@pytest.mark.slow
def test_a_worker_without_work_is_closed_and_comes_back() -> None:
    extractor = Extractor(workers=1, idle_seconds=0.05)
    for _ in range(2):
        assert extractor.submit(html(article()), PATIENT).result().title == "On panels"
        [thread] = extractor._threads or [threading.Thread()]
        if thread.ident:
            thread.join(30)
        assert extractor.pids() == []
    extractor.close()


@pytest.mark.slow
def test_a_page_that_takes_too_long_is_killed_and_the_next_is_read(extractor: Extractor) -> None:
    extractor.submit(html(article()), PATIENT).result()
    [before] = extractor.pids()
    extracted = extractor.submit(ENDLESS, IMPATIENT).result()
    assert "link 100" in extracted.text
    assert extracted.notes == [
        "Main-content extraction failed (it took longer than 0.3 s); this is the page's plain "
        "text, menus included.",
        "Only the first 300 KB were read.",
    ]
    assert not alive(before)
    assert extractor.submit(html(article()), PATIENT).result().notes == []
    assert extractor.pids() != [before]


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, in_depth(signal.SIGSEGV), in_depth(signal.SIGTERM)]
)
def test_a_worker_that_dies_between_pages(extractor: Extractor, how: signal.Signals) -> None:
    extractor.submit(html(article()), PATIENT).result()
    [pid] = extractor.pids()
    os.kill(pid, how)
    assert extractor.submit(html(article()), PATIENT).result().title == "On panels"
    assert extractor.submit(html(article()), PATIENT).result().notes == []


@pytest.mark.slow
def test_a_worker_that_dies_over_a_page(extractor: Extractor) -> None:
    extractor.submit(html(article()), PATIENT).result()
    [worker] = extractor._workers
    os.kill(worker.pid, signal.SIGSTOP)  # so that it dies over this page, however fast it reads
    answer = extractor.submit(ENDLESS, PATIENT)
    while worker.pages < 2:
        time.sleep(0.001)  # until the page is on its way to the worker
    os.kill(worker.pid, signal.SIGKILL)
    assert "Main-content extraction failed" in answer.result().notes[0]
    assert extractor.submit(html(article()), PATIENT).result().notes == []


@pytest.mark.slow
def test_a_pdf_that_takes_too_long_is_a_clear_failure(extractor: Extractor) -> None:
    extractor.submit(html(article()), PATIENT).result()
    document = Document(body=bodies.pdf(*["Words."] * 5000), kind="pdf", url="https://h.example/r")
    with pytest.raises(ToolError, match=r"h.example could not be read \(it took longer") as caught:
        extractor.submit(document, FetchLimits(extract_seconds=0.05)).result()
    assert caught.value.code == "unsupported_content_type"
    assert extractor.submit(html(article()), PATIENT).result().notes == []


@pytest.mark.slow
def test_a_page_that_wants_too_much_memory() -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux limits a process's address space")
    extractor = Extractor(workers=1, memory_bytes=160 * 2**20)
    extracted = extractor.submit(html(bodies.huge_table(3_000_000)), PATIENT).result()
    assert "cell 100" in extracted.text
    assert extracted.notes[0].startswith("Main-content extraction failed")
    assert extractor.submit(html(article()), PATIENT).result().notes == []
    extractor.close()


@pytest.mark.slow
def test_a_page_without_text_leaves_the_worker_alone(extractor: Extractor) -> None:
    extractor.submit(html(article()), PATIENT).result()
    before = extractor.pids()
    with pytest.raises(ToolError, match="holds no text"):
        extractor.submit(html("<p></p>"), PATIENT).result()
    assert extractor.submit(html(article()), PATIENT).result().title == "On panels"
    assert extractor.pids() == before


@pytest.mark.slow
async def test_cancelled_callers_do_not_wedge_the_worker(extractor: Extractor) -> None:
    await extractor.extract(html(article()), PATIENT)
    limits = FetchLimits(extract_seconds=1)
    running = asyncio.create_task(extractor.extract(ENDLESS, limits))
    queued = [asyncio.create_task(extractor.extract(html(article()), limits)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in [running, *queued]:
        task.cancel()
    outcomes = await asyncio.gather(running, *queued, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    assert (await extractor.extract(html(article()), PATIENT)).title == "On panels"


@pytest.mark.slow
def test_a_document_that_waited_too_long_is_read_plainly(extractor: Extractor) -> None:
    extractor.submit(html(article()), PATIENT).result()
    extractor.submit(ENDLESS, FetchLimits(extract_seconds=0.5))
    late = extractor.submit(html(article()), FetchLimits(queue_seconds=0.1)).result()
    assert "(no worker was free within 0.1 s)" in late.notes[0]
    assert "Paragraph 5." in late.text


def test_a_fallback_without_any_worker(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a frozen program looks like: starting `sys.executable` would start it again.
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    extracted = extractor.submit(html(article()), PATIENT).result()
    assert "there is no interpreter" in extracted.notes[0]
    assert "Paragraph 5. The judge compares" in extracted.text
    assert extracted.title == "On panels"
    assert extracted.links[-1] == "https://example.com/notes/two.html"
    text = Document(body=b"plain", kind="text", url="https://example.com/a")
    assert extractor.submit(text, PATIENT).result().text == "plain"
    assert extractor.pids() == []


def test_a_worker_that_cannot_start_says_why_and_is_not_tried_for_every_page(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries = tmp_path / "tries"
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho try >> {tries}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    for _ in range(3):
        extracted = extractor.submit(html(article()), PATIENT).result()
        assert "(the worker process ended)" in extracted.notes[0]
    assert tries.read_text().split() == ["try"]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    other = Extractor(workers=1)
    assert "No such file" in other.submit(html(article()), PATIENT).result().notes[0]
    other.close()


def test_a_worker_knows_none_of_the_environments_secrets(
    extractor: Extractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    extractor.submit(html(article()), PATIENT).result()
    [pid] = extractor.pids()
    environment = Path(f"/proc/{pid}/environ")
    if not environment.exists():
        pytest.skip("only Linux shows a process's environment")
    assert b"sk-secret" not in environment.read_bytes()


def test_a_closed_extractor_refuses() -> None:
    extractor = Extractor()
    extractor.close()
    extractor.close()
    with pytest.raises(ToolError, match="closed"):
        extractor.submit(html(article()), PATIENT)


def test_closing_in_the_middle_of_a_page() -> None:
    extractor = Extractor(workers=1)
    extractor.submit(html(article()), PATIENT).result()
    pids = extractor.pids()
    answers: list[Future[Extracted]] = [extractor.submit(ENDLESS, PATIENT) for _ in range(3)]
    extractor.close()
    for answer in answers:  # one may have been begun
        error = answer.exception()
        if error is None:
            assert "Main-content extraction failed" in answer.result().notes[0]
        else:
            assert isinstance(error, ToolError)
            assert error.code == "unavailable"
    assert not any(map(alive, pids))


def test_an_extractor_serves_loops_that_come_and_go(extractor: Extractor) -> None:
    async def read() -> str:
        return (await extractor.extract(html(article()), PATIENT)).title

    assert asyncio.run(read()) == "On panels"
    pids = extractor.pids()
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(read()) == "On panels"
    loop.close()
    titles: list[str] = []
    thread = threading.Thread(target=lambda: titles.append(asyncio.run(read())))
    thread.start()
    thread.join()
    assert titles == ["On panels"]
    assert extractor.pids() == pids


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_gets_workers_of_its_own() -> None:
    # In a fresh interpreter: forking one that runs threads, as pytest may, is deprecated.
    out = script(
        """
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 advises against it
        from fusion_tools.extract import shared_extractor
        read = lambda: shared_extractor().submit(PAGE, LIMITS).result().title
        assert read() == "On panels"
        mine = shared_extractor().pids()
        child = os.fork()
        if child == 0:
            ok = read() == "On panels" and not set(shared_extractor().pids()) & set(mine)
            shared_extractor().close()
            os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert read() == "On panels" and shared_extractor().pids() == mine
        print("fine")
        """
    )
    assert out == "fine"


# Scripts, as users write them: real interpreters, real files.

PREAMBLE = """
from fusion_tools._limits import FetchLimits
from fusion_tools._readers import Document
from tests.fusion_tools.bodies import article
PAGE = Document(body=article().encode(), kind="html", url="https://example.com/a")
LIMITS = FetchLimits(extract_seconds=60)
"""
ROOT = Path(__file__).parents[2]
PACKAGES = Path(fusion_tools.extract.__file__).parents[1]


@contextmanager
def start(
    text: str,
    folder: Path | None = None,
    python: str = sys.executable,
    libraries: Iterable[str] = (),
) -> Iterator[subprocess.Popen[str]]:
    """A script at work, as a file in `folder` if given; it is ended with the block."""
    code = PREAMBLE + textwrap.dedent(text)
    command = [python, "-W", "error", "-c", code]
    if folder is not None:
        (folder / "script.py").write_text(code)
        command[3:] = [str(folder / "script.py")]
    path = os.pathsep.join([str(ROOT), str(PACKAGES), *libraries])
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": path},
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def script(text: str, folder: Path | None = None, **options: Any) -> str:
    """Run a script to its end; its standard output. It must say nothing else."""
    with start(text, folder, **options) as process:
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    return out.strip()


@pytest.mark.slow
def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    # A module of the user's that a worker must not mistake for the library of that name.
    (tmp_path / "lxml.py").write_text("raise SystemExit('the user\\'s own module')")
    out = script(
        """
        import asyncio
        from fusion_tools.extract import shared_extractor
        print("imported once")
        for _ in range(2):
            print(asyncio.run(shared_extractor().extract(PAGE, LIMITS)).notes)
        import sys
        print(sorted({"trafilatura", "lxml", "pypdf"} & set(sys.modules)))
        print(*shared_extractor().pids())
        """,
        tmp_path,
    )
    lines = out.splitlines()
    assert lines[:-1] == ["imported once", "[]", "[]", "[]"]
    assert not any(alive(int(pid)) for pid in lines[-1].split())


@pytest.mark.slow
@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment")
def test_libraries_that_only_this_process_knows_of() -> None:
    # The interpreter outside the environment, told of the libraries by PYTHONPATH: an isolated
    # worker does not read that, and would not find them.
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    libraries = [entry for entry in sys.path if entry.endswith("-packages")]
    out = script(
        """
        import asyncio
        from fusion_tools.extract import shared_extractor
        print(asyncio.run(shared_extractor().extract(PAGE, LIMITS)).notes)
        """,
        python=str(base),
        libraries=libraries,
    )
    assert out == "[]"


@pytest.mark.slow
def test_a_running_event_loop_as_in_jupyter(tmp_path: Path) -> None:
    # A kernel runs cells as top-level await in one loop, in an interactive __main__.
    with start(
        """
        import ast, asyncio, sys
        from fusion_tools.extract import shared_extractor
        cells = [
            "first = await shared_extractor().extract(PAGE, LIMITS)",
            "second = await shared_extractor().extract(PAGE, LIMITS)",
            "print(first.notes, second.title)",
        ]
        sys.modules["__main__"].__dict__.pop("__file__", None)
        async def kernel():
            for cell in cells:
                code = compile(cell, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, globals())
                if result is not None:
                    await result
        asyncio.run(kernel())
        """,
        tmp_path,
    ) as process:
        out, err = process.communicate(timeout=120)
    assert (out.strip(), err) == ("[] On panels", "")


BUSY = """
    import sys, threading, time
    from fusion_tools.extract import shared_extractor
    from tests.fusion_tools.bodies import many_links
    from dataclasses import replace
    extractor = shared_extractor()
    assert extractor.submit(PAGE, LIMITS).result().notes == []
    busy = [extractor.submit(replace(PAGE, body=many_links().encode()), LIMITS) for _ in range(2)]
    while len(extractor.pids()) < min(2, extractor._max_workers):
        time.sleep(0.01)
    print(*extractor.pids(), flush=True)
    {ending}
    """


# Not one wait without an end: an interrupt that comes between Python's look for one and the wait in
# the kernel is not seen before the wait is over.
WAITS = """
    while True:
        time.sleep(0.05)
    """


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["killed", "ended", "terminated", "interrupted", "failed"])
def test_no_worker_outlives_its_parent(how: str) -> None:
    ending = {
        "ended": "",
        "failed": "raise SystemExit(3)",
    }.get(how, WAITS)
    with start(BUSY.format(ending=ending)) as process:
        assert process.stdout
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert pids
        number = {
            "killed": signal.SIGKILL,
            "terminated": signal.SIGTERM,
            "interrupted": signal.SIGINT,
        }.get(how)
        if number is not None:
            assert all(map(alive, pids))
            process.send_signal(number)
        process.communicate(timeout=60)
    for pid in pids:
        wait_for_end(pid)


def test_a_worker_ends_by_itself_when_the_pipe_closes_even_in_the_middle_of_a_page() -> None:
    # What is left where the kernel does not tell of a parent's death: macOS, Windows.
    worker = Worker(512 * 2**20)
    worker.greet()
    write_frame(worker._requests, {"kind": "html", "url": "https://h.example/"}, ENDLESS.body)
    worker._requests.close()
    assert worker._process.wait(timeout=60) == 0
    worker.close()


def wait_for_end(pid: int) -> None:
    """Wait for a process that is no child of this one: a killed one takes a moment to go."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([descriptor], [], [], 60)
    finally:
        os.close(descriptor)
    assert ready, f"worker {pid} outlived its parent"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupt_of_the_whole_group_leaves_pages_in_flight_alone() -> None:
    out = script(
        """
        import os, signal
        from fusion_tools.extract import shared_extractor
        read = lambda: shared_extractor().submit(PAGE, LIMITS).result().notes
        read()
        before = shared_extractor().pids()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for pid in before:
            os.kill(pid, signal.SIGINT)
        print(read(), shared_extractor().pids() == before)
        """
    )
    assert out == "[] True"


@pytest.mark.slow
def test_a_hundred_documents_from_a_hundred_threads(extractor: Extractor) -> None:
    results: list[Any] = []

    def read(number: int) -> None:
        page = html(article(f"Page {number}"))
        results.append(extractor.submit(page, PATIENT).result().title == f"Page {number}")

    threads = [threading.Thread(target=read, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 100
