"""Private names of LangChain's core: there, and doing what the seams rely on."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda, ensure_config
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import SecretStr

from fusion_graph.errors import IncompatibleLibrary
from fusion_graph.langgraph_seams.identity import provider_and_name
from fusion_graph.langgraph_seams.surroundings import has_watchers, with_surroundings
from tests.langgraph_seams.mending import relied_on

langchain = partial(relied_on, "langchain-core")


def test_var_child_runnable_config_tells_of_callbacks_around():
    step = RunnableLambda(lambda _: has_watchers())
    how = "find the variable in which `ensure_config` looks for its parent."
    with langchain("var_child_runnable_config", "surroundings", how):
        assert step.invoke(None) is False
        assert step.invoke(None, {"callbacks": [BaseCallbackHandler()]}) is True


@pytest.mark.parametrize(("mode", "callbacks"), [("messages", False), ("messages", True)])
def test_langgraphs_own_handlers_are_known_by_their_module(mode, callbacks):
    seen = []

    def step(_: MessagesState) -> dict[str, Any]:
        seen.append(has_watchers())
        return {}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_edge("step", END)
    config: Any = {"callbacks": [BaseCallbackHandler()] if callbacks else []}
    how = "find the module of the handler that `stream_mode='messages'` adds."
    with langchain("type(handler).__module__", "surroundings", how):
        list(graph.compile().stream({"messages": []}, config, stream_mode=mode))
        assert seen == [callbacks]


async def test_set_config_context_hides_the_callers_config_from_a_task():
    async def inside() -> Any:
        return ensure_config()["tags"]

    async def step(_: None) -> list[Any]:
        with with_surroundings({"tags": ["own"]}) as variables:
            task = asyncio.create_task(inside(), context=variables)
            return [await task, ensure_config()["tags"]]

    how = "copy the context and set the variable that `ensure_config` reads."
    with langchain("set_config_context", "surroundings", how):
        seen = await RunnableLambda(step).ainvoke(None, {"tags": ["callers"]})
        assert seen == [["own"], ["callers"]]


def chats() -> list[Any]:
    """A chat model of each integration, with what it is to say of itself."""
    from langchain_anthropic import ChatAnthropic
    from langchain_deepseek import ChatDeepSeek
    from langchain_google_genai import ChatGoogleGenerativeAI
    from langchain_mistralai import ChatMistralAI
    from langchain_openai import ChatOpenAI

    key: Any = "no-key"
    return [
        (ChatOpenAI(model="gpt-x", api_key=key), "openai", "gpt-x"),
        (ChatAnthropic(model_name="claude-x", api_key=key), "anthropic", "claude-x"),
        (ChatDeepSeek(model="deepseek-x", api_key=key), "deepseek", "deepseek-x"),
        (ChatGoogleGenerativeAI(model="gemini-x", api_key=key), "google_genai", "gemini-x"),
        (ChatMistralAI(model_name="mistral-x", api_key=key), "mistral", "mistral-x"),
    ]


HOW_NAMED = "see what BaseChatModel tells LangSmith of itself by now."


def test__get_ls_params_names_provider_and_model():
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model="gpt-x", api_key=SecretStr("no-key"))
    with langchain("_get_ls_params", "identity", HOW_NAMED):
        assert provider_and_name(chat) == ("openai", "gpt-x")
        assert provider_and_name(FakeListChatModel(responses=[""]))[1] == ""


@pytest.mark.slow  # three seconds for the imports of five integrations
def test__get_ls_params_names_provider_and_model_of_every_integration():
    made = chats()
    with langchain("_get_ls_params", "identity", HOW_NAMED):
        assert [provider_and_name(chat) for chat, *_ in made] == [
            (provider, name) for _, provider, name in made
        ]


def test_an_object_without__get_ls_params_is_an_error_that_names_the_version_to_install():
    with pytest.raises(IncompatibleLibrary, match=r"`_get_ls_params`.*langchain-core=="):
        provider_and_name(object())
