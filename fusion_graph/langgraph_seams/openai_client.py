"""The OpenAI SDK's client, asked for a response whose body nobody has read."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
from openai import AsyncOpenAI, AsyncStream


async def post(client: AsyncOpenAI, path: str, payload: Mapping[str, object]) -> httpx2.Response:
    """Post JSON with a client's key, headers and timeouts; the body is still to be read.

    The SDK documents `post` for endpoints it does not know; asking for a stream of plain objects
    and taking the response out of it is ours. If that fails, every model of the OpenAI protocol
    does: `client.with_streaming_response` is the documented way, and slower by a re-validation.

    Args:
        client: Whose address, key and headers.
        path: Below its base URL.
        payload: Sent as JSON.

    Raises:
        APIStatusError: The endpoint refused.
        APIConnectionError: There was no connection, or none that held.
    """
    stream = await client.post(
        path,
        cast_to=object,
        body=payload,
        stream=True,
        stream_cls=AsyncStream[object],
    )
    return stream.response
