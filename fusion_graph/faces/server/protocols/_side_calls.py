"""Side calls of chat programs: titles, tags, follow-ups and the like, which need no panel.

They are told by their kind, not by whole texts, which change from version to version: something
about a conversation is asked for (a title of it), the conversation is there to be read, and the
form of the reply is laid down as only a program lays it down. A person's question has at most two
of the three.
"""

from __future__ import annotations

import re

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from fusion_graph.faces.server.protocols._asked import Asked

LEAD = 1_500
"""Where an instruction stands: so many characters at a text's beginning, and at its end."""

READ = 8_000
"""How much of a question's beginning and end is looked at."""

FEW_TOKENS = 100
"""A reply of at most so many tokens is laid down to be short."""

PROBE_TOKENS, PROBE_CHARACTERS = 16, 16
"""A word or two, answered in so few tokens, asks whether anybody is there."""

_TALK = (
    r"(?:chat history|chat|conversation|dialog(?:ue)?|discussion|thread|(?:coding )?session|"
    r"(?:previous|above) query)"
)
_THE_TALK = (
    rf"(?:\b(?:the|this|our|an?|user['’]s|following|given)\s+(?:[\w’']+\s+)?{_TALK}s?\b"
    rf"|\bthread\s+title\b|\bchat history\b|会话|對話|对话|聊天)"
)
_WANTED = (
    r"(?:\btitles?\b|\bname\b|\btags?\b|\bfollow[- ]?ups?\b|\bsearch quer(?:y|ies)\b|"
    r"\bimage generation\b|标题|標題|标签)"
)
_ABOUT_THE_TALK = re.compile(
    rf"{_WANTED}.{{0,160}}?{_THE_TALK}|{_THE_TALK}.{{0,160}}?{_WANTED}", re.DOTALL
)
"""A title, tags or the like of a conversation are asked for."""

_NUMBER = r"(?:\d+|two|three|four|five|six|seven|eight|nine|ten)"
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"\b(?:only|just)\s+(?:return|output|respond|reply|provide|give)\b"
        r"|\b(?:return|output|respond|reply|answer)s?\b[^.\n]{0,30}\bonly\b"
        r"|\bjust provide\b|\bnothing else\b|\bno (?:extra|additional|explanation)|\bexclusively\b"
        r"|\badditional text\b|\bno preamble\b|\blead-in\b",
        r"\bjson\b",
        rf"\b{_NUMBER}(?:\s*(?:-|–|to|or)\s*{_NUMBER})?[- ]words?\b"
        rf"|\b{_NUMBER}\s+(?:words?|characters?)\s+(?:or (?:less|fewer)|max|at most)"
        rf"|\b(?:within|under|max(?:imum)?(?: of)?|no more than|at most|up to|≤)\s*{_NUMBER}\s+"
        r"(?:words?|characters?)|字以内|字以內",
        r"\b(?:no|without|avoid|not use)\b[^.\n]{0,40}\b(?:punctuation|quot\w+|formatting|symbols)"
        r"|标点|標點",
        r"\btitle case\b|\bsentence-case\b|\bprimary language\b|\bsame language\b"
        r"|\blocale code\b|\blanguage of the (?:conversation|chat)\b|\bdetected language\b",
        r"\btitle:\s*$",
    )
)
"""What programs lay down about the form of a reply; each counts once."""

_TRANSCRIPT = re.compile(
    r"<(?:chat_history|conversation|messages|session|history|dialogue)>"
    r"|^ {0,4}(?:conversation|chat history) ?: *$"
    r"|^ {0,4}[*\[\"#]{0,4}(?:user|human|用户)[*\]\"]{0,4} ?[:：]"
    r"|^here is the (?:query|conversation|chat)"
    r"|\"role\"\s*:\s*\"user\"",
    re.MULTILINE,
)
"""A conversation stands in a text."""

_SECTIONED = re.compile(r"\s*#{2,3} task:\s*\n(?P<task>[^#]*)", re.DOTALL)
"""Open WebUI's templates begin so; so do real questions over documents."""

_UNMISTAKABLE = (
    re.compile(r"\bautocompletion system\b.*<type>.*<text>", re.DOTALL),
    re.compile(r"\bfacial expression through a fitting emoji\b"),
    re.compile(r"\bto use as a prompt for future context\b"),
)
"""Autocompletion and emoji of Open WebUI, and NextChat's memory."""

_COMPACTION = (
    re.compile(r"your task is to create a detailed summary of the (?:conversation|recent)"),
    re.compile(r"you are performing a context checkpoint compaction"),
)
"""Claude Code's and Codex' calls that shorten their history, with all their tools."""


def is_side_call(asked: Asked) -> bool:
    """Tell whether a request is a chat program's errand, not a question of its user's.

    Args:
        asked: The request.
    """
    said = asked.conversation
    if not said or not isinstance(said[-1], HumanMessage):
        return False
    # Not all of it: a text of megabytes is no errand, and would take its time.
    last = _ends(said[-1].text.lower(), READ)
    if any(form.search(last[:LEAD]) for form in _COMPACTION):
        return True
    if len(asked.offered) > 1 or any(isinstance(message, ToolMessage) for message in said):
        return False  # an agent at work; LibreChat takes titles by one tool
    if any(form.search(last) for form in _UNMISTAKABLE):
        return True
    return _is_probe(asked, last) or _is_sectioned(last) or _is_about_talk(asked, last)


def _limit(asked: Asked) -> int | None:
    _, limit = asked.beside.get("writer_max_tokens", ("", None))
    return limit if isinstance(limit, int) else None


def _is_probe(asked: Asked, last: str) -> bool:
    """Whether it only asks whether anybody is there: `quota` in one token, `hi` in five."""
    limit = _limit(asked)
    words = re.fullmatch(r"[^\W\d_]+(?:[ ,]+[^\W\d_]+)?[.!]?", last.strip())
    short = len(last.strip()) <= PROBE_CHARACTERS and len(asked.conversation) == 1
    return limit is not None and limit <= PROBE_TOKENS and words is not None and short


def _is_sectioned(last: str) -> bool:
    """Whether it is one of Open WebUI's templates."""
    found = _SECTIONED.match(last)
    if found is None or "<chat_history>" not in last:
        return False
    task = found["task"]
    return re.search(_WANTED, task) is not None and not re.match(r"\s*(?:respond|answer)\b", task)


def _is_about_talk(asked: Asked, last: str) -> bool:
    """Whether a title or the like of a conversation is asked for in a form laid down."""
    systems = [m.text.lower() for m in asked.conversation if isinstance(m, SystemMessage)]
    others = [m for m in asked.conversation if not isinstance(m, SystemMessage)]
    system = systems[0] if systems else ""
    first = others[0].text.lower() if others else ""
    few = 1 if (limit := _limit(asked)) is not None and limit <= FEW_TOKENS else 0
    earlier = any(isinstance(message, AIMessage) for message in others)
    for instruction, needed in (
        # A system prompt of that kind is about nothing else; the conversation is what follows.
        (system[:LEAD], 2 if _about_at_once(system) or _TRANSCRIPT.search(last) else None),
        (_ends(last), 2 if _TRANSCRIPT.search(last) else 3 if earlier else None),
        (_ends(first), 3 if len(others) > 1 and not earlier else None),
    ):
        if needed is None or _ABOUT_THE_TALK.search(instruction) is None:
            continue
        if few + sum(form.search(instruction) is not None for form in _FORMS) >= needed:
            return True
    return False


def _about_at_once(system: str) -> bool:
    """Whether a system prompt comes to a conversation's title in its first words."""
    return _ABOUT_THE_TALK.search(system[:400]) is not None


def _ends(text: str, size: int = LEAD) -> str:
    """A text's beginning and end, between which what it is about stands."""
    return text if len(text) <= 2 * size else f"{text[:size]}\n{text[-size:]}"
