"""What an endpoint may send back is bounded, and a redirect tells nobody else anything."""

from __future__ import annotations

import pytest

from fusion_graph.config import Provider
from fusion_graph.errors import ForeignRedirect, ReplyTooLarge
from fusion_graph.models._endpoint import Endpoint
from fusion_graph.models._http import (
    Event,
    body_of,
    events_of,
    opened,
)
from fusion_graph.models.open import open_model
from tests.hostile_server import HostileServer

KEY = "sk-secret-7f3a9c"


@pytest.fixture(scope="module")
def hostile():
    with HostileServer() as server:
        yield server


async def endpoint_of(url: str, monkeypatch) -> Endpoint:
    monkeypatch.setenv("HOSTILE_KEY", KEY)
    provider = Provider(base_url=url, api_key_env="HOSTILE_KEY", headers={"x-team": "blue-team"})
    return (await open_model("hostile:m", {"hostile": provider})).chat.endpoint


async def read(url: str, monkeypatch) -> list[Event] | bytes:
    endpoint = await endpoint_of(url, monkeypatch)
    async with opened(endpoint, "/chat/completions", {"messages": []}) as response:
        if "event-stream" in response.headers["content-type"]:
            return [event async for event in events_of(response)]
        return await body_of(response)


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        ("line", "line is larger than 4 MiB"),
        ("lines", "event is larger than 4 MiB"),
        ("json", "reply is larger than 4 MiB"),
        ("parts", "reply is larger than 50,000 objects"),
        ("error", r"error body \(HTTP 500\) is larger than 1 MiB"),
        ("refusal", r"error body \(HTTP 400\) is larger than 1 MiB"),
        ("bomb", "reply is larger than 4 MiB"),
        ("bomb-in-stream", "line is larger than 4 MiB"),
        ("bomb-in-error", r"error body \(HTTP 429\) is larger than 1 MiB"),
        ("bomb-in-bomb", "reply is larger than 4 MiB"),
    ],
)
async def test_a_body_without_end_is_left_at_its_bound(hostile, monkeypatch, kind, bound):
    with pytest.raises(ReplyTooLarge, match=bound):
        await read(f"{hostile.url}/{kind}/v1", monkeypatch)


async def test_a_redirect_to_another_origin_is_refused_and_gets_nothing(monkeypatch):
    with HostileServer() as stranger, HostileServer() as asked:
        target = f"{stranger.url}/well/v1/chat/completions?key=hidden"

        with pytest.raises(ForeignRedirect) as caught:
            await read(f"{asked.url}/redirect-{target.encode().hex()}/v1", monkeypatch)

        assert stranger.close() == []
        said = str(caught.value)
        assert asked.url in said
        assert f"{stranger.url}/well/v1/chat/completions" in said
        assert "hidden" not in said
        assert KEY not in said


async def test_a_redirect_within_its_origin_is_followed_with_the_conversation(monkeypatch):
    with HostileServer() as server:
        target = "/well/v1/chat/completions"

        body = await read(f"{server.url}/redirect-{target.encode().hex()}/v1", monkeypatch)

        assert b"Redirected." in body
        second = server.close()[1]
        assert second["body"] == '{"messages":[]}'
        assert second["headers"]["x-team"] == "blue-team"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_events_are_read_whatever_ends_their_lines(models, monkeypatch, end):
    lines = [": hello", "data: one", "", "event: error", "data: two", "data:three", "", "data: 4"]
    models.script(
        "m", {"malformed": end.join(lines), "headers": {"content-type": "text/event-stream"}}
    )
    endpoint = await endpoint_of(models.base_url, monkeypatch)
    payload = {"model": "m", "messages": []}

    async with opened(endpoint, "/chat/completions", payload) as response:
        events = [event async for event in events_of(response)]

    assert events == [Event(), Event("one"), Event("two\nthree", "error"), Event("4")]
