"""An endpoint of the OpenAI protocol over one HTTP client: a POST, and its refusals as errors.

The errors are the SDK's own, so that a refusal reads alike whoever made the call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import openai
from openai import APIConnectionError, APIStatusError, APITimeoutError
from pydantic_core import to_json

from fusion_graph.errors import ForeignRedirect, ReplyTooLarge

_REFUSALS: dict[int, type[APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
"""The SDK's error for each status, as `openai.OpenAI` maps them (openai 3.57)."""


@dataclass(frozen=True)
class Endpoint:
    """A server that speaks the OpenAI protocol.

    Attributes:
        client: The HTTP client; its hook `guard` bounds what comes back.
        address: Its base URL.
        timeout: Seconds for connecting and for silence.
        headers: Sent with every call; they hold the key.
    """

    client: httpx2.AsyncClient
    address: str
    timeout: httpx2.Timeout
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Endpoint({self.address!r})"  # headers hold keys

    def with_headers_under(self, common: Mapping[str, str]) -> Endpoint:
        """The endpoint with more headers, where it has none of that name.

        Args:
            common: Headers of every endpoint.
        """
        headers = httpx2.Headers(common)
        headers.update(self.headers)
        return replace(self, headers=headers)

    async def post(self, path: str, payload: Mapping[str, Any]) -> httpx2.Response:
        """Post JSON; the body of the response is still to be read.

        Args:
            path: Below the address.
            payload: Sent as JSON.

        Raises:
            APIStatusError: The endpoint refused.
            APITimeoutError: It took too long to connect.
            APIConnectionError: There was no connection, or none that held.
            ReplyTooLarge: The body of its refusal is beyond a bound.
            ForeignRedirect: It points somewhere else.
        """
        request = self.client.build_request(
            "POST",
            f"{self.address.rstrip('/')}{path}",
            headers=self.headers,
            content=to_json(payload, inf_nan_mode="null"),
            timeout=self.timeout,
        )
        try:
            response = await self.client.send(request, stream=True)
            if not response.is_success:
                await _read_refusal(response)
        except (ReplyTooLarge, ForeignRedirect):
            raise
        except httpx2.TimeoutException as error:
            raise APITimeoutError(request=request) from error
        except (httpx2.HTTPError, OSError) as error:
            raise APIConnectionError(request=request) from error
        if not response.is_success:
            raise refusal(response)
        return response


async def _read_refusal(response: httpx2.Response) -> None:
    try:
        await response.aread()
    finally:
        await response.aclose()


def refusal(response: httpx2.Response) -> APIStatusError:
    """The SDK's error for a response that is no success.

    Args:
        response: The response, its body read.
    """
    status, text = response.status_code, response.text.strip()
    body: object = text
    words = text or f"Error code: {status}"
    try:
        body = json.loads(text)
        words = f"Error code: {status} - {body}"
    except (ValueError, RecursionError):
        pass
    if isinstance(body, dict):
        body = body.get("error", body)
    kind = _REFUSALS.get(status, APIStatusError)
    if status >= 500:
        kind = openai.InternalServerError
    return kind(words, response=response, body=body)
