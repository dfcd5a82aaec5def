"""Hosts with ports are parsed, and a server's own names are recognized."""

import pytest

from analytics_worker.errors import PermanentError
from analytics_worker.host_port import (
    Authority,
    client_host,
    is_loopback,
    loopback_names,
    parse_allowed_hosts,
    parse_authority,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("localhost:4200", Authority("localhost", 4200)),
        ("LOCALHOST:4200", Authority("localhost", 4200)),
        ("localhost", Authority("localhost")),
        ("localhost:80", Authority("localhost")),
        ("localhost:443", Authority("localhost")),
        ("[::1]:4200", Authority("::1", 4200)),
        ("[0:0:0:0:0:0:0:1]:4200", Authority("::1", 4200)),
        ("[::FFFF:127.0.0.1]:4200", Authority("::ffff:7f00:1", 4200)),
        ("my_server.internal:4200", Authority("my_server.internal", 4200)),
    ],
)
def test_hosts(text: str, found: Authority):
    assert parse_authority(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        " localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:4200:4200",
        "localhost:42 00",
        "localhost:\uff14\uff12\uff10\uff10",
        "user@localhost:4200",
        "localhost:4200@evil.example",
        "localhost/",
        "localhost:4200\n",
        "::1",
        "[::1",
        "[::1%25lo]:4200",
        "[127.0.0.1]:4200",
        "[:::1]:4200",
        "-localhost",
        ".localhost",
        "*",
        "ev\x00il",
        "bücher.example",
        "a" * 300,
    ],
)
def test_an_invalid_host_is_refused(text: str):
    assert parse_authority(text) is None


def test_a_trailing_dot_makes_another_name():
    assert parse_authority("localhost.:4200") not in loopback_names(4200)


def test_allowed_hosts_without_a_port_stand_for_a_proxy_and_the_server_itself():
    allowed = parse_allowed_hosts(["Analytics.example.com", "[fd00::5]", "10.0.0.5:8443"], 4200)
    assert sorted(map(str, allowed)) == [
        "10.0.0.5:8443",
        "[fd00::5]",
        "[fd00::5]:4200",
        "analytics.example.com",
        "analytics.example.com:4200",
    ]


@pytest.mark.parametrize("entry", ["*", "https://analytics.example.com", "a b", "\x1b[31m", "a:b"])
def test_an_invalid_allowed_host_is_reported_with_its_variable(entry: str):
    with pytest.raises(PermanentError, match=r"SERVER_ALLOWED_HOSTS.*expected host") as refused:
        parse_allowed_hosts(["ok.example.com", entry], 4200)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104  # compared with, never bound
        ("::", False),
        ("192.0.2.7", False),
        ("", False),
    ],
)
def test_addresses_that_only_this_host_reaches(host: str, loopback: bool):
    assert is_loopback(host) is loopback


def test_an_invalid_address_is_reported_with_its_variable():
    with pytest.raises(PermanentError, match=r"PREFECT_SERVER_API_HOST is 'no such host'"):
        is_loopback("no such host")


def test_clients_of_this_host_use_loopback_where_they_can():
    hosts = ("0.0.0.0", "::", "localhost", "127.0.0.1", "192.0.2.7")  # noqa: S104
    expected = ["127.0.0.1", "::1", "127.0.0.1", "127.0.0.1", "192.0.2.7"]
    assert [client_host(host) for host in hosts] == expected
