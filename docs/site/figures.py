"""Brings the figures of tests/benchmarks and the notebooks into the site, where pages link to them.

They stay where the commands that make them write them; a page's link to `tests/benchmarks/x.md`
holds in the repository as it stands, and is rewritten here for the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[2]

BROUGHT = {
    **{f"figures/{path.name}": path for path in sorted(TOP.glob("tests/benchmarks/*.md"))},
    **{f"figures/{path.name}": path for path in sorted(TOP.glob("tests/benchmarks/*.jsonl"))},
    **{f"notebooks/{path.name}": path for path in sorted(TOP.glob("notebooks/*.ipynb"))},
}
"""Address in the site, and the file that stands there."""

_LINK = re.compile(r"\]\((?:\.\./)+(tests/benchmarks|notebooks)/([\w.]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the figures to the last section of the navigation."""
    assert config.nav is not None
    (section,) = config.nav[-1].values()
    section += [address for address in BROUGHT if address.endswith(".md")]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files."""
    for address, path in BROUGHT.items():
        files.append(File.generated(config, address, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Point a page's links at where the files are in the site."""
    folder = posixpath.dirname(page.file.src_uri)

    def moved(link: re.Match[str]) -> str:
        target = "figures" if link[1] == "tests/benchmarks" else link[1]
        return f"]({posixpath.relpath(f'{target}/{link[2]}', folder or '.')}"

    return _LINK.sub(moved, markdown)
