"""The protocols that clients speak: each reads its request into one form, and writes one answer."""

from fusion_graph.faces.server.protocols._chat_reply import ChatStream, completion, error_body
from fusion_graph.faces.server.protocols._chat_request import read_chat
from fusion_graph.faces.server.protocols._protocol import Wire

CHAT = Wire(read=read_chat, whole=completion, stream=ChatStream, error=error_body)
"""OpenAI's chat completions."""
