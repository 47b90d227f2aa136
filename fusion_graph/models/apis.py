"""Which of OpenAI's two APIs a model is asked through, and what is done when it refuses one.

Chat completions is what every server speaks. OpenAI's own newer models take tools and reasoning
together through the Responses API alone. The way down, one step for each refusal, tools kept on
every step: responses → chat → chat without reasoning → the call fails, in the provider's words.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from fusion_graph.errors import NotResponses
from fusion_graph.models.failures import status_of, wants_responses, words_of

Api = Literal["responses", "chat"]
"""`responses`: POST /responses; `chat`: POST /chat/completions."""

RESPONSES_API = "the Responses API"
"""What an endpoint without /responses does not take."""

REASONING_WITH_TOOLS = "reasoning together with tools"
"""What a model does not take in chat completions (`gpt-5.5`, `gpt-5.6-*`)."""

ENCRYPTED_REASONING = "encrypted reasoning"
"""What a model that does not reason cannot give back ("Encrypted content is not supported")."""

CHAT_COMPLETIONS = "chat completions"
"""What a model does not take at all, or not with what was asked, and points to /responses."""

API_REFUSALS = frozenset(
    {RESPONSES_API, REASONING_WITH_TOOLS, ENCRYPTED_REASONING, CHAT_COMPLETIONS}
)
"""What can be refused besides the parameters of `failures.PARAMETERS`."""

API_LOSSES = frozenset({RESPONSES_API, REASONING_WITH_TOOLS})
"""Those after which an answer may be worse: they are told."""

_RESPONSES_MODELS = re.compile(r"(gpt-(?:[5-9]|\d\d)|o\d|codex|computer-use)")
"""OpenAI's reasoning models and their kin, by the beginning of their names; fine-tuned ones are
called `ft:` and the name. `gpt-4*` and older do without."""

_POINTS_TO_CHAT = re.compile(
    r"(not|n't|cannot) .{0,80}\bresponses\b|chat/completions|chat completions", re.IGNORECASE
)
_NO_SUCH_MODEL = re.compile(r"model\b.{0,80}(exist|found|access)|unknown model", re.IGNORECASE)
_NO_ENCRYPTION = re.compile(r"encrypted content is not supported", re.IGNORECASE)


def api_of(provider: str, model: str, configured: Api | None) -> Api:
    """Which API a model is asked through at first.

    Args:
        provider: The provider's name, as in `provider:model`.
        model: The model's name there.
        configured: The provider's `api`, which goes before everything else.
    """
    if configured is not None:
        return configured
    name = model.lower().removeprefix("ft:")
    if provider == "openai" and (_RESPONSES_MODELS.match(name) or "codex" in name):
        return "responses"
    return "chat"


def lacks_responses(error: BaseException) -> bool:
    """Tell whether the answer of /responses says that it is not there, for this model or at all.

    A 404 for a model that nobody knows does not: chat completions would not know it either.
    """
    if isinstance(error, NotResponses):
        return True
    words, status = words_of(error), status_of(error)
    if status in (400, 422):
        return bool(_POINTS_TO_CHAT.search(words))
    if status not in (404, 405, 501):
        return False
    unknown = getattr(error, "code", None) == "model_not_found" or _NO_SUCH_MODEL.search(words)
    return not unknown or bool(_POINTS_TO_CHAT.search(words))


@dataclass
class Endpoint:
    """One model at one address: through which API it is asked, and what it has refused.

    One for the whole process, so that a refusal is paid for once.

    Attributes:
        configured: The provider's `api`.
        api: The one in use.
        refused: Of `API_REFUSALS`.
    """

    configured: Api | None
    api: Api
    refused: set[str] = field(default_factory=set)

    def note(self, refusal: str) -> None:
        """Remember a refusal, with what follows from it."""
        self.refused.add(refusal)
        if refusal == RESPONSES_API:
            self.api = "chat"
        elif refusal == CHAT_COMPLETIONS and RESPONSES_API not in self.refused:
            self.api = "responses"

    def refusal(
        self, error: BaseException, sent: Collection[str], asked: Api, found: Collection[str]
    ) -> str | None:
        """Find what an error says that the endpoint does not take, if there is another way to ask.

        Args:
            error: What the call ended with.
            sent: Names of the parameters that it carried.
            asked: Through which API; another call may have changed `api` since.
            found: What this call was told before: a way that failed is not gone twice.

        Returns:
            One of `API_REFUSALS`.
        """
        refused = None
        if asked == "responses":
            if lacks_responses(error):
                refused = RESPONSES_API
            elif _refuses_encryption(error):
                refused = ENCRYPTED_REASONING
        elif wants_responses(error):
            known = RESPONSES_API in self.refused or CHAT_COMPLETIONS in found
            if self.configured != "chat" and not known:
                refused = CHAT_COMPLETIONS
            elif "tools" in sent:
                refused = REASONING_WITH_TOOLS
        return None if refused in found else refused


_endpoints: dict[Any, Endpoint] = {}


def endpoint_of(address: str, provider: str, model: str, configured: Api | None) -> Endpoint:
    """The endpoint that this process knows for a model at an address.

    Args:
        address: Base URL.
        provider: The provider's name.
        model: The model's name there.
        configured: The provider's `api`.
    """
    identity = (address, provider, model, configured)
    if identity not in _endpoints:
        _endpoints[identity] = Endpoint(configured, api_of(provider, model, configured))
    return _endpoints[identity]


def describe_refusals(who: str, names: Collection[str]) -> list[str]:
    """Refusals as the report tells them, a sentence or two each.

    Args:
        who: The panelist's name, or the part of the run that asked.
        names: What was refused: parameters, and of `API_REFUSALS`.
    """
    # Who had to do without reasoning has none that could be kept.
    named = set(names) - ({RESPONSES_API} if REASONING_WITH_TOOLS in names else set())
    return [
        _WORDS.get(name, "{who} does not take {name}.").format(who=who, name=name)
        for name in sorted(named)
    ]


_WORDS = {
    RESPONSES_API: (
        "{who} was asked through chat completions, and its reasoning was not kept between rounds: "
        "its endpoint has no Responses API (POST /responses). If that is meant, set "
        'api = "chat" for its provider.'
    ),
    REASONING_WITH_TOOLS: (
        "{who} kept its tools and worked without reasoning: it takes both together only through "
        "the Responses API, which its endpoint does not have, or its provider's `api` forbids."
    ),
}
"""Refusals that need more words than the name of a parameter."""


def _refuses_encryption(error: BaseException) -> bool:
    if status_of(error) != 400:
        return False
    body = getattr(error, "body", None)
    param = body.get("param") if isinstance(body, dict) else None
    return str(param or "").startswith("include") or bool(_NO_ENCRYPTION.search(words_of(error)))
