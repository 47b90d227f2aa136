"""One URL to one body: redirects, retries, deadlines and caps."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import httpx2

from fusion_tools._limits import FetchLimits
from fusion_tools._response import ENCODINGS, Download, Elsewhere, Later, read_response
from fusion_tools._session import Session
from fusion_tools.address import CheckedUrl
from fusion_tools.errors import HttpStatusError, ToolError


class _NoConnectionError(Exception):
    """No response began: worth another try."""


class _Budget:
    """Seconds for a whole download, spent in parts: waiting for a turn is free."""

    def __init__(self, host: str, seconds: float) -> None:
        self._host, self._total, self.left = host, seconds, seconds

    @asynccontextmanager
    async def spend(self) -> AsyncIterator[None]:
        """Charge what happens inside; end it when there is nothing left."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.left):
                yield
        except TimeoutError as error:
            raise ToolError(
                "url_not_accessible",
                f"{self._host} took longer than {self._total:g} s; use another source.",
            ) from error
        finally:
            self.left = max(0.0, self.left - (time.monotonic() - begun))


class Downloader:
    """Downloads under limits.

    Args:
        limits: See `FetchLimits`.
        user_agent: Sent with every request.
        check: Turns a URL into a checked one, or raises `ToolError`; asked for each redirect.
    """

    def __init__(
        self,
        limits: FetchLimits,
        user_agent: str,
        check: Callable[[str], Awaitable[CheckedUrl]],
    ) -> None:
        self._limits = limits
        self._check = check
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,"
            "application/json;q=0.9,application/xml;q=0.9,*/*;q=0.1",
            "Accept-Encoding": ", ".join(ENCODINGS),
            "Accept-Language": "en, *;q=0.5",
        }

    async def get(self, session: Session, url: CheckedUrl) -> Download:
        """Download `url`, following redirects.

        Returns with a place of `session.in_hand` taken, which the caller gives back: it is
        taken before the network is left, so that bodies never pile up.

        Raises:
            ToolError: Anything that went wrong.
        """
        budget = _Budget(url.host, self._limits.total_seconds)
        cookies = httpx2.Cookies()  # of this page alone: some sites redirect until they see one
        current = url
        for _ in range(self._limits.max_redirects + 1):
            outcome = await self._patiently(session, current, budget, cookies)
            if isinstance(outcome, Download):
                return outcome
            current = await self._redirected(current, outcome.location)
        raise ToolError(
            "url_not_accessible",
            f"{url.host} redirects more than {self._limits.max_redirects} times; "
            "use another source.",
        )

    async def _redirected(self, current: CheckedUrl, location: str) -> CheckedUrl:
        try:
            return await self._check(urljoin(current.url, location))
        except (ToolError, ValueError) as error:
            if isinstance(error, ToolError) and error.code != "invalid_input":
                detail = f"{current.host} redirects elsewhere. {error.detail}"
                raise ToolError(error.code, detail) from error
            # The host's fault, not the caller's; and what it wrote there is not repeated.
            raise ToolError(
                "url_not_accessible",
                f"{current.host} redirects to no valid URL; use another source.",
            ) from error

    async def _patiently(
        self, session: Session, url: CheckedUrl, budget: _Budget, cookies: httpx2.Cookies
    ) -> Download | Elsewhere:
        """Try, and try again where that is known to help."""
        for attempt in range(self._limits.retries + 1):
            pause = self._limits.backoff_seconds * 2**attempt * random.uniform(0.5, 1.5)
            try:
                outcome = await self._once(session, url, budget, cookies)
            except _NoConnectionError as error:
                failure: ToolError = ToolError(
                    "url_not_accessible",
                    f"No connection to {url.host}: {error}; try later or use another source.",
                )
            else:
                if not isinstance(outcome, Later):
                    return outcome
                if outcome.status == 429:
                    failure = self._too_many(url, outcome)
                    if outcome.seconds is None:
                        raise failure  # no hint when to come back: leave it alone
                else:
                    failure = HttpStatusError(url.host, outcome.status)
                pause = max(pause, outcome.seconds or 0.0)
                if (outcome.seconds or 0.0) > self._limits.max_retry_after:
                    raise failure
            if attempt == self._limits.retries or pause > budget.left:
                raise failure
            async with budget.spend():
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _too_many(self, url: CheckedUrl, later: Later) -> ToolError:
        asked = f" and asks to wait {later.seconds:g} s" if later.seconds is not None else ""
        return ToolError(
            "too_many_requests",
            f"{url.host} has had too many requests{asked}, at most "
            f"{self._limits.max_retry_after:g} s are waited; use another source.",
        )

    async def _once(
        self, session: Session, url: CheckedUrl, budget: _Budget, cookies: httpx2.Cookies
    ) -> Download | Elsewhere | Later:
        async with session.turn(url.host):
            async with budget.spend():
                request = httpx2.Request("GET", url.url, headers=self._headers)
                request.extensions["timeout"] = {"connect": self._limits.connect_seconds}
                if cookies:
                    cookies.set_cookie_header(request)
                try:
                    response = await session.transport.handle_async_request(request)
                except httpx2.TransportError as error:
                    raise _connection_failure(url, error) from error
                try:
                    outcome = await read_response(url, response, self._limits)
                    if isinstance(outcome, Elsewhere):
                        cookies.extract_cookies(response)
                except (httpx2.TransportError, httpx2.DecodingError) as error:
                    raise _broken(url) from error
                finally:
                    await response.aclose()
            if isinstance(outcome, Download):
                await session.in_hand.acquire()
            return outcome


def _connection_failure(url: CheckedUrl, error: httpx2.TransportError) -> Exception:
    """What to raise when no response came: `_NoConnectionError` where a retry may help."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ToolError(
            "url_not_accessible",
            f"The certificate of {url.host} is not valid; use another source.",
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return _NoConnectionError(" ".join(str(error).split())[:120] or "no answer")
    if isinstance(error, httpx2.NetworkError) or "disconnected" in str(error):
        return _NoConnectionError("it was closed before an answer came")
    return _broken(url)


def _broken(url: CheckedUrl) -> ToolError:
    # Without the error's own words: they quote what the server sent.
    return ToolError(
        "url_not_accessible",
        f"{url.host} broke off or garbled its answer; try later or use another source.",
    )
