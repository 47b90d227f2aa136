"""A false claim of a real run, as every face of the server tells it."""

from __future__ import annotations

import json
from collections.abc import Callable

from playwright.async_api import expect

from tests.server.conftest import Server
from tests.server.playground.conftest import visit  # noqa: F401
from tests.server.playground.visiting import Open, reading, searching

TRUE = "A default panel of three models costs about 4 to 5 times a single completion"
FALSE = TRUE.replace("4 to 5", "97")


async def test_a_false_claim_is_marked_in_the_playground(
    server: Server,
    models,
    offer: Callable[..., str],
    visit: Open,  # noqa: F811
):
    preset = offer(search="corpus")
    models.script("a", searching("panel cost"), reading("cost-of-a-panel.md"), f"{TRUE} [2].")
    models.script("w", f"{FALSE} [1]. {TRUE} [1].")
    seen = await visit(server)
    await seen.ask("Is it dear?", preset)
    await seen.ended("degraded")
    await expect(seen.answer.locator(".prose .claim.contradicted")).to_have_text(FALSE)
    await expect(seen.answer.locator(".prose .claim.supported")).to_have_text(TRUE)
    await expect(seen.answer.locator(".claims li").first).to_contain_text("4 to 5 times")
    await expect(seen.answer.locator(".sources")).to_contain_text("1 of 2 claims found there")
    seen.assert_quiet()


def test_a_false_claim_is_in_the_stream_and_the_report_of_the_endpoint(
    server: Server, models, offer: Callable[..., str]
):
    preset = offer(search="corpus")
    models.script("a", searching("panel cost"), reading("cost-of-a-panel.md"), f"{TRUE} [2].")
    models.script("w", f"{FALSE} [1].")
    body = {"model": preset, "stream": True, "messages": [{"role": "user", "content": "Dear?"}]}
    reply = server.request("POST", "/v1/chat/completions", json=body)
    lines = [line[6:] for line in reply.text.splitlines() if line.startswith("data: {")]
    told = [chunk["fusion"] for line in lines if "fusion" in (chunk := json.loads(line))]
    (checked,) = [event for event in told if event["type"] == "verify.completed"]
    assert checked["contradicted"] == 1
    report = told[-1]["report"]
    assert report["claims"] == checked["claims"]
    assert report["claims"][0]["verdict"] == "contradicted"
    assert "claim_contradicted" in [loss["code"] for loss in report["degradations"]]
    assert "(0 of 1 claim found there)" in told[-1]["content"]
