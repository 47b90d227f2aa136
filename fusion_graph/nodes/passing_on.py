"""One panelist's answer as the result: where it is the only one, or nobody wrote a better one."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage

from fusion_graph.errors import Degradation
from fusion_graph.nodes.draft import new_message_id
from fusion_graph.nodes.writing import read_answer
from fusion_graph.run.stage import OnText
from fusion_graph.state import CallRecord, FinalAnswer, Joined, Judgement, PanelAnswer
from fusion_graph.text.markdown import loading_nothing
from fusion_graph.text.off_loop import is_long, off_loop


async def pass_on(
    answer: PanelAnswer,
    note: str,
    joined: Joined,
    on_text: OnText,
    calls: Sequence[CallRecord] = (),
    losses: Sequence[Degradation] = (),
) -> FinalAnswer:
    """Pass one panelist's answer on, with a note that says that this is what it is.

    Args:
        answer: The answer.
        note: Said before it; may hold `{name}` and `{asked}`.
        joined: All answers and the sources.
        on_text: Takes the text.
        calls: Calls paid for a better result that did not come.
        losses: What was lost on the way.
    """
    message_id = new_message_id()
    _, content = await read_answer(answer["content"], [s["id"] for s in joined["sources"]])
    pictures = [s["url"] for s in joined["sources"]]
    content = await off_loop(is_long(content), loading_nothing, content, pictures)
    note = note.replace("{name}", answer["name"]).replace("{asked}", str(len(joined["answers"])))
    on_text(message_id, note + content)
    message = AIMessage(note + content, id=message_id, response_metadata={"finish_reason": "stop"})
    return {
        "message": message,
        "answer": content,
        "note": note,
        "writer": None,
        "cites": True,
        "calls": list(calls),
        "degradations": list(losses),
    }


def most_agreed(survivors: Sequence[PanelAnswer], judgement: Judgement) -> PanelAnswer:
    """Choose the survivor in the most points of consensus; length counts for nothing."""
    points = (judgement["analysis"] or {}).get("consensus", [])
    return max(
        sorted(survivors, key=lambda answer: str(answer["label"])),
        key=lambda answer: sum(answer["name"] in point["models"] for point in points),
    )
