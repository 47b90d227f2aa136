"""Answers from models that nobody asked: what a run says when one name stood for another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fusion_graph.errors import Degradation
from fusion_graph.models._served import same_model
from fusion_graph.state import CallRecord, PanelAnswer


def served_names(calls: Iterable[CallRecord]) -> list[str]:
    """The models that answered, as they were named, each once, in order."""
    names = (call.get("served") for call in calls if call["outcome"] == "ok")
    return list(dict.fromkeys(name for name in names if name))


def strangers(calls: Sequence[CallRecord], answers: Sequence[PanelAnswer]) -> list[Degradation]:
    """Say who really answered, where there is something to say.

    `served_by_other_model`: somebody was asked and another answered. `members_share_model`:
    members were asked as different models, and one model answered for both, so that their
    agreement says less than it seems to.

    Args:
        calls: All calls of the run.
        answers: The panel's answers.
    """
    others = dict.fromkeys(
        (call["name"], call["model"], served)
        for call in calls
        if (served := call.get("served")) and not _stands_for(call["model"], served)
    )
    found: list[Degradation] = [
        {
            "code": "served_by_other_model",
            "detail": f"{name} was asked as {model}; {served} answered.",
        }
        for name, model, served in others
    ]
    return found + [
        {
            "code": "members_share_model",
            "detail": f"{one['name']} and {other['name']} were asked as different models "
            f"({one['model']}, {other['model']}); {shared} answered for both.",
        }
        for at, one in enumerate(answers)
        for other in answers[at + 1 :]
        if (shared := _shared(one, other))
    ]


def _shared(one: PanelAnswer, other: PanelAnswer) -> str | None:
    """The model that answered for two members who were asked as different ones, if one did."""
    if "failed" in (one["status"], other["status"]):
        return None
    asked = _name(one["model"]), _name(other["model"])
    if same_model(*asked) or same_model(*reversed(asked)):
        return None
    theirs = {name.lower() for name in served_names(_own(other))}
    return next((name for name in served_names(_own(one)) if name.lower() in theirs), None)


def _own(answer: PanelAnswer) -> list[CallRecord]:
    """The calls of the model whose answer it is, not of one that it stands in for."""
    return [call for call in answer["calls"] if call["model"] == answer["model"]]


def _stands_for(ref: str, served: str) -> bool:
    return served == ref or same_model(_name(ref), served)


def _name(ref: str) -> str:
    """A model's name at its provider: `qwen3:8b` of `ollama:qwen3:8b`."""
    provider, _, name = ref.partition(":")
    if provider == "claude" and name in CLAUDE_ALIASES:
        return f"claude-{name}"
    return name or ref


CLAUDE_ALIASES = ("fable", "haiku", "opus", "sonnet")
"""Claude Code's short names, which tell the family only to who knows the program."""
