"""What may be written of a user's own MCP servers, and what is said where it cannot work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import ChatFusion, ConfigurationError, FusionConfig, create_fusion_graph
from fusion_graph.config import combine
from fusion_graph.errors import MissingKey
from tests.commands import run_here
from tests.tool_servers.test_stdio import QUESTION

PANEL = {"panel": ["offline:plain"]}


def servers(**tools: Any) -> dict[str, Any]:
    return dict(combine(PANEL, {"tools": tools}).tools)


def test_a_text_is_an_address_or_a_command_as_typed_in_a_shell():
    found = servers(web="https://example.org/mcp", files="npx -y 'the server' --root /tmp")
    assert found["web"].url == "https://example.org/mcp"
    assert found["files"].line == ["npx", "-y", "the server", "--root", "/tmp"]


def test_servers_of_a_preset_and_of_the_caller_are_merged_by_name():
    preset = {**PANEL, "tools": {"a": "one", "b": "two"}}
    found = combine({"tools": {"b": "three"}}, preset).tools
    assert {name: server.line for name, server in found.items()} == {"a": ["one"], "b": ["three"]}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({}, "give a command or a url"),
        ({"command": "x", "url": "https://example.org"}, "give a command or a url"),
        ({"command": "x 'y"}, "cannot be read"),
        ({"command": "x", "headers": {"A": "B"}}, "headers are for a url"),
        ({"url": "https://example.org", "env": ["KEY"]}, "args and env are for a command"),
        ({"command": "x", "env": {"KEY": "sk-very-secret-key"}}, "never the key itself"),
        ({"url": "ftp://example.org"}, "begins with http:// or https://"),
        ({"command": "x", "timeout": 99}, "55"),
    ],
)
def test_a_table_that_cannot_work_is_refused_and_its_values_are_not_repeated(table, told):
    with pytest.raises(ConfigurationError) as refused:
        servers(x=table)
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_name_that_no_provider_would_take_is_refused():
    with pytest.raises(ConfigurationError, match="tools"):
        servers(**{"my server": "x"})


def test_neither_arguments_nor_an_addresss_key_are_shown():
    config = combine(
        PANEL,
        {"tools": {"a": "serve --key=hidden", "b": "https://me:hidden@example.org/mcp?k=hidden"}},
    )
    model = repr(ChatFusion(config={"tools": {"a": "serve --key=hidden"}}))
    shown = json.dumps(config.public()["tools"]) + repr(config.tools) + model
    assert "hidden" not in shown
    assert "serve" in shown
    assert "https://***@example.org/mcp?***" in shown


async def test_a_runs_context_cannot_start_programs():
    graph = create_fusion_graph("offline")
    context = FusionConfig(tools={"x": "touch /tmp/never"})
    with pytest.raises(ConfigurationError, match="context sets 'tools'"):
        await graph.ainvoke(QUESTION, context=context)


async def test_a_variable_that_is_not_set_is_told_before_anything_is_paid(models, panel_config):
    config = panel_config(tools={"x": {"command": "serve", "env": ["NOT_SET_ANYWHERE"]}})
    with pytest.raises(MissingKey, match=r"MCP server x needs NOT_SET_ANYWHERE.*\[tools\.x\]"):
        await create_fusion_graph(config).ainvoke(QUESTION)
    assert not models.calls()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["npx -y server"], "--tool needs a name"),
        (["x="], "--tool needs a name"),
        (["x=a", "x=b"], "--tool names x twice"),
        (["my server=a"], "--tool is 'my server': a server is called by"),
    ],
)
def test_the_command_line_says_what_is_wrong_with_a_tool(given, told):
    options = [word for one in given for word in ("--tool", one)]
    ended = run_here("ask", *options, "Why?")
    assert ended.code == 2
    assert told in ended.err


def test_a_preset_is_shown_with_its_servers_as_a_file_that_can_be_used(presets_folder: Path):
    text = """
panel = ["offline:plain"]
[tools.files]
command = ["serve", "a folder"]
env = { TOKEN = "MY_TOKEN" }
[tools.web]
url = "https://example.org/mcp"
"""
    (presets_folder / "mine.toml").write_text(text, "utf-8")
    shown = run_here("presets", "mine")
    assert shown.code == 0, shown.err
    (presets_folder / "again.toml").write_text(shown.out, "utf-8")
    again = run_here("presets", "again").out
    assert again.partition("\n")[2] == shown.out.partition("\n")[2]
    assert 'command = ["serve", "a folder"]' in shown.out


def test_a_server_that_is_started_otherwise_is_another_one_to_caches_and_recordings():
    one, other = servers(a="serve --root /a", b="serve --root /b").values()
    assert one.shown()["command"] == other.shown()["command"]
    assert one.shown() != other.shown()
