"""OpenAI's own client, on Responses."""

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
    "name": "get_weather",
    "description": DESCRIPTION,
    "parameters": CITY,
    "strict": True,
}


def ask(given, model="scripted", **options):
    return client.responses.create(model=f"fusion/{model}", input=given, **options)


def message(*parts):
    return [{"role": "user", "content": list(parts)}]


def plain():
    return {"text": ask(question("plain")).output_text}


def stream():
    pieces = [
        event.delta
        for event in ask(question("stream"), stream=True)
        if event.type == "response.output_text.delta"
    ]
    return {"text": "".join(pieces), "pieces": len(pieces)}


def tools():
    told = message({"type": "input_text", "text": question("tools")})
    first = ask(told, model="tools", tools=[TOOL])
    call = next(item for item in first.output if item.type == "function_call")
    told += first.output
    told.append({"type": "function_call_output", "call_id": call.call_id, "output": WEATHER})
    end = ask(told, model="tools", tools=[TOOL])
    return {"text": end.output_text, "called": json.loads(call.arguments)}


def structured():
    wanted = {"type": "json_schema", "name": "weather", "schema": SCHEMA, "strict": True}
    reply = ask(question("structured"), model="structured", text={"format": wanted})
    return {"object": json.loads(reply.output_text)}


def image():
    url = f"data:image/png;base64,{IMAGE}"
    parts = (
        {"type": "input_text", "text": question("image")},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    )
    return {"text": ask(message(*parts)).output_text}


def file():
    data = f"data:application/pdf;base64,{PDF}"
    parts = (
        {"type": "input_text", "text": question("file")},
        {"type": "input_file", "filename": "wet.pdf", "file_data": data},
    )
    return {"text": ask(message(*parts)).output_text}


def usage():
    used = ask(question("usage")).usage
    return {"input": used.input_tokens, "output": used.output_tokens}


def error():
    return {"text": ask(question("error"), model="failing").output_text}


def cancel():
    with ask(question("cancel"), model="slow", stream=True) as events:
        next(iter(events))
        wait_called()
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
