"""A model's context as it is known so far, and what a caller had to cut for it.

The size comes from the preset, from the server, or from the server's own words when it refuses a
prompt; how many tokens a text is, the server corrects with every count it sends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, BaseMessage

from fusion_graph.cost.tokens import CHARACTERS_PER_TOKEN_AT_MOST
from fusion_graph.errors import Degradation, TooLong
from fusion_graph.models.window import (
    BYTES_PER_TOKEN,
    Cut,
    Plan,
    fit,
    reply_room,
    tools_tokens,
)

Source = Literal["unknown", "preset", "server", "default", "refusal", "count"]
"""Where the size of a context is from: `default` is what the server gives unless told otherwise,
`refusal` its words for a prompt that was too long, `count` its count of one that it cut."""

LEAST_SCALE = 0.75
"""No server's count makes a text fewer tokens than this share of the careful estimate: 4 bytes a
token, English at its usual. Some servers count only what was not in their cache."""

MOST_SCALE = 4.0
"""No tokeniser makes more of a text than this; a server that says so counts something else."""

MARGIN = 1.08
"""On top of a server's count: the next text need not be as the last one."""

SAFELY = 1.1
"""How much longer than estimated a prompt may turn out beside the cap of its reply: vLLM refuses
both together where they do not fit."""

CERTAINLY_READ = 0.8
"""A server that counts less than this share of the fewest tokens a prompt can be has cut it."""

LEAST_SENT = 1_500
"""No server cuts a prompt that is shorter: 2,048 tokens are the smallest default there has been
(Ollama's), and these are the fewest a prompt can be."""

LEAST_COUNTED = 256
"""A count below it is none of a whole prompt: what is left of a cut one fills half a context or
more; some servers and gateways send a figure for form's sake."""

SMALLEST_GUESS = 2048
"""No server's context is taken to be smaller because of a count."""

_RUN = re.compile(r"(\S)\1{3,}|\s{4,}")
_LENGTHS = re.compile(
    r"(?:maximum context length is|context size \(|context (?:length|window) (?:of|is)"
    r"|tokens >|tokens allowed \(?)\s*([\d,]{3,12})",
    re.IGNORECASE,
)
"""The size of a context, in the words of OpenAI, vLLM, OpenRouter; llama.cpp; Anthropic; Gemini."""

_SENT = re.compile(
    r"(?:request \(|request has|requested(?: about)?|resulted in|too long:|token count \(?)"
    r"\s*([\d,]{3,12})",
    re.IGNORECASE,
)
"""What a prompt came to, in the same words."""


@dataclass
class Window:
    """The context of a model: how much it reads at once.

    Attributes:
        tokens: Its size, prompt and reply together; None where nobody says.
        source: Where that is from.
        kind: The kind of server, as far as it is known.
        own: Whether it is a server of the user's own, whose counts can be checked.
        scale: Tokens by the server's count for each by the careful estimate.
        last_read: What it counted last.
    """

    tokens: int | None = None
    source: Source = "unknown"
    kind: str | None = None
    own: bool = False
    scale: float = 1.0
    last_read: int | None = None

    def room(self, max_tokens: int | None, tools: Sequence[dict[str, Any]] = ()) -> int | None:
        """Tokens, by the careful estimate, that a prompt's messages may come to.

        Args:
            max_tokens: Most tokens of the reply.
            tools: Tools that are offered.
        """
        if self.tokens is None:
            return None
        left = self.tokens - reply_room(self.tokens, max_tokens)
        return int(left / self.scale) - tools_tokens(tools)

    def remedy(self, wanted: int | None = None) -> str:
        """Say what to do for a longer context.

        Args:
            wanted: Tokens that would have been enough, as far as that can be told.
        """
        size = 8192
        while size < max(wanted or 0, 2 * (self.tokens or 0)) and size < 131_072:
            size *= 2
        if self.source == "preset":
            return (
                f"Raise context_tokens of its provider in the preset to {size:,}, if it holds so."
            )
        return {
            "ollama": f"Start Ollama with OLLAMA_CONTEXT_LENGTH={size}.",
            "llamacpp": f"Start llama-server with -c {size} (shared by its parallel slots, -np).",
            "lmstudio": f"Load the model in LM Studio with a context length of {size:,}.",
            "vllm": f"Start vLLM with --max-model-len {size}.",
        }.get(self.kind or "", f"Give its server a context of {size:,} tokens, or take a model "
              "that reads more.")  # fmt: skip

    def count(self, estimate: int, read: int) -> None:
        """Learn from a server's count of a prompt that it read whole.

        Args:
            estimate: What the careful estimate made of it, tools included.
            read: What the server counted.
        """
        self.last_read = read
        if estimate > 0:
            seen = min(max(read / estimate * MARGIN, LEAST_SCALE), MOST_SCALE)
            # Up at once, down by halves: the next page may be all figures.
            self.scale = max(seen, (self.scale + seen) / 2)

    def refused(self, words: str, estimate: int) -> bool:
        """Learn from a server's words for a prompt that was too long.

        Args:
            words: Its words.
            estimate: What the careful estimate made of the prompt, tools included.

        Returns:
            Whether anything was learned, so that a shorter prompt may be tried.
        """
        size, sent = _LENGTHS.search(words), _SENT.search(words)
        before = self.tokens, self.scale
        if size is not None:
            tokens = _figure(size[1])
            if self.tokens is None or tokens < self.tokens:
                self.tokens, self.source = tokens, "refusal"
        if sent is not None and estimate > 0:
            seen = _figure(sent[1]) / estimate * MARGIN
            if seen > self.scale:
                self.scale = min(seen, MOST_SCALE)
        return self.tokens is not None and before != (self.tokens, self.scale)


def _figure(text: str) -> int:
    return int(text.replace(",", "") or 0)


@dataclass
class Fitting:
    """The losses of one caller's prompts on their way into models.

    Attributes:
        name: Who asks, as the report calls them.
    """

    name: str = ""
    _cuts: dict[str, dict[str, Cut]] = field(default_factory=dict)
    _told: dict[str, Degradation] = field(default_factory=dict)
    _windows: dict[str, Window] = field(default_factory=dict)
    _before: dict[str, Degradation] = field(default_factory=dict)

    def plan(
        self,
        model: str,
        window: Window,
        messages: Sequence[BaseMessage],
        tools: Sequence[dict[str, Any]],
        max_tokens: int | None,
    ) -> tuple[list[BaseMessage], int | None]:
        """Plan what to send, and how long the reply may be.

        Args:
            model: Who is asked.
            window: What is known of its context.
            messages: What is to be sent.
            tools: The tools that are offered.
            max_tokens: Most tokens of the reply.

        Raises:
            TooLong: The question itself does not fit.
        """
        room = window.room(max_tokens, tools)
        if room is None or window.tokens is None:
            return list(messages), max_tokens
        plan: Plan = fit(messages, room)
        for cut in plan.cuts:
            self.note(model, window, cut)
        likely = (plan.tokens + tools_tokens(tools)) * window.scale
        left = window.tokens - int(likely * SAFELY)
        most = max(left, 1)
        return list(plan.messages), most if max_tokens is None else min(max_tokens, most)

    def note(self, model: str, window: Window, cut: Cut) -> None:
        """Remember something that was cut for a model; a second cut of it counts from the first."""
        self._windows[model] = window
        known = self._cuts.setdefault(model, {})
        first = known.get(cut.key)
        if first is not None:
            before, after = max(first.before, cut.before), min(first.after, cut.after)
            cut = Cut(cut.key, first.what, before, after)
        known[cut.key] = cut

    def read(self, model: str, window: Window, sent: Sequence[BaseMessage], tokens: int) -> None:
        """Notice, by the server's own count, that it read less than it was sent.

        Only servers of the user's own are suspected: clouds refuse what is too long. And only by
        the fewest tokens the text can be (six characters each, repetitions aside); a count that is
        lower than an earlier one for a longer history is a server's that counts what was new.

        Args:
            model: Who was asked.
            window: What is known of its context.
            sent: What it was sent.
            tokens: What it counted, cached ones included.
        """
        shrank = window.last_read is not None and tokens < window.last_read
        if not window.own or shrank or tokens < LEAST_COUNTED:
            return
        texts = [message.text for message in sent]
        # Most counts are far above: only where one is low are repetitions looked for.
        if tokens >= CERTAINLY_READ * (sum(map(len, texts)) // CHARACTERS_PER_TOKEN_AT_MOST):
            return
        least = sum(map(_fewest_tokens, texts))
        if least < LEAST_SENT or tokens >= CERTAINLY_READ * least:
            return
        window.last_read = tokens
        guess = max(SMALLEST_GUESS, -(-tokens // 1024) * 1024)
        if window.tokens is None or guess < window.tokens:
            window.tokens, window.source = guess, "count"
        self._told[f"server {model}"] = {
            "code": "prompt_cut_by_server",
            "detail": f"{self.name}: {model} read {tokens:,} tokens of at least {least:,} that it "
            "was sent: its server cut the prompt without a word, and the answer may miss the "
            f"question. {window.remedy(2 * least)}",
        }

    @property
    def losses(self) -> list[Degradation]:
        """What was cut, one sentence for each model, with what to do about it."""
        return list(self.kept().values())

    def kept(self) -> dict[str, Degradation]:
        """The same as it is kept with a call."""
        cuts = {f"cut {model}": self._cut_for(model) for model in self._cuts}
        return {**self._before, **cuts, **self._told}

    def resume(self, kept: Mapping[str, Degradation]) -> None:
        """Go on from what was noted when a call was made before."""
        self._before |= kept

    def _cut_for(self, model: str) -> Degradation:
        cuts, window = list(self._cuts[model].values()), self._windows[model]
        parts, missing = [], 0
        for what in dict.fromkeys(cut.what for cut in cuts):
            same = [cut for cut in cuts if cut.what == what]
            before, after = sum(c.before for c in same), sum(c.after for c in same)
            missing += before - after
            times = f" ({len(same)} times)" if len(same) > 1 else ""
            parts.append(f"{what}{times} from {before:,} to {after:,} characters")
        size = f"{window.tokens:,}" if window.tokens else "unknown"
        wanted = (window.tokens or 0) + missing // BYTES_PER_TOKEN
        return {
            "code": "context_cut",
            "detail": f"{self.name}: cut to fit the context of {model} ({size} tokens): "
            f"{'; '.join(parts)}. {window.remedy(wanted)}",
        }


def too_long_detail(model: str, window: Window, error: TooLong) -> str:
    """Say why a question cannot be asked of a model, and what to do."""
    tokens, room = (int(n * window.scale) for n in (error.tokens, error.room))
    return (
        f"The question and its instructions come to about {tokens:,} tokens, and {model} has room "
        f"for {max(room, 0):,} beside a reply (context: {window.tokens or 0:,}). "
        f"{window.remedy(tokens * 2)}"
    )


CONTEXT = "the context length"
"""How what `ended_by` says begins where the context was full."""

SMALLEST_CONTEXT = 2_048
"""Tokens; no server's default is lower (Ollama's was this, llama.cpp's and Ollama's are 4,096): a
reply that ended below, at a server that tells no size, met another limit."""


def ended_by(window: Window, asked: int | None, sent: int | None, message: AIMessage) -> str:
    """Find what ended a reply that was cut for its length, if it was not the cap asked for.

    Args:
        window: What is known of the model's context.
        asked: The cap that was wanted.
        sent: The cap that was sent; lower where the context has no room for it.
        message: The reply.
    """
    usage = message.usage_metadata
    if usage is None or asked is None:
        return ""
    wrote, total = usage["output_tokens"], usage["input_tokens"] + usage["output_tokens"]
    if not wrote or wrote >= 0.98 * asked:
        return ""
    if window.tokens is not None and (
        wrote >= 0.98 * (sent or asked) or total >= 0.95 * window.tokens
    ):
        return f"{CONTEXT} of its model ({window.tokens:,} tokens, prompt included)"
    if window.own and total >= SMALLEST_CONTEXT:
        return (
            f"{CONTEXT} at its server (about {total:,} tokens, prompt included; "
            f"{wrote:,} of {asked:,} allowed tokens were written)"
        )
    return f"the token limit of its server ({wrote:,} of {asked:,} allowed tokens were written)"


def read_tokens(message: AIMessage) -> int:
    """Read how many tokens of prompt a server counted, cached ones included; 0 where it is silent.

    OpenAI, llama.cpp, vLLM and Ollama count cached tokens among the prompt's; a server whose
    cached ones are more than the prompt's counts them beside.
    """
    usage: Mapping[str, Any] | None = message.usage_metadata
    if usage is None:
        return 0
    cached = (usage.get("input_token_details") or {}).get("cache_read") or 0
    read = int(usage["input_tokens"])
    return read if cached <= read else read + int(cached)


def _fewest_tokens(text: str) -> int:
    """The fewest tokens a text can be; a run of one character may be a single token."""
    return len(_RUN.sub(r"\1", text)) // CHARACTERS_PER_TOKEN_AT_MOST
