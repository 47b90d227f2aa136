"""Fields that the protocols share: checked, and told in the words of the field that is wrong."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_graph.errors import ApiError

MAX_TOOLS = 128
"""Most tools of the caller, as OpenAI's."""

MAX_MESSAGES = 2048
"""Most messages of a conversation, as OpenAI's."""

MAX_STOPS = 16
"""Most stop texts; OpenAI takes 4, Anthropic more."""

NAME_CHARACTERS = 64
"""Longest name of a tool that every provider takes; Anthropic's clients send up to 128."""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Part(BaseModel):
    """A piece of a request: known fields are checked, others are overlooked."""

    model_config = ConfigDict(strict=True, extra="ignore")


Checked = TypeVar("Checked", bound=BaseModel)


def checked(model: type[Checked], data: Mapping[str, Any]) -> Checked:
    """Check a request's body against a protocol's fields.

    Args:
        model: The protocol's body.
        data: The request's JSON.

    Raises:
        ApiError: 400, naming the field.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # A union's branches are ours, not the client's: `tool_choice.dict[str,any]`.
    path = [str(part) for part in first["loc"] if not re.search(r"[\[(]|^str$|^[A-Z]", str(part))]
    param = ".".join(path)[:200]
    if first["type"] == "missing":
        return ApiError(400, f"`{param}` is missing.", "missing_parameter", param=param)
    message = first["msg"][:300]
    return wrong(param, f"{message[:1].lower()}{message[1:]}.")


def wrong(param: str, why: str, code: str = "invalid_value") -> ApiError:
    """An error about one field: its name and what is wrong with it."""
    return ApiError(400, f"`{param}`: {why}", code, param=param)


def check_picture(url: str, where: str) -> str:
    """Check where a picture or file is: `data:`, or an address that providers may fetch.

    Args:
        url: The address.
        where: The request's field.

    Raises:
        ApiError: 400, it is neither, or an address of this network.
    """
    if re.match(r"data:[a-z0-9.+-]+/[a-z0-9.+-]+;base64,", url, re.IGNORECASE):
        return url
    from fusion_tools.address import check_url
    from fusion_tools.errors import ToolError

    try:
        check_url(url)  # some clients of providers fetch it from this machine
    except ToolError as error:
        raise ApiError(400, f"`{where}`: {error}", "invalid_image_url", param=where) from None
    return url


def stops(value: Any, param: str) -> tuple[str, ...]:
    """Read the texts at which an answer is to end.

    Args:
        value: A text, a list of texts, or nothing.
        param: The request's field.

    Raises:
        ApiError: 400, it is something else, or too many.
    """
    given = [value] if isinstance(value, str) else value or []
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise wrong(param, "a text or a list of texts is meant.")
    if len(given) > MAX_STOPS:
        raise wrong(param, f"at most {MAX_STOPS} texts.")
    return tuple(text for text in given if text)


def tool_choice(choice: Any, names: Collection[str], named: str | None) -> dict[str, Any]:
    """The setting that a choice of tools stands for.

    Args:
        choice: `none`, `auto`, `required`, or something that names one tool.
        names: The tools' names.
        named: The name in it, if it names one.

    Raises:
        ApiError: 400, it is none of these.
    """
    param = "tool_choice"
    if not names:
        if choice in ("none", "auto"):
            return {}
        said = "`tool_choice` needs `tools` to choose from."
        raise ApiError(400, said, "invalid_value", param=param)
    if choice in ("none", "auto", "required"):
        return {"writer_tool_choice": (param, choice)}
    if named not in names:
        said = "`tool_choice` is 'none', 'auto', 'required', or one function of `tools`."
        raise ApiError(400, said, "invalid_value", param=param)
    return {"writer_tool_choice": (param, {"type": "function", "function": {"name": named}})}


def answer_format(kind: Any, schema: Any, param: str) -> dict[str, Any]:
    """The setting that a format stands for.

    Args:
        kind: `text`, `json_object` or `json_schema`.
        schema: With `json_schema`: `{name, schema, strict}`.
        param: The request's field.

    Raises:
        ApiError: 400, it is none of these, or the schema is missing.
    """
    if kind == "text":
        return {}
    if kind == "json_object":
        return {"response_format": (param, {"type": kind})}
    if (
        kind == "json_schema"
        and isinstance(schema, dict)
        and isinstance(schema.get("schema"), dict)
    ):
        wanted = {"type": kind, "json_schema": {"name": "answer", **schema}}
        return {"response_format": (param, wanted)}
    said = f"`{param}` is {{'type': 'text' | 'json_object'}}, or 'json_schema' with a schema."
    raise ApiError(400, said, "invalid_value", param=param)


def arguments(text: str) -> dict[str, Any] | None:
    """Read a call's arguments; None if they are no JSON object."""
    try:
        args = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return args if isinstance(args, dict) else None


def wire_name(name: str, namespace: str | None = None) -> str:
    """A tool's name as every provider takes it: with its namespace, and shortened by a digest.

    Args:
        name: The client's name for it.
        namespace: What it is grouped under.
    """
    whole = f"{namespace}__{name}" if namespace else name
    whole = re.sub(r"[^a-zA-Z0-9_-]", "_", whole)
    if len(whole) <= NAME_CHARACTERS:
        return whole
    mark = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: NAME_CHARACTERS - 9]}_{mark}"


def shown(fusion: dict[str, Any], otherwise: bool) -> bool:
    """Take `progress` out of a `fusion` object: whether the panel's work is shown as reasoning.

    Args:
        fusion: The request's `fusion` object; the field is removed from it.
        otherwise: What holds where it says nothing.

    Raises:
        ApiError: 400, it is no truth value.
    """
    progress = fusion.pop("progress", None)
    if progress is None:
        return otherwise
    if not isinstance(progress, bool):
        raise wrong("fusion.progress", "true or false is meant.")
    return progress


PICTURE = "[a picture]"
"""Stands in a tool's result for a picture that is shown beside it."""


def result_content(
    texts: Sequence[str], pictures: Sequence[str | dict[str, Any]]
) -> str | list[str | dict[str, Any]]:
    """Put together what a tool returned: one text, and the pictures beside it.

    Args:
        texts: Its texts, with `PICTURE` where a picture stood.
        pictures: Its pictures, as blocks of LangChain's.
    """
    text = "\n".join(texts)
    return [{"type": "text", "text": text}, *pictures] if pictures else text
