"""OpenAI's own client, on chat completions."""

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
from openai import OpenAI

client = OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)

TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": DESCRIPTION, "parameters": CITY},
}


def ask(content, model="scripted", **options):
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(model=f"fusion/{model}", messages=messages, **options)


def text(reply):
    return reply.choices[0].message.content


def plain():
    return {"text": text(ask(question("plain")))}


def stream():
    pieces = [
        chunk.choices[0].delta.content or ""
        for chunk in ask(question("stream"), stream=True)
        if chunk.choices
    ]
    return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}


def tools():
    messages = [{"role": "user", "content": question("tools")}]
    given = {"model": "fusion/tools", "tools": [TOOL]}
    message = client.chat.completions.create(messages=messages, **given).choices[0].message
    call = message.tool_calls[0]
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": WEATHER}]
    end = client.chat.completions.create(messages=messages, **given)
    return {"text": text(end), "called": json.loads(call.function.arguments)}


def structured():
    schema = {"name": "weather", "schema": SCHEMA, "strict": True}
    wanted = {"type": "json_schema", "json_schema": schema}
    reply = ask(question("structured"), model="structured", response_format=wanted)
    return {"object": json.loads(text(reply))}


def image():
    url = {"url": f"data:image/png;base64,{IMAGE}"}
    parts = [{"type": "text", "text": question("image")}, {"type": "image_url", "image_url": url}]
    return {"text": text(ask(parts))}


def file():
    data = {"filename": "wet.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}
    parts = [{"type": "text", "text": question("file")}, {"type": "file", "file": data}]
    return {"text": text(ask(parts))}


def usage():
    used = ask(question("usage")).usage
    return {"input": used.prompt_tokens, "output": used.completion_tokens}


def error():
    return {"text": text(ask(question("error"), model="failing"))}


def cancel():
    with ask(question("cancel"), model="slow", stream=True) as chunks:
        next(iter(chunks))
        wait_called()
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
