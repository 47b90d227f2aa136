"""The panel's work done by hand: the keyless models with the real tools, no graph around them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool

from fusion_graph.evidence import SourceRecord, merge_sources, renumber, used_sources
from fusion_graph.offline import PANELISTS, offline_model
from fusion_graph.prompts import (
    WRITER_SYSTEM,
    judge_material,
    judge_system,
    panel_system,
    writer_material,
)
from fusion_tools.corpus import open_corpus
from fusion_tools.render import page_text, search_text
from fusion_tools.sources import SourceBook
from fusion_tools.tools import web_fetch_tool, web_search_tool

NONCE = "0123456789abcdef"
BUNDLED = Path(__file__).parents[2] / "fusion_graph" / "offline" / "corpus"


@dataclass
class Finding:
    """What a panelist came to, and how."""

    text: str
    sources: list[SourceRecord]
    calls: list[tuple[str, dict[str, Any]]]
    pages: dict[int, str]

    @property
    def queries(self) -> list[str]:
        return [args["query"] for name, args in self.calls if name == "web_search"]

    @property
    def fetched(self) -> list[str]:
        return [args["url"] for name, args in self.calls if name == "web_fetch"]


@dataclass
class Outcome:
    """A whole run: findings, labelled answers, verdict, final answer."""

    findings: dict[str, Finding]
    answers: list[tuple[str, str]]
    sources: list[SourceRecord]
    verdict: dict[str, Any]
    answer: str


def folder_of(folder: Path, documents: Mapping[str, str]) -> Path:
    """A folder with these files."""
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def tools_over(folder: Path) -> list[BaseTool]:
    corpus = open_corpus(folder)
    return [web_search_tool(corpus), web_fetch_tool(corpus)]


def research(
    name: str,
    question: str,
    folder: Path,
    *,
    cap: int = 8,
    history: Sequence[BaseMessage] = (),
    tools: Sequence[BaseTool] | None = None,
) -> Finding:
    """Drive a panelist to its answer, as the panelist node does."""
    tools = tools_over(folder) if tools is None else tools
    messages: list[BaseMessage] = [
        SystemMessage(panel_system(bool(tools), cap, "2026-11-22", None)),
        *history,
        HumanMessage(question),
    ]
    return asyncio.run(_drive(offline_model(name).bind_tools(list(tools)), messages, tools))


async def _drive(model: Any, messages: list[BaseMessage], tools: Sequence[BaseTool]) -> Finding:
    by_name = {tool.name: tool for tool in tools}
    book = SourceBook()
    calls: list[tuple[str, dict[str, Any]]] = []
    while True:
        reply: AIMessage = await model.ainvoke(messages)
        messages.append(reply)
        if not reply.tool_calls:
            entries = book.entries()
            return Finding(
                reply.text,
                used_sources("it", reply.text, entries),
                calls,
                {entry["id"]: entry["text"] for entry in entries},
            )
        assert len(calls) < 20, "it never stops"
        for call in reply.tool_calls:
            calls.append((call["name"], call["args"]))
            artifact = (await by_name[call["name"]].ainvoke(call)).artifact
            ids = book.note(artifact)
            if artifact["kind"] == "search":
                text = search_text(artifact, ids, NONCE)
            else:
                text = page_text(artifact, ids[0] if ids else None, NONCE)
            messages.append(ToolMessage(text, tool_call_id=call["id"]))


def judged(
    answers: Sequence[tuple[str, str]],
    question: str = "What is known?",
    sources: Sequence[SourceRecord] = (),
) -> dict[str, Any]:
    """The judge's verdict on labelled answers."""
    material = judge_material(f"User: {question}", answers, sources, NONCE)
    reply = offline_model("judge").invoke(
        [SystemMessage(judge_system("general")), HumanMessage(material)]
    )
    verdict: dict[str, Any] = json.loads(reply.text)
    return verdict


def written(
    answers: Sequence[tuple[str, str]],
    analysis: str | None,
    question: str = "What is known?",
    sources: Sequence[SourceRecord] = (),
) -> str:
    """The writer's answer from labelled answers."""
    material = writer_material(analysis, answers, sources, NONCE)
    return (
        offline_model("writer")
        .invoke([SystemMessage(WRITER_SYSTEM), HumanMessage(question), HumanMessage(material)])
        .text
    )


def whole_run(question: str, folder: Path) -> Outcome:
    """Three panelists, the judge, the writer."""
    findings = {name: research(name, question, folder) for name in PANELISTS}
    sources, maps = merge_sources([f.sources for f in findings.values()])
    answers = [
        (label, renumber(finding.text, ids))
        for label, finding, ids in zip("ABC", findings.values(), maps, strict=True)
    ]
    verdict = judged(answers, question, sources)
    answer = written(answers, json.dumps(verdict), question, sources)
    return Outcome(findings, answers, sources, verdict, answer)


def source(id: int, title: str = "A page") -> SourceRecord:
    return {
        "id": id,
        "url": f"corpus:///{id}.md",
        "title": title,
        "retrieved_at": None,
        "fetched": True,
        "cited_by": [],
        "quotes": [],
    }
