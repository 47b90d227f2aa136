"""Which addresses and URLs are refused, and how the others are spelled."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tools.address import MAX_URL_CHARS, check_address, check_url
from fusion_tools.errors import ToolError

REFUSED = {
    # IPv4
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "carrier-grade",
    "100.100.100.200": "carrier-grade",  # Alibaba's metadata
    "100.127.255.255": "carrier-grade",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "metadata",  # Azure's
    "169.254.0.1": "link-local",
    "169.254.169.254": "link-local",  # most clouds' metadata
    "169.254.170.2": "link-local",  # AWS ECS credentials
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.1": "reserved",
    "192.0.0.192": "reserved",  # Oracle's metadata
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.0.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    # IPv6
    "::": "unspecified",
    "::1": "loopback",
    "100::1": "outside the public internet",  # discard-only
    "1::1": "outside the public internet",
    "4000::1": "outside the public internet",
    "5f00::1": "outside the public internet",  # SRv6 identifiers
    "2001:db8::1": "documentation",
    "2001:2::1": "protocol-assignment",  # benchmarking
    "2001:10::1": "protocol-assignment",  # ORCHID
    "2001:20::1": "protocol-assignment",  # ORCHIDv2
    "3fff::1": "documentation",
    "3fff:fff::1": "documentation",
    "fc00::1": "private",
    "fd00:ec2::254": "private",  # AWS's metadata
    "fd20:ce::254": "private",  # Google's metadata
    "fe80::1": "link-local",
    "fe80::1%eth0": "network interface",
    "2600::1%eth0": "network interface",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "ff0e::1": "multicast",
    # IPv4 dressed as IPv6
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped",
    "::ffff:0:7f00:1": "IPv4-translated",
    "::127.0.0.1": "IPv4-compatible",
    "::8.8.8.8": "IPv4-compatible",
    "2002:7f00:1::": "6to4",
    "2002:808:808::1": "6to4",
    "64:ff9b::7f00:1": "NAT64 address of a loopback",
    "64:ff9b::a9fe:a9fe": "NAT64 address of a link-local",
    "64:ff9b::a83f:8110": "NAT64 address of a cloud metadata",
    "64:ff9b:1::808:808": "local-use NAT64",
    "64:ff9b:1:ffff::7f00:1": "local-use NAT64",
    "2001::7f00:1": "Teredo",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": "Teredo",
    "2600:1:2:3:0:5efe:7f00:1": "ISATAP",
    "2600:1:2:3:200:5efe:a00:1": "ISATAP",
    "fe80::5efe:a00:1": "link-local",
    # not addresses
    "": "not an IP address",
    "localhost": "not an IP address",
    "127.1": "not an IP address",
    "1.2.3.4/8": "not an IP address",
}


@pytest.mark.parametrize(("address", "reason"), REFUSED.items())
def test_addresses_that_are_refused_and_why(address: str, reason: str) -> None:
    assert reason in (check_address(address) or "accepted")


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "168.63.129.17",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "193.0.0.1",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "2600:1:2:3:1:5efe:7f00:1",
        "3ffe::1",
        "64:ff9b::808:808",  # an IPv4 site as an IPv6-only network sees it
    ],
)
def test_public_addresses_are_accepted(address: str) -> None:
    assert check_address(address) is None


@given(st.ip_addresses(v=4))
def test_no_dress_makes_a_refused_ipv4_address_acceptable(plain: IPv4Address) -> None:
    number = int(plain)
    dressed = [
        number,
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | number,
        0x2002 << 112 | number << 80,
        0x20010000 << 96 | number ^ 0xFFFFFFFF,
        0x2600 << 112 | 0x5EFE << 32 | number,
        0x2600 << 112 | 0x02005EFE << 32 | number,
    ]
    accepted = [ip for ip in map(IPv6Address, dressed) if check_address(ip) is None]
    nat64 = IPv6Address(0x64FF9B << 96 | number)
    assert accepted == ([nat64] if check_address(plain) is None else [])


@given(st.ip_addresses())
def test_what_is_accepted_is_global_and_no_multicast(ip: IPv4Address | IPv6Address) -> None:
    if check_address(ip) is None:
        assert ip.is_global
        assert not ip.is_multicast
        assert not ip.is_private


def refusal(url: str) -> ToolError:
    with pytest.raises(ToolError) as caught:
        check_url(url)
    return caught.value


@pytest.mark.parametrize(
    "url",
    [
        # loopback and friends, as the resolver would read them
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1%25eth0]/",
        "http://１２７.０.０.１/",  # full-width digits
        "http://①②⑦.⓪.⓪.①/",
        "http://127。0。0。1/",  # ideographic full stops
        # names that lead inside
        "http://localhost/",
        "http://LOCALHOST./",
        "http://app.localhost/",
        "http://printer.local/",
        "http://metadata.google.internal/computeMetadata/v1/",
        "http://router.home.arpa/",
        "http://intranet/",
        # schemes
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/html,hello",
        "ws://example.com/",
        "unix:///var/run/docker.sock",
        "example.com",
        "//example.com/",
        # ports
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:6379/",
        "https://example.com:8444/",
        "http://example.com:65535/",
        # userinfo
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com%20@127.0.0.1/",
        "http://@example.com/",
    ],
)
def test_urls_that_are_not_allowed(url: str) -> None:
    assert refusal(url).code == "url_not_allowed"


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "http://",
        "http:///path",
        "http:/example.com/",
        "http:example.com",
        "https:\\\\example.com\\",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/a b",
        "http://example.com/\n",
        "\thttp://example.com/",
        "http://exa\nmple.com/",
        "http://example.com/\x00",
        "http://example.com/\u2028",
        "http://example.com/\ud800",
        "http://exa\u00admple.com/",  # a soft hyphen
        "http://exam\u200bple.com/",
        "http://example.com:80:80/",
        "http://example.com:port/",
        "http://example.com:８０/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:+80/",
        "http://[::1/",
        "http://::1/",
        "http://[example.com]/",
        "http://[::1]x/",
        "http://ex%61mple.com/",
        "http://127%2e0%2e0%2e1/",
        "http://example..com/",
        "http://.example.com/",
        "http://-example.com/",
        "http://example.com../",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://09.1.1.1/",
        "http://0x100000000/",
        "http://4294967296/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://exa$mple.com/",
        "http://exam ple.com/",
    ],
)
def test_what_is_no_url_at_all(url: str) -> None:
    assert refusal(url).code == "invalid_input"


def test_a_long_url_is_refused_with_its_own_code() -> None:
    error = refusal("https://example.com/" + "a" * MAX_URL_CHARS)
    assert error.code == "url_too_long"
    assert str(MAX_URL_CHARS) in error.detail


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://Example.COM:443/A?b#c", "https://example.com/A?b"),
        ("http://example.com:443/", "http://example.com:443/"),
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("http://example.com./x", "http://example.com/x"),
        ("http://example.com/a/./b/../c", "http://example.com/a/c"),
        ("http://example.com/a/%2E%2e/%2e/b", "http://example.com/b"),
        ("http://example.com/../../x", "http://example.com/x"),
        ("http://example.com/a/..", "http://example.com/"),
        ("http://example.com/?", "http://example.com/?"),
        ("http://example.com?x=/../", "http://example.com/?x=/../"),
        ("http://example.com/ü?q=ü", "http://example.com/%C3%BC?q=%C3%BC"),
        ("http://example.com/%zz%41", "http://example.com/%25zz%41"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://faß.example/", "http://xn--fa-hia.example/"),
        ("http://my_site.example/", "http://my_site.example/"),
        ("http://134744072/", "http://8.8.8.8/"),
        ("http://[2606:4700:0:0::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    ],
)
def test_one_spelling_of_each_url(url: str, canonical: str) -> None:
    assert check_url(url).url == canonical


def test_the_parts_of_a_checked_url() -> None:
    checked = check_url("https://bücher.example:8443/Bl%6Fg/x?y")
    assert (checked.scheme, checked.host, checked.port) == ("https", "xn--bcher-kva.example", 8443)
    assert checked.path == "/Blog/x"
    assert checked.origin == "https://xn--bcher-kva.example:8443"


def test_an_allowed_site_is_exempt_from_the_address_and_port_rules_only() -> None:
    allow = frozenset({("127.0.0.1", 5000), ("localhost", 5001)})
    assert check_url("http://127.0.0.1:5000/", allow=allow).port == 5000
    assert check_url("http://localhost.:5001/", allow=allow).host == "localhost"
    for refused in (
        "http://127.0.0.1:5001/",
        "http://127.0.0.2:5000/",
        "http://localhost:5000/",
        "ftp://127.0.0.1:5000/",
        "http://user@127.0.0.1:5000/",
    ):
        with pytest.raises(ToolError, match="url_not_allowed"):
            check_url(refused, allow=allow)


URLS = st.builds(
    "{}://{}{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP"]),
    st.sampled_from(
        ["example.com", "EXAMPLE.com.", "1.1.1.1", "[2600::1]", "bücher.example", "a_b.c"]
    ),
    st.sampled_from(["", ":80", ":8443", ":443"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), max_size=30).map(
        "/{}".format
    ),
    st.sampled_from(["", "?", "?a=b&c=%20", "?ü", "#x", "?a#b"]),
)


@given(URLS)
def test_every_parser_reads_a_checked_url_alike(url: str) -> None:
    try:
        checked = check_url(url)
    except ToolError:
        return
    assert check_url(checked.url) == checked
    parsed = httpx2.URL(checked.url)
    assert parsed.raw_host.decode() == checked.host
    assert (parsed.port or {"http": 80, "https": 443}[parsed.scheme]) == checked.port
    assert checked.url.isascii()


@given(st.text())
def test_nothing_but_a_tool_error_comes_of_rubbish(text: str) -> None:
    for url in (text, f"http://{text}", f"https://example.com/{text}", f"http://[{text}]/"):
        with suppress(ToolError):
            host = check_url(url).host
            is_address = ":" in host or host.replace(".", "").isdigit()
            assert check_address(host) is None if is_address else "." in host
