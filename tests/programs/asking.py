"""Panels with programs asked, for the tests of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from langchain_core.tools import tool

from fusion_graph import FusionReport, create_fusion_graph
from tests.test_panelist import QUESTION

SECRETS = {
    name: f"PLANTED-{name}"
    for name in (
        "OPENROUTER_API_KEY",
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "DATABASE_URL",
        "MY_PASSWORD",
    )
}


@tool
async def lookup(query: str) -> list[dict[str, str]]:
    """Look something up."""
    url = f"https://example.org/{query}"
    return [{"url": url, "title": f"About {query}", "content": f"{query} is wet."}]


def call(query: str) -> dict:
    return {"name": "lookup", "args": {"query": query}}


async def report_of(config: dict, tools: list) -> FusionReport:
    return FusionReport.from_state(await create_fusion_graph(config, tools=tools).ainvoke(QUESTION))


def gone(pid: int) -> bool:
    """Whether a process is no more, or is but waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def wait_until_gone(*pids: int) -> float:
    """Wait for the end of processes; how long that took, in seconds."""
    began = time.monotonic()
    while not all(map(gone, pids)):
        assert time.monotonic() - began < 30, "processes are left"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


MODELS = {"claude": "opus", "codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}


SERVED = {"claude": "claude-opus-4-8", "codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}
