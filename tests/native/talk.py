"""A process that goes on with conversations: `python -m tests.native.talk STEPS DB NATIVE …`.

STEPS are one or more of `ask` and `result`, with commas between them; `result` brings the results
of the calls that the writer made. For each step and provider it prints how many calls the writer
makes now, or what it answers.
"""

import asyncio
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from fusion_graph import create_fusion_graph

from .client import Native
from .conftest import open_chat

BOOK = {
    "type": "function",
    "function": {
        "name": "book",
        "description": "Book a table.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    },
}


async def say(step: str, provider: str, graph: Any) -> str:
    """One step of the conversation with a writer."""
    config = {"configurable": {"thread_id": provider}}
    messages: list[Any] = [HumanMessage("Where should we eat? Book it.")]
    if step == "result":
        kept = (await graph.aget_state(config)).values
        called = kept["messages"][-1]
        called.response_metadata["fusion"] = kept["fusion"]
        results = [ToolMessage("Table 7.", tool_call_id=c["id"]) for c in called.tool_calls]
        messages = [called, *results]
    context = {"writer_tools": [BOOK]}
    end = await graph.ainvoke({"messages": messages}, config, context=context)
    last = end["messages"][-1]
    return f"{provider}: {len(last.tool_calls)} calls" if last.tool_calls else last.text


async def talk(
    steps: str, path: str, native_url: str, models_url: str, *providers: str
) -> list[str]:
    """Goes on with the conversation of each provider's writer; returns what to print."""
    told = []
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        for step in steps.split(","):
            for provider in providers:
                config = {
                    "panel": ["scripted:a", "scripted:b"],
                    "judge": "scripted:j",
                    "synthesizer": open_chat(provider, Native.at(native_url)),
                    "search": "none",
                    "providers": {"scripted": {"base_url": models_url}},
                }
                graph = create_fusion_graph(config, checkpointer=saver)
                told.append(await say(step, provider, graph))
    return told


if __name__ == "__main__":
    print(*asyncio.run(talk(*sys.argv[1:])), sep="\n")
