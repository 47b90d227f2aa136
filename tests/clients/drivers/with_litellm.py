"""litellm: FUSION_CHAT is its provider, `openai` or `anthropic`."""

import asyncio
import json
import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
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

litellm.telemetry = False
provider = os.environ["FUSION_CHAT"]
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": DESCRIPTION, "parameters": CITY},
}


def given(content, model="scripted", **options):
    return {
        "model": f"{provider}/fusion/{model}",
        "api_base": URL if provider == "anthropic" else f"{URL}/v1",
        "api_key": KEY,
        "messages": [{"role": "user", "content": content}],
        "num_retries": 0,
        "max_retries": 0,
        **options,
    }


def ask(content, model="scripted", **options):
    return litellm.completion(**given(content, model, **options))


def text(reply):
    return reply.choices[0].message.content


def plain():
    return {"text": text(ask(question("plain")))}


def stream():
    pieces = [
        chunk.choices[0].delta.content or "" for chunk in ask(question("stream"), stream=True)
    ]
    return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}


def tools():
    asked = given(question("tools"), "tools", tools=[TOOL])
    message = litellm.completion(**asked).choices[0].message
    call = message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": WEATHER}
    asked["messages"] += [message.model_dump(), result]
    end = litellm.completion(**asked)
    return {"text": text(end), "called": json.loads(call.function.arguments)}


def structured():
    schema = {"name": "weather", "schema": SCHEMA, "strict": True}
    wanted = {"type": "json_schema", "json_schema": schema}
    reply = ask(question("structured"), "structured", response_format=wanted)
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
    return {"text": text(ask(question("error"), "failing"))}


def cancel():
    async def give_up():
        asked = asyncio.create_task(litellm.acompletion(**given(question("cancel"), "slow")))
        await asyncio.to_thread(wait_called)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    asyncio.run(give_up())
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
