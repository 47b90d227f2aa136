"""Files beside a question: text is told in it, pictures and PDFs go to the models as they are."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

from langchain_core.messages import BaseMessage

from fusion_graph.text.json_data import whole_characters

NAME_CHARACTERS = 120
"""How much of a file's name is told to the models."""

_PICTURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}


def text_of_file(text: str, name: object) -> str:
    """Word a text file as a part of the question.

    Args:
        text: What the file holds.
        name: What it is called.
    """
    called = file_name(name, "document")
    return f"[File: {called}]\n{whole_characters(text)}\n[End of {called}]"


def pdf_block(encoded: str, name: object) -> dict[str, Any]:
    """A PDF as a block of LangChain's.

    Args:
        encoded: Its bytes in base64.
        name: What it is called.
    """
    return {
        "type": "file",
        "base64": encoded,
        "mime_type": "application/pdf",
        "filename": file_name(name, "document.pdf"),
    }


def pdfs(messages: Iterable[BaseMessage]) -> list[str]:
    """Find the PDFs that messages hold, in base64, in LangChain's blocks or OpenAI's.

    Args:
        messages: The conversation.
    """
    blocks = [
        block
        for message in messages
        if isinstance(message.content, list)
        for block in message.content
        if isinstance(block, dict) and block.get("type") == "file"
    ]
    found = []
    for block in blocks:
        data = block.get("base64") or block.get("data")
        if isinstance(inner := block.get("file"), dict):
            data = str(inner.get("file_data", "")).rpartition("base64,")[2]
        # base64 of "%PDF-"
        if isinstance(data, str) and data.startswith("JVBERi"):
            found.append(data)
    return found


def file_block(content: bytes, name: str) -> dict[str, Any] | None:
    """A file as a block of LangChain's, by what is in it and not by how it is called.

    Args:
        content: The file's bytes.
        name: What it is called.

    Returns:
        A block of type `text`, `file` (a PDF) or `image_url`; None for any other kind of file.
    """
    encoded = base64.b64encode
    if content.startswith(b"%PDF-"):
        return pdf_block(encoded(content).decode(), name)
    if (kind := _picture_kind(content)) is not None:
        address = f"data:{kind};base64,{encoded(content).decode()}"
        return {"type": "image_url", "image_url": {"url": address}}
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else {"type": "text", "text": text_of_file(text, name)}


def question_content(
    question: str, blocks: list[dict[str, Any]]
) -> str | list[str | dict[str, Any]]:
    """The content of a message: where there is nothing but text one text, as all models take.

    Args:
        question: What is asked.
        blocks: Its files, by `file_block`.
    """
    texts = [question, *(block["text"] for block in blocks if block["type"] == "text")]
    text = "\n\n".join(part for part in texts if part)
    others = [block for block in blocks if block["type"] != "text"]
    if not others:
        return text
    return [*([{"type": "text", "text": text}] if text else []), *others]


def file_name(name: object, otherwise: str) -> str:
    """A file's name as it is told to models: one line without brackets.

    Args:
        name: What it is said to be called.
        otherwise: What stands for a name that is none.
    """
    said = name if isinstance(name, str) else ""
    return re.sub(r"[\s\[\]]+", " ", said).strip()[:NAME_CHARACTERS] or otherwise


def _picture_kind(content: bytes) -> str | None:
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for mark, kind in _PICTURES.items() if content.startswith(mark)), None)
