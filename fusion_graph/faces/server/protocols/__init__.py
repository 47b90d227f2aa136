"""The protocols that clients speak: each reads its request into one form, and writes one answer."""

from fusion_graph.faces.server.protocols import _messages_reply as _messages
from fusion_graph.faces.server.protocols._chat_reply import ChatStream, completion, error_body
from fusion_graph.faces.server.protocols._chat_request import read_chat
from fusion_graph.faces.server.protocols._completions import (
    CompletionStream,
    read_completion,
    text_completion,
)
from fusion_graph.faces.server.protocols._messages_request import read_messages
from fusion_graph.faces.server.protocols._protocol import Wire
from fusion_graph.faces.server.protocols._responses_reply import ResponsesStream, response
from fusion_graph.faces.server.protocols._responses_request import read_responses

CHAT = Wire(read=read_chat, whole=completion, stream=ChatStream, error=error_body)
"""OpenAI's chat completions."""

COMPLETIONS = Wire(
    read=read_completion, whole=text_completion, stream=CompletionStream, error=error_body
)
"""OpenAI's completions of a text."""

RESPONSES = Wire(read=read_responses, whole=response, stream=ResponsesStream, error=error_body)
"""OpenAI's Responses."""

MESSAGES = Wire(
    read=read_messages,
    whole=_messages.message,
    stream=_messages.MessagesStream,
    error=_messages.error_body,
    call_prefix="toolu_",
    ping=_messages.PING,
)
"""Anthropic's Messages."""
