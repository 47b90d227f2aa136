"""The conversation as the panel is given it: whole, in words that need no parent's tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from fusion_graph.errors import EmptyQuestion
from fusion_graph.state.handovers import without_handovers
from fusion_graph.text.cutting import common_level, cut_text

TOLD_CHARACTERS = 8_000
"""How much of one tool result of the parent is told, in characters (about 2,000 tokens)."""


CARRY_ON = "Answer my request above, with what has been found out since."
"""Asks for the answer where the conversation ends with the parent's own model or its tools."""


def question_of(messages: Sequence[AnyMessage]) -> str:
    """Text of the last human message; a picture without words counts as a question.

    Raises:
        EmptyQuestion: There is no human message, or the last one is blank.
    """
    last = next((m for m in reversed(messages) if isinstance(m, HumanMessage)), None)
    if last is None:
        raise EmptyQuestion("There is nothing to answer: the messages hold no human message.")
    if text := last.text.strip():
        return text
    if attachments([last]):
        return "(see the attachment)"
    raise EmptyQuestion("There is nothing to answer: the last human message is blank.")


def attachments(messages: Iterable[BaseMessage]) -> Counter[str]:
    """How many attachments of each kind messages hold: `image`, `audio`, `file`, `video`."""
    found: Counter[str] = Counter()
    for message in messages:
        for block in message.content if isinstance(message.content, list) else ():
            said = str(block.get("type", "")) if isinstance(block, dict) else ""
            found.update(kind for kind in ("image", "audio", "file", "video") if kind in said)
    return found


def calls_as_text(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Tell the parent's tool calls and results as text in a conversation.

    The panel has other tools: a call to one it does not know, or a result without its call, is
    refused by providers. Leading system messages become one; earlier turns and attachments stay
    as they are. What only hands the word from agent to agent is left out.
    """
    messages = without_handovers(with_one_system(messages))
    results = {m.tool_call_id: m for m in messages if isinstance(m, ToolMessage)}
    called = {call["id"] for m in messages for call in _calls(m)}
    out: list[AnyMessage] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            if message.tool_call_id not in called:
                out.append(HumanMessage(f"{_RETURNED}{_shortened(message.text)})"))
        elif calls := _calls(message):
            lines = [str(message.text)] if message.text else []
            lines += [_tell(call, results.get(call["id"] or "")) for call in calls]
            out.append(AIMessage("\n\n".join(lines)))
        else:
            out.append(_bare(message))
    if out and isinstance(out[-1], AIMessage):
        # Providers take a last assistant message as the beginning of the answer, or refuse it.
        out.append(HumanMessage(CARRY_ON))
    return out


def with_one_system(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """The conversation with its leading system messages as one: several providers take no second.

    Anthropic's and Google's integrations, and the chat templates of many local models, refuse it
    or read the first alone.
    """
    leading = list(takewhile(lambda message: isinstance(message, SystemMessage), messages))
    if len(leading) < 2:
        return list(messages)
    text = "\n\n".join(message.text for message in leading if message.text.strip())
    return [SystemMessage(text), *messages[len(leading) :]]


_RETURNED = "(A tool returned: "


def is_the_users(message: BaseMessage) -> bool:
    """Whether a message of a conversation as it is told is the user's own.

    Providers know no other role for what has to be said to a model, so a tool's result without its
    call and the request to carry on are told as the user's.

    Args:
        message: A message of `calls_as_text`.
    """
    return isinstance(message, HumanMessage) and is_the_users_text(message.text)


def is_the_users_text(text: str) -> bool:
    """Whether a text told as the user's is the user's own; see `is_the_users`."""
    return text != CARRY_ON and not text.startswith(_RETURNED)


def own_words(conversation: Sequence[BaseMessage]) -> str:
    """Join what the user and the application wrote in a conversation as it is told.

    Not what models and tools said: addresses in that are strangers' or made up.
    """
    return "\n".join(
        message.text
        for message in conversation
        if isinstance(message, SystemMessage) or is_the_users(message)
    )


FOUND = "What was found out about this so far, by calls of tools:"
"""Stands before results that are told in the user's own message."""


def with_findings(
    conversation: Sequence[AnyMessage], turns: Sequence[Sequence[BaseMessage]], closing: str = ""
) -> list[AnyMessage]:
    """The conversation with what tools brought told in the user's last message, whole.

    For models that take no tools, and for histories that a provider will not have.

    Args:
        conversation: System instructions and the conversation; ends with the user's message.
        turns: Calls of tools and their results; refused calls, and words to the model in between,
            are left out.
        closing: Said after the results.
    """
    calls = {call["id"]: call for turn in turns for m in turn for call in _calls(m)}
    parts = [
        f"{result.name or 'A tool'}{_arguments(calls.get(result.tool_call_id))}:\n{result.text}"
        for turn in turns
        for result in turn
        if isinstance(result, ToolMessage) and not result.text.startswith("max_uses_exceeded:")
    ]
    said = [FOUND, *parts] if parts else []
    text = "\n\n".join([*said, *([closing] if closing else [])])
    if not text:
        return list(conversation)
    *before, last = conversation
    if not isinstance(last, HumanMessage):
        return [*conversation, HumanMessage(text)]
    # In one message with the question: many a small model's template wants turns to alternate.
    if isinstance(last.content, str):
        return [*before, HumanMessage(f"{last.content}\n\n{text}")]
    return [*before, HumanMessage([*last.content, {"type": "text", "text": text}])]


def _arguments(call: Any) -> str:
    args = call["args"] if call is not None else None
    if not isinstance(args, dict) or not args:
        return ""
    return f" {json.dumps(args, ensure_ascii=False, default=str)[:MAX_ARGUMENTS]}"


MAX_ARGUMENTS = 500
"""Characters of a call's arguments that stand before its result."""


def transcript(messages: Sequence[AnyMessage]) -> str:
    """The conversation as plain text, for the judge: who said what, attachments named."""
    names = {HumanMessage: "User", AIMessage: "Assistant", SystemMessage: "Instructions"}
    lines = []
    for message in messages:
        who = next((n for kind, n in names.items() if isinstance(message, kind)), "Other")
        attached = "".join(f" [{kind} attached]" for kind in sorted(attachments([message])))
        lines.append(f"{who}: {message.text}{attached}")
    return "\n\n".join(lines)


LEAST_OF_A_MESSAGE = 500
"""Characters; rather than cut messages shorter, the oldest are left out."""


def cut_conversation(messages: Sequence[AnyMessage], most: int) -> list[AnyMessage]:
    """The conversation in at most about so many characters; what is cut is marked so.

    The question has at least half of the room. Of the rest long messages give and short ones do
    not; where there are too many for that, the oldest are left out.

    Args:
        messages: The conversation.
        most: Most characters of its texts, marks aside.
    """
    if sum(len(message.text) for message in messages) <= most:
        return list(messages)
    humans = [at for at, message in enumerate(messages) if is_the_users(message)]
    asked = humans[-1] if humans else len(messages) - 1
    question = messages[asked]
    room = max(most // 2, most - len(question.text))
    before, after = list(messages[:asked]), list(messages[asked + 1 :])
    instructions = before[:1] if before and isinstance(before[0], SystemMessage) else []
    level = _level([*before, *after], room)
    talk = before[len(instructions) :]
    while talk and level < LEAST_OF_A_MESSAGE:
        talk = talk[max(len(talk) // 4, 1) :]
        level = _level([*instructions, *talk, *after], room)
    left_out = len(before) - len(instructions) - len(talk)
    mark = [HumanMessage(f"[{left_out} earlier messages are left out]")] if left_out else []
    kept = [cut_message(message, level) for message in (*instructions, *talk, *after)]
    spare = most - sum(min(len(m.text), level) for m in (*instructions, *talk, *after))
    first, last = len(instructions), len(instructions) + len(talk)
    return [
        *kept[:first],
        *mark,
        *kept[first:last],
        cut_message(question, spare),
        *kept[last:],
    ]


def recent(messages: Sequence[AnyMessage], most: int) -> list[AnyMessage]:
    """The conversation's end, from a human message on, in about so many characters.

    Earlier turns are left out whole. The last one is always there: what is too long of it is cut,
    and marked so.

    Args:
        messages: The conversation, without system messages.
        most: Most characters of its texts, marks aside.
    """
    humans = [at for at, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not humans:
        return []
    from_end = list(accumulate(len(message.text) for message in reversed(messages)))[::-1]
    fitting = [at for at in humans if from_end[at] <= most]
    if fitting:
        return list(messages[fitting[0] :])
    return cut_conversation(messages[humans[-1] :], most)


def _level(messages: Sequence[AnyMessage], room: int) -> int:
    """The length to which the longest have to come down; none of them where all fit."""
    sizes = [len(message.text) for message in messages]
    return max(room, LEAST_OF_A_MESSAGE) if sum(sizes) <= room else common_level(sizes, room)


def cut_message(message: AnyMessage, most: int) -> AnyMessage:
    """A message with its text cut to a number of characters, and marked so; attachments stay.

    Args:
        message: The message.
        most: Most characters of its text that are kept.
    """
    text = message.text
    if len(text) <= most:
        return message
    cut = cut_text(text, most)
    if isinstance(message, AIMessage):
        # Not what its provider sent with it, which says the uncut words again.
        calls = {
            "tool_calls": message.tool_calls,
            "invalid_tool_calls": message.invalid_tool_calls,
        }
        return AIMessage(cut, id=message.id, **calls)
    if isinstance(message.content, str):
        return message.model_copy(update={"content": cut})
    others = [b for b in message.content if isinstance(b, dict) and b.get("type") != "text"]
    return message.model_copy(update={"content": [{"type": "text", "text": cut}, *others]})


def _calls(message: BaseMessage) -> list[Any]:
    if not isinstance(message, AIMessage):
        return []
    return [*message.tool_calls, *message.invalid_tool_calls]


def _bare(message: AnyMessage) -> AnyMessage:
    """An answer without its provider's baggage (reasoning items, refusals, tool stubs) and name.

    Agents of a supervisor or swarm have names, and not every provider takes them.
    """
    if isinstance(message, AIMessage) and (message.additional_kwargs or message.name):
        return AIMessage(message.content, id=message.id)
    return message


def _tell(call: Any, result: ToolMessage | None) -> str:
    args = call["args"]
    said = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False, default=str)
    returned = _shortened(result.text) if result is not None else "(no result yet)"
    return f"(Called {call['name']} with {said}. It returned: {returned})"


def _shortened(said: str) -> str:
    if len(said) <= TOLD_CHARACTERS:
        return said
    return f"{said[:TOLD_CHARACTERS]} […{len(said) - TOLD_CHARACTERS} characters left out]"
