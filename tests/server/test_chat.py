"""Chat completions as OpenAI's own clients see them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import httpx2
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from fusion_graph import FusionReport
from tests.depth import in_depth
from tests.pdfs import encoded, plain_pdf
from tests.server.conftest import MESSAGES, PATIENCE, Server, async_client, text_of

FINAL = "The final answer of the writer."


def said_to(call: Any, role: str) -> list[Any]:
    """The contents of the messages of a role in a call the model server received."""
    return [m["content"] for m in call.body["messages"] if m["role"] == role]


def test_an_answer_comes_with_usage_and_the_report(client, offer):
    model = offer()
    done = client.chat.completions.create(model=model, messages=MESSAGES)

    assert done.object == "chat.completion"
    assert done.model == model
    choice = done.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", FINAL)
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None
    report = FusionReport.model_validate(done.fusion)
    assert report.status == "ok"
    assert [answer.content for answer in report.answers] == [
        f"The answer of {name}." for name in "abc"
    ]
    assert done.usage.cost == pytest.approx(0.008)


def test_the_usage_is_that_of_the_visible_conversation(client, models, offer):
    model = offer()
    models.script("w", {"text": "word " * 400})
    short = client.chat.completions.create(model=model, messages=MESSAGES)
    long: Any = [{"role": "user", "content": "water " * 4_000}]
    more = client.chat.completions.create(model=model, messages=long)

    # A panel of three, a judge and a writer read it: agents would compact after one turn.
    assert short.usage.prompt_tokens < 100 < short.fusion["usage"]["total"]["input_tokens"]
    assert 300 < short.usage.completion_tokens < 700
    assert short.usage.total_tokens == short.usage.prompt_tokens + short.usage.completion_tokens
    assert 5_000 < more.usage.prompt_tokens < 8_000
    assert more.fusion["usage"]["total"]["input_tokens"] > 3 * more.usage.prompt_tokens


def test_a_cost_that_nobody_knows_is_left_out(client, models, offer):
    model = offer()
    models.script("w", {"text": "Free?"})
    done = client.chat.completions.create(model=model, messages=MESSAGES)
    assert not hasattr(done.usage, "cost")


def test_a_stream_brings_the_answer_in_pieces_and_the_report_at_the_end(client, offer):
    model = offer()
    chunks = list(
        client.chat.completions.create(
            model=model,
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert text_of(chunks) == FINAL
    assert len([c for c in chunks if c.choices and c.choices[0].delta.content]) > 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert {c.object for c in chunks} == {"chat.completion.chunk"}
    assert {c.model for c in chunks} == {model}
    assert len({c.id for c in chunks}) == 1
    *_, end, usage = chunks
    assert end.choices[0].finish_reason == "stop"
    assert all(c.choices[0].finish_reason is None for c in chunks[:-2])
    assert end.fusion["type"] == "fusion.result"
    assert end.fusion["content"] == FINAL
    assert FusionReport.model_validate(end.fusion["report"]).status == "ok"
    assert usage.choices == []
    assert 0 < usage.usage.completion_tokens < usage.usage.prompt_tokens < 100
    assert end.fusion["report"]["usage"]["total"]["input_tokens"] > 100


def test_a_pdf_is_counted_in_the_usage_by_its_pages(client, offer):
    # Agents shorten their conversation by it: a file that counts nothing overflows unseen.
    data = f"data:application/pdf;base64,{encoded(plain_pdf(12))}"
    content = [
        {"type": "text", "text": "What does it say?"},
        {"type": "file", "file": {"file_data": data, "filename": "wet.pdf"}},
    ]
    asked = [{"role": "user", "content": content}]
    done = client.chat.completions.create(model=offer(), messages=asked)
    assert 24_000 < done.usage.prompt_tokens < 25_000


def test_without_include_usage_every_chunk_has_a_choice(client, offer):
    chunks = list(client.chat.completions.create(model=offer(), messages=MESSAGES, stream=True))
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_tells_what_the_panel_does(client, offer):
    chunks = client.chat.completions.create(model=offer(), messages=MESSAGES, stream=True)
    events = [chunk.fusion for chunk in chunks if hasattr(chunk, "fusion")]
    types = [event["type"] for event in events]

    assert types[0] == "fusion.started"
    assert types.count("panel.completed") == 3
    assert types.index("analysis.completed") < types.index("synthesis.in_progress")
    done = {
        event["name"]: event["content"] for event in events if event["type"] == "panel.completed"
    }
    assert done == {name: f"The answer of {name}." for name in "abc"}
    assert "panel.delta" not in types


def test_a_stream_shows_what_the_panel_does_as_reasoning(client, models, offer):
    model = offer()
    models.script("b", {"status": 401, "error": {"message": "*No* [key](http://evil.example)"}})

    def reasoning(**more: Any) -> str:
        chunks = client.chat.completions.create(model=model, messages=MESSAGES, stream=True, **more)
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        return "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)

    shown = reasoning()
    assert "panel of 3: a, b, c" in shown
    assert "a: answered" in shown
    assert "judge: comparing 2 answers" in shown
    assert "[key](" not in shown  # whose words it is in is no friend of the reader's
    assert reasoning(extra_body={"fusion": {"progress": False}}) == ""
    assert reasoning(extra_body={"reasoning": {"exclude": True}}) == ""


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_ends_before_the_first_stop_text(client, models, offer, stream):
    model = offer()
    models.script("w", {"text": "One two three. END of it STOP more.", "chunks": 2})
    done = client.chat.completions.create(
        model=model, messages=MESSAGES, stream=stream, stop=["STOP", "END"]
    )
    if stream:
        chunks = list(done)
        text, finish = text_of(chunks), chunks[-1].choices[0].finish_reason
    else:
        text, finish = done.choices[0].message.content, done.choices[0].finish_reason
    assert text == "One two three. "
    assert finish == "stop"


def test_a_file_in_the_question_reaches_every_model(client, models, offer):
    pdf = base64.b64encode(b"%PDF-1.4 of no pages").decode()
    text = base64.b64encode("Wärme: 4 °C".encode()).decode()
    content = [
        {"type": "text", "text": "What do they say?"},
        {
            "type": "file",
            "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"},
        },
        {
            "type": "file",
            "file": {"filename": "b.txt", "file_data": f"data:text/plain;base64,{text}"},
        },
    ]
    client.chat.completions.create(model=offer(), messages=[{"role": "user", "content": content}])
    for name in "abcw":
        sent = json.dumps(models.calls(name)[0].body["messages"], ensure_ascii=False)
        assert pdf in sent
        assert "[File: b.txt]" in sent
        assert "Wärme: 4 °C" in sent


async def test_the_asynchronous_client_gets_the_same(server, offer):
    model = offer()
    async with async_client(server) as client:
        whole = await client.chat.completions.create(model=model, messages=MESSAGES)
        stream = await client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        pieces = [chunk async for chunk in stream]
    assert whole.choices[0].message.content == text_of(pieces) == FINAL


def test_the_offline_preset_answers(client):
    done = client.chat.completions.create(
        model="fusion/offline", messages=[{"role": "user", "content": "What is self-fusion?"}]
    )
    assert "Sources:" in done.choices[0].message.content
    assert FusionReport.model_validate(done.fusion).status == "ok"


def test_the_panel_gets_the_conversation_whole(client, models, offer):
    picture = "data:image/png;base64,iVBORw0KGgo="
    client.chat.completions.create(
        model=offer(),
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "First question"},
            {"role": "assistant", "content": "First answer"},
            {
                "role": "user",
                "name": "Ada",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
                ],
            },
        ],
    )

    for name in "abc":
        call = models.calls(name)[0]
        assert "Be brief." in said_to(call, "system")[0]
        assert "First answer" in said_to(call, "assistant")[0]
        first, last = said_to(call, "user")
        assert first == "First question"
        assert [part["type"] for part in last] == ["text", "image_url"]
        assert last[1]["image_url"] == {"url": picture, "detail": "low"}


def test_openais_parameters_reach_the_models(client, models, offer):
    client.chat.completions.create(
        model=offer(),
        messages=MESSAGES,
        temperature=0.3,
        max_tokens=400,
        reasoning_effort="low",
        seed=-5,
    )

    for name in "abcjw":
        body = models.calls(name)[0].body
        assert body["max_tokens"] == (400 if name == "w" else 16_000)
        assert body["reasoning_effort"] == "low"
    assert [models.calls(name)[0].body.get("temperature") for name in "abcj"] == [0.3] * 3 + [0]


def test_the_fusion_object_configures_the_run(client, models, offer):
    done = client.chat.completions.create(
        model=offer(),
        messages=MESSAGES,
        temperature=0.3,
        extra_body={
            "fusion": {
                "panel": ["scripted:b", {"model": "scripted:c", "name": "cee"}],
                "temperature": 0.9,
                "seed": 11,
            }
        },
    )
    assert [answer["name"] for answer in done.fusion["answers"]] == ["b", "cee"]
    assert done.fusion["seed"] == 11
    assert models.calls("b")[0].body["temperature"] == 0.9
    assert models.calls("a") == []


def test_a_preset_named_in_the_fusion_object_goes_before_the_model(client, offer):
    model = offer()
    done = client.chat.completions.create(
        model="fusion/offline",
        messages=MESSAGES,
        extra_body={"fusion": {"preset": model.removeprefix("fusion/")}},
    )
    assert done.model == model
    assert done.choices[0].message.content == FINAL


def test_what_was_ignored_is_named_in_a_header(client, offer):
    reply = client.chat.completions.with_raw_response.create(
        model=offer(), messages=MESSAGES, top_p=0.5, user="u1", frequency_penalty=0, n=1
    )
    assert reply.headers["x-fusion-ignored-parameters"] == "top_p, user"
    assert reply.headers["x-request-id"].startswith("req_")


def test_a_cut_answer_says_so(client, models, offer):
    model = offer()
    models.script("w", {"text": "Too lo", "finish_reason": "length"})
    done = client.chat.completions.create(model=model, messages=MESSAGES)
    assert done.choices[0].finish_reason == "length"


def test_a_writer_that_breaks_off_is_told_inline(client, models, offer):
    model = offer()
    models.script("w", {"text": "Half of an ans", "close_after": 2}, {"text": "The whole answer."})
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))

    draft, answer = text_of(chunks).split("The answer above broke off and does not count.")
    assert draft.startswith("Half of")
    assert answer.endswith("The whole answer.")
    assert "synthesis.restarted" in [c.fusion["type"] for c in chunks if hasattr(c, "fusion")]
    assert chunks[-1].fusion["content"] == "The whole answer."


def test_a_correction_at_the_end_is_in_the_last_chunk(client, models, offer):
    model = offer(search="corpus", max_tool_calls=2)
    search = {"tool_calls": [{"name": "web_search", "args": {"query": "panels of models"}}]}
    models.script("a", search, {"text": "Panels [1]."})
    models.script("w", {"text": "Panels, says [Source 1]."})
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    assert text_of(chunks).startswith("Panels, says [Source 1].")
    assert chunks[-1].fusion["content"].startswith("Panels, says [1].")


@pytest.mark.parametrize(
    ("step", "status", "code"),
    [
        ({"status": 402}, 402, "insufficient_credits"),
        ({"status": 401}, 502, "all_panelists_failed"),
        ({"status": 429, "headers": {"retry-after": "999"}}, 429, "rate_limited"),
        (
            {"status": 400, "error": {"message": "maximum context length is 8 tokens"}},
            400,
            "context_length_exceeded",
        ),
    ],
)
def test_when_nobody_answers_the_status_says_why(client, models, offer, step, status, code):
    model = offer()
    for name in "abc":
        models.script(name, step)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=model, messages=MESSAGES)
    assert caught.value.status_code == status
    assert caught.value.code == code
    assert "a: " in caught.value.message
    body = caught.value.response.json()
    assert [answer["status"] for answer in body["fusion"]["answers"]] == ["failed"] * 3
    assert caught.value.response.headers["x-should-retry"] == "false"


def test_when_nobody_answers_a_stream_ends_with_an_error(client, models, offer):
    model = offer()
    for name in "abc":
        models.script(name, {"status": 401})
    stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="No panelist answered") as caught:
        list(stream)
    # opencode asks five times more at whatever holds these words.
    assert "server_error" not in json.dumps(caught.value.body)


def test_a_degraded_run_is_an_answer(client, models, offer):
    model = offer()
    models.script("a", {"status": 401})
    done = client.chat.completions.create(model=model, messages=MESSAGES)
    assert done.choices[0].message.content == FINAL
    assert done.fusion["status"] == "degraded"


def test_a_missing_key_of_the_server_is_503_before_a_stream_begins(client, offer):
    model = offer(provider={"api_key_env": "NOT_SET_HERE"})
    for stream in (False, True):
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
        assert caught.value.status_code == 503
        assert caught.value.code == "missing_key"


def test_a_hanging_model_does_not_silence_the_stream(server: Server, models, offer):
    model = offer()
    models.script("a", {"hang": True})
    seen: list[str] = []
    with (
        httpx2.Client(trust_env=False, timeout=PATIENCE) as client,
        client.stream(
            "POST",
            f"{server.url}/v1/chat/completions",
            json={"model": model, "messages": MESSAGES, "stream": True},
        ) as reply,
    ):
        assert reply.headers["content-type"].startswith("text/event-stream")
        for line in reply.iter_lines():
            seen.append(line)
            if seen.count(": heartbeat") == 2:
                break
    data = [line.removeprefix("data: ") for line in seen if line.startswith("data: ")]
    assert all(json.loads(item)["object"] == "chat.completion.chunk" for item in data)


def test_comments_do_not_disturb_the_official_client(client, models, offer):
    model = offer()
    models.script("a", {"text": "Late.", "delay": 6})
    chunks = list(client.chat.completions.create(model=model, messages=MESSAGES, stream=True))
    assert text_of(chunks) == FINAL


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_stops_the_run(server: Server, models, offer, stream):
    model = offer()
    for name in "abc":
        models.script(name, {"hang": True})
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        body = {"model": model, "messages": MESSAGES, "stream": stream}
        asking = asyncio.create_task(client.post(f"{server.url}/v1/chat/completions", json=body))
        await asyncio.to_thread(models.calls, arrived=3)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    calls = await asyncio.to_thread(models.calls, ended=3)
    assert all(call.disconnected for call in calls)


@pytest.mark.parametrize("clients", [12, in_depth(50)])
async def test_clients_at_once_get_their_own_answers(server: Server, models, offer, clients):
    model = offer()
    for name in "abc":
        models.script(name, {"text": "{model} saw {marker}."})
    models.script("w", {"text": "Yours is {marker}."})

    async def ask(client: openai.AsyncOpenAI, number: int) -> tuple[str, str, Any]:
        marker = f"MARK-{number:03}"
        messages: Any = [{"role": "user", "content": f"What is {marker}?"}]
        if number % 2:
            done = await client.chat.completions.create(model=model, messages=messages)
            return marker, done.choices[0].message.content or "", done.fusion
        stream = await client.chat.completions.create(model=model, messages=messages, stream=True)
        chunks = [chunk async for chunk in stream]
        return marker, text_of(chunks), chunks[-1].fusion["report"]

    async with async_client(server) as client:
        replies = await asyncio.gather(*(ask(client, number) for number in range(clients)))
    for marker, text, report in replies:
        assert text == f"Yours is {marker}."
        assert [a["content"] for a in report["answers"]] == [
            f"{name} saw {marker}." for name in "abc"
        ]


async def test_langchains_client_reads_it_too(server: Server, offer):
    chat = ChatOpenAI(
        model=offer(), base_url=f"{server.url}/v1", api_key=SecretStr("unused"), max_retries=0
    )
    whole = await chat.ainvoke("How wet is water?")
    assert whole.content == FINAL
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] > 0
    pieces = [piece.text async for piece in chat.astream("How wet is water?", stream_usage=True)]
    assert "".join(pieces) == FINAL
