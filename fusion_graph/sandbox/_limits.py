"""How much a model's code may use."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one run of an answer may use; the tests' process has the same.

    Attributes:
        seconds: Wall time of the whole run.
        cpu_seconds: Processor time of one process.
        memory_bytes: Address space of one process, Python's own 20 MiB included, and memory of
            all processes together, looked at ten times a second.
        file_bytes: Longest file it may write.
        folder_bytes: All files it wrote together.
        files: Most files, looked at ten times a second.
        tasks: Most processes and threads together.
        open_files: Most descriptors.
        output_bytes: Standard output of a program; past it, the program is stopped.
        confined: Whether it runs in bubblewrap, and not at all without; else only the limits hold.
    """

    seconds: float = 30.0
    cpu_seconds: int = 10
    memory_bytes: int = 512 * MEBIBYTE
    file_bytes: int = MEBIBYTE
    folder_bytes: int = 16 * MEBIBYTE
    files: int = 100
    tasks: int = 32
    open_files: int = 32
    output_bytes: int = MEBIBYTE
    confined: bool = True
