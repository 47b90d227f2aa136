"""Hostile texts, and reports all of whose texts are hostile."""

from __future__ import annotations

from typing import Any

PAYLOADS = {
    "script": "<script>window.pwned=1;alert(1)</script>",
    "image": "<img src=x onerror='window.pwned=1;alert(1)'>",
    "out of an attribute": '"\'><svg/onload=window.pwned=1><a x="',
    "out of the style": "</style></title></textarea><script>window.pwned=1</script>",
    "comment and end": "--><!-- ]]> </body></html><script>window.pwned=1</script>",
    "address": "javascript:window.pwned=1;alert(1)",
    "markdown link": "[press](javascript:window.pwned=1) <javascript:window.pwned=1>",
    "markdown picture": "![x](https://tracker.example/p.png) ![x](x' onerror='window.pwned=1)",
    "css": "red;background:url(https://tracker.example/p.png)}*{background:url(//t.example)",
    "css import": "@import url(https://tracker.example/x.css);",
    "refresh": '<meta http-equiv="refresh" content="0;url=https://tracker.example">',
    "frame": '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe><base href="//t.example">',
    "template": "{{ 7*7 }}{% for x in range(9) %}{{ config }}",
    "entities": "&#60;script&#62;window.pwned=1&#60;/script&#62; &amp;lt;b&amp;gt;",
    "controls": "a\x00b\x08c\x1b[31md\x7fe\x9ff\ud800g\udfffh\ufffei\u202ej\u2066k\u200b",
}

_FIXED = {"verdict", "checked_by", "label", "retrieved_at"}


def harm(value: Any, payload: str, key: str = "") -> Any:
    """The same data with `payload` for every text in it, keys of open dicts included.

    What has a fixed set of values stays: a report with others would not be read.
    """
    if isinstance(value, str):
        fixed = key in _FIXED or (key == "status" and value in ("ok", "failed", "degraded"))
        return value if fixed else payload
    if isinstance(value, list):
        return [harm(item, payload, key) for item in value]
    if isinstance(value, dict) and key in ("args", "versions", "config", "models", "stages"):
        return {payload: harm(next(iter(value.values()), ""), payload)}
    if isinstance(value, dict):
        return {name: harm(item, payload, name) for name, item in value.items()}
    return value
