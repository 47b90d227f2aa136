"""The tokens of text and messages, counted without any model's own tokeniser.

Every figure comes three times: at least, likely, at most. Tokenisers differ by a third on the
same text, and most of them are not published; what is sought here is a range that holds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.cost.pdf import pdf_pages
from fusion_graph.state.conversation import attachments
from fusion_graph.state.files import pdfs

Case = Literal["low", "likely", "high"]
CASES: tuple[Case, ...] = ("low", "likely", "high")

CHARACTERS_PER_TOKEN_AT_MOST = 6
"""Plain English prose has 4 to 5 characters a token, other languages fewer; no language has 6."""

BYTES_PER_TOKEN = 4
"""The usual rule for English (OpenAI's own); in UTF-8 bytes it holds for other scripts as well,
of which a character is 2 or 3 bytes."""

BYTES_PER_TOKEN_AT_LEAST = 2
"""Of the densest text: numbers, identifiers and addresses have 2 to 3 characters a token, Chinese
and Japanese 1 to 1.5 tokens a character of 3 bytes."""

UNSEEN_CHARACTERS_PER_TOKEN: dict[Case, int] = {
    "low": CHARACTERS_PER_TOKEN_AT_MOST,
    "likely": BYTES_PER_TOKEN,
    "high": 1,
}
"""For text of which only the length is known (a page that is still to be read): at most it is in
a script with a token for each character."""

MESSAGE_TOKENS: dict[Case, int] = {"low": 0, "likely": 4, "high": 10}
"""What a chat template puts around each message: role and delimiters, 3 to 8 tokens."""

REQUEST_TOKENS: dict[Case, int] = {"low": 0, "likely": 10, "high": 100}
"""What a request has besides its messages: the beginning of the reply, and the lines about date
and manners that some models' templates put in by themselves."""

TOOLS_TOKENS: dict[Case, int] = {"low": 0, "likely": 350, "high": 600}
"""What a provider says about tools by itself, besides their descriptions: Claude takes 346 tokens
now, up to 530 in earlier versions; the others say nothing of theirs."""

SERVED_TOOLS_TOKENS: dict[Case, int] = {"low": 20, "likely": 1_075, "high": 64_000}
"""The descriptions of one MCP server's tools: likely the median of 1,659 servers (o200k_base, of
2026, policylayer.com/token-cost; nine in ten have at most 6,119); at most as many tools as a panel
gets of one (64), of 1,000 each. That they are so few can only be seen by starting the server."""

SERVED_TOOL_TOKENS: dict[Case, int] = {"low": 20, "likely": 263, "high": 1_000}
"""One tool of theirs, where a configuration names the wanted: likely the mean of Slack's 142."""

IMAGE_TOKENS: dict[Case, int] = {"low": 70, "likely": 1_600, "high": 5_000}
"""One image: at least what Gemini takes at its lowest resolution; likely a megapixel for Claude
(28 x 28 pixels a token); at most Claude's largest, 2,576 pixels wide (4,784 tokens)."""

PDF_PAGE_TOKENS: dict[Case, int] = {"low": 258, "likely": 2_000, "high": 8_000}
"""One page of a PDF: at least what Gemini 2 takes (Gemini 3 takes 560); likely a page of text or a
scan for Claude, which gets it as text and as a picture (1,600 to 2,500 when measured); at most
3,000 of text, as its manual says, with a picture of the largest size."""


def text_tokens(text: str, case: Case) -> int:
    """Tokens of a text that is there."""
    if case == "low":
        return math.ceil(len(text) / CHARACTERS_PER_TOKEN_AT_MOST)
    per_token = BYTES_PER_TOKEN if case == "likely" else BYTES_PER_TOKEN_AT_LEAST
    return math.ceil(len(text.encode("utf-8", "replace")) / per_token)


def unseen_tokens(characters: int, case: Case) -> int:
    """Tokens of a text of which only its length in characters is known."""
    return math.ceil(characters / UNSEEN_CHARACTERS_PER_TOKEN[case])


def served_tools_tokens(wanted: Iterable[Sequence[str] | None], case: Case) -> int:
    """Estimate the tokens of the tools of MCP servers, none of which is started for it.

    Args:
        wanted: For each server the names of the tools that are wanted; None for all.
        case: Which of the three.
    """
    return sum(
        SERVED_TOOLS_TOKENS[case] if only is None else len(only) * SERVED_TOOL_TOKENS[case]
        for only in wanted
    )


def message_tokens(messages: Iterable[BaseMessage], case: Case) -> int:
    """Tokens of messages: text, tool calls, images and PDFs, and what stands around each.

    Attachments of other kinds are not counted: see `uncounted`.
    """
    messages = list(messages)
    text = sum(text_tokens(message.text, case) for message in messages)
    made = [call["args"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    text += sum(text_tokens(json.dumps(args, default=str), case) for args in made)
    images = attachments(messages)["image"] * IMAGE_TOKENS[case]
    pages = sum(pdf_pages(pdf) or 0 for pdf in pdfs(messages)) * PDF_PAGE_TOKENS[case]
    return text + images + pages + len(messages) * MESSAGE_TOKENS[case]


def uncounted(messages: Iterable[BaseMessage]) -> list[str]:
    """Name the kinds of attachments whose tokens cannot be told: `audio`, `file`, `video`."""
    messages = list(messages)
    found = attachments(messages)
    # Each PDF whose pages were counted is one of the files.
    found["file"] -= sum(pdf_pages(pdf) is not None for pdf in pdfs(messages))
    return sorted(kind for kind, count in found.items() if kind != "image" and count > 0)
