"""Anthropic's own client, on Messages."""

import json

from _cells import (
    CITY,
    DESCRIPTION,
    IMAGE,
    KEY,
    PDF,
    SCHEMA,
    URL,
    WEATHER,
    question,
    run,
    wait_called,
)
from anthropic import Anthropic

client = Anthropic(base_url=URL, api_key=KEY, max_retries=0)

TOOL = {"name": "get_weather", "description": DESCRIPTION, "input_schema": CITY}


def given(content, model="scripted", **options):
    messages = [{"role": "user", "content": content}]
    return {"model": f"fusion/{model}", "max_tokens": 1_000, "messages": messages, **options}


def ask(content, **options):
    return client.messages.create(**given(content, **options))


def text(reply):
    return "".join(block.text for block in reply.content if block.type == "text")


def plain():
    return {"text": text(ask(question("plain")))}


def stream():
    with client.messages.stream(**given(question("stream"))) as stream:
        pieces = list(stream.text_stream)
    return {"text": "".join(pieces), "pieces": len(pieces)}


def tools():
    asked = given(question("tools"), model="tools", tools=[TOOL])
    first = client.messages.create(**asked)
    call = next(block for block in first.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": WEATHER}
    asked["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    return {"text": text(client.messages.create(**asked)), "called": call.input}


def structured():
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    reply = ask(question("structured"), model="structured", output_config=wanted)
    return {"object": json.loads(text(reply))}


def document(kind, media, data, name):
    source = {"type": "base64", "media_type": media, "data": data}
    parts = [{"type": kind, "source": source}, {"type": "text", "text": question(name)}]
    return {"text": text(ask(parts))}


def image():
    return document("image", "image/png", IMAGE, "image")


def file():
    return document("document", "application/pdf", PDF, "file")


def usage():
    used = ask(question("usage")).usage
    return {"input": used.input_tokens, "output": used.output_tokens}


def error():
    return {"text": text(ask(question("error"), model="failing"))}


def cancel():
    with client.messages.stream(**given(question("cancel"), model="slow")) as events:
        next(iter(events))
        wait_called()
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
