"""Where a reader of a fleet's stream is, when it joins again: no piece twice, none lost."""

from __future__ import annotations

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, convert_to_messages

from fusion_graph.faces.server.fleet._messages import sent_messages
from fusion_graph.faces.server.fleet._place import Place

Parts = list[tuple[str, str]]


def read(place: Place, parts: Parts, now: float) -> str:
    place.join(now)
    return "".join(text for id, text in parts if place.take(id, text, now))


def after(parts: Parts, id: str) -> Parts:
    """What `langgraph dev` sends after an id, which it compares as text."""
    return [part for part in parts if part[0] > id]


OLD = 1_000_000_000_000.0
"""Long before the stream's parts were numbered."""

STREAM: Parts = [
    ("1795834770171-0", "a"),
    ("1795834770171-0", "a"),
    ("1795834770172-0", "b"),
    ("1795834770172-0", "c"),
    ("1795834770172-0", "b"),
    ("1795834770174-0", "d"),
]


def test_pieces_of_one_moment_that_say_the_same_are_all_read():
    assert read(Place(), STREAM, OLD) == "aabcbd"


def test_a_stream_that_breaks_off_anywhere_is_read_on_without_a_gap():
    for broken in range(len(STREAM) + 1):
        place = Place()
        first = read(place, STREAM[:broken], OLD)
        assert first + read(place, after(STREAM, place.after), OLD) == "aabcbd"


def test_what_comes_while_somebody_joins_is_read_once():
    stream = [("5-0", "a"), ("6-0", "b"), ("7-0", "c"), ("7-0", "d"), ("8-0", "e")]
    for kept in range(len(stream)):
        for since in range(kept + 1):
            sent = [*stream[:kept], *stream[since:]]
            assert read(Place(), sent, 7) == "abcde"


def test_pieces_with_numbers_of_their_own_are_told_apart_by_them():
    stream = [("5-0", "x"), ("5-1", "x"), ("6-0", "y")]
    place = Place()
    assert read(place, stream[:2], 5) == "xx"
    assert read(place, stream, 6) == "y"


def test_a_conversation_arrives_in_the_fleet_as_it_was():
    calls = [{"name": "look", "args": {"at": "it"}, "id": "1", "type": "tool_call"}]
    broken = [
        {"name": "look", "args": "{", "id": "2", "error": None, "type": "invalid_tool_call"},
    ]
    said = [
        HumanMessage([{"type": "text", "text": "Hm?"}], id="h"),
        AIMessage("", tool_calls=calls, response_metadata={"fusion": {"invoked": True}}),
        ToolMessage("found", tool_call_id="1", status="error"),
        AIMessage("", tool_calls=calls, invalid_tool_calls=broken),
    ]

    arrived = convert_to_messages(sent_messages(said))

    assert [m.content for m in arrived] == [m.content for m in said]
    assert arrived[1].tool_calls == arrived[3].tool_calls == calls
    assert arrived[1].response_metadata == said[1].response_metadata
    assert arrived[2].status == "error"
    (call,) = arrived[3].invalid_tool_calls
    assert (call["name"], call["args"], call["id"]) == ("look", "{", "2")
