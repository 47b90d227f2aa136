"""What one page may cost: time, bytes, pages, links."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class FetchLimits:
    """Limits of a `WebFetcher`. Times in seconds, sizes in bytes.

    Attributes:
        total_seconds: For the whole download: redirects, retries, the waits between them, the
            body. Waiting for a turn and extraction have limits of their own.
        connect_seconds: For one connection: name, TCP and TLS.
        queue_seconds: For waiting for a turn at a busy host, or for an extraction worker.
        max_bytes: Decoded bytes read of one body. Text is cut there, with a note; a PDF
            cannot be cut and fails.
        max_header_bytes: Of one response's headers. Servers allow requests 8 to 32 KiB.
        max_redirects: Redirects followed, each checked like the first URL.
        per_host: Requests to one host at a time; browsers open six.
        concurrency: Requests at a time, of one event loop.
        retries: Further attempts after a connection error, 429, 502, 503 or 504.
        backoff_seconds: Before the first retry, doubled for the next, with jitter.
        max_retry_after: Longest `Retry-After` that is waited for.
        extract_seconds: For one page in a worker, before the worker is killed. Pages of
            500 KB take 0.3 s; 8 s is what a hostile page may cost.
        max_html_bytes: HTML given to extraction, which grows faster than its input.
        max_text_chars: Characters of text kept of one page.
        fallback_bytes: HTML read by the plain-text fallback, in this process.
        max_pdf_pages: Pages read of a PDF.
        max_links: Links kept of one page.
    """

    total_seconds: float = 20.0
    connect_seconds: float = 5.0
    queue_seconds: float = 60.0
    max_bytes: int = 5 * 2**20
    max_header_bytes: int = 64 * 2**10
    max_redirects: int = 5
    per_host: int = 2
    concurrency: int = 16
    retries: int = 2
    backoff_seconds: float = 0.5
    max_retry_after: float = 10.0
    extract_seconds: float = 8.0
    max_html_bytes: int = 1_500_000
    max_text_chars: int = 1_500_000
    fallback_bytes: int = 300_000
    max_pdf_pages: int = 200
    max_links: int = 500

    def __post_init__(self) -> None:
        may_be_zero = {
            "max_redirects",
            "retries",
            "backoff_seconds",
            "max_retry_after",
            "max_links",
        }
        for field in fields(self):
            value = getattr(self, field.name)
            if value < 0 or (value == 0 and field.name not in may_be_zero):
                raise ValueError(f"FetchLimits.{field.name} is {value!r}; it must be positive.")
