"""LangChain: FUSION_CHAT is the chat model, `openai`, `responses` or `anthropic`."""

import os

from _cells import IMAGE, KEY, PDF, URL, WEATHER, question, run, wait_called
from langchain.agents import create_agent
from langchain.tools import tool
from pydantic import BaseModel

called = []


def model(name="scripted"):
    if os.environ["FUSION_CHAT"] == "anthropic":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(
            model=f"fusion/{name}", base_url=URL, api_key=KEY, max_retries=0, max_tokens=1_000
        )
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=f"fusion/{name}",
        base_url=f"{URL}/v1",
        api_key=KEY,
        max_retries=0,
        use_responses_api=os.environ["FUSION_CHAT"] == "responses",
    )


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


@tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    called.append({"city": city})
    return WEATHER


def plain():
    return {"text": model().invoke(question("plain")).text}


def stream():
    pieces = [chunk.text for chunk in model().stream(question("stream"))]
    return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}


def tools():
    agent = create_agent(model("tools"), [get_weather])
    end = agent.invoke({"messages": [{"role": "user", "content": question("tools")}]})
    return {"text": end["messages"][-1].text, "called": called[0]}


def structured():
    asked = model("structured").with_structured_output(Weather)
    return {"object": asked.invoke(question("structured")).model_dump()}


def sent(cell, part):
    parts = [{"type": "text", "text": question(cell)}, part]
    return {"text": model().invoke([{"role": "user", "content": parts}]).text}


def image():
    return sent("image", {"type": "image", "base64": IMAGE, "mime_type": "image/png"})


def file():
    part = {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "wet.pdf"}
    return sent("file", part)


def usage():
    used = model().invoke(question("usage")).usage_metadata
    return {"input": used["input_tokens"], "output": used["output_tokens"]}


def error():
    return {"text": model("failing").invoke(question("error")).text}


def cancel():
    chunks = model("slow").stream(question("cancel"))
    next(chunks)
    wait_called()
    chunks.close()
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
