"""Model servers as they run on people's machines, in a process of their own.

`with local_server("ollama", models=[...], context=4096) as server:` answers what that kind of
server answers: which models it has, how much they read, and chat completions by a model that
searches, reads a page and answers. Shapes and refusals are those of the servers' own API
references and sources (Ollama docs/api.md, llama.cpp tools/server, LM Studio REST API v0, vLLM's
OpenAI server); the words of a refusal are only as many as a client has to recognise.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.children import end

_TOKEN = re.compile(r"\d| ?[^\W\d]{1,5}|[^\w\s]|\s")
_URL = re.compile(r"corpus:///[^\s)\]]+")

VERDICT = {
    "consensus": [{"point": "Panels help.", "labels": ["A", "B"], "sources": []}],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


@dataclass(frozen=True)
class LocalServer:
    """A running server. `url` is its base address, `port` its port."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def requests(self) -> list[dict[str, Any]]:
        """Everything it was asked so far: method, path, body, status, prompt tokens read."""
        return list(_fetch(f"{self.url}/_log"))


def _fetch(url: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as reply:
        return json.load(reply)


@contextmanager
def local_server(kind: str, **settings: Any) -> Iterator[LocalServer]:
    """A server of a kind: `ollama`, `llamacpp`, `lmstudio`, `vllm`, `openai`, `website`.

    models: [{"name", "size", "family"}]; context: tokens it reads; trained: tokens the model could
    read; tools: whether the template takes tools; loaded: Ollama has the model in memory;
    num_ctx: of the model's own parameters; key: what it wants as a bearer token; silent: it cuts
    a prompt that is too long without a word, as Ollama does.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.local_servers", json.dumps({"kind": kind, **settings})],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield LocalServer(int(process.stdout.readline()))
    finally:
        end(process)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, settings: dict[str, Any]) -> None:
        self.kind = settings["kind"]
        self.models = settings.get("models") or [{"name": "tiny", "size": 1, "family": "tiny"}]
        if settings.get("models") == []:
            self.models = []
        self.context = settings.get("context", 4096)
        self.trained = settings.get("trained", 32_768)
        self.tools = settings.get("tools", True)
        self.loaded = settings.get("loaded", False)
        self.num_ctx = settings.get("num_ctx")
        self.key = settings.get("key")
        self.silent = settings.get("silent", self.kind == "ollama")
        self.searches = settings.get("searches", True)
        self.answer = settings.get("answer", "A panel of models helps where they differ [1].")
        self.log: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def get(self, path: str) -> tuple[int, Any]:
        known = getattr(self, f"_{self.kind}", lambda _: None)(path)
        if known is not None:
            return 200, known
        if self.kind == "lmstudio":
            return 200, {"error": f"Unexpected endpoint or method. (GET {path})"}
        return 404, {"error": {"message": "Not Found", "code": 404}}

    def _listed(self, owner: str, **more: Any) -> dict[str, Any]:
        entries = [
            {"id": model["name"], "object": "model", "owned_by": owner, **more}
            for model in self.models
        ]
        return {"object": "list", "data": entries}

    def _ollama(self, path: str) -> Any:
        if path == "/v1/models":
            return self._listed("library") if self.models else {"object": "list", "data": None}
        if path == "/api/tags":
            return {
                "models": [
                    {
                        "name": model["name"],
                        "model": model["name"],
                        "size": model.get("size", 0),
                        "details": {"family": model.get("family", "")},
                    }
                    for model in self.models
                ]
            }
        if path == "/api/ps":
            names = [model["name"] for model in self.models] if self.loaded else []
            return {
                "models": [{"name": n, "model": n, "context_length": self.context} for n in names]
            }
        return None

    def _llamacpp(self, path: str) -> Any:
        if path in ("/v1/models", "/api/tags"):
            listed = self._listed("llamacpp")
            for entry, model in zip(listed["data"], self.models, strict=True):
                entry["meta"] = {"n_ctx_train": self.trained, "size": model.get("size", 0)}
            return {"models": [{"name": m["name"]} for m in self.models], **listed}
        if path == "/props":
            return {
                "default_generation_settings": {"n_ctx": self.context, "params": {}},
                "total_slots": 1,
                "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
                "chat_template_caps": {"supports_tools": self.tools},
            }
        return None

    def _lmstudio(self, path: str) -> Any:
        if path == "/v1/models":
            return self._listed("organization_owner")
        if path == "/api/v0/models":
            listed = self._listed("x")
            for entry, model in zip(listed["data"], self.models, strict=True):
                entry |= {
                    "type": model.get("type", "llm"),
                    "arch": model.get("family", ""),
                    "state": "loaded",
                    "max_context_length": self.trained,
                    "loaded_context_length": self.context,
                    "capabilities": ["tool_use"] if self.tools else [],
                }
            return listed
        return None

    def _vllm(self, path: str) -> Any:
        if path == "/v1/models":
            return self._listed("vllm", max_model_len=self.context)
        return None

    def _openai(self, path: str) -> Any:
        return self._listed("somebody") if path == "/v1/models" else None

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/api/show" and self.kind == "ollama":
            if body.get("model") not in [model["name"] for model in self.models]:
                return 404, {"error": "model not found"}
            shown: dict[str, Any] = {
                "capabilities": ["completion", *(["tools"] if self.tools else [])],
                "model_info": {"general.architecture": "x", "x.context_length": self.trained},
            }
            if self.num_ctx:
                shown["parameters"] = (
                    f"temperature 0.6\nnum_ctx                        {self.num_ctx}"
                )
            return 200, shown
        if path == "/v1/chat/completions":
            return self._complete(body)
        return 404, {"error": {"message": "Not Found", "code": 404}}

    def _complete(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("model") not in [model["name"] for model in self.models]:
            return 404, {"error": {"message": f"model '{body.get('model')}' not found"}}
        self.loaded = True
        messages = body["messages"]
        read = prompt_tokens(body)
        most = body.get("max_tokens")
        if read > self.context and self.silent:
            while len(messages) > 1 and read > self.context:
                read -= _message_tokens(messages.pop(0))
            read = min(read, self.context)
        if read > self.context:
            return 400, self._too_long(read)
        if self.kind == "vllm" and most and read + most > self.context:
            return 400, {
                "error": {
                    "message": f"'max_tokens' is too large: {most}. This "
                    f"model's maximum context length is {self.context} tokens and your request "
                    f"has {read} input tokens",
                    "type": "BadRequestError",
                    "param": None,
                    "code": 400,
                }
            }
        message, finish = self._reply(body)
        written = tokens(message["content"] or "") or 20
        limit = min(most or self.context, self.context - read)
        if written > limit:
            kept = _TOKEN.findall(message["content"])[:limit]
            message, written, finish = {**message, "content": "".join(kept)}, limit, "length"
        usage = {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
        }
        return 200, {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": usage,
        }

    def _too_long(self, read: int) -> dict[str, Any]:
        if self.kind == "vllm":
            said = (
                f"This model's maximum context length is {self.context} tokens. However, your "
                f"request has {read} input tokens. Please reduce the length of the input messages."
            )
            return {"error": {"message": said, "type": "BadRequestError", "code": 400}}
        return {
            "error": {
                "code": 400,
                "message": f"request ({read} tokens) exceeds the available context size "
                f"({self.context} tokens), try increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": read,
                "n_ctx": self.context,
            }
        }

    def _reply(self, body: dict[str, Any]) -> tuple[dict[str, Any], str]:
        messages = body["messages"]
        if body.get("response_format"):
            return {"role": "assistant", "content": json.dumps(VERDICT)}, "stop"
        offered = [tool["function"]["name"] for tool in body.get("tools") or []]
        results = [message for message in messages if message["role"] == "tool"]
        urls = _URL.findall(json.dumps(messages, ensure_ascii=False).replace("\\n", " "))
        if "web_search" in offered and self.searches and body.get("tool_choice") != "none":
            if not results:
                return _call("web_search", {"query": "panel of models compared"}, 1)
            fresh = list(dict.fromkeys(urls))
            if len(results) <= 3 and len(fresh) >= len(results):
                return _call("web_fetch", {"url": fresh[len(results) - 1]}, len(results) + 1)
        return {"role": "assistant", "content": self.answer}, "stop"


def _call(name: str, args: dict[str, Any], number: int) -> tuple[dict[str, Any], str]:
    function = {"name": name, "arguments": json.dumps(args)}
    call = {"id": f"call{number:05d}", "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}, "tool_calls"


def tokens(text: str) -> int:
    """Tokens as the servers here count them: up to five letters each, every digit by itself."""
    return len(_TOKEN.findall(text))


def prompt_tokens(body: dict[str, Any]) -> int:
    """What a request comes to, in the servers' own count."""
    extra = tokens(json.dumps(body.get("tools") or ""))
    return extra + sum(map(_message_tokens, body["messages"]))


def _message_tokens(message: dict[str, Any]) -> int:
    calls = json.dumps(message.get("tool_calls") or "")
    return 6 + tokens(message.get("content") or "") + tokens(calls)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/_log":
            self._send(200, self.server.log)
            return
        self._answer(None, *self.server.get(self.path.partition("?")[0]))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        sent = json.loads(json.dumps(body))
        status, reply = self.server.post(self.path, body)
        if body.get("stream") and status == 200:
            self.server.log.append(self._entry(sent, status, reply))
            self._stream(reply)
            return
        self._answer(sent, status, reply)

    def _answer(self, body: Any, status: int, reply: Any) -> None:
        if self.server.kind == "website":
            status, reply = 200, "<html>It works!</html>"
        key = self.server.key
        if key and self.headers.get("authorization") != f"Bearer {key}":
            status, reply = 401, {"error": "Unauthorized"}
        self.server.log.append(self._entry(body, status, reply))
        self._send(status, reply)

    def _entry(self, body: Any, status: int, reply: Any) -> dict[str, Any]:
        usage = reply.get("usage") if isinstance(reply, dict) else None
        return {
            "method": self.command,
            "path": self.path,
            "body": body,
            "status": status,
            "read": (usage or {}).get("prompt_tokens"),
        }

    def _send(self, status: int, reply: Any) -> None:
        data = (reply if isinstance(reply, str) else json.dumps(reply)).encode()
        self.send_response(status)
        kind = "text/html" if isinstance(reply, str) else "application/json"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, reply: dict[str, Any]) -> None:
        choice = reply["choices"][0]
        delta = dict(choice["message"])
        if "tool_calls" in delta:
            delta["tool_calls"] = [{"index": 0, **delta["tool_calls"][0]}]
        first = {"index": 0, "delta": delta, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        common = {key: reply[key] for key in ("id", "created", "model")}
        events = [
            {**common, "choices": [first]},
            {**common, "choices": [last]},
            {**common, "choices": [], "usage": reply["usage"]},
        ]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", type=json.loads, help="a JSON object; see `local_server`")
    with _Server(parser.parse_args().settings) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
