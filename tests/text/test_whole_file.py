"""Files that are there whole, or as they were."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fusion_graph.text.whole_file import write_whole


def test_a_new_file_and_one_that_was_there(tmp_path):
    path = tmp_path / "page.html"
    write_whole(path, "first\n")
    write_whole(path, "second ü\n")

    assert path.read_bytes() == "second ü\n".encode()
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.skipif(sys.platform == "win32", reason="no modes there")
def test_a_link_stays_one_and_a_private_file_private(tmp_path):
    path, link = tmp_path / "page.html", tmp_path / "latest.html"
    path.write_text("first")
    path.chmod(0o600)
    link.symlink_to(path)

    write_whole(link, "second")

    assert link.is_symlink()
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes there")
def test_a_pipe_gets_the_text(tmp_path):
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()

    write_whole(pipe, "for whom it concerns")
    reader.join()

    assert heard == ["for whom it concerns"]
    assert pipe.is_fifo()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's files so")
def test_a_disk_that_is_full_leaves_the_file_that_was_there(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("paid for")
    writer = """
import resource, sys
from pathlib import Path
from fusion_graph.text.whole_file import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), "x" * 5000)
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", writer, str(path)], capture_output=True, text=True, check=True
    )

    assert done.stdout == "File too large\n"
    assert path.read_text() == "paid for"
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path):
    path, size = tmp_path / "page.html", 50_000_000
    path.write_text("paid for")
    writer = f"""
import sys
from pathlib import Path
from fusion_graph.text.whole_file import write_whole
write_whole(Path(sys.argv[1]), "x" * {size})
"""
    process = subprocess.Popen([sys.executable, "-c", writer, str(path)])
    while process.poll() is None and not _parts(tmp_path):
        pass
    process.kill()
    process.wait()

    assert path.read_text() in ("paid for", "x" * size)


def _parts(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name != "page.html"]
