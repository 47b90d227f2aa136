"""Runs the notebooks from top to bottom and writes their outputs back: `python -m notebooks.run`.

Names (`python -m notebooks.run 03_compare_stacks`) run only these. A cell whose figures or order
differ from run to run has the tag `varies`; `tests/test_notebooks.py` compares all others word
for word.
"""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
"""The notebooks, in reading order."""

CELL_SECONDS = 300
"""A cell takes seconds; this ends one that hangs."""

OWNERS = ("FUSION_", "IPYTHON", "JUPYTER", "LANGCHAIN_", "LANGSMITH_", "MPLBACKEND")
"""How variables begin by which whoever runs this has settings of their own."""


async def execute(path: Path, home: Path) -> NotebookNode:
    """The notebook with the outputs of a fresh kernel of this interpreter.

    No key and no setting of whoever runs this reaches it: the outputs are what a reader without
    a key sees.

    Args:
        path: The notebook.
        home: The folder in which the kernel works; what is under `ipython` is its profile.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell raised.
    """
    # Each process that collects the tests imports this module: nbformat would take it two seconds,
    # for the grammar of URLs that jsonschema's checker of formats makes.
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    if any("matplotlib" in cell.source for cell in notebook.cells):
        # The first import on a machine lists its fonts, and would say so in a cell's output.
        await asyncio.to_thread(import_module, "matplotlib.font_manager")
    # No folders: an installed kernel called python3 may be another interpreter's.
    kernel = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        connection_file=str(home / "kernel.json"),
    )
    client = NotebookClient(
        notebook,
        kernel,
        timeout=CELL_SECONDS,
        record_timing=False,
        coalesce_streams=True,
        # Else it warns that this machine's processes talk to each other unencrypted.
        extra_arguments=["--log-level=ERROR"],
    )
    env = {**_neutral(), "IPYTHONDIR": str(home / "ipython"), "FUSION_GRAPH_CONFIG_DIR": str(home)}
    await client.async_execute(cleanup_kc=True, cwd=str(home), env=env)
    # What a reader's own kernel says of itself would differ on every machine.
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def _neutral() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_API_KEY") and not name.startswith(OWNERS)
    }


async def main(names: list[str]) -> None:
    """Run the notebooks of these names, or all of them."""
    import nbformat

    for path in NOTEBOOKS:
        if names and path.stem not in names:
            continue
        with TemporaryDirectory() as home:
            notebook = await execute(path, Path(home))
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
