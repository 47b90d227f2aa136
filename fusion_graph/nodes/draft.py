"""An answer while it is being written: what of a model's text is said, and when it is void."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import uuid4

from fusion_graph.models.text_calls import offered_in
from fusion_graph.run.stage import OnText
from fusion_graph.state.events import Emit
from fusion_graph.text.off_loop import off_loop
from fusion_graph.text.streaming import Guarded
from fusion_graph.text.thinking import VisibleTokens
from fusion_graph.text.written_calls import WEB_TOOLS, Offered


def new_message_id() -> str:
    """An id for the final message. `fusion_graph.faces.follow` knows ours by how they begin."""
    return f"fusion-{uuid4()}"


class Draft:
    """An answer being written, under a message id of its own.

    A try that breaks off leaves a void draft behind; the next one streams as a new message.

    Args:
        note: What the message says before the answer.
        on_text: Takes the text.
        emit: Sends progress events.
        model: Who writes.
        nonce: The run's delimiter secret, which nobody is to see.
        tools: The caller's tools, in OpenAI's format: their calls may come as text.
        pictures: Where pictures may come from; None leaves the text as it is.
    """

    def __init__(
        self,
        note: str,
        on_text: OnText,
        emit: Emit,
        model: str,
        nonce: str = "",
        tools: Sequence[Mapping[str, Any]] = (),
        pictures: Collection[str] | None = None,
    ) -> None:
        self._pictures = pictures
        self._note, self._on_text, self._emit, self._model = note, on_text, emit, model
        self._nonce = nonce
        self._tools: Offered = {**WEB_TOOLS, **offered_in(tools)}
        self._begin()

    def _begin(self) -> None:
        self._new_message()
        self._tokens = VisibleTokens(
            self._pass, self._note, self._was_reasoning, self._nonce, self._tools
        )

    def _new_message(self) -> None:
        self.message_id = new_message_id()
        self._said = False
        self._guarded = None if self._pictures is None else Guarded(self._pictures)

    def _was_reasoning(self) -> None:
        """The model closed reasoning that it had not opened: it looked like an answer."""
        self._emit("synthesis.restarted", model=self._model, reason=_REASONING)
        self._new_message()

    def _pass(self, text: str) -> None:
        self._let(text if self._guarded is None else self._guarded.take(text))

    def _let(self, text: str) -> None:
        if text:
            self._said = True
            self._on_text(self.message_id, text)

    def take(self, text: str) -> None:
        """Take the next piece of the model's text."""
        self._tokens.take(text)

    async def end(self) -> None:
        """The model is done."""
        self._tokens.end()
        if self._guarded is not None and self._guarded.waits:
            self._let(await off_loop(True, self._guarded.end))

    def void(self, reason: str) -> None:
        """Void what was sent so far; whatever comes next is a new message."""
        if self._said:
            self._emit("synthesis.restarted", model=self._model, reason=reason)
        self._begin()


_REASONING = "the text so far was the model's reasoning"
