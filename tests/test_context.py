"""A whole panel on servers with small contexts: it answers, nothing is cut unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusion_graph import AllPanelistsFailed, create_fusion_graph
from tests.local_servers import LocalServer, local_server, prompt_tokens

QUESTION = "Does a panel of models compared with one model help?"
ASKED = {"messages": [("user", QUESTION)]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pages of about 24,000 characters each, that a search for panels finds."""
    sentence = "In test {n} a panel of several models compared answers and found {n} more faults. "
    for page in range(4):
        text = "".join(sentence.format(n=n) for n in range(page * 300, page * 300 + 290))
        (tmp_path / f"panel-{page}.md").write_text(f"# Panel of models compared {page}\n\n{text}")
    return tmp_path


def config(server: LocalServer, kind: str, folder: Path, **fields: Any) -> dict[str, Any]:
    """A panel of two on one server, searching a folder."""
    return {
        "panel": [f"{kind}:tiny", f"{kind}:tiny"],
        "search": "corpus",
        "corpus": str(folder),
        "providers": {kind: {"base_url": f"{server.url}/v1", **fields.pop("provider", {})}},
        "seed": 7,
        **fields,
    }


def details(record: dict[str, Any], code: str) -> list[str]:
    return [loss["detail"] for loss in record["degradations"] if loss["code"] == code]


def asked(server: LocalServer) -> list[dict[str, Any]]:
    """The chat calls a server had."""
    return [call for call in server.requests() if call["path"] == "/v1/chat/completions"]


def in_full(call: dict[str, Any]) -> int:
    """Tokens of a request, as the servers here count them."""
    return prompt_tokens(call["body"])


@pytest.fixture(params=["ollama", "llamacpp", "lmstudio", "vllm"])
def small(request: pytest.FixtureRequest) -> Iterator[tuple[str, LocalServer]]:
    """A server of each kind that reads 4,096 tokens."""
    with local_server(request.param, context=4096) as server:
        yield request.param, server


async def test_pages_longer_than_the_context_are_cut_to_fit_and_it_is_said(small, folder):
    kind, server = small

    graph = create_fusion_graph(config(server, kind, folder))
    record = (await graph.ainvoke(ASKED))["fusion"]

    assert [answer["status"] for answer in record["answers"]] == ["ok", "ok"]
    assert [len(answer["tool_calls"]) for answer in record["answers"]] == [4, 4]
    assert record["analysis"]["consensus"]
    assert record["answer"]
    for call in asked(server):
        assert call["status"] == 200
        assert in_full(call) == call["read"] <= 4096  # the server dropped nothing by itself
        assert QUESTION in str(call["body"]["messages"])
    (told, _) = details(record, "context_cut")
    assert told.startswith("tiny: cut to fit the context of ")
    assert "(4,096 tokens): a result of web_fetch (3 times) from " in told
    remedies = {
        "ollama": "OLLAMA_CONTEXT_LENGTH=",
        "llamacpp": "llama-server with -c ",
        "lmstudio": "context length of ",
        "vllm": "--max-model-len ",
    }
    assert remedies[kind] in told


async def test_a_context_told_in_the_preset_is_kept_to(folder):
    with local_server("openai", context=4096) as server:
        provider = {"context_tokens": 4096}
        graph = create_fusion_graph(config(server, "mine", folder, provider=provider))
        record = (await graph.ainvoke(ASKED))["fusion"]

        assert all(call["status"] == 200 for call in asked(server))
    assert "context_tokens" in details(record, "context_cut")[0]


async def test_a_context_that_nobody_told_is_learned_from_the_refusal(folder):
    with local_server("openai", context=4096) as server:
        graph = create_fusion_graph(config(server, "mine", folder))
        record = (await graph.ainvoke(ASKED))["fusion"]

        refused = [call for call in asked(server) if call["status"] == 400]
    assert [answer["status"] for answer in record["answers"]] == ["ok", "ok"]
    assert record["answer"]
    assert 0 < len(refused) <= 8
    assert "(4,096 tokens)" in details(record, "context_cut")[0]


async def test_a_prompt_that_a_server_cuts_in_silence_is_noticed_by_its_count(folder):
    with local_server("openai", context=4096, silent=True) as server:
        graph = create_fusion_graph(config(server, "mine", folder))
        record = (await graph.ainvoke(ASKED))["fusion"]

        unread = [call for call in asked(server) if call["read"] and call["read"] < in_full(call)]
    assert unread
    told = details(record, "prompt_cut_by_server")
    assert told
    assert "without a word" in told[0]
    assert record["status"] == "degraded"


async def test_a_question_longer_than_the_context_is_a_failure_that_says_what_to_do(folder):
    long = "why " * 9_000
    with local_server("llamacpp", context=4096) as server:
        graph = create_fusion_graph(config(server, "llamacpp", folder))
        with pytest.raises(AllPanelistsFailed) as caught:
            await graph.ainvoke({"messages": [("user", long)]})

        assert asked(server) == []
    for failure in (answer["failure"] for answer in caught.value.report["answers"]):
        assert failure["reason"] == "context_length"
        assert "llama-server with -c " in failure["detail"]


async def test_an_earlier_conversation_gives_way_before_the_question(folder):
    talk = [("user", "Tell me of ships. " * 400), ("assistant", "Ships float. " * 800)]
    with local_server("llamacpp", context=4096, searches=False) as server:
        graph = create_fusion_graph(config(server, "llamacpp", folder))
        record = (await graph.ainvoke({"messages": [*talk, ("user", QUESTION)]}))["fusion"]

        for call in asked(server):
            assert call["status"] == 200
            assert QUESTION in str(call["body"]["messages"])
    assert record["answer"]
    assert "an earlier turn of the conversation" in details(record, "context_cut")[0]


async def test_long_answers_are_cut_fairly_for_a_judge_and_writer_with_a_small_context(
    models, panel_config
):
    for name in "abc":
        models.script(name, f"The answer of {name}. " * 1_500)
    small = {"base_url": models.base_url, "context_tokens": 4096}
    providers = {**panel_config()["providers"], "small": small}
    given = panel_config(providers=providers, judge="small:j", synthesizer="small:w")

    record = (await create_fusion_graph(given).ainvoke(ASKED))["fusion"]

    assert record["analysis"]["blind_spots"]
    for name in "jw":
        (call,) = models.calls(name)
        said = "".join(str(message["content"]) for message in call.body["messages"])
        assert len(said) < 4 * 4096
        assert call.body["max_tokens"] <= 4096 - len(said) / 4
        shares = [said.count(f"The answer of {member}. ") for member in "abc"]
        assert min(shares) > 20
        assert max(shares) - min(shares) <= 1
    judged, written = details(record, "context_cut")
    assert "judge: cut to fit the context of small:j (4,096 tokens): the answers from " in judged
    assert "writer: cut to fit the context of small:w" in written


async def test_a_reply_that_ollamas_context_ended_names_ollamas_own_setting(models, panel_config):
    full = {"prompt_tokens": 4_000, "completion_tokens": 96}
    models.script("a", {"text": "", "finish_reason": "length", "usage": full})
    given = panel_config()
    given["providers"]["ollama"] = {"base_url": models.base_url}
    given["panel"][0] = "ollama:a"

    record = (await create_fusion_graph(given).ainvoke(ASKED))["fusion"]

    failure = record["answers"][0]["failure"]
    assert failure["reason"] == "context_length"
    assert "about 4,096 tokens" in failure["detail"]
    assert "OLLAMA_CONTEXT_LENGTH=" in failure["detail"]


async def test_ollamas_context_is_its_models_own_once_it_is_loaded(folder):
    models = [{"name": "tiny", "size": 1, "family": "tiny"}]
    with local_server("ollama", context=32_768, models=models, loaded=True) as server:
        graph = create_fusion_graph(config(server, "ollama", folder))
        record = (await graph.ainvoke(ASKED))["fusion"]

    assert "(32,768 tokens)" in details(record, "context_cut")[0]


@pytest.mark.parametrize(("settings", "said"), [({"num_ctx": 8192}, "8,192"), ({}, "4,096")])
async def test_ollama_before_loading_gives_its_default_or_the_models_parameter(
    folder, settings, said
):
    with local_server("ollama", context=int(said.replace(",", "")), **settings) as server:
        talk = [("user", "Tell me of ships. " * 900), ("assistant", "Ships float. " * 1800)]
        graph = create_fusion_graph(config(server, "ollama", folder, max_tool_calls=0))
        record = (await graph.ainvoke({"messages": [*talk, ("user", QUESTION)]}))["fusion"]

        assert all(call["read"] == in_full(call) for call in asked(server))
    assert f"({said} tokens)" in details(record, "context_cut")[0]


async def test_a_reply_that_the_context_cuts_off_is_not_told_as_the_cap(folder):
    answer = "A panel helps where its members differ. " * 800
    with local_server("llamacpp", context=4096, searches=False, answer=answer) as server:
        graph = create_fusion_graph(config(server, "llamacpp", folder, max_tool_calls=0))
        record = (await graph.ainvoke(ASKED))["fusion"]

    for told in details(record, "answer_truncated"):
        assert "context length of its model (4,096 tokens" in told
        assert "max_completion_tokens" not in told
    assert details(record, "answer_truncated")
