"""Limits that all runs share, of a process or of all that use one Redis."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import cycle
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fusion_graph import AllPanelistsFailed, ConfigurationError, create_fusion_graph
from fusion_graph.models._day_budget import DayBudget
from fusion_graph.models._places import place_for
from fusion_graph.models._places_here import FULL, Line, PlacesHere
from fusion_graph.models._places_in_redis import PlacesInRedis
from tests.redis_server import start_redis, why_no_redis

pytest.importorskip("redis")
needs_redis = pytest.mark.skipif(why_no_redis() is not None, reason=str(why_no_redis()))

QUESTION = {"messages": [("user", "How wet is water?")]}
PATIENCE = 60
BUSY = {"status": 429, "headers": {"retry-after": "0"}}


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with start_redis() as (url, _):
        yield url


@asynccontextmanager
async def client_of(url: str) -> AsyncIterator[Any]:
    from redis.asyncio import Redis

    client = Redis.from_url(url)
    try:
        yield client
    finally:
        await client.aclose()
        await client.connection_pool.disconnect()


@dataclass
class Clock:
    """A clock that is set by hand, in milliseconds."""

    now: int = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["process", pytest.param("redis", marks=needs_redis)])
async def two(request, clock) -> AsyncIterator[tuple[Any, Any]]:
    """Two who count the same calls: threads of a process, or processes with one Redis."""
    if request.param == "process":
        here = PlacesHere(clock)
        yield here, here
        return
    url = request.getfixturevalue("redis_url")
    async with client_of(url) as one, client_of(url) as other:
        yield PlacesInRedis(one, clock=clock), PlacesInRedis(other, clock=clock)


def line(most: int | None = None, model: str = "m") -> Line:
    provider = uuid4().hex
    return Line(provider, f"{provider} {model}", most)


async def taken(places: Any, where: Line, tokens: Any) -> int:
    """How many of some calls get a place."""
    got = [await places.enter(where, str(token)) for token in tokens]
    return got.count(0)


async def test_only_so_many_calls_to_a_provider_are_under_way_whoever_makes_them(two):
    one, other = two
    where = line(most=3)

    assert await taken(one, where, range(2)) == 2
    assert await taken(other, where, range(2, 6)) == 1
    await one.leave(where, "0", 0.1, None)

    assert await other.enter(where, "6") == 0
    assert await one.enter(where, "7") == FULL


async def test_whoever_is_told_to_wait_has_everybody_wait_for_that_model(two):
    one, other = two
    where = line()
    neighbour = Line(where.provider, f"{where.provider} another", None)
    assert await one.enter(where, "a") == 0
    await one.leave(where, "a", 0.1, 30.0)

    assert 0 < await other.enter(where, "b") <= 30
    assert await other.enter(neighbour, "c") == 0


async def test_as_many_are_let_through_as_there_was_room_for(two):
    one, other = two
    where = line()
    assert await taken(one, where, range(24)) == 24
    for token in range(12):
        await one.leave(where, str(token), 60.0, 0.0)
    for token in range(12, 24):
        await one.leave(where, str(token), 60.0, None)

    assert await taken(other, where, range(100, 200)) == 12


async def test_a_provider_of_which_nothing_is_known_is_asked_by_twice_as_many_each_second(
    two, clock
):
    one, other = two
    where = line()

    assert await taken(one, where, range(100)) == 24
    clock.now += 999
    assert await taken(other, where, range(100, 200)) == 0
    clock.now += 1
    assert await taken(other, where, range(200, 300)) == 24
    clock.now += 1000
    assert await taken(one, where, range(300, 400)) == 48


async def test_all_models_of_a_provider_are_asked_by_as_many_as_it_took_together(two):
    one, other = two
    first = line()
    second = Line(first.provider, f"{first.provider} another", None)
    assert await taken(one, first, range(12)) == 12
    assert await taken(one, second, range(12, 24)) == 12
    for token in (10, 11):
        await one.leave(first, str(token), 0.1, 30.0)
    for token in (22, 23):
        await one.leave(second, str(token), 0.1, 30.0)

    third = Line(first.provider, f"{first.provider} a third", None)
    for token in range(3):
        await one.leave(first, str(token), 0.1, None)
    assert await taken(other, third, range(30, 60)) == 3


async def test_a_model_that_refuses_takes_no_place_from_one_that_answers(two):
    one, other = two
    good = line()
    bad = Line(good.provider, f"{good.provider} bad", None)
    assert await taken(one, good, range(20)) == 20
    assert await one.enter(bad, "bad") == 0
    for token in range(20, 23):
        assert await one.enter(good, str(token)) == 0
    await one.leave(good, "0", 1.0, None)
    await one.leave(bad, "bad", 0.1, 30.0)

    assert await taken(other, good, range(30, 60)) == 2


async def test_where_few_are_under_way_a_refusal_takes_no_place_away(two):
    one, other = two
    where = line()
    assert await one.enter(where, "alone") == 0
    await one.leave(where, "alone", 60.0, 0.0)

    assert await taken(other, where, range(6)) == 4


async def test_after_a_refusal_fewer_are_under_way_and_slowly_more_again(two):
    one, other = two
    where = line()
    assert await taken(one, where, range(10)) == 10
    for token in range(10):  # three are refused together, which is one overload
        await one.leave(where, str(token), 60.0, 0.0 if token < 3 else None)

    assert await taken(other, where, range(10, 30)) == 7

    for token in range(10, 17):
        await other.leave(where, str(token), 0.0, None)
    answers, allowed = 7, 7
    while allowed < 8:
        tokens = [str(uuid4()) for _ in range(8)]
        allowed = await taken(one, where, tokens)
        answers += allowed
        for token in tokens[:allowed]:
            await one.leave(where, token, 0.0, None)
    assert 20 < answers < 60


async def test_a_limit_is_seldom_run_into_when_as_many_calls_as_it_lets_in_are_always_wanted(clock):
    """Five minutes at a provider that takes 16 calls of 1.5 s at once, of five models."""
    places = PlacesHere(clock)
    provider = uuid4().hex
    models = cycle([Line(provider, f"{provider} {name}", None) for name in "abcjw"])
    under_way: list[tuple[int, Line]] = []
    answered = refused = 0
    for _ in range(3_000):
        clock.now += 100
        while under_way and under_way[0][0] <= clock.now:
            await places.leave(under_way.pop(0)[1], "", 1.5, None)
            answered += 1
        turned_away = 0
        while turned_away < 5:  # until none of the five gets a place
            model = next(models)
            if await places.enter(model, "") != 0:
                turned_away += 1
            elif len(under_way) < 16:
                under_way.append((clock.now + 1_500, model))
            else:
                refused += 1
                await places.leave(model, "", 0.0, 1.0)

    assert answered > 0.9 * 300 / 1.5 * 16
    assert refused < 0.005 * answered


@needs_redis
async def test_the_place_of_one_who_died_is_free_after_its_lease(redis_url):
    async with client_of(redis_url) as client:
        places = PlacesInRedis(client, lease=0.2)
        where = line(most=1)
        assert await places.enter(where, "dead") == 0

        while await places.enter(where, "next") == FULL:
            await asyncio.sleep(0.05)  # between two looks


@needs_redis
async def test_who_says_that_it_is_there_keeps_its_place(redis_url):
    async with client_of(redis_url) as client:
        short, long = PlacesInRedis(client, lease=0.05), PlacesInRedis(client)
        where = line(most=1)
        assert await short.enter(where, "slow") == 0
        await long.stay(where, "slow")
        await asyncio.sleep(0.1)  # longer than the first lease

        assert await long.enter(where, "next") == FULL


async def test_runs_side_by_side_keep_to_what_the_provider_takes(models, panel_config, monkeypatch):
    monkeypatch.setenv("FUSION_PROVIDER_CONCURRENCY", "other=1, scripted=2")
    for name in "abcw":
        models.script(name, {"text": "Wet.", "delay": 0.02, "at_once": 2, "when_busy": BUSY})
    graph = create_fusion_graph(panel_config())

    results = await asyncio.gather(*(graph.ainvoke(QUESTION) for _ in range(4)))

    assert {call.status for call in models.calls()} == {200}
    assert [result["fusion"]["status"] for result in results] == ["ok"] * 4


@pytest.mark.parametrize("turns", range(5))
async def test_who_is_stopped_just_as_a_place_becomes_free_makes_no_call(monkeypatch, turns):
    monkeypatch.setenv("FUSION_PROVIDER_CONCURRENCY", "narrow=1")
    model: Any = SimpleNamespace(
        provider="narrow", key_name="", address=uuid4().hex, ref="narrow:m"
    )
    begun: list[str] = []
    in_line = asyncio.Event()

    @contextmanager
    def standing() -> Iterator[None]:
        in_line.set()
        yield

    async def call() -> None:
        async with place_for(model, standing, begun.append):
            begun.append("a call")
            await asyncio.Event().wait()

    async with place_for(model, nullcontext, begun.append):
        waiting = asyncio.create_task(call())
        await in_line.wait()
    for _ in range(turns):  # of the event loop, from the place's end on
        await asyncio.sleep(0)
    waiting.cancel()

    done, _ = await asyncio.wait({waiting}, timeout=PATIENCE)
    assert done, f"it was cancelled, and goes on: {begun}"
    assert waiting.cancelled()


async def test_a_run_goes_on_by_itself_when_the_redis_goes_and_says_so_once(
    models, panel_config, monkeypatch
):
    if why := why_no_redis():
        pytest.skip(why)
    models.script("c", {"text": "The answer of c.", "clock": 1})
    graph = create_fusion_graph(panel_config())
    with start_redis() as (url, process):
        monkeypatch.setenv("FUSION_REDIS_URL", url)
        running = asyncio.create_task(graph.ainvoke(QUESTION))
        await asyncio.to_thread(models.calls, "c", arrived=1)
        process.kill()
        process.wait()
        models.set_clock(1)
        report = (await asyncio.wait_for(running, PATIENCE))["fusion"]

    assert [answer["status"] for answer in report["answers"]] == ["ok"] * 3
    assert report["answer"] == "The final answer of the writer."
    (lost,) = report["degradations"]
    assert lost["code"] == "limits_not_shared"
    assert "FUSION_REDIS_URL" in lost["detail"]
    assert "for this process alone" in lost["detail"]


@pytest.mark.parametrize("url", ["redis://:hush-hush@127.0.0.1:9/0", "redis://127.0.0.1:no/0"])
async def test_a_redis_that_is_not_there_costs_no_answer(panel_config, monkeypatch, url):
    monkeypatch.setenv("FUSION_REDIS_URL", url)

    report = (await create_fusion_graph(panel_config()).ainvoke(QUESTION))["fusion"]

    assert report["answer"] == "The final answer of the writer."
    assert [lost["code"] for lost in report["degradations"]] == ["limits_not_shared"]
    assert "hush-hush" not in str(report)


async def test_without_its_client_a_run_says_what_to_install(panel_config, monkeypatch):
    monkeypatch.setenv("FUSION_REDIS_URL", "redis://127.0.0.1:9/1")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)

    report = (await create_fusion_graph(panel_config()).ainvoke(QUESTION))["fusion"]

    (lost,) = report["degradations"]
    assert "pip install 'fusion-graph[redis]'" in lost["detail"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FUSION_REDIS_URL", "http://127.0.0.1:6379"),
        ("FUSION_PROVIDER_CONCURRENCY", "openai=many"),
        ("FUSION_PROVIDER_CONCURRENCY", "0"),
        ("FUSION_MAX_COST_USD_PER_DAY", "openai=-1"),
        ("FUSION_MAX_COST_USD_PER_DAY", "nan"),
    ],
)
async def test_a_limit_that_cannot_be_read_is_named_before_anybody_is_paid(
    models, panel_config, monkeypatch, name, value
):
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=name):
        await create_fusion_graph(panel_config()).ainvoke(QUESTION)

    assert models.calls() == []


async def test_what_a_day_may_cost_holds_over_runs(models, panel_config, monkeypatch):
    # A provider of its own: the process counts what other tests spend, too.
    monkeypatch.setenv("FUSION_MAX_COST_USD_PER_DAY", "daily=0.0025")
    fields = panel_config()
    config = {
        **fields,
        "panel": [name.replace("scripted", "daily") for name in fields["panel"]],
        "providers": {**fields["providers"], "daily": {"base_url": models.base_url}},
    }
    graph = create_fusion_graph(config)
    first = (await graph.ainvoke(QUESTION))["fusion"]
    assert first["status"] == "ok"
    assert len(models.calls()) == 5

    with pytest.raises(AllPanelistsFailed) as failed:
        await graph.ainvoke(QUESTION)

    assert len(models.calls()) == 5
    assert "FUSION_MAX_COST_USD_PER_DAY" in str(failed.value)
    assert "$0.0025 a day for daily" in str(failed.value)


@needs_redis
async def test_what_a_day_may_cost_holds_over_processes(redis_url):
    record: Any = {"cost_usd": None, "likely_usd": 1.5}
    name = uuid4().hex
    async with client_of(redis_url) as client:
        await DayBudget().count([name], record, client)
        cut_off = DayBudget()
        await cut_off.count([name], record, None)  # while the Redis was gone
        await cut_off.count([name], {**record, "likely_usd": 0.5}, client)

        assert await DayBudget().used_up({name: 4.0}, [name], client) == ""
        assert "$3.50 of the $3 a day" in await DayBudget().used_up({name: 3.0}, [name], client)
        assert await DayBudget().used_up({name: 3.0}, [name], None) == ""


MOVES = st.one_of(
    st.tuples(st.just("enter"), st.integers(0, 7), st.sampled_from([1, 12, 40])),
    st.tuples(st.just("answered"), st.integers(0, 40), st.integers(1, 20)),
    st.tuples(st.just("refused"), st.integers(0, 40), st.integers(1, 12)),
    st.tuples(st.just("later"), st.sampled_from([250, 1000, 10_000, 10_000, 600_000]), st.just(0)),
)
"""What happens: calls of a model want to begin, calls end (from which on, and how many), time."""


@needs_redis
@pytest.mark.slow
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(moves=st.lists(MOVES, min_size=20, max_size=60))
def test_a_process_and_a_redis_count_by_the_same_rules(redis_url, moves):
    asyncio.run(both_follow(redis_url, moves))


async def both_follow(url: str, moves: Sequence[tuple[str, int, int]]) -> None:
    """Do the same at both, at the same time, and compare all that they say."""
    clock = Clock()
    provider = uuid4().hex
    lines = [Line(provider, f"{provider} {n}", 30 if n == 7 else None) for n in range(8)]
    held: list[tuple[Line, str, int]] = []
    async with client_of(url) as client:
        here = PlacesHere(clock)
        there = PlacesInRedis(client, lease=100_000_000, clock=clock)
        for number, (what, which, amount) in enumerate(moves):
            if what == "later":
                clock.now += which
            elif what == "enter":
                for turn in range(amount):
                    token, where = f"{number}/{turn}", lines[which]
                    said = await here.enter(where, token)
                    assert await there.enter(where, token) == said
                    if said == 0:
                        held.append((where, token, clock.now))
            else:
                for _ in range(min(amount, len(held))):
                    where, token, began = held.pop(which % len(held))
                    wait = (which % 3) / 4 if what == "refused" else None
                    for places in (here, there):
                        await places.leave(where, token, (clock.now - began) / 1000, wait)
