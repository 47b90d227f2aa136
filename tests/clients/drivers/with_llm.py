"""llm, with its models from a file of settings as its users write it."""

import base64
import json
import os
import threading
from pathlib import Path

import llm
from _cells import IMAGE, KEY, PDF, SCHEMA, WEATHER, question, run, wait_called

MODELS = """\
- model_id: {name}
  model_name: fusion/{name}
  api_base: {url}/v1
  supports_tools: true
  supports_schema: true
  vision: true
"""

folder = Path.home() / "llm"
folder.mkdir(exist_ok=True)
os.environ["LLM_USER_PATH"] = str(folder)  # read when the first model is looked for
names = ("scripted", "tools", "structured", "failing", "slow")
url = os.environ["FUSION_URL"]
settings = "".join(MODELS.format(name=name, url=url) for name in names)
(folder / "extra-openai-models.yaml").write_text(settings)

called = []


def ask(cell, model="scripted", **options):
    return llm.get_model(model).prompt(question(cell), key=KEY, **options)


def plain():
    return {"text": ask("plain", stream=False).text()}


def stream():
    pieces = list(ask("stream"))
    return {"text": "".join(pieces), "pieces": len([piece for piece in pieces if piece])}


def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    called.append({"city": city})
    return WEATHER


def tools():
    model = llm.get_model("tools")
    chain = model.chain(question("tools"), tools=[get_weather], key=KEY)
    return {"text": chain.text(), "called": called[0]}


def structured():
    return {"object": json.loads(ask("structured", "structured", schema=SCHEMA).text())}


def sent(cell, data, kind):
    part = llm.Attachment(content=base64.b64decode(data), type=kind)
    return {"text": ask(cell, attachments=[part]).text()}


def image():
    return sent("image", IMAGE, "image/png")


def file():
    return sent("file", PDF, "application/pdf")


def usage():
    reply = ask("usage")
    reply.text()
    used = reply.usage()
    return {"input": used.input, "output": used.output}


def error():
    return {"text": ask("error", "failing").text()}


def cancel():
    pieces = iter(ask("cancel", "slow", stream=True))
    reading = threading.Thread(target=lambda: next(pieces, None), daemon=True)
    reading.start()
    wait_called()
    # It has no way to be cancelled but the end of its process.
    return {}


run(
    {
        one.__name__: one
        for one in (plain, stream, tools, structured, image, file, usage, error, cancel)
    }
)
