"""LlamaIndex, by its class for servers like OpenAI's."""

import base64

from _cells import IMAGE, KEY, PDF, URL, WEATHER, question, run, wait_called
from llama_index.core.base.llms.types import (
    ChatMessage,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
)
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def model(name="scripted"):
    return OpenAILike(
        model=f"fusion/{name}",
        api_base=f"{URL}/v1",
        api_key=KEY,
        is_chat_model=True,
        is_function_calling_model=True,
        max_retries=0,
    )


def message(cell, *blocks):
    return ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text=question(cell)), *blocks])


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return WEATHER


def plain():
    return {"text": model().chat([message("plain")]).message.content}


def stream():
    pieces = [chunk.delta for chunk in model().stream_chat([message("stream")])]
    return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}


def tools():
    llm, tool = model("tools"), FunctionTool.from_defaults(get_weather)
    messages = [message("tools")]
    first = llm.chat_with_tools([tool], chat_history=messages)
    call = llm.get_tool_calls_from_response(first)[0]
    result = ChatMessage(
        role=MessageRole.TOOL,
        content=tool(**call.tool_kwargs).content,
        additional_kwargs={"tool_call_id": call.tool_id},
    )
    end = llm.chat_with_tools([tool], chat_history=[*messages, first.message, result])
    return {"text": end.message.content, "called": call.tool_kwargs}


def structured():
    reply = model("structured").as_structured_llm(Weather).chat([message("structured")])
    return {"object": reply.raw.model_dump()}


def image():
    block = ImageBlock(image=base64.b64decode(IMAGE), image_mimetype="image/png")
    return {"text": model().chat([message("image", block)]).message.content}


def file():
    data = base64.b64decode(PDF)
    block = DocumentBlock(data=data, document_mimetype="application/pdf", title="wet.pdf")
    return {"text": model().chat([message("file", block)]).message.content}


def usage():
    used = model().chat([message("usage")]).raw.usage
    return {"input": used.prompt_tokens, "output": used.completion_tokens}


def error():
    return {"text": model("failing").chat([message("error")]).message.content}


def cancel():
    chunks = model("slow").stream_chat([message("cancel")])
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
