"""`Retry-After` (RFC 9110, 10.2.3) read as seconds, for pages and models alike."""

from __future__ import annotations

import email.utils
import math
import re
import time

LONGEST_HEADER = 40
"""Most characters of a date; a longer value is none."""


def parse_retry_after(header: str) -> float | None:
    """Seconds that a `Retry-After` header asks for, or None if it cannot be read.

    Args:
        header: A number of seconds (fractions too, which some model providers send) or an HTTP
            date; a date that has passed asks for no wait.
    """
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    if text.lower() in ("inf", "infinity"):
        return math.inf
    if len(text) > LONGEST_HEADER:
        return None
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
