"""instructor, which is for objects: its other cells are OpenAI's own client's."""

import instructor
from _cells import KEY, URL, question, run
from openai import OpenAI
from pydantic import BaseModel

client = instructor.from_openai(OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0))


class Weather(BaseModel):
    """The weather of a city."""

    city: str
    degrees: int


def given(content, model="structured"):
    messages = [{"role": "user", "content": content}]
    return {"model": f"fusion/{model}", "messages": messages, "max_retries": 0}


def structured():
    reply = client.create(response_model=Weather, **given(question("structured")))
    return {"object": reply.model_dump()}


def usage():
    _, raw = client.create_with_completion(response_model=Weather, **given(question("usage")))
    return {"input": raw.usage.prompt_tokens, "output": raw.usage.completion_tokens}


def error():
    client.create(response_model=Weather, **given(question("error"), "failing"))
    return {}


run({one.__name__: one for one in (structured, usage, error)})
