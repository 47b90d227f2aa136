"""The tools of a member that is a program: it calls them itself, within one answer.

Nothing else differs: the cap, the records, the numbered sources and the events are those of a
model whose calls this package makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.errors import GraphBubbleUp

from fusion_graph.models.reply import CALLED, new_call_id
from fusion_graph.run._wanted_calls import WantedCall
from fusion_graph.run.tool_use import Researcher, refuse_call, run_call


class HostedTools:
    """A researcher's tools, as its program calls them.

    Args:
        researcher: Whose; its records and sources grow.
        conversation: What the program is sent.
        used: Calls that were made before it was asked.
    """

    def __init__(
        self, researcher: Researcher, conversation: Sequence[AnyMessage], used: int
    ) -> None:
        self._researcher, self._conversation, self._used = researcher, conversation, used
        self._called = 0

    async def catch_up(self, message: BaseMessage) -> None:
        """Call again what a kept answer called, so that its sources are there under its numbers.

        Args:
            message: The answer; one that was just given has called already.
        """
        made, self._called = self._called, 0
        calls = message.additional_kwargs.get(CALLED)
        if made or not isinstance(calls, list):
            return
        for one in calls:
            await self.call(str(one["name"]), one["args"])
        self._called = 0

    async def call(self, name: str, args: dict[str, Any] | None) -> tuple[str, bool]:
        """Call a tool, or refuse to, where the cap is reached.

        Args:
            name: The tool.
            args: Its arguments; None for what are none.

        Returns:
            What the program is to read, and whether it is a failure.
        """
        researcher = self._researcher
        self._called += 1
        call: WantedCall = {
            "id": new_call_id(),
            "name": name,
            "args": args or {},
            "problem": "The arguments are not a JSON object" if args is None else None,
        }
        if researcher.writing is not None:
            researcher.writing.begin()  # what it wrote up to here was about what it would do
        if self._used >= researcher.cap:
            return refuse_call(researcher, call).text, True
        self._used += 1
        try:
            message = await run_call(researcher, call, self._conversation)
        except GraphBubbleUp:
            # The program would have to be kept waiting for as long as a person takes.
            return (
                f"unavailable: {name} asks a person first, which a program cannot wait for.",
                True,
            )
        return message.text, message.status == "error"
