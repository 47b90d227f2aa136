"""Requests that get an error for an answer: always in OpenAI's shape, and the server goes on."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.depth import in_depth
from tests.server.conftest import MESSAGES, PATIENCE, Server, running

JSON = {"content-type": "application/json"}
ASK = {"model": "fusion/offline", "messages": MESSAGES}


def error_of(reply: httpx2.Response, status: int) -> dict[str, Any]:
    """The error of a reply, which must have the shape that OpenAI's clients read."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"].startswith("req_")
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str)
    assert isinstance(error["type"], str)
    assert isinstance(error["code"], str)
    return error  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        in_depth(b"{"),
        in_depth(b"null"),
        in_depth(b"[]"),
        b'"text"',
        b"{'model': 1}",
        in_depth(b'{"model": NaN}'),
        b'{"seed": ' + b"9" * 5_000 + b"}",
        in_depth(b'{"model": "\xff\xfe"}'),
        b'{"model": "\\ud83d"}',
        in_depth(b"\xef\xbb\xbf{}"),
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"fusion": ' + b"[" * 200 + b"]" * 200 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
def test_a_body_that_is_no_json_object_is_400(server: Server, body):
    error = error_of(server.post(content=body, headers=JSON), 400)
    assert error["code"] == "invalid_json"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        in_depth({"model": 7}, "model"),
        in_depth({"model": ""}, "model"),
        in_depth({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        in_depth({"messages": "Hello"}, "messages"),
        ({"messages": [7]}, "messages.0"),
        in_depth({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages"),
        in_depth({"messages": [{"role": "system", "content": "Hi"}]}, "messages"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role"),
        in_depth({"messages": [{"role": "user", "content": 7}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [7]}]}, "messages.0.content.0"),
        in_depth(
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages.0.content.0.type",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
                    for url in ["http://169.254.169.254/latest"]
                ]
            },
            "messages.0.content.0.image_url.url",
        ),
        ({"messages": [{"role": "tool", "content": "4"}]}, "messages.0.tool_call_id"),
        ({"stream": "yes"}, "stream"),
        ({"n": 2}, "n"),
        ({"stop": [7]}, "stop"),
        in_depth({"stop": ["x"] * 17}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        in_depth({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        in_depth({"temperature": "hot"}, "temperature"),
        ({"reasoning_effort": "heroic"}, "reasoning_effort"),
        in_depth({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tools": [{"type": "retrieval"}]}, "tools.0.type"),
        in_depth(
            {"tools": [{"type": "function", "function": {"name": "no spaces"}}]},
            "tools.0.function.name",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        in_depth({"tool_choice": 7}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        in_depth({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"fusion": "budget"}, "fusion"),
        in_depth({"fusion": {"corpus": "/"}}, "fusion.corpus"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_wrong_field_is_400_and_named(server: Server, change, param):
    body = {name: value for name, value in {**ASK, **change}.items() if value is not None}
    error = error_of(server.post(body), 400)
    assert error["param"] == param


@pytest.mark.parametrize("model", ["gpt-4o", "offline", "fusion/", "fusion/../../etc/passwd"])
def test_an_unknown_model_is_404(server: Server, model):
    error = error_of(server.post({**ASK, "model": model}), 404)
    assert error["code"] == "model_not_found"
    assert "fusion/offline" in error["message"]


def test_an_unknown_path_is_404_and_a_wrong_method_405(server: Server):
    for path in ("/v2", "/v1/embeddings", "/v1/chat/completions/", "/%0d%0aX: y"):
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            error_of(server.request(method, path), 404)
    reply = server.request("GET", "/v1/chat/completions")
    assert error_of(reply, 405)["code"] == "method_not_allowed"
    assert reply.headers["allow"] == "POST"
    error_of(server.request("POST", "/v1/models", json={}), 405)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_web_page_may_send_unasked_is_415(server: Server, kind):
    error_of(server.post(content=json.dumps(ASK), headers={"content-type": kind}), 415)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"host": "evil.example"}, "host_not_allowed"),
        ({"host": "localhost.evil.example:80"}, "host_not_allowed"),
        ({"host": ""}, "host_not_allowed"),
        ({"origin": "http://evil.example"}, "origin_not_allowed"),
        ({"origin": "null"}, "origin_not_allowed"),
        ({"origin": "http://localhost:1"}, "origin_not_allowed"),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, "origin_not_allowed"),
        ({"sec-fetch-site": "same-site"}, "origin_not_allowed"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/chat/completions", "/", "/api/runs"])
def test_without_a_key_no_web_page_of_another_site_gets_in(server: Server, path, headers, code):
    error = error_of(server.request("POST", path, json=ASK, headers=headers), 403)
    assert error["code"] == code


def test_the_own_page_and_this_machine_get_in(server: Server):
    port = urlsplit(server.url).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "fusion.localhost"):
        headers = {"host": host, "origin": f"http://{host}"}
        assert server.request("GET", "/v1/models", headers=headers).status_code == 200
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert server.request("GET", "/", headers=followed).status_code == 200
    assert server.request("GET", "/api/runs", headers=followed).status_code == 403


@pytest.mark.parametrize("depth", ["1", "2", "x"])
def test_a_fusion_within_a_fusion_is_refused(server: Server, depth):
    error = error_of(server.post(ASK, headers={"x-fusion-depth": depth}), 400)
    assert error["code"] == "fusion_recursion"


def test_a_panel_whose_member_is_this_server_is_refused(server: Server, models, offer):
    model = offer(provider={"base_url": f"{server.url}/v1"}, panel=["scripted:fusion/offline"])
    error = error_of(server.post({"model": model, "messages": MESSAGES}), 502)
    assert "inside a fusion" in error["message"]


def test_a_body_too_large_is_413_and_not_read_whole(server: Server):
    big = json.dumps({**ASK, "user": "x" * 11_000_000})
    error_of(server.post(content=big, headers=JSON), 413)

    def endless() -> Any:
        for _ in range(200):
            yield b" " * 100_000

    error_of(server.post(content=endless(), headers=JSON), 413)

    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    with socket.create_connection((host, port), PATIENCE) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert connection.recv(12) == b"HTTP/1.1 413"  # though nothing of it has been sent


def test_the_official_client_raises_its_own_errors(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4o", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="fusion/offline", messages=MESSAGES, n=3)
    assert caught.value.param == "n"
    with pytest.raises(openai.APIStatusError) as large:
        client.chat.completions.create(
            model="fusion/offline", messages=[{"role": "user", "content": "x" * 11_000_000}]
        )
    assert large.value.status_code == 413


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = (
    "model", "messages", "stream", "stream_options", "max_tokens", "temperature", "seed", "tools",
    "tool_choice", "response_format", "fusion", "n", "stop", "modalities", "reasoning_effort",
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        name: JSON_VALUES | st.sampled_from(["user", "tool", "assistant", "system"])
        for name in ("role", "content", "name", "tool_calls", "tool_call_id")
    },
)
BODIES = st.fixed_dictionaries(
    # A model that is not there: a body that happens to be right must not start a run.
    {"model": st.sampled_from(["fusion/none", "gpt-4o"]) | JSON_VALUES},
    optional={name: JSON_VALUES for name in FIELDS if name not in ("model", "messages")}
    | {"messages": st.lists(MESSAGE, max_size=3) | JSON_VALUES},
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=BODIES.map(lambda body: json.dumps(body).encode()) | st.binary(max_size=200))
def test_any_other_body_is_a_4xx_in_shape(server: Server, body):
    reply = server.post(content=body, headers=JSON)
    assert 400 <= reply.status_code < 500
    error_of(reply, reply.status_code)


def test_with_a_key_only_its_holders_get_in(tmp_path):
    key = "correct-horse-battery-staple"
    with running(tmp_path, "--preset", "offline", FUSION_API_KEY=key) as server:
        for given_key in (None, "wrong", key[:-1], f"{key}x", "ké"):
            headers: Any = {"x-other": "1"}
            if given_key is not None:
                headers["authorization"] = f"Bearer {given_key}".encode()
            for method, path in (
                ("GET", "/v1/models"),
                ("POST", "/v1/chat/completions"),
                ("GET", "/api/runs"),
                ("GET", "/elsewhere"),
            ):
                reply = server.request(method, path, headers=headers)
                error = error_of(reply, 401)
                assert error["code"] == "invalid_api_key"
                assert reply.headers["www-authenticate"] == "Bearer"
        basic = {"authorization": f"Basic {key}"}
        error_of(server.request("GET", "/v1/models", headers=basic), 401)

        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
            assert next(iter(client.models.list())).id == "fusion/offline"
            done = client.chat.completions.create(**ASK)
        assert done.choices[0].message.content
        # Who has the key may come by any name, also through a proxy.
        headers = {"authorization": f"Bearer {key}", "host": "fusion.example"}
        assert server.request("GET", "/v1/models", headers=headers).status_code == 200
        log = server.log
    assert key not in log
    assert key not in done.to_json()
    assert "Authorization: Bearer $FUSION_API_KEY" in log
    assert "Traceback" not in log
