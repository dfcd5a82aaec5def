"""No webhook reaches an address inside the network, in any spelling, unless the allow-list has it."""

import ipaddress
import re
import socket

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from analytics_worker.transport.address_filter import (
    NAT64,
    SPECIAL_PURPOSE_NETWORKS,
    ForbiddenAddressError,
    is_own,
    is_public,
    parse_allow_list,
)
from analytics_worker.transport.http_backend import permitted_addresses
from analytics_worker.transport.webhook import webhook_session
from tests.support.attacks import attack

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "0.0.0.0",  # noqa: S104  # nothing is bound to it
    "localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
]
INSIDE = [
    *LOOPBACK,
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.0.9",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[fe80::1%lo]",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "192.0.0.170",
    "[2620:4f:8000::1]",
    "[2001::1]",
    "[2001:1::1]",
    "[2001:2::1]",
    "[2001:4:112::1]",
    "[2001:20::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[100::1]",
    "[100:0:0:1::1]",
    "[64:ff9b::a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
]
# 1, 2, 7 and localhost in full width, a full stop of Chinese, and digits in circles
OTHER_ALPHABETS = [
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.0.0.1",
    "\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54",
]


def outcome_of(url: str):
    with webhook_session(SecretStr(url), timeout_seconds=2) as session:
        return session.post({}, "k")


@attack(
    by="API caller",
    what="A webhook to loopback, private, link-local, metadata, AS112, tunneled or multicast addresses",
    answer="Refused at the address that would be connected to",
)
@pytest.mark.parametrize("host", INSIDE)
def test_addresses_inside_the_network_are_refused(host):
    with pytest.raises(ForbiddenAddressError, match="add it to OUTBOUND_ALLOWED_HOSTS"):
        permitted_addresses(host.strip("[]"), 9, parse_allow_list([]))


@attack(
    by="API caller",
    what="127.0.0.1 in decimal, octal, hex, IPv6, mapped and full-width spellings",
    answer="Refused; nothing is connected to",
)
@pytest.mark.parametrize("host", [*LOOPBACK, *OTHER_ALPHABETS])
def test_no_spelling_of_this_machine_is_connected_to(host, http_sink, monkeypatch):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    outcome = outcome_of(f"http://{host}:{http_sink.port}/canary")
    assert (outcome.status, http_sink.connections) == ("not_configured", 0)
    assert "OUTBOUND_ALLOWED_HOSTS" in outcome.detail
    assert "canary" not in outcome.detail


@attack(
    by="network",
    what="DNS rebinding: a webhook's name with another address at the second look-up",
    answer="There is one look-up; the address that is connected to was checked",
)
def test_a_name_that_resolves_into_the_network_is_refused(http_sink, monkeypatch):
    """The address that is connected to is checked, not one that was looked up before."""
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host, *arguments, **options):
        asked.append(host)
        return real("127.0.0.1" if host == "rebind.test" else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    outcome = outcome_of(f"http://rebind.test:{http_sink.port}/")
    assert (outcome.status, http_sink.requests) == ("not_configured", [])
    assert asked.count("rebind.test") == 1  # no second lookup between check and connect


@attack(
    by="network",
    what="A webhook receiver that redirects to the metadata service",
    answer="Redirects are not followed",
)
def test_a_redirect_into_the_network_is_not_followed(http_sink):
    http_sink.answer(302, Location="http://169.254.169.254/latest/meta-data")
    outcome = outcome_of(http_sink.url)
    assert (outcome.status, len(http_sink.requests)) == ("permanent", 1)
    assert "redirects are not followed" in outcome.detail


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "LOCALHOST", "::1"])
def test_the_allow_list_admits(http_sink, monkeypatch, entry):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", f"hooks.example.com, {entry},127.0.0.1")
    assert outcome_of(http_sink.url).status == "sent"


def test_an_allowed_name_is_allowed_at_any_address(http_sink, monkeypatch):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "localhost")
    assert outcome_of(f"http://localhost:{http_sink.port}/").status == "sent"
    settings.cache_clear()
    assert outcome_of(f"http://127.0.0.1:{http_sink.port}/").status == "not_configured"


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "http://host", "a b", "10.0.0.0/40"])
def test_an_invalid_entry_is_refused_by_name(entry):
    with pytest.raises(PermanentError, match="OUTBOUND_ALLOWED_HOSTS"):
        parse_allow_list([entry])


@attack(
    by="API caller",
    what="A webhook to a port of another service: SSH, SMTP, DNS, SMB",
    answer="Refused unless the host is in OUTBOUND_ALLOWED_HOSTS; 80, 443 and 1024 on are served",
)
@pytest.mark.parametrize("port", [1, 22, 25, 53, 110, 143, 445, 465, 587, 993])
def test_a_port_of_another_service_is_refused(port):
    with pytest.raises(ForbiddenAddressError, match=f"Port {port} of 8.8.8.8"):
        permitted_addresses("8.8.8.8", port, parse_allow_list([]))
    assert permitted_addresses("8.8.8.8", port, parse_allow_list(["8.8.8.8"])) == ["8.8.8.8"]


@pytest.mark.parametrize("port", [80, 443, 1024, 8443])
def test_a_port_of_web_servers_is_permitted(port):
    assert permitted_addresses("8.8.8.8", port, parse_allow_list([])) == ["8.8.8.8"]


@attack(
    by="API caller",
    what="A webhook to this host's own public address, where the database listens, too",
    answer="Refused like loopback",
)
def test_every_address_of_this_host_is_inside():
    own = {entry.address for each in psutil.net_if_addrs().values() for entry in each}
    addresses = [ipaddress.ip_address(a) for a in own if not re.fullmatch(r"(\w\w:)+\w\w", a)]
    assert all(is_own(address) for address in addresses)
    assert is_own(ipaddress.ip_address("::ffff:127.0.0.1"))
    assert not is_own(ipaddress.ip_address("8.8.8.8"))


def test_the_old_name_of_the_list_is_read(http_sink, monkeypatch):
    monkeypatch.delenv("OUTBOUND_ALLOWED_HOSTS")
    monkeypatch.setenv("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1")
    assert outcome_of(http_sink.url).status == "sent"
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "10.0.0.0/8")
    settings.cache_clear()
    assert outcome_of(http_sink.url).status == "not_configured"


@given(st.ip_addresses())
def test_addresses_that_python_calls_private_are_not_public(address):
    """Python's lists are shorter in places, never longer."""
    if address.is_private or address.is_multicast or address.is_reserved:
        mapped = getattr(address, "ipv4_mapped", None)
        assert not is_public(address) or address in NAT64 or mapped


@pytest.mark.parametrize("network", SPECIAL_PURPOSE_NETWORKS, ids=str)
def test_no_end_of_a_special_purpose_network_is_public(network):
    assert not is_public(network[0])
    assert not is_public(network[-1])


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_ipv6_is_checked_as_itself(address):
    for network in ("::ffff:0:0/96", "64:ff9b::/96"):
        base = int(ipaddress.ip_network(network).network_address)
        assert is_public(ipaddress.IPv6Address(base + int(address))) == is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_the_internet_is_public(address):
    assert is_public(ipaddress.ip_address(address))
