"""The places in a model's text of tool calls that were meant as calls, and came as text.

Every family of models has markup of its own for calls, and servers that do not know it, or know
it wrongly, leave it in the text (vLLM, SGLang, llama.cpp, Ollama, LM Studio, and gateways before
them). The forms are those of the families' own chat templates. What stands in code of an answer
is an explanation, and no call.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
"""Start and end in a text, in characters."""

_PLAIN = str.maketrans({"｜": "|", "▁": "_", "＜": "<", "＞": ">"})
"""DeepSeek's markers are written with fullwidth bars and U+2581; one character for one."""

_ODD = re.compile("[｜▁＜＞]")

_PAYLOAD = r"(?=\s*(?:[\[{`]|<|[A-Za-z_][\w.\-:]*\s*(?:[({\[\n]|<)))"
"""What comes after a tag that opens a call: JSON, another tag, or a name and its arguments. A tag
that prose goes on after is only spoken of."""

_NAMED = r"[\"']?[\w.\-:]+[\"']?\s*>(?=\s*(?:[{`]|</?(?:[a-z]+:)?(?:parameter|invoke|function)))"
"""A tool's name in a tag, the tag's end, and the beginning of arguments, or none."""

_DRESSES: tuple[tuple[str, str], ...] = (
    # Qwen and Hermes (JSON), Qwen3-Coder and GLM (XML), their plurals, Seed-OSS, MiniMax, LongCat
    (
        rf"<(?P<tag>(?:[a-z]+:|longcat_)?(?:tool_calls?|function_calls?|functioncall))>{_PAYLOAD}",
        r"</{tag}>",
    ),
    (r"<(?P<tag_2>tools?)>(?=\s*[\[{]+\s*[\"'])", r"</{tag}>"),  # Qwen2.5-Coder
    (r"<function=[\"']?[A-Za-z_]", r"</function>"),  # Llama 3.1, Qwen3-Coder
    (rf"<function\s+name={_NAMED}", r"</function>"),
    (rf"<(?P<tag_3>(?:[a-z]+:)?invoke)\s+name={_NAMED}", r"</{tag}>"),  # Anthropic's old form
    (r"<\|tool_calls_section_begin\|>", r"<\|tool_calls_section_end\|>"),  # Kimi K2
    (r"<\|tool_calls_begin\|>", r"<\|tool_calls_end\|>"),  # DeepSeek V3, R1
    (r"<\|tool_call_begin\|>", r"<\|tool_call_end\|>"),
    (
        r"<\|{1,2}DSML\|{1,2}\s*(?P<tag_4>tool_calls|function_calls|calls|invoke)\b",
        r"</\|{1,2}DSML\|{1,2}\s*{tag}\s*>",
    ),  # DeepSeek V3.2, V4
    (r"<\|tool_call_start\|>", r"<\|tool_call_end\|>"),  # LFM2
    (r"<\|tool_call\|?>", r"<\|?/?tool_call\|>"),  # Gemma 4, Phi-4-mini, Granite
    (r"<start_function_call>", r"<end_function_call>"),  # FunctionGemma
    (r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"),  # Command A
    (r"\[TOOL_CALLS\](?=\s*(?:[A-Za-z_][\w.\-]*\s*)?[\[{(])", ""),  # Mistral
    (r"<\|python_tag\|>", r"<\|e(?:om|ot)_id\|>"),  # Llama 3
    (r"(?:<\|start\|>assistant)?<\|channel\|>commentary[^<]{0,40}?\bto=", r"<\|call\|>"),  # gpt-oss
    (r"^Action:[ \t]*`?[A-Za-z_][\w.\-]*`?[ \t]*\n+Action Input:", r"^Observation:"),  # ReAct
)

_OPENING = re.compile(
    "|".join(f"(?P<d{n}>{opening})" for n, (opening, _) in enumerate(_DRESSES)),
    re.IGNORECASE | re.MULTILINE,
)

_FIRST = re.compile(r"[<\[]|^Action:", re.IGNORECASE | re.MULTILINE)

_REMNANT = re.compile(
    r"</(?:[a-z]+:)?(?:tool_calls?|function_calls?)>"
    r"|<\|(?:tool_calls?(?:_section)?_(?:begin|end)|tool_sep|call|return|end|e(?:om|ot)_id)\|>"
    r"|<\|(?:start\|>(?:assistant)?|channel\|>(?:final|commentary)\b|message\|>)"
    r"|</?\|{1,2}DSML\|{1,2}[^<>\n]{0,80}>",
    re.IGNORECASE,
)
"""Half of a call: a tag that stands alone because the server took the rest, or the model did."""

_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})", re.MULTILINE)
_TICKED = re.compile(r"`[^`\n]+`")


def plain(text: str) -> str:
    """The text with DeepSeek's odd characters made plain, each in its place."""
    # Most text beyond ASCII has none of them, and `translate` asks about every character.
    return text if text.isascii() or not _ODD.search(text) else text.translate(_PLAIN)


def code_spans(text: str) -> list[Span]:
    """Find where Markdown code stands, in order: in fences that are closed, and in backticks."""
    if "`" not in text and "~~~" not in text:
        return []
    marks = [(m.start(), m[0].strip()) for m in _FENCE.finditer(text)]
    spans: list[Span] = []
    done = opened = 0
    fence = ""
    for at, mark in [*marks, (len(text), "")]:
        if fence and mark[:3] == fence:
            spans.append((opened, at + len(mark)))
            done, fence = at + len(mark), ""
        elif not fence or not mark:
            # A fence that nothing closes is no code: calls may stand after it.
            spans += (m.span() for m in _TICKED.finditer(text, done, at))
            done = at
            opened, fence = at, mark[:3]
    return spans


def outside(at: int, spans: Sequence[Span]) -> bool:
    """Tell whether a place is in none of the spans, which are in order."""
    before = bisect_right(spans, (at, sys.maxsize))
    return not (before and at < spans[before - 1][1])


def closing(match: re.Match[str]) -> re.Pattern[str] | None:
    """Find what ends the call that an opening tag begins; None where only the text's end does."""
    dress = next(n for n in range(len(_DRESSES)) if match[f"d{n}"])
    pattern = _DRESSES[dress][1]
    if not pattern:
        return None
    tag = next((t for name, t in match.groupdict().items() if t and name.startswith("tag")), "")
    pattern = pattern.replace("{tag}", re.escape(tag))
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def opening(text: str, at: int = 0) -> re.Match[str] | None:
    """The first tag from `at` on that opens a call; `text` is plain."""
    return first_at(_OPENING, _FIRST, text, at)


def first_at(
    pattern: re.Pattern[str], beginning: re.Pattern[str], text: str, at: int
) -> re.Match[str] | None:
    """Find where a pattern matches first, looking only where its beginnings do.

    A search by the pattern itself takes 100 ms for 200,000 characters, in one step in which no
    other thread runs; this takes 2.

    Args:
        pattern: What is looked for.
        beginning: What each of its matches begins with.
        text: Where.
        at: From which character on.
    """
    starts = (found.start() for found in beginning.finditer(text, at))
    return next((match for start in starts if (match := pattern.match(text, start))), None)


def call_spans(text: str) -> list[Span]:
    """Find where calls stand, tags included; one that is not closed goes to the text's end."""
    flat = plain(text)
    code = code_spans(flat)
    spans: list[Span] = []
    at = 0
    while (match := opening(flat, at)) is not None:
        at = match.end()
        if not outside(match.start(), code):
            continue
        end = closing(match)
        closed = end.search(flat, match.end()) if end else None
        at = closed.end() if closed else len(flat)
        spans.append((match.start(), at))
    return spans


def remnant_spans(text: str) -> list[Span]:
    """Find where single tags of calls stand, outside code."""
    flat = plain(text)
    code = code_spans(flat)
    found = _REMNANT.finditer(flat)
    return [match.span() for match in found if outside(match.start(), code)]


def pieces_around(text: str, spans: Iterable[Span]) -> list[str]:
    """What stands before, between and after the spans, which may overlap."""
    pieces: list[str] = []
    done = 0
    for start, end in sorted(spans):
        pieces.append(text[done : max(start, done)])
        done = max(done, end)
    return [*pieces, text[done:]]


def cut_out(text: str, spans: Iterable[Span]) -> str:
    """The text without the spans, which may overlap, and without white space at its ends."""
    return "".join(pieces_around(text, spans)).strip()
