"""What models see of a server's tools and results, without a server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from fusion_graph.run._mcp_results import result_hits, result_page, result_text
from fusion_graph.run._mcp_tools import mcp_tools, tool_name


class Server:
    name = "files"


class Offered:
    def __init__(self, **told: Any) -> None:
        self.server, self.told = Server(), told


def wire(*offered: Offered, taken: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The tools as a provider gets them."""
    tools = mcp_tools(offered, taken, "nonce", None)  # type: ignore[arg-type]
    return [convert_to_openai_tool(tool)["function"] for tool in tools]


@pytest.mark.parametrize("tool", ["read.file", "read file/é", "x" * 200, "", "read-file"])
def test_every_providers_name_for_a_tool_is_letters_digits_and_at_most_64(tool: str):
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", tool_name("files", tool))


def test_two_tools_of_one_name_are_told_apart():
    names = [one["name"] for one in wire(Offered(name="a.b"), Offered(name="a/b"), taken=("x",))]
    assert names == ["files_a_b", "files_a_b_2"]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"type": "object"},
        {"type": "object", "properties": {"config": True, "run_manager": {"type": "string"}}},
        {"properties": {"q": {"type": "string", "description": "x" * 100_000}}, "required": ["q"]},
    ],
)
def test_any_schema_becomes_one_that_a_provider_takes(schema: Any):
    [made] = wire(Offered(name="read", description="Read.", inputSchema=schema))
    assert made["parameters"]["type"] == "object"
    assert len(str(made)) < 20_000
    assert all(isinstance(part, dict) for part in made["parameters"]["properties"].values())


def test_a_long_description_is_cut_and_what_cannot_be_seen_is_taken_out():
    [made] = wire(Offered(name="read", description="Read\u200b." + "x" * 9000))
    assert made["description"].startswith("Read.")
    assert len(made["description"]) <= 1024


def test_equal_calls_are_one_source_and_others_are_not():
    long = {"query": "x" * 500}
    pages = [
        result_page("files", "read", args, "text")
        for args in ({"path": "a"}, {"path": "a"}, {"path": "b"}, long, {"query": "x" * 501})
    ]
    assert pages[0]["url"] == pages[1]["url"]
    assert len({page["url"] for page in pages}) == 4
    assert all(len(page["url"]) < 600 and len(page["title"]) < 200 for page in pages)


def test_a_row_that_says_more_than_a_hit_stays_whole():
    row = {"temperature": 14, "source": "https://weather.example/oslo"}
    assert result_hits({"structuredContent": row, "content": []}) == []
    assert result_hits({"structuredContent": {"rows": [row]}, "content": []}) == []
    assert '"temperature": 14' in result_text({"structuredContent": row})


def test_what_is_no_text_is_named():
    image = {"type": "image", "mimeType": "image/png", "data": "AAAA"}
    held = {"type": "resource", "resource": {"uri": "file:///a", "text": "Inside."}}
    text = result_text({"content": [image, held]})
    assert text == "(image/png, left out)\n\nfile:///a\nInside."
