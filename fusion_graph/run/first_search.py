"""The first search, made by code before a model is asked, and the best hits read.

Small models do not research by themselves, and answer from what is put before them: 10 % of
answers right without, 80 % with it, of a model of 1.5 B on ten questions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.tools import BaseTool

from fusion_graph.config import ResolvedConfig
from fusion_graph.run._wanted_calls import WantedCall
from fusion_graph.run.tool_use import Researcher, run_calls
from fusion_graph.state.conversation import is_the_users

QUERY_CHARACTERS = 200
"""Longest query: about thirty words, as many as search engines read."""

PAGES = 2
"""Hits that are read: the best one may turn out to be about something else."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SENTENCE = re.compile(r"[^\n.!?。！？]+(?:[.!?。！？](?!\s|\Z)[^\n.!?。！？]*)*[.!?。！？]*")
_QUESTION = ("?", "？")


def search_query(question: str) -> str:
    """A query for a question: the question itself, a long one cut to what it asks.

    Of a long text the last sentence that asks something counts, or else the first sentence: what
    is to be done stands before the material or after it.

    Args:
        question: The user's last message.
    """
    whole = " ".join(question.split())
    if len(whole) <= QUERY_CHARACTERS:
        return whole
    prose = _CODE.sub(" ", question)
    sentences = [" ".join(s.split()) for s in _SENTENCE.findall(prose) if re.search(r"\w", s)]
    asking = [sentence for sentence in sentences if sentence.endswith(_QUESTION)]
    core = asking[-1] if asking else sentences[0] if sentences else whole
    if len(core) <= QUERY_CHARACTERS:
        return core
    cut = core[:QUERY_CHARACTERS]
    return cut.rpartition(" ")[0] or cut


async def search_first(
    researcher: Researcher, conversation: Sequence[BaseMessage]
) -> list[list[BaseMessage]]:
    """Search with the question and read the best hits, as turns of the model's own would.

    The same tools, ledger and numbers are used as the model's, so that it can cite what it is
    shown; every call counts against the cap. A search that fails or finds nothing is told too.

    Args:
        researcher: For whom; its records and sources grow.
        conversation: What was said so far.

    Returns:
        Calls and results by turns; none where there is nothing to search with, or for.
    """
    search = next((tool for tool in researcher.by_name.values() if is_search(tool)), None)
    last = next((m for m in reversed(conversation) if is_the_users(m)), None)
    query = search_query(last.text) if last is not None else ""
    if search is None or not query:
        return []
    wanted = [_call("search", 1, search, {_text_argument(search): query})]
    turns = await _made(researcher, wanted, conversation)
    found = {entry["id"]: entry["url"] for entry in researcher.book.entries()}
    urls = [found[id] for id in researcher.done[-1]["source_ids"] if id in found]
    reader = next((tool for tool in researcher.by_name.values() if _reads_pages(tool)), None)
    count = min(PAGES, researcher.cap - 1, len(urls))
    if reader is None or count < 1:
        return turns
    history = [*conversation, *(message for turn in turns for message in turn)]
    pages = [_call("fetch", n, reader, {"url": url}) for n, url in enumerate(urls[:count], 1)]
    return [*turns, *await _made(researcher, pages, history)]


def is_search(tool: BaseTool) -> bool:
    """Tell whether a tool searches: by its name, and an argument that takes the words."""
    return "search" in tool.name.lower() and bool(_text_argument(tool))


def who_can_search(settings: ResolvedConfig, own: Sequence[BaseTool] | None) -> set[int]:
    """Places in the panel of those who have a tool that searches.

    Args:
        settings: The run's configuration.
        own: The caller's tools, in place of the web tools; None for these.
    """
    there = settings.search != "none" if own is None else any(map(is_search, own))
    if not there or not settings.max_tool_calls:
        return set()
    return {index for index, member in enumerate(settings.panel) if member.tools}


async def _made(
    researcher: Researcher, calls: list[WantedCall], history: Sequence[BaseMessage]
) -> list[list[BaseMessage]]:
    results = await run_calls(researcher, calls, by="code", history=history)
    made = [ToolCall(name=c["name"], args=c["args"], id=c["id"]) for c in calls]
    return [[AIMessage("", tool_calls=made)], [*results]]


def _call(kind: str, n: int, tool: BaseTool, args: dict[str, Any]) -> WantedCall:
    # Nine letters or digits, as Mistral wants ids.
    return {"id": f"{kind}{n:0{9 - len(kind)}d}", "name": tool.name, "args": args, "problem": None}


def _text_argument(tool: BaseTool) -> str:
    """The argument that takes a query, where it is all that a tool needs; else empty."""
    arguments: Mapping[str, Any] = tool.args
    needed = [name for name, schema in arguments.items() if "default" not in schema]
    named = next((name for name in ("query", "q", "search_query") if name in arguments), "")
    if named:
        return named if set(needed) <= {named} else ""
    one = needed[0] if len(needed) == 1 else ""
    return one if one and arguments[one].get("type") == "string" else ""


def _reads_pages(tool: BaseTool) -> bool:
    arguments: Mapping[str, Any] = tool.args
    return [name for name, schema in arguments.items() if "default" not in schema] == ["url"]
