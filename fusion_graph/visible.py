"""What of a model's text a reader may see: no reasoning in tags, whole or as it streams in."""

from __future__ import annotations

import re
from collections.abc import Callable

THINKING = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)


def without_thinking(text: str) -> str:
    """The text without `<think>` passages, closed or left open."""
    if "<" not in text:
        return text.strip()
    text = THINKING.sub("", text)
    # Some servers swallow the opening tag and leave the closing one.
    return re.sub(r"\A.*?</(?:think|thinking|reasoning)>", "", text, flags=re.DOTALL).strip()


class VisibleTokens:
    """Passes streamed text on, without what stands between `<think>` and `</think>`.

    Args:
        say: Takes the visible text.
        before: Said ahead of the first visible text.
    """

    TAGS = ("<think>", "<thinking>", "<reasoning>")

    def __init__(self, say: Callable[[str], None], before: str = "") -> None:
        self._say = say
        self._before = before
        self._held = ""
        self._thinking = ""
        self._begun = False

    def take(self, text: str) -> None:
        """Take the next piece; what may turn out to be a tag is held back."""
        if not text:
            return
        if not self._held and not self._thinking and self._begun and "<" not in text:
            self._say(text)
            return
        self._held += text
        while self._held:
            tags = [self._thinking] if self._thinking else self.TAGS
            low = self._held.lower()
            at, tag = min(((low.find(t), t) for t in tags if t in low), default=(-1, ""))
            if tag:
                self._pass(self._held[:at])
                self._held = self._held[at + len(tag) :]
                self._thinking = "" if self._thinking else tag.replace("<", "</")
                continue
            keep = max(_overlap(low, t) for t in tags)
            self._pass(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
            return

    def end(self) -> None:
        """Pass on what was held back."""
        self._pass(self._held)
        self._held = ""

    def _pass(self, text: str) -> None:
        if self._thinking:
            return
        if not self._begun:
            text = text.lstrip()
            if not text:
                return
            text, self._begun = self._before + text, True
        if text:
            self._say(text)


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` could begin `tag`."""
    for size in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:size]):
            return size
    return 0
