"""`python -m tests.collector`: a collector of OpenTelemetry's spans, over OTLP and HTTP.

POST /v1/traces takes protobuf; GET /spans gives all that came, as JSON. Writes its port.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS: list[dict[str, Any]] = []


class Collector(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self) -> None:
        """Take spans."""
        request = ExportTraceServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        SPANS.extend(
            {
                "name": span.name,
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "trace": span.trace_id.hex(),
                "start": span.start_time_unix_nano,
                "end": span.end_time_unix_nano,
                "error": span.status.code == 2,
                "attributes": {
                    item.key: getattr(item.value, str(item.value.WhichOneof("value")))
                    for item in span.attributes
                },
            }
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        self._answer(b"")

    def do_GET(self) -> None:
        """Tell what came."""
        self._answer(json.dumps(SPANS).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    print(server.server_port, flush=True)
    server.serve_forever()
