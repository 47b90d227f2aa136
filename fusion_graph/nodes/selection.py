"""selection: the answer whose code did best is passed on as it is, never a blend of several."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage

from fusion_graph.errors import Degradation
from fusion_graph.nodes.draft import new_message_id
from fusion_graph.nodes.passing_on import most_agreed, pass_on
from fusion_graph.run.stage import OnText
from fusion_graph.state import (
    FinalAnswer,
    Joined,
    Judgement,
    PanelAnswer,
    Trials,
    TriedCandidate,
)
from fusion_graph.text.phrases import counted, shortened

WHY_NONE = {
    "none_passes_given": "None of the {count} passes your tests, not even when asked to mend it.",
    "none_runs": "None of the {count} runs.",
}

UNTRIED = "> No test was given, and none proposed that could be run: this code was not run.\n\n"


async def selection(
    joined: Joined, judgement: Judgement, trials: Trials | None, on_text: OnText
) -> FinalAnswer:
    """Pass on the answer whose code did best.

    Where running does not decide, the judge's comparison does. Code that fails the given tests is
    never passed on.

    Args:
        joined: The labelled answers.
        judgement: The judge's comparison, or why there is none.
        trials: What running the answers' code showed; None where nobody ran it.
        on_text: Takes the text.
    """
    survivors = [answer for answer in joined["answers"] if answer["status"] == "ok"]
    losses = list(trials["degradations"]) if trials else []
    calls = trials["calls"] if trials else []
    if trials is None or trials["reason"] == "untried":
        best = most_agreed(survivors, judgement)
        losses.append({"code": "code_untried", "detail": "No test of the code could be run."})
        return await pass_on(best, UNTRIED, joined, on_text, calls, losses)
    tried = {one["name"]: one for one in trials["candidates"]}
    if not trials["best"]:
        return _nothing(trials, on_text, losses)
    members = {answer["name"]: answer for answer in survivors}
    able = [members[name] for name in dict.fromkeys(tried[n]["member"] for n in trials["best"])]
    liked = most_agreed(able, judgement)["name"]
    name = next(name for name in trials["best"] if tried[name]["member"] == liked)
    answer: PanelAnswer = members[liked]
    if name in trials["repaired"]:
        answer = {**answer, "content": trials["repaired"][name]}
    # A name may hold braces, which `pass_on` fills in.
    note = f"> {record_of(tried[name], trials)}\n\n".replace("{", "(").replace("}", ")")
    return await pass_on(answer, note, joined, on_text, calls, losses)


def record_of(one: TriedCandidate, trials: Trials) -> str:
    """Say in a line what running a candidate showed.

    Args:
        one: The candidate.
        trials: All of them.
    """
    parts = []
    if one["given"] is not None:
        parts.append("it passes your tests")
    asked = one["passed"] + len(one["failed"])
    if asked:
        parts.append(f"it passes {one['passed']} of {counted(asked, 'test')} that others proposed")
    same = {c["member"] for c in trials["candidates"] if c["alike"] == one["alike"]}
    if len(same) > 1 and one["alike"] is not None:
        parts.append(f"{len(same)} of the panel wrote code that does the same")
    mended = ", mended once" if one["name"] in trials["repaired"] else ""
    where = "" if trials["confined"] else ", unconfined"
    told = "; ".join(parts) or "it runs"
    return (
        f"The code of {one['member']}{mended}, as it stands, chosen by running it{where}: {told}."
    )


def ran(trials: Trials, joined: Joined) -> str:
    """Tell a judge what running the answers' code showed, by their labels.

    Args:
        trials: What it showed.
        joined: The labelled answers.
    """
    labels = {answer["name"]: answer["label"] for answer in joined["answers"]}
    lines = []
    for one in trials["candidates"]:
        mended = " (mended once)" if one["name"] in trials["repaired"] else ""
        lines.append(f"Answer {labels[one['member']]}{mended}: {_outcome(one)}")
        lines += [f"    fails: {shortened(test, 200)}" for test in one["failed"][:8]]
    suspects = [test["text"] for test in trials["tests"] if test["suspect"]]
    lines += [f"Suspect, most agree against it: {shortened(text, 200)}" for text in suspects]
    return "\n".join(lines)


def _outcome(one: TriedCandidate) -> str:
    parts = []
    if one["given"] == "passed":
        parts.append("passes the given tests")
    elif one["given"] is not None:
        parts.append(f"FAILS the given tests: {shortened(one['given_detail'], 300)}")
    if one["broken"]:
        parts.append(f"cannot be run: {shortened(one['broken'], 300)}")
    if one["passed"] or one["failed"]:
        parts.append(f"passes {one['passed']} proposed tests and fails {len(one['failed'])}")
    if one["alike"] is not None:
        parts.append(f"behaviour {one['alike']}")
    return "; ".join(parts) or "was not compared"


def _nothing(trials: Trials, on_text: OnText, losses: Sequence[Degradation]) -> FinalAnswer:
    """Say that there is no code to pass on, and why of each."""
    asked = counted(len(trials["candidates"]), "candidate")
    why = WHY_NONE.get(trials["reason"], WHY_NONE["none_runs"]).format(count=asked)
    lines = [f"{why} There is no code to hand over.", ""]
    lines += [f"- {one['name']}: {_outcome(one)}" for one in trials["candidates"]]
    text = "\n".join(lines)
    message_id = new_message_id()
    on_text(message_id, text)
    lost: Degradation = {"code": "no_code_passes", "detail": why}
    metadata = {"finish_reason": "stop"}
    return {
        "message": AIMessage(text, id=message_id, response_metadata=metadata),
        "answer": text,
        "note": "",
        "writer": None,
        "cites": False,
        "calls": trials["calls"],
        "degradations": [*losses, lost],
    }
