"""A model's reply as a run reads it: its text, its tool calls, why it ended or is silent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage

from fusion_graph.errors import Failure
from fusion_graph.models._reading import read_text
from fusion_graph.models.failures import DETAIL_CHARACTERS, failed_once
from fusion_graph.models.fitting import CONTEXT
from fusion_graph.models.reply import without_turn
from fusion_graph.models.secrets import scrub
from fusion_graph.text.thinking import without_thinking

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
}
"""Other providers' words for OpenAI's: Anthropic's `stop_reason`, Google's `FinishReason`,
Mistral's `model_length`."""


_MALFORMED = frozenset(
    {"malformed_function_call", "unexpected_tool_call", "too_many_tool_calls", "tool_use_failed"}
)
"""Google's `FinishReason`s for a call that it could not read, which come with an empty reply; and
Groq's code, where a gateway makes a finish reason of it."""


@dataclass(frozen=True)
class ModelReply:
    """A model's reply.

    Attributes:
        message: As it came; calls that it held as text are calls.
        text: What a reader may see of it: no reasoning, no calls, nothing of the prompts' own.
        ended_by: What ended it before its end, if that was not the cap that was asked for.
        remedy: What to do about that.
    """

    message: AIMessage
    text: str
    ended_by: str = ""
    remedy: str = ""

    @property
    def finish_reason(self) -> str:
        """Why the model stopped, in OpenAI's words if they have one; empty if it does not say."""
        metadata = self.message.response_metadata
        names = ("finish_reason", "stop_reason", "done_reason")
        said = next((str(metadata[name]) for name in names if metadata.get(name)), "")
        return _FINISH_REASONS.get(said.lower(), said)

    @property
    def malformed_call(self) -> bool:
        """Whether its provider says that the model's call of a tool could not be read."""
        metadata = self.message.response_metadata
        names = ("finish_reason", "native_finish_reason", "stop_reason")
        return any(str(metadata.get(name) or "").lower() in _MALFORMED for name in names)

    @property
    def paused(self) -> bool:
        """Whether its provider stopped in the midst of searching, and goes on when asked to."""
        return self.message.response_metadata.get("stop_reason") == "pause_turn"

    def reading(self, text: str, nonce: str) -> ModelReply:
        """Give it another text, read as its own was; its own where nothing is left of that.

        Args:
            text: The text.
            nonce: The run's delimiter secret.
        """
        return replace(self, text=read_text(text, nonce) or self.text)

    def without_calls(self) -> ModelReply:
        """Drop its calls of tools, and so the provider's turn, which holds them."""
        none: dict[str, Any] = {"tool_calls": [], "invalid_tool_calls": []}
        return replace(self, message=without_turn(self.message.model_copy(update=none)))

    def cut_by(self, limit: str) -> str:
        """Say what broke the reply off before its end; empty if nothing did.

        Args:
            limit: The field that sets its length.
        """
        filtered = "the provider's filter"
        parts = [part for part in (self.ended_by, self.remedy.rstrip(".")) if part]
        too_long = "; ".join(parts) or limit
        return {"length": too_long, "content_filter": filtered}.get(self.finish_reason, "")

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to read in it for no reason that a second try would meet too."""
        cut = self.finish_reason == "length"
        return not self.text and not cut and self.silence()["reason"] == "empty_answer"

    def silence(self) -> Failure:
        """Say why there is nothing to read in it, if there is nothing."""
        if refusal := self.message.additional_kwargs.get("refusal"):
            words = " ".join(scrub(str(refusal)).split())[:DETAIL_CHARACTERS]
            return failed_once("content_filter", f"The model refused: {words}")
        if self.finish_reason == "content_filter":
            return failed_once("content_filter", "The provider's filter withheld the reply.")
        said = self.message.text.strip()
        why = "It sent only reasoning." if said else "The reply was blank."
        if said and (self.text or without_thinking(said)):  # a long text is looked through once
            why = "It wrote a tool call as text, or repeated the prompt, and no answer."
        if self.finish_reason == "length" and self.ended_by.startswith(CONTEXT):
            return failed_once(
                "context_length", f"{why} It was ended by {self.ended_by}. {self.remedy}"
            )
        if self.finish_reason == "length" and self.ended_by:
            return failed_once(
                "empty_answer",
                f"{why} It was ended by {self.ended_by}: raise max_completion_tokens and the "
                "server's own token limit, or lower the reasoning effort.",
            )
        if self.finish_reason == "length":
            why += (
                " It used up its token limit, max_completion_tokens: raise it, or lower the "
                "reasoning effort."
            )
        return failed_once("empty_answer", why)
