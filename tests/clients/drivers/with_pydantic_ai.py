"""pydantic-ai: FUSION_CHAT is its model, `openai`, `responses` or `anthropic`."""

import asyncio
import base64
import os

from _cells import IMAGE, KEY, PDF, URL, WEATHER, question, run, wait_called
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent

called = []


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def model(name="scripted"):
    if os.environ["FUSION_CHAT"] == "anthropic":
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        claude = AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0)
        return AnthropicModel(f"fusion/{name}", provider=AnthropicProvider(anthropic_client=claude))
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    gpt = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    kind = OpenAIChatModel if os.environ["FUSION_CHAT"] == "openai" else OpenAIResponsesModel
    return kind(f"fusion/{name}", provider=OpenAIProvider(openai_client=gpt))


def ask(given, name="scripted", **options):
    return asyncio.run(Agent(model(name), **options).run(given))


def plain():
    return {"text": ask(question("plain")).output}


def stream():
    async def read():
        async with Agent(model()).run_stream(question("stream")) as reply:
            return [piece async for piece in reply.stream_text(delta=True, debounce_by=None)]

    pieces = asyncio.run(read())
    return {"text": "".join(pieces), "pieces": len(pieces)}


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    called.append({"city": city})
    return WEATHER


def tools():
    end = ask(question("tools"), "tools", tools=[get_weather])
    return {"text": end.output, "called": called[0]}


def structured():
    return {
        "object": ask(question("structured"), "structured", output_type=Weather).output.model_dump()
    }


def image():
    part = BinaryContent(base64.b64decode(IMAGE), media_type="image/png")
    return {"text": ask([question("image"), part]).output}


def file():
    part = BinaryContent(base64.b64decode(PDF), media_type="application/pdf")
    return {"text": ask([question("file"), part]).output}


def usage():
    used = ask(question("usage")).usage
    used = used() if callable(used) else used
    return {"input": used.input_tokens, "output": used.output_tokens}


def error():
    return {"text": ask(question("error"), "failing").output}


def cancel():
    async def give_up():
        asked = asyncio.create_task(Agent(model("slow")).run(question("cancel")))
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
