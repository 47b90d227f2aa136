"""Pictures that a caller's tools returned: shown behind the results, or told as missing."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from fusion_graph.models._tool_pictures import (
    SHOWN,
    UNSEEN,
    has_pictures,
    shown_behind_results,
    without_pictures,
)


def picture(n: int) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{n}"}}


def result(text: str, *pictures: dict[str, Any]) -> ToolMessage:
    return ToolMessage([{"type": "text", "text": text}, *pictures], tool_call_id=text)


PLAIN = ToolMessage("Rain.", tool_call_id="r")
ASKED = [HumanMessage([{"type": "text", "text": "What is it?"}, picture(0)])]


def test_pictures_go_behind_all_results_of_their_turn() -> None:
    said = [*ASKED, AIMessage("a"), result("one", picture(1), picture(2)), PLAIN]
    said += [AIMessage("b"), result("two", picture(3))]
    moved = shown_behind_results(said)
    assert [message.type for message in moved] == [
        *("human", "ai", "tool", "tool", "human"),
        *("ai", "tool", "human"),
    ]
    assert [m.content for m in moved if m.type == "tool"] == ["one", "Rain.", "two"]
    shown = {"type": "text", "text": SHOWN}
    assert moved[4].content == [shown, picture(1), picture(2)]
    assert moved[-1].content == [shown, picture(3)]
    assert moved[0] is ASKED[0]


def test_a_conversation_without_them_is_left_as_it_is() -> None:
    said = [*ASKED, AIMessage("a"), PLAIN, result("words alone")]
    assert shown_behind_results(said) == without_pictures(said) == said
    assert not has_pictures(said)


def test_who_sees_none_is_told_where_they_were() -> None:
    (left,) = without_pictures([result("one", picture(1))])
    assert left.content == f"one\n{UNSEEN}"
