"""Operating a server: who may ask from where, whether it is well, and what it has done."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.commands import run
from tests.server.conftest import MESSAGES, Server, running

PAGE = "https://chat.example"
ASKS: dict[str, str] = {
    "origin": PAGE,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type",
}


@pytest.mark.slow
def test_a_page_that_the_owner_lets_in_may_ask_and_read(tmp_path):
    options = ("--preset", "offline", "--allow-origin", PAGE)
    with running(tmp_path, *options) as server:
        asked = server.request("OPTIONS", "/v1/chat/completions", headers=ASKS)
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert asked.headers["access-control-allow-headers"] == "authorization, content-type"
        assert "POST" in asked.headers["access-control-allow-methods"]
        body = {"model": "fusion/offline", "messages": MESSAGES}
        reply = server.post(body, headers={"origin": PAGE})
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == PAGE
        assert "x-fusion-invoked" in reply.headers["access-control-expose-headers"]
        # Errors are for it to read too, and nobody else is let in.
        wrong = server.post({**body, "model": "gpt-4o"}, headers={"origin": PAGE})
        assert wrong.headers["access-control-allow-origin"] == PAGE
        for origin in ("https://evil.example", f"{PAGE}.evil.example", "null"):
            reply = server.post(body, headers={"origin": origin})
            assert reply.status_code == 403
            assert "--allow-origin" in reply.json()["error"]["message"]
            assert "access-control-allow-origin" not in reply.headers
            asked = server.request("OPTIONS", "/v1/models", headers={**ASKS, "origin": origin})
            assert "access-control-allow-origin" not in asked.headers


def test_a_preflight_needs_no_key_and_what_follows_does(tmp_path):
    options = ("--preset", "offline", "--allow-origin", "*")
    with running(tmp_path, *options, FUSION_API_KEY="a-key") as server:
        asked = server.request("OPTIONS", "/v1/models", headers=ASKS)
        assert asked.status_code == 204
        refused = server.request("GET", "/v1/models", headers={"origin": PAGE})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == PAGE
        headers = {"origin": PAGE, "authorization": "Bearer a-key"}
        assert server.request("GET", "/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "said"), [("*", "FUSION_API_KEY"), ("chat.example/x", "no origin")]
)
def test_an_origin_that_lets_in_too_much_or_nobody_is_refused_at_once(origin, said):
    ended = run("serve", "--port", "0", "--allow-origin", origin)
    assert ended.code == 2
    assert said in ended.err


def test_a_foreign_host_is_told_what_helps(server: Server):
    reply = server.request("GET", "/v1/models", headers={"host": "host.docker.internal:8484"})
    assert reply.status_code == 403
    said = reply.json()["error"]["message"]
    for words in ("host.docker.internal:8484", "FUSION_API_KEY", "127.0.0.1"):
        assert words in said


def test_health_is_for_everybody_and_says_nothing_else(tmp_path):
    with running(tmp_path, "--preset", "offline", FUSION_API_KEY="a-key") as server:
        well = server.request("GET", "/health")
        assert well.status_code == 200
        assert well.json().keys() == {"status", "version"}
        assert server.request("GET", "/metrics").status_code == 401


def test_metrics_count_runs_tokens_money_and_time_and_tell_no_question(
    server: Server, models, offer
):
    model = offer()
    ask: dict[str, Any] = {"model": model, "messages": MESSAGES}
    server.post(ask)
    server.post({**ask, "model": f"{model}:direct"})
    for name in "abc":
        models.script(name, {"status": 401})
    server.post(ask)
    reply = server.request("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = reply.text
    label = f'model="{model}"'
    assert f'fusion_runs_total{{{label},outcome="ok",invoked="panel"}} 1' in text
    assert 'outcome="all_panelists_failed"' in text
    assert re.search(rf'fusion_runs_total{{model="{model}:direct",.*invoked="one"}} 1', text)
    tokens = re.search(rf'fusion_tokens_total{{{label},direction="input"}} (\d+)', text)
    assert tokens is not None
    assert int(tokens[1]) > 0
    cost = re.search(rf"fusion_cost_usd_total{{{label}}} (\S+)", text)
    assert cost is not None
    assert float(cost[1]) == pytest.approx(0.008)
    assert f'fusion_run_seconds_bucket{{{label},le="+Inf"}} 2' in text
    assert f"fusion_run_seconds_count{{{label}}} 2" in text
    assert "water" not in text
    for line in text.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) .+|\w+(\{(\w+="[^"]*",?)+\})? [\d.]+', line), line


def test_programs_runs_are_listed_apart_from_the_pages_own(server: Server, models, offer):
    model = offer()
    fusion = {"preset": model.removeprefix("fusion/")}
    page = server.request("POST", "/api/runs", json={"question": "Mine?", "fusion": fusion}).json()
    with server.http.stream("GET", f"{server.url}/api/runs/{page['id']}/events") as reply:
        reply.read()
    run_id = server.post({"model": model, "messages": MESSAGES}).headers["x-fusion-run"]
    listed = server.request("GET", "/api/runs").json()
    assert listed["runs"][0]["id"] == page["id"]
    assert listed["others"][0]["id"] == run_id
    assert run_id not in [run["id"] for run in listed["runs"]]
    report = server.request("GET", f"/api/runs/{run_id}/report")
    assert report.status_code == 200
