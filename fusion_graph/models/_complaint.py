"""A provider's complaint when it refused or failed, found in whatever a client raised.

Every client keeps a reply's body elsewhere, and every gateway wraps the body of the one behind it:
in `error.metadata.raw` (OpenRouter, often as a JSON text, cut off at times), in a list (Google's
OpenAI endpoint), in `detail` (FastAPI), in a text with the class names of LiteLLM before it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_graph.text.json_data import whole_characters
from fusion_graph.text.python_source import expression

DEEPEST = 8
"""Most wrappings of one error in another that are undone."""

LONGEST_BODY = 40_000
"""Most characters of an error's texts that are looked at; its words stand in the first of them."""

LONGEST_WORDS = 4_000
"""Most characters of a provider's words that are read for what they mean."""

MOST_OBJECTS = 200
"""Most objects of a body that are looked at."""

_INWARD = (
    "raw",
    "error",
    "Error",
    "errors",
    "detail",
    "details",
    "metadata",
    "message",
    "Message",
    "msg",
    "response",
    "fault",
    "base_resp",
    "violations",
    "data",
)
"""Keys under which bodies hold what another server said, or more of their own."""

_SAYING = (
    "data","raw", "message", "Message", "msg", "detail", "error", "error_msg", "error_message",
           "status_msg", "description")  # fmt: skip
_CODES = ("code", "Code", "type", "error_type", "error_code", "status", "reason", "__type",
          "quotaId", "native_finish_reason")  # fmt: skip

_SAYS_NOTHING = re.compile(
    r"(?:(?:error from provider(?: \(\w+\))?: )?provider returned (?:an )?error|"
    r"(?:an )?error(?: occurred)?|unknown(?: error)?|"
    r"(?:bad|upstream|api|http)[ _](?:request|error)(?: error)?|internal (?:server )?error|"
    r"null|none|failed|error code: \d+|connection error|request failed|invalid_?request_?error)\W*",
    re.IGNORECASE,
)
_PREFIX = re.compile(
    r"^(?:(?:litellm\.)?[A-Z][A-Za-z]*(?:Error|Exception)(?:: | - |:(?=[A-Z]))"
    r"|[A-Z][A-Za-z]*Exception - |Error code: \d{3} - |Error: )+"
)
_CUT_FIELD = re.compile(r"""["'](message|msg|detail|error)["']\s*:\s*["]((?:[^"\\]|\\.)+)""")
_CUT_CODE = re.compile(r"""["'](code|type|status|param)["']\s*:\s*"(\w+)["]""")
_TITLE = re.compile(r"<title[^>]*>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True)
class Complaint:
    """A provider's complaint, taken apart.

    Attributes:
        status: HTTP status; None for a connection that broke.
        words: Its own words, one line, innermost first choice; not scrubbed of keys.
        codes: Every code, type and status it gave, in lower case, and the exception's class.
        params: Request fields it names as the trouble.
        provider: Who stands behind a gateway, if it says so.
        objects: Every JSON object of the body, outermost first.
        headers: The reply's, in lower case; a gateway's account of the inner ones included.
    """

    status: int | None
    words: str
    codes: frozenset[str] = frozenset()
    params: tuple[str, ...] = ()
    provider: str = ""
    objects: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def complaint_of(error: BaseException) -> Complaint:
    """Read the complaint behind an exception of any client.

    Args:
        error: As OpenAI's, Anthropic's, Google's, Mistral's, Ollama's, OpenRouter's, Amazon's or
            LangChain's clients raise it, or our own.
    """
    chain = list(_chain(error))
    told = (list(_bodies(link)) for link in chain)
    bodies: list[Any] = next((found for found in told if found), [])
    layers: list[tuple[int, Any]] = []
    for body in bodies:
        layers += _layers(body)
    if not layers:
        # LangChain's wrappers put a body into their own words, and lose the exception at times.
        layers = list(_layers(next((text for link in chain if (text := str(link))), "")))
    objects = tuple(layer for _, layer in layers if isinstance(layer, Mapping))
    statuses = [_status(link) for link in chain]
    statuses += [_http(body.get("code")) for body in objects]
    status = next((number for number in statuses if number is not None), None)
    texts = [(depth, layer) for depth, layer in layers if isinstance(layer, str)]
    provider = _first(objects, "provider_name") or _first(objects, "provider")
    said = _best(texts) or _plain(error) or _best_of_any(texts)
    params = tuple(_params(objects))
    if params and said and params[0].rpartition(".")[2] not in said.lower():
        said = f"{params[0]}: {said}"
    native = _first(objects, "native_finish_reason")
    return Complaint(
        status=status,
        words=_sentence(said, provider, native, error),
        codes=frozenset(_codes(chain, objects)),
        params=params,
        provider=provider,
        objects=objects,
        headers=_headers(chain, objects),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and those that led to it, as far as they are told."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and len(seen) < DEEPEST:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _bodies(error: BaseException) -> Iterator[Any]:
    """Find what an exception holds of a reply's body."""
    for name in ("body", "details"):  # OpenAI's, Anthropic's, OpenRouter's; Google's
        body = getattr(error, name, None)
        if body and isinstance(body, Mapping | list | str):
            yield body
            return
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):  # Amazon's
        yield response
        return
    try:
        text = getattr(response, "text", None)
    except Exception:  # a streamed reply that was not read
        text = None
    if isinstance(text, str) and text:
        yield text
    elif isinstance(said := getattr(error, "error", None), str) and said:  # Ollama's
        yield said


def _layers(value: Any, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """Every object and every text of a body that says something, with its depth."""
    todo = [(depth, value)]
    left = LONGEST_BODY
    for _ in range(MOST_OBJECTS):
        if not todo:
            return
        depth, value = todo.pop(0)
        if isinstance(value, str):
            value = value[: max(left, 0)]
            left -= len(value)
            inner = _unfolded(value)
            if inner is None:
                if depth == 0 or value.strip():
                    yield depth, value
            elif depth < DEEPEST:
                todo.append((depth + 1, inner))
        elif isinstance(value, Mapping):
            yield depth, value
            if depth < DEEPEST:
                for name in _INWARD:
                    inner = value.get(name)
                    if isinstance(inner, Mapping | list):
                        todo.append((depth + 1, inner))
                for name in _SAYING:
                    if isinstance(inner := value.get(name), str):
                        todo.append((depth + 1, inner))
        elif isinstance(value, list) and depth < DEEPEST:
            todo += [(depth, item) for item in value[:20]]


def _unfolded(text: str) -> Any | None:
    """The JSON (or Python's way of writing it) in a text, whole or cut off; None without any."""
    text = text[:LONGEST_BODY]
    stripped = text.lstrip()
    if stripped[:1] == "<" and (title := _TITLE.search(text)):
        return {"message": title[1]}  # a proxy's page
    start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        found = _python(text[start : text.rfind("}") + 1])
    if isinstance(found, Mapping | list):
        holds = [key for key in (*_SAYING, *_INWARD) if _holds(found, key)]
        return found if holds else None
    cut = {name: _unescaped(said) for name, said in reversed(_CUT_FIELD.findall(text, start))}
    if not cut:
        return None
    return {**dict(reversed(_CUT_CODE.findall(text, start))), **cut}


def _holds(found: Any, key: str) -> bool:
    objects = found if isinstance(found, list) else [found]
    return any(isinstance(item, Mapping) and bool(item.get(key)) for item in objects)


def _python(text: str) -> Any:
    found = expression(text)
    try:
        return None if found is None else ast.literal_eval(found)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _status(error: BaseException) -> int | None:
    response = getattr(error, "response", None)
    for holder in (error, response):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and not isinstance(status, bool) and status > 0:
            return status
    if isinstance(response, Mapping):  # Amazon's
        metadata = response.get("ResponseMetadata")
        return _http(metadata.get("HTTPStatusCode")) if isinstance(metadata, Mapping) else None
    for name in ("code", "status"):  # Google's; aiohttp's
        if isinstance(status := getattr(error, name, None), int):
            return _http(status)
    return None


def _http(value: Any) -> int | None:
    """A number that is an HTTP status: codes of a body are often of another kind."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 400 <= value < 600 else None


def _plain(error: BaseException) -> str:
    """An exception's own words, unless they hold a body or say nothing."""
    text = str(error).strip()[:LONGEST_WORDS]
    return "" if _unfolded(text) is not None or not _informs(text) else text


def _informs(text: str) -> bool:
    return bool(text.strip()) and _SAYS_NOTHING.fullmatch(text.strip()) is None


def _best(texts: list[tuple[int, str]]) -> str:
    """The innermost words that say something; several of one object, as of a form, together."""
    told = [(depth, _tidy(text)) for depth, text in texts]
    told = [(depth, text) for depth, text in told if _informs(text)]
    if not told:
        return ""
    sentences = [item for item in told if " " in item[1]] or told
    deepest = max(depth for depth, _ in sentences)
    told_there = dict.fromkeys(text for depth, text in sentences if depth == deepest)
    return "; ".join(told_there)[:LONGEST_WORDS]


def _best_of_any(texts: list[tuple[int, str]]) -> str:
    return next((said for _, text in reversed(texts) if (said := _tidy(text))), "")


def _tidy(text: str) -> str:
    return _PREFIX.sub("", " ".join(text.split())).strip()


def _sentence(said: str, provider: str, native: str, error: BaseException) -> str:
    """The words with who said them, where a gateway tells; never an empty line."""
    said = whole_characters(" ".join(_tidy(said).split()))
    if not _informs(said) and (provider or native):
        who = provider or "The provider"
        why = f", finish reason {native}" if native and native != "error" else ""
        return f"{who} failed{why} and says no more than: {said or type(error).__name__}"
    said = said or type(error).__name__
    known = not provider or provider in said
    return said if known else f"{provider}: {said}"


def _codes(chain: list[BaseException], objects: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    for link in chain:
        yield type(link).__name__.lower()
        for name in ("code", "type", "status"):
            if isinstance(value := getattr(link, name, None), str):
                yield value.lower()
    for body in objects:
        for name in _CODES:
            if isinstance(value := body.get(name), str):
                yield value[:200].lower()
                if name == "quotaId" and "perday" in value.lower():
                    yield "quota_per_day"  # Google's names for its limits are many


def _params(objects: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    for body in objects:
        for name in ("param", "field"):  # `field`: Google's fieldViolations
            if isinstance(value := body.get(name), str) and value:
                yield value.lower()
        place = body.get("loc")  # FastAPI's
        if isinstance(place, list) and place[:1] == ["body"]:
            yield ".".join(str(part) for part in place[1:]).lower()


def _first(objects: tuple[Mapping[str, Any], ...], key: str) -> str:
    values = (body.get(key) for body in reversed(objects))
    return next((" ".join(v.split())[:80] for v in values if isinstance(v, str) and v.strip()), "")


def _headers(
    chain: list[BaseException], objects: tuple[Mapping[str, Any], ...]
) -> Mapping[str, str]:
    found: dict[str, str] = {}
    told = [body["headers"] for body in objects if isinstance(body.get("headers"), Mapping)]
    for link in chain:
        response = getattr(link, "response", None)
        told += [getattr(response, "headers", None), getattr(link, "headers", None)]
    for headers in told:
        if isinstance(headers, Mapping):
            found |= {str(name).lower(): str(value) for name, value in headers.items()}
    return found
