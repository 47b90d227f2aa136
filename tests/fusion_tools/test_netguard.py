"""The guard under every connection: what it refuses, and that nothing leaves when it does."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpcore2
import pytest
import trustme

from fusion_tools.errors import ToolError
from fusion_tools.fetch import FetchLimits, WebFetcher
from fusion_tools.netguard import MAX_ADDRESSES, GuardedBackend
from tests.fusion_tools.bodies import article
from tests.fusion_tools.site import Exchange, Site

PUBLIC, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1::1"
ONCE = FetchLimits(retries=0, connect_seconds=5)


class Recorder(httpcore2.AsyncNetworkBackend):
    """Stands under the guard: records attempts, and only ever connects to this machine.

    A hole in the guard shows as an attempt, and towards loopback also as bytes on the secret
    server, whatever port was asked for. No packet leaves.
    """

    def __init__(self, secret: Site) -> None:
        self.attempts: list[tuple[str, int]] = []
        self._secret = secret

    async def connect_tcp(
        self, host: str, port: int, *_: Any, **__: Any
    ) -> httpcore2.AsyncNetworkStream:
        self.attempts.append((host, port))
        if host in ("127.0.0.1", "::1", "::ffff:7f00:1", "localhost"):
            return await httpcore2.AnyIOBackend().connect_tcp("127.0.0.1", self._secret.port)
        raise httpcore2.ConnectError("recorded")

    async def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        self.attempts.append((path, 0))
        raise httpcore2.ConnectError("recorded")


class Names:
    """A resolver with a book of its own: each name's answers in turn, the last one for good."""

    def __init__(self, **book: list[list[str]]) -> None:
        self._book = {name.replace("_", "."): list(answers) for name, answers in book.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        answers = self._book.get(host)
        if answers is None:
            return [host]
        return answers.pop(0) if len(answers) > 1 else answers[0]


NAMES: dict[str, list[list[str]]] = {
    "loopback_example": [["127.0.0.1"]],
    "loopback6_example": [["::1"]],
    "mapped_example": [["::ffff:127.0.0.1"]],
    "nat64_example": [["64:ff9b::7f00:1"]],
    "sixtofour_example": [["2002:7f00:1::"]],
    "teredo_example": [["2001:0:4136:e378:8000:63bf:80ff:fffe"]],
    "private_example": [["10.0.0.1"]],
    "cgnat_example": [["100.64.0.1"]],
    "metadata_example": [["169.254.169.254"]],
    "azure_example": [["168.63.129.16"]],
    "ula_example": [["fd00:ec2::254"]],
    "linklocal_example": [["fe80::1%eth0"]],
    "multicast_example": [["224.0.0.1"]],
    "unspecified_example": [["0.0.0.0"]],
    "mix_example": [[PUBLIC, "127.0.0.1"]],
    "mix6_example": [[PUBLIC_V6, PUBLIC, "::1"]],
    "public_example": [[PUBLIC]],
}
INSIDE = [
    *(f"http://{name.replace('_', '.')}/" for name in NAMES if name != "public_example"),
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://127.0.0.1./",
    "http://localhost/",
    "http://localhost./",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://168.63.129.16/",
    "http://224.0.0.1/",
    "http://public.example@127.0.0.1/",
    "http://127.0.0.1:80@loopback.example/",
    "http://loopback.example:22/",
    "ftp://loopback.example/",
    "file:///etc/passwd",
]


@pytest.fixture
def secret() -> Iterator[Site]:
    with Site() as site:
        site.page("/", "the secret")
        yield site


@pytest.fixture
def recorder(secret: Site) -> Recorder:
    return Recorder(secret)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        yield site


async def refusal(fetch: Awaitable[object]) -> ToolError:
    with pytest.raises(ToolError) as caught:
        await fetch
    return caught.value


@pytest.mark.parametrize("url", INSIDE)
async def test_nothing_reaches_what_lies_inside(url: str, secret: Site, recorder: Recorder) -> None:
    fetcher = WebFetcher(resolver=Names(**NAMES), connector=recorder, limits=ONCE)
    error = await refusal(fetcher.fetch(url))
    assert error.code == "url_not_allowed"
    assert recorder.attempts == []
    assert (secret.connections, bytes(secret.received)) == (0, b"")
    await fetcher.aclose()


@pytest.mark.parametrize("target", INSIDE)
async def test_no_redirect_leads_inside(target: str, secret: Site, site: Site) -> None:
    hop = site.route("/hop", lambda exchange: exchange.redirect("/last"))
    site.route("/last", lambda exchange: exchange.redirect(target))

    class OnlyTheSite(Recorder):
        async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            if (host, port) == site.address:
                return await httpcore2.AnyIOBackend().connect_tcp(host, port)
            return await super().connect_tcp(host, port, *args, **kwargs)

    recorder = OnlyTheSite(secret)
    fetcher = WebFetcher(
        allow={site.address}, resolver=Names(**NAMES), connector=recorder, limits=ONCE
    )
    error = await refusal(fetcher.fetch(hop))
    assert error.code == "url_not_allowed"
    assert site.paths() == ["/hop", "/last"]
    assert recorder.attempts == []
    assert (secret.connections, bytes(secret.received)) == (0, b"")
    await fetcher.aclose()


@pytest.mark.slow
async def test_the_recorder_would_show_a_hole(secret: Site, recorder: Recorder) -> None:
    fetcher = WebFetcher(resolver=Names(**NAMES), connector=recorder, limits=ONCE)
    assert (await refusal(fetcher.fetch("http://public.example/"))).code == "url_not_accessible"
    assert recorder.attempts == [(PUBLIC, 80)]
    # And with the guard lifted by an allow set, bytes do arrive.
    open_door = WebFetcher(
        allow={("loopback.example", 80)}, resolver=Names(**NAMES), connector=recorder, limits=ONCE
    )
    assert (await open_door.fetch("http://loopback.example/"))["text"] == "the secret"
    assert b"Host: loopback.example" in secret.received
    await fetcher.aclose()
    await open_door.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux listens on all of 127.0.0.0/8")
@pytest.mark.parametrize("name", ["127.{0}.{1}.9", "2130706432", "[::ffff:127.{0}.{1}.9]"])
async def test_the_operating_systems_own_network_is_guarded_too(name: str) -> None:
    # An address of this process's own, so that parallel runs do not meet on port 8080.
    high, low = divmod(os.getpid() % 62500, 250)
    with Site(f"127.{high}.{low}.9", 8080) as secret:
        number = (127 << 24) + (high << 16) + (low << 8) + 9
        host = name.format(high, low).replace("2130706432", str(number))
        fetcher = WebFetcher(limits=ONCE)
        error = await refusal(fetcher.fetch(f"http://{host}:8080/"))
        assert error.code == "url_not_allowed"
        assert secret.connections == 0
        await fetcher.aclose()


async def test_a_name_that_leads_elsewhere_the_second_time(
    secret: Site, recorder: Recorder
) -> None:
    names = Names(rebinding_example=[[PUBLIC], ["127.0.0.1"]])
    fetcher = WebFetcher(resolver=names, connector=recorder, limits=ONCE)
    url = "http://rebinding.example/"
    assert (await refusal(fetcher.fetch(url))).code == "url_not_accessible"
    assert (await refusal(fetcher.fetch(url))).code == "url_not_allowed"
    # The address connected to is the one checked: a name is asked for once a connection.
    assert names.asked == ["rebinding.example"] * 2
    assert recorder.attempts == [(PUBLIC, 80)]
    assert secret.connections == 0
    await fetcher.aclose()


async def test_a_retry_is_checked_anew(secret: Site, recorder: Recorder) -> None:
    names = Names(rebinding_example=[[PUBLIC], ["127.0.0.1"]])
    limits = FetchLimits(retries=2, backoff_seconds=0)
    fetcher = WebFetcher(resolver=names, connector=recorder, limits=limits)
    error = await refusal(fetcher.fetch("http://rebinding.example/"))
    assert error.code == "url_not_allowed"
    assert recorder.attempts == [(PUBLIC, 80)]
    assert secret.connections == 0
    await fetcher.aclose()


async def test_a_reconnect_is_checked_anew(site: Site, secret: Site) -> None:
    def once(exchange: Exchange) -> None:
        exchange.reply(article().encode(), headers=[("Connection", "close")])

    site.route("/", once)
    names = Names(rebinding_example=[[PUBLIC], ["127.0.0.1"]])

    class PublicIsTheSite(Recorder):
        async def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            if host == PUBLIC:
                return await httpcore2.AnyIOBackend().connect_tcp(*site.address)
            return await super().connect_tcp(host, port, *args, **kwargs)

    recorder = PublicIsTheSite(secret)
    fetcher = WebFetcher(resolver=names, connector=recorder, limits=ONCE)
    assert (await fetcher.fetch("http://rebinding.example/"))["title"] == "On panels"
    assert (await refusal(fetcher.fetch("http://rebinding.example/"))).code == "url_not_allowed"
    assert (recorder.attempts, secret.connections) == ([], 0)
    await fetcher.aclose()


async def test_refusals_do_not_tell_internal_addresses(recorder: Recorder) -> None:
    fetcher = WebFetcher(resolver=Names(**NAMES), connector=recorder, limits=ONCE)
    error = await refusal(fetcher.fetch("http://private.example/"))
    assert "private.example leads to a private address" in error.detail
    assert "10.0.0.1" not in error.detail
    await fetcher.aclose()


async def test_two_names_of_one_address_share_no_connection(site: Site) -> None:
    site.page("/", article())
    allow = {("a.example", site.port), ("b.example", site.port)}
    names = Names(a_example=[["127.0.0.1"]], b_example=[["127.0.0.1"]])
    fetcher = WebFetcher(allow=allow, resolver=names)
    for host in ("a.example", "b.example", "a.example"):
        await fetcher.fetch(f"http://{host}:{site.port}/")
    seen = [(request.headers["host"], request.connection) for request in site.requests]
    a, b = f"a.example:{site.port}", f"b.example:{site.port}"
    assert seen == [(a, 0), (b, 1), (a, 0)]
    await fetcher.aclose()


def tls_site(authority: trustme.CA, named: list[str | None]) -> Site:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("site.test").configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    return Site(tls=context)


async def test_certificate_and_sni_are_those_of_the_name() -> None:
    named: list[str | None] = []
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with tls_site(authority, named) as site:
        site.page("/", article())
        names = Names(site_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]])
        fetcher = WebFetcher(
            allow={("site.test", site.port), ("other.test", site.port)},
            resolver=names,
            ssl_context=trust,
            limits=ONCE,
        )
        page = await fetcher.fetch(site.url(host="site.test"))
        assert page["title"] == "On panels"
        error = await refusal(fetcher.fetch(site.url(host="other.test")))
        assert error.code == "url_not_accessible"
        assert "certificate of other.test is not valid" in error.detail
        await fetcher.aclose()
    assert named == ["site.test", "other.test"]


async def test_a_certificate_nobody_signed_is_refused() -> None:
    with tls_site(trustme.CA(), []) as site:
        fetcher = WebFetcher(
            allow={("site.test", site.port)}, resolver=Names(site_test=[["127.0.0.1"]])
        )
        error = await refusal(fetcher.fetch(site.url(host="site.test")))
        assert "certificate" in error.detail
        assert site.requests == []
        await fetcher.aclose()


async def test_proxy_variables_are_not_read(
    site: Site, secret: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/", article())
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(variable, secret.url())
    monkeypatch.delenv("NO_PROXY", raising=False)
    fetcher = WebFetcher(allow={site.address})
    await fetcher.fetch(site.url())
    assert secret.connections == 0
    await fetcher.aclose()


async def test_a_proxy_on_request_gets_the_request_and_urls_are_still_checked(site: Site) -> None:
    site.page("http://public.example/x", article())
    proxy = site.url().replace("http://", "http://user:pass%20word@")
    fetcher = WebFetcher(proxy=proxy, resolver=Names())
    page = await fetcher.fetch("http://public.example/x")
    assert page["final_url"] == "http://public.example/x"
    [request] = site.requests
    assert request.headers["host"] == "public.example"
    assert request.headers["proxy-authorization"] == "Basic dXNlcjpwYXNzIHdvcmQ="
    for url in ("http://127.0.0.1/", "http://intranet/", "http://metadata.google.internal/"):
        assert (await refusal(fetcher.fetch(url))).code == "url_not_allowed"
    assert len(site.requests) == 1
    await fetcher.aclose()


def test_a_malformed_proxy_is_refused_without_repeating_its_password() -> None:
    for proxy in ("host:3128", "ftp://host", "http://user:hunter2@:1", "http://u:hunter2@h:x"):
        with pytest.raises(ValueError, match="proxy: ") as caught:
            WebFetcher(proxy=proxy)
        assert "hunter2" not in str(caught.value)


async def test_unix_sockets_are_refused(recorder: Recorder) -> None:
    backend = GuardedBackend(connector=recorder)
    assert (await refusal(backend.connect_unix_socket("/s"))).code == "url_not_allowed"
    assert recorder.attempts == []


async def test_the_guard_itself_refuses_ports(recorder: Recorder) -> None:
    backend = GuardedBackend(resolver=Names(**NAMES), connector=recorder)
    assert (await refusal(backend.connect_tcp("public.example", 22))).code == "url_not_allowed"
    assert recorder.attempts == []


class Addresses(httpcore2.AsyncNetworkBackend):
    """A connector whose addresses answer, fail or hang, as told."""

    def __init__(self, **behaviour: Callable[[], Awaitable[Any]]) -> None:
        self.behaviour = behaviour
        self.attempts: list[str] = []
        self.abandoned: list[str] = []

    async def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> Any:
        self.attempts.append(host)
        try:
            return await self.behaviour.get(host, fail)()
        except asyncio.CancelledError:
            self.abandoned.append(host)
            raise


class Stream(httpcore2.AsyncNetworkStream):
    closed = False

    async def aclose(self) -> None:
        self.closed = True


async def fail() -> None:
    raise httpcore2.ConnectError("refused")


async def hang() -> None:
    await asyncio.Event().wait()


async def test_an_address_that_hangs_does_not_keep_the_next_from_answering() -> None:
    stream = Stream()

    async def answer() -> Stream:
        return stream

    connector = Addresses(**{PUBLIC_V6: hang, PUBLIC: answer})
    backend = GuardedBackend(resolver=Names(h_example=[[PUBLIC_V6, PUBLIC]]), connector=connector)
    assert await backend.connect_tcp("h.example", 80, timeout=30) is stream
    assert connector.attempts == [PUBLIC_V6, PUBLIC]
    assert connector.abandoned == [PUBLIC_V6]


async def test_a_second_connection_that_comes_too_late_is_closed() -> None:
    first, second = Stream(), Stream()
    both = asyncio.Event()

    async def slow() -> Stream:
        await both.wait()
        return first

    async def trigger() -> Stream:
        both.set()
        return second

    connector = Addresses(**{PUBLIC_V6: slow, PUBLIC: trigger})
    backend = GuardedBackend(resolver=Names(h_example=[[PUBLIC_V6, PUBLIC]]), connector=connector)
    chosen = await backend.connect_tcp("h.example", 80, timeout=30)
    other = second if chosen is first else first
    assert not chosen.closed  # type: ignore[attr-defined]
    assert other.closed or connector.abandoned


async def test_only_so_many_addresses_are_tried_but_all_are_checked() -> None:
    many = [f"93.184.216.{n}" for n in range(50)]
    connector = Addresses()
    backend = GuardedBackend(
        resolver=Names(h_example=[many], g_example=[[*many, "10.0.0.1"]]), connector=connector
    )
    with pytest.raises(httpcore2.ConnectError, match="refused"):
        await backend.connect_tcp("h.example", 80, timeout=30)
    assert connector.attempts == many[:MAX_ADDRESSES]
    assert (await refusal(backend.connect_tcp("g.example", 80))).code == "url_not_allowed"
    assert len(connector.attempts) == MAX_ADDRESSES


async def test_a_name_that_takes_forever_is_a_connection_timeout() -> None:
    async def forever(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    backend = GuardedBackend(resolver=forever, connector=Addresses())
    with pytest.raises(httpcore2.ConnectTimeout):
        await backend.connect_tcp("h.example", 80, timeout=0.01)


async def test_names_that_do_not_exist() -> None:
    fetcher = WebFetcher(limits=ONCE)
    error = await refusal(fetcher.fetch("http://no-such-host.invalid/"))
    assert error.code == "url_not_accessible"
    assert "no-such-host.invalid" in error.detail
    nobody = WebFetcher(resolver=Names(h_example=[[]]), limits=ONCE)
    assert "no host h.example" in (await refusal(nobody.fetch("http://h.example/"))).detail
    await fetcher.aclose()
    await nobody.aclose()
