"""One panel a user's turn: whatever tools the client runs in between, and whoever answers next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.server.conftest import MESSAGES, Server, running

LOOK: Any = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
KEYS: dict[str, str] = {"FUSION_SIGNING_KEY": "one secret for all workers"}


def call(n: int) -> dict[str, Any]:
    """A step that calls the client's tool."""
    return {"text": "", "tool_calls": [{"name": "look", "args": {"n": n}, "id": f"call_{n}"}]}


def client_of(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0)


def ask(client: OpenAI, model: str, messages: Any, **more: Any) -> tuple[Any, Any]:
    """A message as a client would send it back, and the response's headers."""
    reply = client.chat.completions.with_raw_response.create(
        model=model, messages=messages, tools=[LOOK], **more
    )
    return reply.parse().choices[0].message.model_dump(exclude_none=True), reply.headers


def result_of(message: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Seen."}


def panels(models: Any) -> int:
    """How many panels were paid for."""
    return len(models.calls("a"))


@pytest.fixture
def first(models, offer, tmp_path) -> Iterator[tuple[Any, str, Any]]:
    """A server, its model, and a first answer of it that calls a tool."""
    model = offer(tmp_path)
    models.script("w", call(1), {"text": "Done."})
    with running(tmp_path, **KEYS) as server, client_of(server) as client:
        answer, headers = ask(client, model, MESSAGES)
        assert headers["x-fusion-invoked"] == "panel"
        yield client, model, answer


def test_ten_steps_of_tools_take_one_panel(client, models, offer):
    model = offer()
    models.script("w", *(call(n) for n in range(10)), {"text": "Done."})
    messages: Any = list(MESSAGES)
    carried = 0
    for step in range(10):
        answer, headers = ask(client, model, messages)
        carried += "reasoning_details" in answer
        assert headers["x-fusion-invoked"] == ("continued" if step else "panel")
        messages += [answer, result_of(answer)]
    final, headers = ask(client, model, messages)

    assert final["content"] == "Done."
    assert headers["x-fusion-deliberation"] == "conversation"
    assert panels(models) == len(models.calls("j")) == 1
    assert carried == 1  # a client sends all of it again with every step
    assert "The answer of a." in json.dumps(models.calls("w")[-1].body)


def test_the_next_question_is_for_a_new_panel(client, models, offer):
    model = offer()
    models.script("w", call(1), {"text": "Done."})
    answer, _ = ask(client, model, MESSAGES)
    turn = [*MESSAGES, answer, result_of(answer)]
    final, _ = ask(client, model, turn)
    _, headers = ask(client, model, [*turn, final, {"role": "user", "content": "And ice?"}])
    assert headers["x-fusion-invoked"] == "panel"
    assert panels(models) == 2


@pytest.mark.parametrize("shared", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_restarted_server_goes_on_from_the_same_panel(models, offer, tmp_path, shared):
    model = offer(tmp_path)
    models.script("w", call(1), {"text": "Done."})
    env = KEYS if shared else {}
    with running(tmp_path, **env) as server, client_of(server) as client:
        answer, _ = ask(client, model, MESSAGES)
    # Without a secret in the environment it is kept in the user's own folder.
    assert (tmp_path / "signing.key").exists() is not shared
    with running(tmp_path, **env) as server, client_of(server) as client:
        final, headers = ask(client, model, [*MESSAGES, answer, result_of(answer)])
    assert final["content"] == "Done."
    assert headers["x-fusion-invoked"] == "continued"
    assert panels(models) == 1
    assert "The answer of b." in json.dumps(models.calls("w")[-1].body)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.slow
def test_the_key_that_signs_is_its_owners_alone(models, offer, tmp_path):
    model = offer(tmp_path)
    models.script("w", call(1))
    with running(tmp_path) as server, client_of(server) as client:
        ask(client, model, MESSAGES)
        log = server.log
    key = (tmp_path / "signing.key").read_text()
    assert Path(tmp_path / "signing.key").stat().st_mode & 0o777 == 0o600
    assert len(key) == 64
    assert key not in log


def test_a_deliberation_that_was_touched_is_refused(first, models):
    client, model, answer = first
    (item,) = answer["reasoning_details"]
    assert item["type"] == "reasoning.server_tool_call"
    result = json.loads(item["result"])
    sealed = result["deliberation"]
    places = [0, 4, len(sealed) // 2, len(sealed) - 1]
    touched = [
        {**result, "deliberation": f"{sealed[:i]}{'AB'[sealed[i] == 'A']}{sealed[i + 1 :]}"}
        for i in places
    ]
    touched += [{**result, "models": ["gpt-9"]}, {"status": "ok"}, {**result, "deliberation": ""}]
    for wrong in touched:
        edited = {**answer, "reasoning_details": [{**item, "result": json.dumps(wrong)}]}
        with pytest.raises(BadRequestError) as caught:
            ask(client, model, [*MESSAGES, edited, result_of(answer)])
        assert caught.value.code == "invalid_deliberation"
        assert "edited" in caught.value.message
    assert len(models.calls("w")) == 1  # nobody was asked for any of them


@pytest.mark.slow
def test_a_deliberation_of_another_server_is_refused_with_what_helps(first, models, tmp_path):
    _, model, answer = first
    other = {"FUSION_SIGNING_KEY": "another secret"}
    with (
        running(tmp_path, **other) as server,
        client_of(server) as client,
        pytest.raises(BadRequestError, match="FUSION_SIGNING_KEY"),
    ):
        ask(client, model, [*MESSAGES, answer, result_of(answer)])


def test_a_client_that_drops_it_gets_what_the_server_remembers(first, models):
    client, model, answer = first
    answer = {name: value for name, value in answer.items() if name != "reasoning_details"}
    final, headers = ask(client, model, [*MESSAGES, answer, result_of(answer)])
    assert final["content"] == "Done."
    assert headers["x-fusion-deliberation"] == "memory"

    # Some clients make up ids of their own.
    for item in answer["tool_calls"]:
        item["id"] = "abc123def"
    final, headers = ask(client, model, [*MESSAGES, answer, result_of(answer)])
    assert headers["x-fusion-deliberation"] == "memory"
    assert panels(models) == 1


@pytest.mark.slow
def test_where_it_is_lost_the_panel_is_asked_anew_and_a_header_says_so(models, offer, tmp_path):
    model = offer(tmp_path)
    models.script("w", call(1), {"text": "Done."})
    with running(tmp_path, **KEYS) as server, client_of(server) as client:
        answer, _ = ask(client, model, MESSAGES)
    del answer["reasoning_details"]
    with running(tmp_path, **KEYS) as server, client_of(server) as client:
        _, headers = ask(client, model, [*MESSAGES, answer, result_of(answer)])
    assert headers["x-fusion-deliberation"] == "lost"
    assert headers["x-fusion-invoked"] == "panel"
    assert panels(models) == 2


@pytest.mark.slow
def test_long_answers_are_carried_in_a_bounded_size(client, models, offer):
    model = offer()
    for name in "abc":
        models.script(name, {"text": " ".join(f"{name}{n * 7919 % 104729}" for n in range(20_000))})
    models.script("w", call(1), {"text": "Done."})
    answer, _ = ask(client, model, MESSAGES)
    assert len(json.dumps(answer["reasoning_details"])) < 40_000


def test_a_turn_that_one_model_began_is_its_own_to_the_end(client, models, offer):
    model = offer(invocation="auto")
    decide = {"text": '{"use": "one", "reason": "a chore"}'}
    models.script("w", decide, call(1), {"text": "Done."})
    answer, headers = ask(client, model, MESSAGES)
    assert headers["x-fusion-invoked"] == "auto"
    final, headers = ask(client, model, [*MESSAGES, answer, result_of(answer)])
    assert headers["x-fusion-invoked"] == "direct"
    assert final["content"] == "Done."
    assert panels(models) == 0
    assert len(models.calls("w")) == 3  # nobody was asked again whether it is worth a panel


def test_what_a_provider_wants_to_see_again_with_its_answer_goes_back(client, models, offer):
    model = offer()
    models.script("w", {**call(1), "reasoning": "Because of this."}, {"text": "Done."})
    answer, _ = ask(client, model, MESSAGES)
    ask(client, model, [*MESSAGES, answer, result_of(answer)])
    *_, made, _ = models.calls("w")[-1].body["messages"]
    assert made["reasoning"] == "Because of this."


@pytest.mark.slow
def test_it_goes_back_also_from_another_worker(models, offer, tmp_path):
    model = offer(tmp_path)
    steps = [{**call(n), "reasoning": f"Thought {n}."} for n in range(2)]
    models.script("w", *steps, {"text": "Done."})
    messages: Any = list(MESSAGES)
    for _ in range(3):
        with running(tmp_path, **KEYS) as server, client_of(server) as client:
            answer, headers = ask(client, model, messages)
        messages.append(answer)
        if "tool_calls" in answer:
            messages.append(result_of(answer))
    assert answer["content"] == "Done."
    assert headers["x-fusion-deliberation"] == "conversation"
    assert panels(models) == 1
    said = models.calls("w")[-1].body["messages"][-4:]
    assert [made["reasoning"] for made in said[::2]] == ["Thought 0.", "Thought 1."]
    for made, returned in zip(said[::2], said[1::2], strict=True):
        assert made["tool_calls"][0]["id"] == returned["tool_call_id"]
