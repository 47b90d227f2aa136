"""A client of a notebook's kernel that keeps what its cells show.

Imported where it is used: nbformat takes two seconds, for the grammar of URLs that jsonschema's
checker of formats makes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient


class Watching(NotebookClient):
    """Runs a notebook, and keeps every picture its cells show.

    Once a picture says `needle`, `file` is made.
    """

    def __init__(self, *cells: str, needle: str = "", file: Path | None = None) -> None:
        code = [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook = nbformat.v4.new_notebook(cells=code)
        super().__init__(notebook, timeout=300, kernel_name="python3")
        self.pictures: list[tuple[str, str, str]] = []
        self._needle, self._file = needle, file

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        kind, content = message["msg_type"], message["content"]
        if kind in ("display_data", "update_display_data"):
            html = content["data"]["text/html"]
            self.pictures.append((kind, content["transient"]["display_id"], html))
            if self._file and self._needle in html:
                self._file.touch()
        return super().process_message(message, cell, cell_index)

    def htmls(self, cell: int) -> list[str]:
        return [
            output["data"]["text/html"]
            for output in self.nb.cells[cell].outputs
            if "text/html" in output.get("data", {})
        ]
