"""OpenAI's agents: FUSION_CHAT is its model, `chat` or `responses`."""

import asyncio
import os

from _cells import IMAGE, KEY, PDF, URL, WEATHER, question, run, wait_called
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(True)
called = []


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    called.append({"city": city})
    return WEATHER


def agent(name="scripted", **options):
    client = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    chat = os.environ["FUSION_CHAT"] == "chat"
    kind = OpenAIChatCompletionsModel if chat else OpenAIResponsesModel
    model = kind(model=f"fusion/{name}", openai_client=client)
    return Agent(name="asker", model=model, **options)


def ask(given, name="scripted", **options):
    return asyncio.run(Runner.run(agent(name, **options), given))


def plain():
    return {"text": ask(question("plain")).final_output}


def stream():
    async def read():
        reply = Runner.run_streamed(agent(), question("stream"))
        return [
            event.data.delta
            async for event in reply.stream_events()
            if event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
        ]

    pieces = asyncio.run(read())
    return {"text": "".join(pieces), "pieces": len(pieces)}


def tools():
    end = ask(question("tools"), "tools", tools=[get_weather])
    return {"text": end.final_output, "called": called[0]}


def structured():
    end = ask(question("structured"), "structured", output_type=Weather)
    return {"object": end.final_output.model_dump()}


def sent(cell, part):
    parts = [{"type": "input_text", "text": question(cell)}, part]
    return {"text": ask([{"role": "user", "content": parts}]).final_output}


def image():
    url = f"data:image/png;base64,{IMAGE}"
    return sent("image", {"type": "input_image", "image_url": url, "detail": "auto"})


def file():
    data = f"data:application/pdf;base64,{PDF}"
    return sent("file", {"type": "input_file", "filename": "wet.pdf", "file_data": data})


def usage():
    used = ask(question("usage")).context_wrapper.usage
    return {"input": used.input_tokens, "output": used.output_tokens}


def error():
    return {"text": ask(question("error"), "failing").final_output}


def cancel():
    async def give_up():
        asked = asyncio.create_task(Runner.run(agent("slow"), question("cancel")))
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
