"""A run that was cut off in the middle of a node pays for nothing again that it had received."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph

from fusion_graph import create_fusion_graph
from fusion_graph.run.kept_replies import CHANNEL
from tests.conftest import VERDICT
from tests.redis_server import start_redis, why_no_redis

QUESTION = {"messages": [("user", "How wet is water?")]}
THREAD: Any = {"configurable": {"thread_id": "t"}}
HANG = {"hang": True}
SEARCH = {"tool_calls": [{"name": "web_search", "args": {"query": "fusion"}}], "cost": 0.001}


async def cut_off(
    graph: Any, models: Any, model: str, calls: int, saver: Any, received: int
) -> None:
    """Begin a run, and end it once a model has had so many calls.

    The others have had their replies by then, and they are kept.
    """
    running = asyncio.create_task(graph.ainvoke(QUESTION, THREAD))
    await asyncio.to_thread(models.calls, model, arrived=calls)
    while kept(saver) < received:
        await asyncio.sleep(0.01)  # between two looks
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def whole(models: Any) -> str:
    """The models whose calls were answered, in their order."""
    return "".join(call.model for call in models.calls() if not call.disconnected)


def parent(graph: Any, saver: Any) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("fusion", graph)
    builder.add_edge(START, "fusion")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "as a node"])
async def test_a_panelists_research_goes_on_where_it_was(models, panel_config, inside):
    models.script("c", SEARCH, HANG, {"text": "Found [1].", "cost": 0.001})
    saver = InMemorySaver()
    graph = create_fusion_graph(
        panel_config(search="corpus"), checkpointer=None if inside else saver
    )
    if inside:
        graph = parent(graph, saver)
    await cut_off(graph, models, "c", 2, saver, 4)  # one of them a search

    result = await graph.ainvoke(None, THREAD)

    assert sorted(whole(models)) == list("abccjw")
    if not inside:
        report = result["fusion"]
        assert report["answers"][2]["usage"]["calls"] == 2
        assert report["answers"][2]["cost_usd"] == pytest.approx(0.002)
        assert [call["status"] for call in report["answers"][2]["tool_calls"]] == ["ok"]
        assert report["usage"]["total"]["calls"] == 6
        assert report["answers"][2]["content"] == "Found [1]."


async def test_a_judge_that_was_asked_to_mend_its_verdict_is_not_asked_for_it_again(
    models, panel_config
):
    models.script("j", "No verdict at all.", HANG, json.dumps(VERDICT))
    saver = InMemorySaver()
    graph = create_fusion_graph(panel_config(), checkpointer=saver)
    await cut_off(graph, models, "j", 2, saver, 4)

    report = (await graph.ainvoke(None, THREAD))["fusion"]

    assert whole(models)[3:] == "jjw"
    assert report["analysis"] is not None
    assert report["usage"]["stages"]["judge"]["calls"] == 2


async def test_a_writers_reply_is_kept_with_what_it_cost(models, panel_config):
    models.script("w", {"text": "", "cost": 0.01}, HANG, {"text": "Wet.", "cost": 0.01})
    saver = InMemorySaver()
    graph = create_fusion_graph(panel_config(), checkpointer=saver)
    await cut_off(graph, models, "w", 2, saver, 5)

    report = (await graph.ainvoke(None, THREAD))["fusion"]

    assert whole(models)[4:] == "ww"
    assert report["answer"] == "Wet."
    assert report["usage"]["stages"]["synthesis"]["cost_usd"] == pytest.approx(0.02)


async def test_a_call_that_failed_is_made_again(models, panel_config):
    models.script("j", {"status": 401}, json.dumps(VERDICT))
    models.script("k", HANG)
    config = panel_config(fallbacks=["scripted:k"])
    saver = InMemorySaver()
    graph = create_fusion_graph(config, checkpointer=saver)
    await cut_off(graph, models, "k", 1, saver, 3)

    report = (await graph.ainvoke(None, THREAD))["fusion"]

    assert report["analysis"] is not None
    assert (len(models.calls("j")), len(models.calls("k"))) == (2, 1)


def kept(saver: Any) -> int:
    """Replies that a saver keeps beside its checkpoints."""
    found = saver.list(THREAD)
    return sum(name == CHANNEL for each in found for _, name, _ in each.pending_writes or ())


@pytest.mark.parametrize(("durability", "replies"), [("sync", 5), ("async", 5), ("exit", 0)])
@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test_every_reply_is_kept_unless_the_run_is_to_be_kept_at_its_end_alone(
    panel_config, face, durability, replies
):
    saver = InMemorySaver()
    graph = create_fusion_graph(panel_config(), checkpointer=saver)
    if face == "invoke":
        await asyncio.to_thread(graph.invoke, QUESTION, THREAD, durability=durability)
    else:
        await graph.ainvoke(QUESTION, THREAD, durability=durability)

    assert kept(saver) == replies


def test_a_synchronous_saver_keeps_replies_too(panel_config):
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string(":memory:") as saver:
        graph = create_fusion_graph(panel_config(), checkpointer=saver)
        result = graph.invoke(QUESTION, THREAD)

        assert result["fusion"]["status"] == "ok"
        assert kept(saver) == 5


class Full(InMemorySaver):
    """A saver whose disk is full when a reply is to be kept."""

    async def aput_writes(self, config: Any, writes: Any, *args: Any, **kwargs: Any) -> None:
        if writes[0][0] == CHANNEL:
            raise OSError(28, "No space left on device")
        await super().aput_writes(config, writes, *args, **kwargs)


async def test_what_cannot_be_kept_costs_no_answer(panel_config, caplog):
    graph = create_fusion_graph(panel_config(), checkpointer=Full())

    with caplog.at_level(logging.WARNING):
        report = (await graph.ainvoke(QUESTION, THREAD))["fusion"]

    assert report["status"] == "ok"
    assert "it is paid again if this process dies" in caplog.text


class Sealing(JsonPlusSerializer):
    """A serializer that, like one that encrypts, writes what only it reads."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = super().dumps_typed(obj)
        return f"{kind}+sealed", data[::-1]

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, sealed = data
        return super().loads_typed((kind.removesuffix("+sealed"), sealed[::-1]))


@pytest.fixture
def redis_url(monkeypatch) -> Iterator[str]:
    pytest.importorskip("redis")
    if why := why_no_redis():
        pytest.skip(why)
    with start_redis() as (url, _):
        monkeypatch.setenv("FUSION_REDIS_URL", url)
        yield url


def in_redis(url: str) -> list[bytes]:
    """The replies that a Redis holds."""
    from redis import Redis

    with Redis.from_url(url) as client:
        names = client.keys("{fusion}:received:*")
        assert all(0 < client.ttl(name) <= 3600 for name in names)
        return [data for name in names for data in client.hvals(name)]


async def test_a_reply_that_the_database_has_not_taken_yet_is_found_in_the_shared_redis(
    models, panel_config, redis_url
):
    models.script("j", "No verdict at all.", HANG, json.dumps(VERDICT))
    saver = Full(serde=Sealing())
    graph = create_fusion_graph(panel_config(), checkpointer=saver)
    await cut_off(graph, models, "j", 2, saver, 0)
    there = in_redis(redis_url)

    report = (await graph.ainvoke(None, THREAD))["fusion"]

    assert whole(models)[3:] == "jjw"
    assert report["usage"]["stages"]["judge"]["calls"] == 2
    assert len(there) == 4
    assert all(data.startswith(b"bytes+sealed\0") for data in there)


async def test_what_the_database_has_leaves_the_shared_redis(panel_config, redis_url):
    saver = InMemorySaver()
    await create_fusion_graph(panel_config(), checkpointer=saver).ainvoke(QUESTION, THREAD)

    assert kept(saver) == 5
    assert in_redis(redis_url) == []


async def test_a_redis_that_is_not_there_keeps_no_reply_from_the_database(
    panel_config, monkeypatch
):
    pytest.importorskip("redis")
    monkeypatch.setenv("FUSION_REDIS_URL", "redis://127.0.0.1:9/1")
    saver = InMemorySaver()

    report = (
        await create_fusion_graph(panel_config(), checkpointer=saver).ainvoke(QUESTION, THREAD)
    )["fusion"]

    assert report["answer"] == "The final answer of the writer."
    assert [lost["code"] for lost in report["degradations"]] == ["limits_not_shared"]
    assert kept(saver) == 5
