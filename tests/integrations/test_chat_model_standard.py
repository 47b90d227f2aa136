"""LangChain's standard tests for chat models, run against ChatFusion over scripted models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from fusion_graph import ChatFusion

JOKE = {"setup": "Why did the cat sit on the computer?", "punchline": "To watch the mouse."}


def call(name: str, **args: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": name, "args": args}]}


WRITER = {
    "text": "I have nothing to add.",
    # What a writer is asked for shows in the request; the first needle found decides.
    "when_contains": {
        '"role":"tool"': {"text": "The tool has answered."},
        "unicode_customer": {
            "when_contains": {
                "こんにちは": call(
                    "unicode_customer", customer_name="こんにちは株式会社", description="d"
                )
            },
            **call("unicode_customer", customer_name="你好啊集团", description="d"),
        },
        "magic_function_no_args": call("magic_function_no_args"),
        "magic_function": call("magic_function", input=3),
        "greeting_generator": call("greeting_generator", answer_style="Pirate"),
        "get_weather": call("get_weather", location="San Francisco, CA"),
        "my_adder_tool": call("my_adder_tool", a=3, b=4),
        '"name":"JokeDict"': call("JokeDict", **JOKE),
        '"name":"Joke"': call("Joke", **JOKE),
        '"type":"json_object"': {"text": json.dumps(JOKE)},
    },
}


class Suite:
    """What ChatFusion is, in the suites' terms."""

    params: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _scripted(self, models: Any, panel_config: Any) -> None:
        self.params = {"config": panel_config()}
        models.script("w", WRITER)

    @property
    def chat_model_class(self) -> type[ChatFusion]:
        return ChatFusion

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return self.params

    @property
    def standard_chat_model_params(self) -> dict[str, Any]:
        # `timeout`, `max_retries` and `api_key` are the business of the models inside: stages have
        # deadlines of their own in the configuration, and keys come from the environment.
        return {"temperature": 0, "max_tokens": 100, "stop": []}


class TestUnit(Suite, ChatModelUnitTests):
    """Without a call."""


class TestIntegration(Suite, ChatModelIntegrationTests):
    """With calls over HTTP."""

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return "fusion/offline"

    @pytest.fixture
    def vcr(self) -> None:
        """No recordings: the server is here, and the fixture would patch the tests' own calls."""

    # The suite's pictures, sounds and papers are fetched from the internet, which these tests do
    # without; that attachments reach the panel is tested in test_chat_model.py.
    supports_image_inputs = supports_image_urls = supports_image_tool_message = False
    supports_pdf_inputs = supports_pdf_tool_message = supports_audio_inputs = False
    # Blocks of one provider are the business of its own models.
    supports_anthropic_inputs = False
