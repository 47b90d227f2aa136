"""The endpoint as OpenRouter's own client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.conftest import MESSAGES, Server

openrouter = pytest.importorskip("openrouter")

FINAL = "The final answer of the writer."
LOOK: Any = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def router(server: Server) -> Iterator[Any]:
    with openrouter.OpenRouter(api_key="unused", server_url=f"{server.url}/v1") as client:
        yield client


def test_chat_in_one_piece_and_in_many(router, offer):
    model = offer()
    whole = router.chat.send(model=model, messages=MESSAGES)
    assert whole.choices[0].message.content == FINAL
    assert whole.usage.prompt_tokens < 100
    with router.chat.send(model=model, messages=MESSAGES, stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == FINAL


def test_an_earlier_fusion_goes_back_as_its_own_item(router, models, offer):
    model = offer()
    models.script("w", {"text": "", "tool_calls": [{"name": "look"}]}, {"text": "Done."})
    first = router.chat.send(model=model, messages=MESSAGES, tools=[LOOK]).choices[0].message
    (item,) = first.reasoning_details
    assert type(item).__name__ == "ReasoningDetailServerToolCall"
    assert item.tool_name == "openrouter:fusion"
    assert json.loads(item.result)["models"] == ["scripted:a", "scripted:b", "scripted:c"]
    said = json.loads(first.model_dump_json(by_alias=True, exclude_none=True))
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "Seen."}
    done = router.chat.send(model=model, messages=[*MESSAGES, said, result], tools=[LOOK])
    assert done.choices[0].message.content == "Done."
    assert len(models.calls("a")) == 1


@pytest.mark.parametrize("asks", [False, True])
def test_every_event_of_responses_is_one_of_its_own(router, models, offer, asks):
    model = offer()
    models.script("b", {"status": 401})
    more = {"tools": [{"type": "openrouter:fusion"}]} if asks else {}
    with router.beta.responses.send(model=model, input="How wet?", stream=True, **more) as stream:
        told = list(stream)
    kinds = [type(event).__name__ for event in told]
    assert not [kind for kind in kinds if "Unknown" in kind]
    assert kinds[-1] == "StreamEventsResponseCompleted"
    assert ("FusionCallPanelDeltaEvent" in kinds) is asks
    assert ("FusionCallAnalysisCompletedEvent" in kinds) is asks
    whole = router.beta.responses.send(model=model, input="How wet?", **more)
    assert whole.status == "completed"
    assert type(whole.output[0]).__name__ == (
        "OutputFusionServerToolItem" if asks else "OutputMessageItem"
    )


def test_a_wrong_request_raises_what_is_wrong(router):
    # Its codes are numbers, OpenAI's are words, and OpenAI's clients are the most: it raises the
    # body as one that it cannot read.
    with pytest.raises(openrouter.errors.OpenRouterError) as caught:
        router.chat.send(model="openrouter/fusion", messages=MESSAGES)
    assert caught.value.status_code == 404
    assert "does not exist here" in caught.value.body
