"""A judge's own research: its sources come after the panel's, and stay."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from langchain_core.messages import BaseMessage

from fusion_graph.errors import Degradation
from fusion_graph.evidence import Ledger, SourceRecord, open_ledger, recheck, record_of
from fusion_graph.models.calls import Caller
from fusion_graph.models.model import Model
from fusion_graph.models.request import Options
from fusion_graph.run.research import Outcome, research
from fusion_graph.run.stage import Stage
from fusion_graph.run.tool_use import Researcher
from fusion_graph.run.toolbox import Toolbox, open_toolbox
from fusion_graph.state import ToolRecord
from fusion_tools.sources import SourceBook, SourceEntry


class JudgeResearch:
    """The research of a judge, and of the fallbacks that judge in its place: all over one list.

    Args:
        stage: The judge's stage.
        sources: The panel's sources, which keep their numbers.
        own_words: What the user and the application said; addresses in it may be fetched.
    """

    def __init__(
        self,
        stage: Stage,
        sources: Sequence[SourceRecord],
        own_words: str,
    ) -> None:
        self._stage, self._own_words = stage, own_words
        self._ledger = open_ledger(stage.run["id"])
        self._sources = list(sources)
        self._book = SourceBook(known=[_entry(source, self._ledger) for source in sources])
        self._done: list[ToolRecord] = []
        self._toolbox: Toolbox | None = None

    @property
    def wanted(self) -> bool:
        """Say whether the judge may search at all."""
        return self._stage.settings.judge_tools and self._stage.settings.max_tool_calls > 0

    @property
    def losses(self) -> list[Degradation]:
        """What tools it had to do without."""
        servers = self._toolbox.servers if self._toolbox is not None else None
        return servers.losses() if servers is not None else []

    async def ask(
        self, model: Model, prompt: list[BaseMessage], options: Options, caller: Caller
    ) -> Outcome:
        """Let a model work on the prompt with the panel's tools until it answers or fails."""
        nonce, urls = self._stage.run["nonce"], [source["url"] for source in self._sources]
        if self._toolbox is None:
            stage = self._stage
            self._toolbox = await open_toolbox(
                stage.run["id"], stage.settings, stage.tools, self._ledger.followed
            )
        researcher = Researcher(
            caller=caller,
            model=model,
            options=options,
            # Not what the answers say: models wrote them, maybe at a page's bidding.
            tools=self._toolbox.tools(
                self._toolbox.ledger(self._own_words, urls), nonce, self._book
            ),
            cap=self._stage.settings.max_tool_calls,
            nonce=nonce,
            book=self._book,
            done=self._done,
        )
        return await research(researcher, prompt)  # type: ignore[arg-type]

    def found(
        self, cited: Collection[int]
    ) -> tuple[list[SourceRecord], list[ToolRecord], dict[int, int]]:
        """Collect what is to be kept: pages it read, hits it cites, and its tool calls. Blocks.

        Args:
            cited: The numbers in its verdict.

        Returns:
            The sources under their numbers in the report (new ones, and those of the panel's that
            it was the first to read), its tool calls, and every kept number → that number.
        """
        ids = {source["id"]: source["id"] for source in self._sources}
        kept: list[SourceRecord] = []
        for entry in self._book.entries():
            before = next((s for s in self._sources if s["id"] == entry["id"]), None)
            if before is not None:
                if entry["fetched"] and not before["fetched"]:
                    read = record_of(entry, self._ledger.keep)
                    quotes = recheck(before["quotes"], entry["text"])
                    kept.append({**read, "cited_by": before["cited_by"], "quotes": quotes})
            elif entry["fetched"] or entry["id"] in cited:
                ids[entry["id"]] = len(ids) + 1
                kept.append({**record_of(entry, self._ledger.keep), "id": ids[entry["id"]]})
        done: list[ToolRecord] = [
            {**call, "source_ids": [ids[n] for n in call["source_ids"] if n in ids]}
            for call in self._done
        ]
        return kept, done, ids


def _entry(source: SourceRecord, ledger: Ledger) -> SourceEntry:
    content = source.get("content")
    return {
        "id": source["id"],
        "url": source["url"],
        "title": source["title"],
        "retrieved_at": source["retrieved_at"],
        "text": (ledger.page(content) or "") if content else "",
        "fetched": source["fetched"],
    }
