"""A process that goes on with conversations: `python -m tests.native.talk STEP DB NATIVE MODELS …`.

STEP is `ask`, or `result`, which brings the results of the calls that the writer made. For each
provider it prints how many calls the writer makes now, or what it answers.
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


async def main(step: str, path: str, native_url: str, models_url: str, *providers: str) -> None:
    """Goes on with the conversation of each provider's writer."""
    async with AsyncSqliteSaver.from_conn_string(path) as saver:
        for provider in providers:
            config = {
                "panel": ["scripted:a", "scripted:b"],
                "judge": "scripted:j",
                "synthesizer": open_chat(provider, Native.at(native_url)),
                "search": "none",
                "providers": {"scripted": {"base_url": models_url}},
            }
            print(await say(step, provider, create_fusion_graph(config, checkpointer=saver)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
