"""Private names of the OpenAI SDK and of LangChain's integrations: there, and doing their part."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from fusion_graph.errors import IncompatibleLibrary
from fusion_graph.langgraph_seams.integrations import change_class, mistral_turns, openai_turns
from fusion_graph.langgraph_seams.openai_chat import OpenAIChat
from tests.langgraph_seams.mending import relied_on

in_langchain = partial(relied_on, "langchain-openai")
WHERE = "see what ChatOpenAI._agenerate calls between a message and the wire."


def chat_of(url: str = "http://127.0.0.1:9/v1", **fields: Any) -> OpenAIChat:
    return OpenAIChat(model="m", base_url=url, api_key="no-key", max_retries=0, **fields)


async def test_root_async_client_tells_the_headers_that_the_sdk_would_send():
    chat = chat_of(default_headers={"x-team": "blue-team"})
    with in_langchain("root_async_client", "openai_chat", "find where it keeps the SDK's client."):
        headers = {name.lower(): value for name, value in chat.sdk_headers.items()}
    assert headers["x-team"] == "blue-team"
    assert "openai" in headers["user-agent"].lower()
    assert "authorization" not in headers


def test__get_request_payload_is_the_json_that_langchain_would_send():
    with in_langchain("_get_request_payload", "openai_chat", WHERE):
        payload = chat_of().payload_of([HumanMessage("Why?")], ["stop"], temperature=0.5)
        assert payload["messages"] == [{"role": "user", "content": "Why?"}]
        assert (payload["model"], payload["stop"], payload["temperature"]) == ("m", ["stop"], 0.5)


def test__convert_input_reads_any_input_as_as_many_messages_as_the_payload_has():
    chat = chat_of()
    with in_langchain("_convert_input", "openai_chat", WHERE):
        given = [("system", "Be short."), ("user", "Why?"), AIMessage("So."), "And?"]
        messages = chat.messages_of(given)
        assert [message.type for message in messages] == ["system", "human", "ai", "human"]
        assert len(chat.payload_of(given)["messages"]) == len(messages)


def test__create_chat_result_reads_a_plain_completion():
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "So."},
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
    with in_langchain("_create_chat_result", "openai_chat", WHERE):
        (generation,) = chat_of().result_of(body).generations
        message = generation.message
        assert isinstance(message, AIMessage)
        assert message.text == "So."
        assert message.usage_metadata is not None
        assert message.usage_metadata["total_tokens"] == 5


def marked(message: AIMessage, reply: Any, model: str) -> AIMessage:
    return message.model_copy(update={"content": f"{message.text} ({model}, {reply is not None})"})


def shouted(_: Any, built: dict[str, Any], model: str) -> dict[str, Any]:
    return {**built, "content": f"{built['content'].upper()} ({model})"}


async def test__create_chat_result_and__get_request_payload_of_a_compatible_integration(models):
    from langchain_deepseek import ChatDeepSeek

    models.script("m", "So.")
    chat: Any = ChatDeepSeek(model="m", base_url=models.base_url, api_key="no-key", max_retries=0)
    with in_langchain("_create_chat_result, _get_request_payload", "integrations", WHERE):
        change_class(chat, openai_turns(type(chat), marked, shouted))
        reply = await chat.ainvoke([HumanMessage("Why?")])
        assert reply.text == "So. (m, True)"
        (call,) = models.calls("m")
        assert call.body["messages"][0]["content"] == "WHY? (m)"
        assert type(chat).__name__ == "ChatDeepSeek"


async def test__create_message_dicts_of_mistral_builds_what_is_sent(models):
    from langchain_mistralai import ChatMistralAI

    models.script("m", "So.")
    chat: Any = ChatMistralAI(model_name="m", base_url=models.base_url, api_key="no-key")
    how = "see what ChatMistralAI._agenerate calls between a message and the wire."
    with relied_on("langchain-mistralai", "_create_message_dicts", "integrations", how):
        change_class(chat, mistral_turns(type(chat), shouted))
        await chat.ainvoke([HumanMessage("Why?")])
        (call,) = models.calls("m")
        assert call.body["messages"][0]["content"] == "WHY? (m)"
    await chat.async_client.aclose()
    chat.client.close()


def test_an_integration_without_the_hooks_is_an_error_that_names_the_version_to_install():
    class Bare:
        pass

    with pytest.raises(IncompatibleLibrary, match=r"Bare\._create_chat_result.*langchain-openai=="):
        openai_turns(Bare, marked, shouted)
    with pytest.raises(IncompatibleLibrary, match=r"Bare\._create_message_dicts.*mistralai=="):
        mistral_turns(Bare, shouted)
