"""Signs that a system has seen the benchmark instead of answering its questions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fusion_graph.evals._draco import BLOCKED_PAGES
from fusion_tools.address import check_url
from fusion_tools.domains import DomainRules
from fusion_tools.errors import ToolError

MARKERS = ("perplexity-ai/draco", "pplx-draco", "2602.11685")
"""What DRACO is called in places where its rubrics stand; OpenRouter's harness looks for these."""

_SUSPECTS = re.compile(
    r"\b(?:th(?:is|e)|your)\s+(?:prompt|question|task|query|request)\s+"
    r"(?:looks?|seems?|appears?|reads?|is|comes?|must\s+be|may\s+be|might\s+be)\b"
    r"[^.!?\n]{0,60}\b(?:benchmark|eval(?:uation)?\s+(?:set|task|suite|question))",
    re.IGNORECASE,
)
"""A model that says aloud that it believes it is being examined."""


def leaks(text: str) -> list[str]:
    """Signs of contamination in an answer, each once, as they stand there.

    A sign is a reason to look, not a proof: an answer about benchmarks has them too.
    """
    low = text.casefold()
    found = [marker for marker in MARKERS if marker in low]
    found += [" ".join(match.group().split()) for match in _SUSPECTS.finditer(text)]
    return list(dict.fromkeys(found))


def leaked_sources(urls: Iterable[str], blocked: Iterable[str] = BLOCKED_PAGES) -> list[str]:
    """Sources that hold the benchmark's questions or others' answers to them.

    Args:
        urls: What an answer's tools found or read.
        blocked: Hosts and paths, as in `blocked_domains`.
    """
    rules = DomainRules(blocked=blocked)
    return [url for url in urls if leaks(url) or _is_blocked(url, rules)]


def _is_blocked(url: str, rules: DomainRules) -> bool:
    try:
        checked = check_url(url)
    except ToolError:
        return False
    try:
        rules.check(checked)
    except ToolError:
        return True
    return False
