"""Model servers on this machine: found where they listen, known by their own answers."""

from __future__ import annotations

from typing import Any

import pytest

from fusion_graph import ConfigurationError, create_fusion_graph
from fusion_graph.config.presets import choose, load
from fusion_graph.config.presets.servers import USUAL, family_of, server_url, size_of
from tests.local_servers import local_server

QUESTION = {"messages": [("user", "Does a panel of models help?")]}
KINDS = list(USUAL)
VARIABLES = {kind: usual.variable for kind, usual in USUAL.items()}


def stack() -> dict[str, Any]:
    """What the `local` preset comes to now."""
    return load("local").stack()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_server_is_found_and_its_models_get_its_name(kind, monkeypatch):
    with local_server(
        kind, models=[{"name": "qwen2.5-7b", "size": 5, "family": "qwen2"}]
    ) as server:
        monkeypatch.setenv(VARIABLES[kind], f"127.0.0.1:{server.port}")

        assert stack()["panel"] == [f"{kind}:qwen2.5-7b"] * 2
        assert choose().reason == f"{USUAL[kind].title} answers at {server.url}"


def test_the_panel_is_drawn_from_all_servers_largest_first_one_a_family(monkeypatch):
    big = [{"name": "gemma3:27b", "size": 17_000_000_000, "family": "gemma3"}]
    small = [{"name": "/models/Qwen2.5-3B-Instruct.gguf", "size": 2_000_000_000}]
    with (
        local_server("ollama", models=big) as ollama,
        local_server("llamacpp", models=small) as cpp,
    ):
        monkeypatch.setenv("OLLAMA_HOST", ollama.url)
        monkeypatch.setenv("LLAMACPP_HOST", cpp.url)

        found = stack()

    assert found["panel"] == ["ollama:gemma3:27b", "llamacpp:/models/Qwen2.5-3B-Instruct.gguf"]
    assert found["judge"] == "ollama:gemma3:27b"
    assert "providers" not in found


async def test_another_kind_of_server_at_ollamas_address_is_used_as_what_it_is(monkeypatch):
    with local_server("llamacpp", searches=False) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)

        found = stack()
        record = (await create_fusion_graph("local").ainvoke(QUESTION))["fusion"]

    assert found["panel"] == ["llamacpp:tiny", "llamacpp:tiny"]
    assert found["providers"]["llamacpp"]["base_url"] == f"{server.url}/v1"
    assert [answer["status"] for answer in record["answers"]] == ["ok", "ok"]
    assert record["usage"]["total"]["cost_usd"] == 0


async def test_a_server_is_asked_once_for_its_models_however_many_of_them_take_part():
    names = ["big", "middle", "small"]
    with local_server("openai", models=[{"name": name} for name in names]) as server:
        panel = [f"here:{name}" for name in names]
        context = {"panel": panel, "judge": panel[0], "synthesizer": panel[0], "search": "none"}
        context["providers"] = {"here": {"base_url": f"{server.url}/v1"}}
        record = (await create_fusion_graph(context).ainvoke(QUESTION))["fusion"]
        asked = [entry["path"] for entry in server.requests()]

    assert [answer["status"] for answer in record["answers"]] == ["ok"] * 3
    assert asked.count("/v1/models") == 1


async def test_a_model_that_a_server_did_not_list_is_looked_for_again():
    with local_server("openai", models=[{"name": "old"}]) as server:
        panel = ["here:old", "here:new"]
        context = {"panel": panel, "judge": "here:new", "search": "none"}
        context["providers"] = {"here": {"base_url": f"{server.url}/v1"}}
        await create_fusion_graph(context).ainvoke(QUESTION)
        asked = [entry["path"] for entry in server.requests()]

    assert asked.count("/v1/models") == 2


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("openai", {}, "speaks OpenAI's protocol"),
        ("website", {}, "no server known here"),
        ("vllm", {"key": "sesame"}, "wants a key (HTTP 401)"),
    ],
)
def test_what_answers_at_ollamas_address_and_is_no_use_is_told(kind, settings, said, monkeypatch):
    with local_server(kind, **settings) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)

        with pytest.raises(ConfigurationError) as caught:
            stack()

    assert f"{server.url} (Ollama): {said}" in caught.value.problem.replace(
        "answers with HTTP 200 to /v1/models, as ", ""
    )
    assert "\n" not in str(caught.value)


def test_a_server_without_a_model_is_told_as_that(monkeypatch):
    embedders = [{"name": "nomic-embed-text", "size": 1, "family": "nomic-bert"}]
    with local_server("lmstudio", models=embedders) as server:
        monkeypatch.setenv("LMSTUDIO_HOST", server.url)

        with pytest.raises(ConfigurationError, match=r"no chat model.*LM Studio") as caught:
            stack()
    assert "ollama pull" in caught.value.remedy


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_is_looked_for_on_this_machine_at_its_usual_port(kind, monkeypatch):
    monkeypatch.delenv(VARIABLES[kind])

    assert server_url(kind) == f"http://127.0.0.1:{USUAL[kind].port}"


@pytest.mark.parametrize(
    ("name", "family", "billions"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "qwen", 7),
        ("/models/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm", 0.135),
        ("mistral-small", "mistral", 0),
        ("gemma-3-27b-it", "gemma", 27),
    ],
)
def test_family_and_size_are_read_from_a_name_where_the_server_does_not_tell(
    name, family, billions
):
    assert family_of(name) == family
    assert size_of(name) == int(billions * 600_000_000)
