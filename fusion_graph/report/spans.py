"""A finished run as OpenTelemetry spans, by the conventions for generative AI.

One tree a run, below the caller's own span where there is one: `invoke_workflow`, an `invoke_agent`
for everybody who was at work, and in it a `chat` for each call of a model and an `execute_tool` for
each tool. The spans are made when the run ends, from its records, with the times of then; so
nothing is traced twice, and a collector that is down or slow holds no run up.

Names: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (as of 2026). Texts of questions, answers
and arguments stand in spans only where OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is true.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from fusion_graph.state import CallRecord, Joined, Judgement, Run, ToolRecord
from fusion_graph.version import own_version

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""Either of these variables of OpenTelemetry's turns the spans on."""

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

CONTENT_CHARACTERS = 20_000
"""How much of one text a span holds: collectors drop a span that is too large."""

EXPORT_SECONDS = 3.0
"""How long a collector is waited for, so also how long a command waits for one at its end.
OTEL_EXPORTER_OTLP_TIMEOUT says otherwise; OpenTelemetry's own 10 s are long for a command."""

_started = threading.Lock()
_own: list[TracerProvider] = []


def trace_run(
    run: Run,
    record: Mapping[str, Any],
    joined: Joined,
    judgement: Judgement | None,
    calls: Sequence[CallRecord],
) -> None:
    """Give a run that has ended to whatever collects traces; nothing where nothing does.

    Args:
        run: The run.
        record: Its record.
        joined: The panel's work.
        judgement: The judge's, if there was one.
        calls: All its calls.
    """
    tracer = _tracer()
    if tracer is None:
        return
    tools = {answer["name"]: answer["tool_calls"] for answer in joined["answers"]}
    tools["judge"] = judgement.get("tool_calls", []) if judgement else []
    with suppress(Exception):  # whatever a foreign exporter does, the run has its answer
        _Tree(tracer, run, record).grow(calls, tools)


def traced() -> bool:
    """Whether anything collects traces."""
    return _tracer() is not None


def flush_spans() -> None:
    """Send what is waiting to be sent, for a process that is about to end."""
    with suppress(Exception):
        for provider in _own:
            provider.force_flush()


class _Tree:
    """The spans of one run."""

    def __init__(self, tracer: Tracer, run: Run, record: Mapping[str, Any]) -> None:
        self._tracer, self._run, self._record = tracer, run, record
        self._content = os.environ.get(CONTENT, "").strip().lower() in ("true", "1")

    def grow(self, calls: Sequence[CallRecord], tools: Mapping[str, Sequence[ToolRecord]]) -> None:
        total = self._record["usage"]["total"]
        end = max([0.0, *(call["end"] for call in calls)])
        root = self._begin(
            "invoke_workflow",
            "fusion",
            0.0,
            {
                "gen_ai.workflow.name": "fusion",
                "gen_ai.conversation.id": self._record["thread_id"],
                "gen_ai.usage.input_tokens": total["input_tokens"],
                "gen_ai.usage.output_tokens": total["output_tokens"],
                "fusion.preset": self._record["preset"],
                "fusion.status": self._record["status"],
                "fusion.cost_usd": total["cost_usd"],
            },
        )
        self._texts(root, self._record["question"], self._record["answer"])
        if self._record["status"] == "error":
            self._failed(root, "AllPanelistsFailed")
        for name in dict.fromkeys([*(call["name"] for call in calls), *tools]):
            own = [call for call in calls if call["name"] == name]
            if own or tools.get(name):
                self._agent(root, name, own, tools.get(name, ()))
        root.end(self._time(end))

    def _agent(
        self, root: Span, name: str, calls: Sequence[CallRecord], tools: Sequence[ToolRecord]
    ) -> None:
        times = [
            *((call["start"], call["end"]) for call in calls),
            *((tool["start"], tool["start"] + tool["seconds"]) for tool in tools),
        ]
        answer = next((a for a in self._record["answers"] if a["name"] == name), None)
        span = self._begin(
            "invoke_agent",
            name,
            min(start for start, _ in times),
            {
                "gen_ai.agent.name": name,
                **({} if not calls else _model(calls[-1])),
                "gen_ai.usage.input_tokens": sum(call["input_tokens"] or 0 for call in calls),
                "gen_ai.usage.output_tokens": sum(call["output_tokens"] or 0 for call in calls),
            },
            root,
        )
        if answer is not None:
            self._texts(span, None, answer["content"])
            if answer["failure"] is not None:
                self._failed(span, answer["failure"]["reason"])
        for call in calls:
            self._chat(span, call)
        for tool in tools:
            self._tool(span, tool)
        span.end(self._time(max(end for _, end in times)))

    def _chat(self, parent: Span, call: CallRecord) -> None:
        model = _model(call)
        span = self._begin(
            "chat",
            model["gen_ai.request.model"],
            call["start"],
            {
                **model,
                "gen_ai.response.model": call.get("served"),
                "gen_ai.usage.input_tokens": call["input_tokens"],
                "gen_ai.usage.output_tokens": call["output_tokens"],
                "gen_ai.usage.cache_read.input_tokens": call.get("cached_tokens"),
                "fusion.stage": call["stage"],
                "fusion.cost_usd": call["cost_usd"],
            },
            parent,
            client=True,
        )
        if call["outcome"] != "ok":
            self._failed(span, call["outcome"])
        span.end(self._time(call["end"]))

    def _tool(self, parent: Span, tool: ToolRecord) -> None:
        span = self._begin(
            "execute_tool",
            tool["name"],
            tool["start"],
            {"gen_ai.tool.name": tool["name"], "gen_ai.tool.type": "function"},
            parent,
        )
        if self._content:
            arguments = json.dumps(tool["args"], ensure_ascii=False, default=str)
            span.set_attribute("gen_ai.tool.call.arguments", arguments[:CONTENT_CHARACTERS])
        if tool["status"] != "ok":
            self._failed(span, tool["status"])
        span.end(self._time(tool["start"] + tool["seconds"]))

    def _begin(
        self,
        operation: str,
        what: str,
        start: float,
        attributes: Mapping[str, Any],
        parent: Span | None = None,
        *,
        client: bool = False,
    ) -> Span:
        from opentelemetry.trace import SpanKind, set_span_in_context

        known = {key: value for key, value in attributes.items() if value is not None}
        return self._tracer.start_span(
            f"{operation} {what}",
            context=None if parent is None else set_span_in_context(parent),
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            attributes={"gen_ai.operation.name": operation, **known},
            start_time=self._time(start),
        )

    def _texts(self, span: Span, question: str | None, answer: str) -> None:
        if not self._content:
            return
        for name, role, text in (
            ("gen_ai.input.messages", "user", question),
            ("gen_ai.output.messages", "assistant", answer),
        ):
            if text:
                part = {"type": "text", "content": text[:CONTENT_CHARACTERS]}
                said = json.dumps([{"role": role, "parts": [part]}], ensure_ascii=False)
                span.set_attribute(name, said)

    def _failed(self, span: Span, kind: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        span.set_attribute("error.type", kind)
        span.set_status(Status(StatusCode.ERROR, kind))

    def _time(self, seconds: float) -> int:
        """Nanoseconds since the epoch, of seconds since the run began."""
        return int((self._run["started"] + seconds) * 1e9)


def _model(call: CallRecord) -> dict[str, str]:
    provider, _, name = call["model"].partition(":")
    return {"gen_ai.provider.name": provider, "gen_ai.request.model": name}


def _tracer() -> Tracer | None:
    """The tracer of the application's provider, or of one of our own; None where nothing collects.

    Nothing of OpenTelemetry is imported before somebody asks for spans.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    wanted = any(os.environ.get(name) for name in ENDPOINTS)
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        wanted = False
    if not wanted and "opentelemetry.sdk.trace" not in sys.modules:
        return None
    if find_spec("opentelemetry.sdk") is None:
        return None
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import get_tracer_provider

    provider = get_tracer_provider()
    if isinstance(provider, TracerProvider):
        return provider.get_tracer("fusion-graph", own_version())
    return _own_provider().get_tracer("fusion-graph", own_version()) if wanted else None


def _own_provider() -> TracerProvider:
    """The provider that the environment's variables describe, made once a process."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    with _started:
        if not _own:
            name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "fusion-graph"}
            # Ended by us: its own way waits half a minute for a collector that is down.
            provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
            seconds = None if os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else EXPORT_SECONDS
            exporter = OTLPSpanExporter(timeout=seconds)
            provider.add_span_processor(BatchSpanProcessor(exporter))
            _own.append(provider)
            atexit.register(flush_spans)
        return _own[0]
