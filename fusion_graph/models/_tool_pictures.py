"""Pictures that tools returned go behind the results: few providers take them within one.

OpenAI's chat completions take text alone from tools; a message of the user's behind all results of
a turn is taken by whoever sees pictures at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

SHOWN = "The pictures that the tools returned, in their order:"
UNSEEN = "[Pictures cannot be shown to this model: say so where the answer depends on them.]"


def has_pictures(messages: Sequence[BaseMessage]) -> bool:
    """Say whether a tool returned a picture.

    Args:
        messages: A conversation.
    """
    return any(_pictures(message) for message in messages)


def shown_behind_results(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Move the pictures that tools returned into a message behind each turn's results.

    Args:
        messages: A conversation.
    """
    moved: list[BaseMessage] = []
    waiting: list[Any] = []
    for message in messages:
        if waiting and not isinstance(message, ToolMessage):
            moved.append(_shown(waiting))
            waiting = []
        pictures = _pictures(message)
        waiting += pictures
        moved.append(message.model_copy(update={"content": message.text}) if pictures else message)
    return [*moved, _shown(waiting)] if waiting else moved


def without_pictures(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Leave out the pictures that tools returned, and say so in their place.

    Args:
        messages: A conversation.
    """
    return [
        message.model_copy(update={"content": f"{message.text}\n{UNSEEN}".strip()})
        if _pictures(message)
        else message
        for message in messages
    ]


def _shown(pictures: Sequence[Any]) -> HumanMessage:
    return HumanMessage([{"type": "text", "text": SHOWN}, *pictures])


def _pictures(message: BaseMessage) -> list[Any]:
    if not isinstance(message, ToolMessage) or not isinstance(message.content, list):
        return []
    kinds = ("image_url", "image")
    return [one for one in message.content if isinstance(one, dict) and one.get("type") in kinds]
