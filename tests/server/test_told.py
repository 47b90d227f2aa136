"""What a stream tells of a run, whatever the protocol."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.errors import ApiError
from fusion_graph.faces.server.protocols import CHAT, MESSAGES, RESPONSES
from fusion_graph.faces.server.protocols._told import (
    BEGINS_AGAIN,
    Draft,
    Failed,
    Silence,
    end_of,
    told,
)
from fusion_graph.faces.server.runs import Runs

CONVERSATION: Any = {"messages": [{"role": "user", "content": "Why?"}]}
ASKED: dict[str, tuple[Any, Any]] = {
    "chat": (CHAT, {"model": "fusion/offline", **CONVERSATION}),
    "messages": (MESSAGES, {"model": "fusion/offline", **CONVERSATION}),
    "responses": (RESPONSES, {"model": "fusion/offline", "input": "Why?"}),
}


def no_reply(_run: Any) -> Any:
    raise ApiError(502, "Nobody answered.", "all_panelists_failed")


async def test_a_silent_panel_is_told_of_in_every_protocol(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    runs = Runs()
    run = runs.start([("user", "Why?")], panel_config(), model="fusion/x", question="Why?")
    heard: dict[str, list[Any]] = {name: [] for name in ASKED}
    asked = {name: w.read({**body, "stream": True}) for name, (w, body) in ASKED.items()}
    streams = {name: wire.stream(run, asked[name]) for name, (wire, _) in ASKED.items()}
    for stream in streams.values():
        list(stream.begin())
    silences = 0
    async with aclosing(told(run, asked["chat"], no_reply, silence=0.2)) as news:  # type: ignore[type-var]
        async for one in news:
            for name, stream in streams.items():
                heard[name] += [frame.data for frame in stream.take(one)]
            silences += isinstance(one, Silence) and "a: asked; b: asked; c: asked" in one.words
            if silences == 2:
                run.stop()
    assert isinstance(one, Failed)
    await runs.close()
    for frames in heard.values():
        assert sum("a: asked; b: asked" in str(frame) for frame in frames) >= 2
    numbers = [frame["sequence_number"] for frame in heard["responses"]]
    assert all(after == before + 1 for before, after in pairwise(numbers))


async def test_a_stream_that_is_left_leaves_nothing_behind(models, panel_config):
    for name in "abc":
        models.script(name, {"hang": True})
    runs = Runs()
    run = runs.start([("user", "Why?")], panel_config(), model="fusion/x", question="Why?")
    async with aclosing(told(run, CHAT.read(ASKED["chat"][1]), no_reply)) as news:  # type: ignore[type-var]
        await anext(news)
    left = [task for task in asyncio.all_tasks() if "anext" in repr(task)]
    assert left == []
    await runs.close()


@given(
    st.lists(st.text("abSTOP. ", max_size=6), max_size=12),
    st.lists(st.sampled_from(["STOP", "OP.", "ab", "S"]), max_size=2, unique=True),
)
def test_in_whatever_pieces_a_text_comes_it_ends_at_the_first_stop(pieces, stop):
    draft, whole = Draft(stop), "".join(pieces)
    sent = "".join(piece for text in pieces for piece in draft.take("m", text))
    wanted = whole[: end_of(whole, stop)]
    assert wanted.startswith(sent)
    assert sent + draft.rest(wanted) == wanted


def test_a_draft_that_broke_off_before_a_word_was_sent_is_no_break():
    draft = Draft(["STOP"])
    assert list(draft.take("one", "ST")) == []
    assert "".join(draft.take("two", "All of it. And more")).startswith("All of it.")
    assert next(draft.take("three", "Again, and longer")) == BEGINS_AGAIN


@pytest.mark.parametrize(("text", "stop", "end"), [("abc", [], 3), ("abc", ["c", "b"], 1)])
def test_the_first_stop_text_counts(text, stop, end):
    assert end_of(text, stop) == end
