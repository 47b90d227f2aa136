"""The presets as models: which are listed, and how."""

from __future__ import annotations

import openai
import pytest

from tests.server.conftest import Server


def test_presets_that_can_work_here_are_listed(client, offer):
    own, keyless = offer(), offer(provider={"api_key_env": "NOT_SET_HERE"})
    listed = {model.id: model for model in client.models.list()}
    assert "fusion/offline" in listed
    assert own in listed
    assert keyless not in listed
    assert "fusion/budget" not in listed
    assert listed[own].object == "model"
    assert listed[own].owned_by == "fusion-graph"
    assert isinstance(listed[own].created, int)
    assert "tools" in listed["fusion/offline"].supported_parameters


def test_every_preset_has_a_cheap_twin_of_one_model(client, models, offer):
    model = offer()
    assert f"{model}:direct" in [listed.id for listed in client.models.list()]
    assert client.models.retrieve(f"{model}:direct").id == f"{model}:direct"

    done = client.chat.completions.with_raw_response.create(
        model=f"{model}:direct", messages=[{"role": "user", "content": "How wet is water?"}]
    )
    assert done.headers["x-fusion-invoked"] == "direct"
    assert done.parse().choices[0].message.content == "The final answer of the writer."
    assert {call.model for call in models.calls()} == {"w"}


def test_one_model_can_be_looked_up(client, server: Server):
    assert client.models.retrieve("fusion/offline").id == "fusion/offline"
    assert server.request("GET", "/v1/models/fusion/offline").json()["id"] == "fusion/offline"
    assert server.request("HEAD", "/v1/models").status_code == 200


def test_a_model_that_cannot_work_here_is_not_found_and_says_why(client):
    with pytest.raises(openai.NotFoundError, match="OPENROUTER_API_KEY is not set"):
        client.models.retrieve("fusion/budget")
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.models.retrieve("fusion/nothing")


def test_a_broken_preset_file_hides_that_preset_alone(client, server: Server):
    path = server.config / "presets" / "broken.toml"
    path.write_text("panel = [", "utf-8")
    try:
        listed = {model.id for model in client.models.list()}
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(
                model="fusion/broken", messages=[{"role": "user", "content": "Hi"}]
            )
    finally:
        path.unlink()
    assert "fusion/offline" in listed
    assert "fusion/broken" not in listed
    assert caught.value.code == "preset_unusable"
    assert str(server.config) not in caught.value.response.text
