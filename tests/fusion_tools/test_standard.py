"""langchain-tests' standard suites for tools, on both tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool

from fusion_tools.corpus import Corpus, open_corpus
from fusion_tools.tools import web_fetch_tool, web_search_tool

pytest.importorskip("langchain_tests", reason="the standard suites come with langchain-tests")

from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests


class OnACorpus:
    """A folder with one document, made for each test."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        (tmp_path / "lake.md").write_text("# Lakes\n\nDeep water.\n")
        self.corpus: Corpus = open_corpus(tmp_path)


class Search(OnACorpus):
    """`web_search` and how to call it."""

    @property
    def tool_constructor(self) -> BaseTool:
        return web_search_tool(self.corpus)

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"query": "How deep is the water?"}


class Fetch(OnACorpus):
    """`web_fetch` and how to call it."""

    @property
    def tool_constructor(self) -> BaseTool:
        return web_fetch_tool(self.corpus)

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"url": "corpus:///lake.md", "offset": 0}


class TestSearchUnit(Search, ToolsUnitTests):
    """The unit suite on `web_search`."""


class TestFetchUnit(Fetch, ToolsUnitTests):
    """The unit suite on `web_fetch`."""


class TestSearchIntegration(Search, ToolsIntegrationTests):
    """The integration suite on `web_search`."""


class TestFetchIntegration(Fetch, ToolsIntegrationTests):
    """The integration suite on `web_fetch`."""
