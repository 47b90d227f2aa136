"""What decides a stage's result: the keys under which finished stages are kept.

Settings that cannot change a result stay out of its key, so arms that differ elsewhere share it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fusion_graph.config import Panelist, ResolvedConfig, model_name
from fusion_graph.evals._questions import Question
from fusion_graph.evals.arms import Arm
from fusion_graph.evals.store import key_of
from fusion_graph.state import Joined, Judgement

NOT_A_PANELISTS = frozenset(
    {
        "preset",
        "panel",
        "judge",
        "synthesizer",
        "verify",
        "verifier",
        "fallbacks",
        "invocation",
        "judge_tools",
        "criteria",
        "judge_timeout",
        "synthesis_timeout",
        "quorum",
        "grace",
        "max_concurrency",
        "provider_concurrency",
        "seed",
        "writer_max_tokens",
        "writer_tools",
        "writer_tool_choice",
        "response_format",
        "providers",
        "corpus",
    }
)
"""Settings that change nothing about one panelist's answer. The corpus counts by its content,
and of the providers only the panelist's own counts."""


def panelist_key(
    question: Question, arm: Arm, alone: ResolvedConfig, member: Panelist, repetition: int
) -> str:
    """Names a panelist's answer.

    Args:
        question: The question.
        arm: The arm; only its corpus counts.
        alone: The settings with this panelist alone.
        member: The panelist, under a name that says nothing.
        repetition: Which of several answers of the same panelist.
    """
    decides = (member.model_dump(mode="json"), _own(alone, member), arm.corpus, repetition)
    return key_of("panel", question.text, *decides)


def judge_key(question: Question, arm: Arm, joined: Joined) -> str:
    """Names a comparison by what the judge sees."""
    return key_of("judge", question.text, _seen(joined), _after(arm))


def writer_key(question: Question, arm: Arm, joined: Joined, judgement: Judgement) -> str:
    """Names a written answer by what the writer sees."""
    return key_of("write", question.text, _seen(joined), judgement["analysis"], _after(arm))


def reading_seed(arm: Arm, question: Question) -> int:
    """Orders the answers before the judge: by the question and the panel, never by the clock.

    The panel with and without its judge read the answers in the same order.
    """
    panel = [member.model_dump(mode="json") for member in arm.settings.panel]
    content = json.dumps([question.id, panel, arm.settings.seed], sort_keys=True)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:4])


def _own(settings: ResolvedConfig, member: Panelist) -> dict[str, Any]:
    """The settings that decide a panelist's answer, as plain data."""
    data = settings.public()
    provider = data["providers"].get(model_name(member.model).partition(":")[0])
    return {**{k: v for k, v in data.items() if k not in NOT_A_PANELISTS}, "provider": provider}


def _after(arm: Arm) -> dict[str, Any]:
    """The settings that decide what judge and writer make of the answers they see."""
    data = arm.settings.public()
    for name in _BEFORE_OR_AFTER:
        del data[name]
    return {**data, "corpus": arm.corpus}


_BEFORE_OR_AFTER = (
    "preset",
    "panel",
    "quorum",
    "grace",
    "max_concurrency",
    "seed",
    "corpus",
    "verify",
    "verifier",
)
"""Settings of the panel, the corpus (it counts by its content), and of the check afterwards."""


def _seen(joined: Joined) -> list[Any]:
    """What judge and writer see of the panel's work: no times, no costs."""
    answers = [
        [answer["name"], answer["label"], answer["status"], answer["content"]]
        for answer in joined["answers"]
    ]
    sources = [{**source, "retrieved_at": None} for source in joined["sources"]]
    return [answers, sources]
