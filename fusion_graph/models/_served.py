"""The model that really answered, as a reply names it, and whether it is the one asked.

Providers resolve aliases, add dates and regions, and turn the words of a name about; gateways and
local servers answer in other names altogether. `same_model` says no only where two names cannot
stand for one model: a false alarm would make every run of somebody's gateway a degraded one.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from langchain_core.messages import AIMessage

NAME_CHARACTERS = 200
"""How much of the name that a server gives is kept."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FAMILIES = _words(
    """
    claude command dbrx deepseek devstral codestral ernie falcon gemini gemma glm gpt granite
    grok hermes hunyuan internlm jamba kimi lfm llama magistral mimo minimax ministral mistral
    mixtral nemotron nova olmo phi pixtral qwen qwq reka seed smollm solar sonar step yi
    """
)
"""Words by which a name is known for a vendor's model, and not for an alias of a gateway's."""

VARIANTS = _words(
    """
    air audio base codex coder code deep fast flash guard haiku highspeed large lite max medium
    micro mini nano omni opus plus pro research search small sonnet thinking tiny turbo ultra
    vision vl
    """
)
"""Words that tell the models of one family apart: `gpt-5` is not `gpt-5-mini`."""

TRIMMINGS = _words(
    """
    latest preview exp experimental beta instruct it hf gguf mlx awq gptq fp8 fp16 bf16 int4
    int8 4bit 8bit qat cloud meta versatile instant reasoning non chat
    """
)
"""Words that say how a model is packed, trained to talk or paid, and not which one it is."""

UNTOLD = frozenset(
    ["", "default", "model", "local-model", "unknown", "none", "null", "tgi", "/repository"]
)
"""What servers put where a model's name belongs when they have none."""

LOCAL_DEFAULT = "gpt-3.5-turbo"
"""What local servers that imitate OpenAI's call whatever model they hold (older llama.cpp, MLX)."""

ROUTERS = frozenset(["auto", "openrouter/auto", "openrouter/free", "default", "router"])
"""Names that ask for whichever model somebody else chooses."""

_DATES = re.compile(
    r"(?<![\da-z])(?:20\d\d-\d\d-\d\d|\d\d-20\d\d|20\d{6}|2[4-9](?:0[1-9]|1[0-2])[0-3]\d"
    r"|2[4-9](?:0[1-9]|1[0-2])|(?:0[1-9]|1[0-2])[0-3]\d|(?:0[1-9]|1[0-2])-[0-3]\d|00\d)(?![\da-z])"
)
"""Days, months and revisions of snapshots: 2026-04-01, 09-2025, 20250929, 250615, 2507, 0905,
07-25, 002."""
_QUANTISED = re.compile(r"(?<![a-z\d])i?q\d(?:[_-](?:[a-z]{1,3}|\d))*(?![a-z\d])")
_BEDROCK = re.compile(r"^(?:(?:us|eu|apac|global|jp|au)\.)?[a-z\d]+\.(?=[a-z])|-v\d+(?::\d+)?$")
_PIECES = re.compile(r"\d+[a-z]+|[a-z]+|\d+")
_SIZE = re.compile(r"\d+[bm]$")


def served_by(message: AIMessage) -> tuple[str | None, str | None]:
    """The model that a reply names as its author, and the provider that ran it, if it says so.

    Args:
        message: The reply of any chat model.
    """
    said = message.response_metadata
    names = (said.get(key) for key in ("model_name", "model", "model_id"))
    model = next((name for name in names if isinstance(name, str) and name.strip()), None)
    provider = said.get("provider")
    return _short(model), _short(provider if isinstance(provider, str) else None)


def _short(name: str | None) -> str | None:
    return " ".join(name.split())[:NAME_CHARACTERS] or None if name else None


def same_model(asked: str, served: str) -> bool:
    """Tell whether a name in a reply can stand for the model that was asked.

    Taken to be the same: a moving alias (`~anthropic/claude-opus-latest`, `mistral-large`) and a
    model of its family and kind; a name and its dated snapshot; the same words in another order or
    spelling; prefixes (`openai/`, `models/`, Bedrock's regions) and suffixes (`:free`, `:latest`);
    a gateway's own alias and any known model; whatever a router chose. What is no name of a model
    (a file of weights without a family in it, `default`) tells nothing, and is no other model.

    Args:
        asked: The model's name, without the provider's name here.
        served: What the reply says.
    """
    asked, served = asked.strip().lower(), served.strip().lower()
    if asked == served or asked in ROUTERS or served in UNTOLD or asked in UNTOLD:
        return True
    if served.startswith(LOCAL_DEFAULT) and "gpt" not in asked:
        return True
    wanted, got = _read(asked), _read(served)
    if not wanted.words or not got.words:
        return True
    if wanted.families and got.families and not wanted.families & got.families:
        return False
    if not wanted.families and got.families:
        return True  # an alias of a gateway's or of somebody's deployment, resolved
    if got.is_file and not got.families:
        return True  # somebody's own name for a file of weights
    if not _dates_fit(wanted.dates, got.dates):
        return False
    if not _sizes_fit(wanted.sizes, got.sizes):
        return False
    if wanted.variants - got.variants:
        return False
    if not wanted.numbers or "latest" in asked:
        fits = not wanted.numbers - got.numbers
    else:
        fits = wanted.numbers == got.numbers and wanted.variants == got.variants
    others_differ = wanted.others - got.others and got.others - wanted.others
    return fits and not others_differ


@dataclass(frozen=True)
class _Name:
    """A model's name, read."""

    words: Counter[str]
    dates: tuple[str, ...]
    is_file: bool

    @property
    def families(self) -> set[str]:
        return self.words.keys() & FAMILIES

    @property
    def variants(self) -> set[str]:
        return self.words.keys() & VARIANTS

    @property
    def sizes(self) -> set[str]:
        return {word for word in self.words if _SIZE.match(word)}

    @property
    def numbers(self) -> Counter[str]:
        """Its version, in no order: `claude-3.5-sonnet` is `claude-sonnet-3-5`."""
        return Counter(
            {w: n for w, n in self.words.items() if w[0].isdecimal() and not _SIZE.match(w)}
        )

    @property
    def others(self) -> set[str]:
        """Words that nobody here knows."""
        known = FAMILIES | VARIANTS
        return {w for w in self.words if not w[0].isdecimal() and w not in known}


def _read(name: str) -> _Name:
    is_file = name.startswith(("/", "./", "\\")) or name.endswith((".gguf", ".bin", ".safetensors"))
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2].lstrip("~").replace("@", "-")
    base = re.sub(r"\.(?:gguf|bin|safetensors)$", "", base)
    base, _, tag = _BEDROCK.sub("", base).partition(":")
    if any(character.isdecimal() for character in tag):  # `qwen3:8b`; not `:free`, `:nitro`
        base = f"{base}-{tag}"
    base = base.replace("gpt-35", "gpt-3.5").replace("chatgpt", "gpt")
    base = _QUANTISED.sub("", base.replace("_", "-"))
    dates = tuple(re.sub(r"\D", "", found) for found in _DATES.findall(base))
    found = [_ALIASES.get(word, word) for word in _PIECES.findall(_DATES.sub("", base))]
    return _Name(Counter(w for w in found if w not in TRIMMINGS and w != "0"), dates, is_file)


_ALIASES = {"moonshot": "kimi", "reasoner": "reasoning", "metallama": "llama"}
"""Words of one vendor for one thing."""


def _dates_fit(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two dates can be one: the shorter is in the longer, in any order.

    `0905` is in `20250905`, and `2507` is `07-25`.
    """
    if not one or not other:
        return True
    pairs = sorted((_pairs("".join(one)), _pairs("".join(other))), key=lambda count: count.total())
    return not pairs[0] - pairs[1]


def _pairs(digits: str) -> Counter[str]:
    return Counter(digits[at : at + 2] for at in range(0, len(digits), 2))


def _sizes_fit(one: set[str], other: set[str]) -> bool:
    """Tell whether two models can be as large: a name need not tell, or not all of it."""
    return one <= other or other <= one
