"""A model's text without its reasoning and machinery, whole or as it streams in.

No reasoning in tags, no calls of tools written as text, nothing that only repeats the prompts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from fusion_graph.text._call_markup import (
    closing,
    code_spans,
    first_at,
    opening,
    outside,
    pieces_around,
    plain,
    remnant_spans,
)
from fusion_graph.text.echoes import PENDING, GapCloser, echo_spans
from fusion_graph.text.written_calls import FEW_WORDS, WEB_TOOLS, Offered, written_calls

_DRESSES: tuple[tuple[str, str], ...] = (
    (r"<(?P<tag>(?:seed:)?think|thinking|reasoning|thought)>", r"</{tag}>"),
    (r"◁think▷", r"◁/think▷"),  # Kimi
    (r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # OpenThinker
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A
    (
        r"(?:<\|start\|>assistant)?<\|channel\|>analysis(?:<\|message\|>)?",
        r"<\|end\|>|(?=<\|start\|>assistant|<\|channel\|>(?:final|commentary))",
    ),  # gpt-oss
)
"""How families of models mark their reasoning, by their chat templates: opening and closing."""

_OPENING = re.compile(
    "|".join(f"(?P<d{n}>{opening})" for n, (opening, _) in enumerate(_DRESSES)), re.IGNORECASE
)
_LONE_CLOSING = re.compile(
    r"</(?:(?:seed:)?think|thinking|reasoning|thought)>|◁/think▷|\[/THINK\]", re.IGNORECASE
)
_TAG = re.compile(f"(?P<open>{_OPENING.pattern})|(?P<close>{_LONE_CLOSING.pattern})", re.IGNORECASE)


def without_thinking(text: str) -> str:
    """The text without its reasoning: closed, left open, or closed alone.

    A lone closing tag hides everything before it: templates of R1, QwQ and others put the opening
    tag into the prompt, so that only the closing one is in the reply.
    """
    if not _SPECIAL.search(text):
        return text.strip()
    code = code_spans(text)
    pieces: list[str] = []
    done = at = 0
    while (match := first_at(_TAG, _SPECIAL, text, at)) is not None:
        at = match.end()
        if match["close"]:
            if not _spoken_of(text, match.start(), code):
                pieces, done = [], match.end()
            continue
        if not outside(match.start(), code):
            continue
        pieces.append(text[done : match.start()])
        end = _end_of(match).search(text, match.end())
        if end is None:
            done = len(text)
            break
        done = at = end.end()
    return "".join((*pieces, text[done:])).strip()


_SPECIAL = re.compile(r"[<◁\[]")


def _end_of(match: re.Match[str]) -> re.Pattern[str]:
    """Find what ends the reasoning that an opening tag begins."""
    dress = next(n for n in range(len(_DRESSES)) if match[f"d{n}"])
    pattern = _DRESSES[dress][1].replace("{tag}", re.escape(match["tag"] or ""))
    return re.compile(pattern, re.IGNORECASE)


def _spoken_of(text: str, at: int, code: list[tuple[int, int]]) -> bool:
    """Tell whether a closing tag is in code that shows both tags, or names the one.

    A fence that reasoning left open is no reason to show the reasoning.
    """
    for start, end in code:
        if start <= at < end:
            return "\n" not in text[start:end] or bool(_OPENING.search(text, start, at))
    return False


class VisibleTokens:
    """Passes streamed text on, as far as a reader may see it.

    What may turn out to be a tag is held back until it is known. A lone closing tag cannot be
    known beforehand: what was passed on by then was reasoning, and is called void.

    Args:
        say: Takes the visible text.
        before: Said ahead of the first visible text.
        void: Told that what was said so far does not count; what comes next begins anew.
        nonce: The run's delimiter secret, which nobody is to see.
        tools: Tools whose calls may come as text.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        before: str = "",
        void: Callable[[], None] | None = None,
        nonce: str = "",
        tools: Offered = WEB_TOOLS,
    ) -> None:
        self._say = say
        self._before = before
        self._void = void
        self._nonce = nonce
        self._tools = tools
        self._held = ""
        self._hidden_until: re.Pattern[str] | None = None
        self._hidden = False
        self._begun = False
        self._passed = 0
        self._maybe_call = True
        self._in_fence = False
        self._fence_has_tag = False
        self._line = ""
        self._gaps = GapCloser()

    def take(self, text: str) -> None:
        """Take the next piece; what may turn out to be a tag is held back."""
        if not text:
            return
        quiet = not self._held and not self._hidden and self._begun
        if quiet and not _STARTS.search(text) and not self._may_be_nonce(text):
            if not self._maybe_call:
                self._pass(text)
                return
            if not _BARE_MARKS.search(text) and not _overlap(text.lower(), _ACTION):
                self._pass(text)
                self._maybe_call = self._passed <= FEW_WORDS
                return
        self._held += text
        self._look(more=True)

    def end(self) -> None:
        """Pass on what was held back."""
        self._look(more=False)
        if not self._hidden and self._held:
            rest = written_calls(self._held, self._tools) if self._maybe_call else None
            self._pass_cleaned(rest.rest if rest and rest.found else self._held)
        self._held = ""

    def _look(self, more: bool) -> None:
        """Pass on everything whose meaning is known."""
        while self._held:
            if self._hidden:
                end = self._hidden_until
                match = end.search(plain(self._held)) if end else None
                if match is None:
                    self._held = self._held[-_LONGEST_CLOSING:] if end else ""
                    return
                self._held = self._held[match.end() :]
                self._hidden = False
                continue
            if self._tag():
                continue
            safe = self._safe() if more else len(self._held)
            if self._maybe_call and self._bare(safe, more):
                return
            if more:
                safe = self._safe()
                self._pass_cleaned(self._held[:safe])
                self._held = self._held[safe:]
            return

    def _tag(self) -> bool:
        """Deal with the first tag in what is held, if there is one."""
        thought, call = _TAG.search(self._held), opening(plain(self._held))
        match = min((m for m in (thought, call) if m), key=lambda m: m.start(), default=None)
        if match is None:
            return False
        before = self._held[: match.start()]
        lone = match is thought and bool(thought["close"])
        fence, ticked = self._code_at(before)
        # A fence that reasoning left open is no reason to show the reasoning.
        if ticked or (fence and not (lone and not self._fence_has_tag)):
            self._pass(self._held[: match.end()])
            self._held = self._held[match.end() :]
            self._fence_has_tag = self._fence_has_tag or fence
            return True
        if lone:
            self._held = self._held[match.end() :]
            self._start_over()
            return True
        self._pass_cleaned(before)
        self._held = self._held[match.end() :]
        self._hidden = True
        self._hidden_until = _end_of(match) if match is thought else closing(match)
        return True

    def _start_over(self) -> None:
        if self._begun and self._void is not None:
            self._void()
        self._begun = False
        self._passed = 0
        self._maybe_call = True
        self._in_fence, self._line = False, ""
        self._gaps = GapCloser()

    def _bare(self, safe: int, more: bool) -> bool:
        """Tell whether what is held may be a call in bare JSON, from its beginning on."""
        if self._passed > FEW_WORDS:
            self._maybe_call = False
            return False
        begun = self._held.find("\n") + 1 if self._line.strip() else 0
        start = _BARE_START.search(self._held, begun)
        if start is None or start.start() > safe:
            return False
        self._pass_cleaned(self._held[: start.start()])
        self._held = self._held[start.start() :]
        key = _BARE_KEY.match(self._held)
        if key is None:
            may_be = len(self._held) < 60 and bool(_BARE_BEGUN.match(self._held))
        elif not key["closed"]:
            may_be = len(key["key"]) < 20
        else:
            may_be = key["key"] in _CALL_KEYS or key["key"] in self._tools
            name = _BARE_NAME.match(self._held)
            if may_be and name is not None:
                may_be = any(tool in name["name"] for tool in self._tools)
        if not may_be:
            self._maybe_call = False
        return may_be and more

    def _safe(self) -> int:
        """Count how much of what is held cannot become a tag any more."""
        held = self._held
        places = [len(held)]
        for pattern in (_PENDING, PENDING):
            # Only the last so many characters can: longer than any tag with its attributes.
            tail = max(0, len(held) - _LONGEST_PENDING)
            match = pattern.search(held, tail)
            if match is not None:
                places.append(match.start())
        ending = held[-_LONGEST_PENDING:].lower()
        for word in (self._nonce, *_WORDS):
            places.append(len(held) - _overlap(ending, word))
        return min(places)

    def _may_be_nonce(self, text: str) -> bool:
        return bool(self._nonce) and self._nonce[0] in text.lower()

    def _pass_cleaned(self, text: str) -> None:
        """Pass text on without stray tags and echoes."""
        text = "".join(pieces_around(text, remnant_spans(text)))
        first, *others = pieces_around(text, [s for s, _ in echo_spans(text, self._nonce)])
        self._pass(first)
        for piece in others:
            self._gaps.cut()
            self._pass(piece)

    def _code_at(self, before: str) -> tuple[bool, bool]:
        """Tell whether a fence and a backtick are open after what was passed and `before`."""
        fence, line = self._in_fence, self._line
        for part in _pieces(before):
            fence, line = _code_after(part, fence, line)
        return fence, not fence and line.count("`") % 2 == 1

    def _pass(self, text: str) -> None:
        if "\n" not in text and "\r" not in text:  # as nearly every piece of a stream is
            self._line += text
        else:
            self._pass_lines(text)
        if not self._begun:
            text = text.lstrip()
            if not text:
                return
            self._passed += len(text)
            text, self._begun = self._before + text, True
        else:
            self._passed += len(text)
        if said := self._gaps.take(text):
            self._say(said)

    def _pass_lines(self, text: str) -> None:
        """Follow the fences that open and close in a text."""
        for part in _pieces(text):
            was = self._in_fence
            self._in_fence, self._line = _code_after(part, self._in_fence, self._line)
            if was and not self._in_fence:
                self._fence_has_tag = False


def _pieces(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _code_after(piece: str, fence: bool, line: str) -> tuple[bool, str]:
    """Tell whether a fence is open, and the line being written, after a piece of a line."""
    line += piece
    if line.endswith(("\n", "\r")):
        if line.lstrip().startswith(("```", "~~~")):
            fence = not fence
        line = ""
    return fence, line


_STARTS = re.compile(r"[<＜\[◁(\u2039\u27e8]|ction:|```")
"""What any tag, or fence, begins with; text without it is passed on at once."""

_LONGEST_PENDING = 320
_LONGEST_CLOSING = 80
_ACTION = "action:"
_WORDS = ("◁think▷", "◁/think▷", _ACTION)

_PENDING = re.compile(
    r"(?:"
    r"[<＜][|｜/]{0,4}[^<>＜\s|｜]{0,40}(?:[|｜]{1,2}[ \w]{0,20}[|｜]{0,2})?"
    r"(?:\s{1,3}name=[^<>\s]{0,60})?"
    r"|<(?:[a-z]+:|longcat_)?(?:tool_calls?|function_calls?|functioncall|tools?)>\s{0,40}"
    r"(?:[A-Za-z_][\w.\-:]{0,60}\s{0,8})?[\[{]{0,3}\s{0,8}"
    r"|<(?:function|(?:[a-z]+:)?invoke)\s{1,3}name=[^<>\s]{0,60}>\s{0,40}(?:<[^<>]{0,20})?"
    r"|<\|start\|>[a-z]{0,9}|<\|channel\|>[^<]{0,60}"
    r"|\[(?:/?T[A-Z_]{0,10}\]?)?\s{0,8}(?:(?<=\])\s{0,8}[\w.\-]{0,60}\s{0,4})?"
    r"|(?:(?<=\n)|\A)Action:[^\n]{0,80}(?:\n{1,3}[A-Za-z ]{0,13})?"
    r")\Z",
    re.IGNORECASE,
)
"""The end of a text that still comes in, where it may become a tag: half of one, or a whole one
that opens a call if arguments come after it."""

_BARE_START = re.compile(r"^[ \t]*(?:```|`{1,2}\Z|[\[{])", re.MULTILINE)
_BARE_MARKS = re.compile(r"[{`]")
"""What `_BARE_START` begins with, besides what any tag does."""
_BARE_BEGUN = re.compile(r"[ \t]*(?:`{1,3}\w*\s*)?[\[\s]*[{\s]*[\"']?\Z")
_BARE_KEY = re.compile(r"[ \t]*(?:```\w*\s*)?[\[\s]*\{[{\s]*[\"'](?P<key>\w*)(?P<closed>[\"']?)")
_BARE_NAME = re.compile(
    r"[ \t]*(?:```\w*\s*)?[\[\s]*\{[{\s]*[\"'](?:name|tool|tool_name|function|action)[\"']\s*:\s*"
    r"[\"'](?P<name>[^\"']*)[\"']"
)
_CALL_KEYS = frozenset(
    """name tool tool_name function function_name action type id tool_calls function_call arguments
    parameters args recipient_name""".split()  # noqa: SIM905
)
"""What a call in bare JSON may begin with."""


def _overlap(text: str, tag: str) -> int:
    """Count the characters at the end of `text` that could begin `tag`."""
    begun = _beginnings(tag)
    if not text.endswith(begun):
        return 0
    return next(len(beginning) for beginning in begun if text.endswith(beginning))


@lru_cache(maxsize=256)
def _beginnings(tag: str) -> tuple[str, ...]:
    """What a tag may begin with, short of the whole of it, the longest first."""
    return tuple(tag[:size] for size in range(len(tag) - 1, 0, -1))
