"""Side calls of chat programs get one model; whatever a person asks gets the panel."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from fusion_graph.faces.server.protocols import CHAT
from fusion_graph.faces.server.protocols._side_calls import is_side_call
from tests.server.conftest import MESSAGES, text_of

TALK = (
    ("What should I cook tonight?", "How about risotto with peas."),
    ("Erkläre mir die Zinseszinsformel", "Gern: K mal (1+p) hoch n."),
    ("Give my essay a title of five words", "A Short Walk through Winter"),
)


def task(words: str, form: str, talk: tuple[str, str]) -> str:
    """A template in sections, as Open WebUI's."""
    return (
        f"### Task:\n{words}\n### Guidelines:\n- Use the chat's primary language.\n"
        f"### Output:\nJSON format: {form}\n### Chat History:\n<chat_history>\n"
        f"USER: {talk[0]}\nASSISTANT: {talk[1]}\n</chat_history>"
    )


OPEN_WEBUI = (
    ("Generate a concise, 3-5 word title with an emoji for the chat history.", '{ "title": "…" }'),
    ("Generate a title of a few words summarizing the chat history.", '{ "title": "…" }'),
    ("Generate 1-3 broad tags for the main themes of the chat history.", '{ "tags": ["…"] }'),
    (
        "Suggest 3-5 follow-up questions that the user might ask next in this conversation.",
        '{ "follow_ups": ["…"] }',
    ),
    (
        "Look at the chat history and decide whether generating search queries is necessary.",
        '{ "queries": ["…"] }',
    ),
)
OWN_WORDS = (
    # LibreChat's ways
    "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. "
    "Only return the title itself.\n\nConversation:\n{talk}",
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A "
    "concise title in the detected language (5 words or less, no punctuation or quotation)\n\n"
    "{talk}",
    "Please generate a concise title (max 40 characters) for a conversation that starts with:\n"
    "{talk}\n\nTitle:",
    # DeepChat's, and one of Open WebUI's early ones
    "You need to summarize the user's conversation into a title of no more than 10 words, without "
    "using punctuation or other special symbols:\n{talk}",
    "Create a concise, 3-5 word title with an emoji as a title for the chat history. RESPOND ONLY "
    "WITH THE TITLE TEXT.\n<chat_history>\n{talk}\n</chat_history>",
)
SYSTEMS = (
    # LobeChat's ways, Cherry Studio's, a coding agent's
    "You are a professional conversation summarizer. Generate a concise title that captures the "
    "essence of the conversation.\n\nRules:\n- Output ONLY the title text\n- Maximum 10 words\n- "
    "No punctuation marks",
    "你是一名擅长会话的助理，你需要将用户的会话总结为 10 个字以内的标题，不需要包含标点符号",
    "You are an assistant skilled in conversation. You need to summarize the user's conversation "
    "into a title within 10 words. Do not use punctuation marks or other special symbols",
    "You are a title generator. You output ONLY a thread title. Nothing else.\n- At most 50 "
    "characters\n- No quotes",
)


def asked(messages: Any, **more: Any) -> Any:
    return CHAT.read({"model": "fusion/offline", "messages": messages, **more})


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def transcript(talk: tuple[str, str], names: tuple[str, str] = ("User", "AI")) -> str:
    return f"{names[0]}: {talk[0]}\n{names[1]}: {talk[1]}"


def side_calls() -> list[Any]:
    calls: list[Any] = [user(task(*words, talk)) for words, talk in product(OPEN_WEBUI, TALK)]
    calls += [
        user(words.format(talk=transcript(talk, names)))
        for words, talk, names in product(OWN_WORDS, TALK, (("User", "AI"), ("user", "assistant")))
    ]
    calls += [
        [{"role": "system", "content": system}, *user(transcript(talk, ("user", "assistant")))]
        for system, talk in product(SYSTEMS, TALK)
    ]
    for talk in TALK:
        earlier = [*user(talk[0]), {"role": "assistant", "content": talk[1]}]
        calls += [
            [*earlier, *user(last)]
            for last in (
                "Please generate a four to five word title summarizing our conversation without "
                "any lead-in, punctuation, quotation marks, bold text, or additional text.",
                "Based on the chat history, give this conversation a name. Keep it short - 10 "
                "characters max, no quotes. Just provide the name, nothing else.",
                "Summarize the discussion briefly to use as a prompt for future context.",
            )
        ]
    calls.append(
        user(
            "### Task:\nYou are an autocompletion system. Continue the text in `<text>`.\n"
            "<type>General</type>\n<text>The sun</text>"
        )
    )
    return calls


SUBJECTS = (
    "my blog post about remote work",
    "a podcast on the art of conversation",
    "the chat feature of our product",
    "this poem:\nThe rose is red",
    "a talk about chat history retention law",
    "the following discussion of thermodynamics in my thesis",
)
WISHES = (
    "What is a good title for {subject}?",
    "Suggest five titles for {subject}",
    "Give me a title of at most 5 words for {subject}.",
    "Write tags for {subject}",
    "Which follow-up questions should I ask about {subject}?",
    "Return only JSON: a title and tags for {subject}",
    "Generate search queries for {subject}, and explain each",
)
QUESTIONS = (
    "Hi",
    "quota systems in the EU fishery: do they work?",
    "### Task:\nRespond to the user query using the provided context.\n### Guidelines:\n- Cite.\n"
    "<context>doc</context>\n<chat_history>\nUSER: hi\n</chat_history>\n<user_query>\nWhich title "
    "has the book?\n</user_query>",
    "### Task: compare two title insurance policies\n### Output: a table",
    "Summarize this conversation:\nUser: How wet is water?\nAI: Very.",
    "What does this conversation tell about the user's mood?\nUser: I am fine\nAI: Are you?",
    "What title would you give this conversation?\nUser: hi\nAI: hello",
    "Explain how Open WebUI makes a title for a conversation, and why only JSON is returned.",
    "Is an autocompletion system a language model?",
    "How do I write a SQL query that returns only the title and tags of the chat history table?",
    "Name three differences between TCP and UDP in 10 words, no punctuation, only the answer.",
    "Is 17 prime? Only answer yes or no.",
    "Our conversation was long. What did we decide about the title of the book?",
)


def real_questions() -> list[Any]:
    wishes = [wish.format(subject=subject) for wish, subject in product(WISHES, SUBJECTS)]
    single = [user(text) for text in (*wishes, *QUESTIONS)]
    # The same in the middle of a chat, and behind a system prompt of a chat program's.
    earlier: Any = [*user("Hello"), {"role": "assistant", "content": "Hello, what is it?"}]
    system: Any = [
        {
            "role": "system",
            "content": "You are a helpful assistant in a chat. Keep the conversation friendly. "
            "Answer in the user's language. If JSON is asked for return only JSON.",
        }
    ]
    return [*single, *([*earlier, *one] for one in single), *([*system, *one] for one in single)]


@pytest.mark.parametrize("messages", side_calls(), ids=lambda m: m[-1]["content"][:50])
def test_a_programs_errand_is_told_by_its_kind(messages):
    assert is_side_call(asked(messages))


def test_no_persons_question_is_taken_for_an_errand():
    questions = real_questions()
    taken = [messages for messages in questions if is_side_call(asked(messages))]
    assert len(questions) > 150
    assert taken == []


def test_a_question_to_an_agent_with_tools_is_never_an_errand():
    tools = [{"type": "function", "function": {"name": name}} for name in ("read", "write")]
    for messages in side_calls()[:-1]:
        assert not is_side_call(asked(messages, tools=tools))


@pytest.mark.parametrize(
    ("text", "limit", "whether"),
    [
        ("quota", 1, True),
        ("hi", 5, True),
        ("Hello!", 16, True),
        ("hi", None, False),
        ("hi", 400, False),
        ("Is 17 prime?", 1, False),
        ("Which of A, B, C is right? Question: …", 1, False),
        ("17*23", 4, False),
        ("Say yes or no", 2, False),
    ],
)
def test_a_word_that_is_answered_in_a_few_tokens_only_asks_for_a_sign_of_life(text, limit, whether):
    more = {} if limit is None else {"max_tokens": limit}
    assert is_side_call(asked(user(text), **more)) is whether


def test_nothing_is_asked_of_the_recogniser_that_it_cannot_read():
    assert not is_side_call(asked([{"role": "system", "content": "Title of the conversation."}]))
    for words in ("title of the chat ", "\n", "autocompletion system ", "### task:\n", "user:\n"):
        assert not is_side_call(asked(user(words * (1_000_000 // len(words)))))


@pytest.mark.parametrize("stream", [False, True])
def test_an_errand_is_one_call_of_the_writer_and_said_so(client, models, offer, stream):
    model = offer()
    raw = client.chat.completions.with_raw_response.create(
        model=model, messages=user(task(*OPEN_WEBUI[0], TALK[0])), max_tokens=60, stream=stream
    )
    done = raw.parse()
    text = text_of(done) if stream else done.choices[0].message.content
    assert text == "The final answer of the writer."
    assert raw.headers["x-fusion-invoked"] == "side_call"
    (call,) = models.calls()
    assert call.model == "w"
    assert call.body["max_tokens"] == 60
    assert "tools" not in call.body

    asked_for = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
    assert asked_for.headers["x-fusion-invoked"] == "panel"
    assert len(models.calls("a")) == 1
