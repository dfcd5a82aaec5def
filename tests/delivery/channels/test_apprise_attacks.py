"""An apprise address can't open files or addresses inside the network, start programs, or follow redirects."""

import socket
import warnings
from contextlib import suppress

import pytest
from pydantic import SecretStr

from analytics_worker.delivery.channels import apprise_plugin
from analytics_worker.delivery.channels.apprise import service_name
from analytics_worker.delivery.channels.apprise_services import (
    EMAIL_SCHEMAS,
    HOSTED_SCHEMAS,
    LOCAL_SCHEMAS,
    VENDOR_SCHEMAS,
    WEBHOOK_SCHEMAS,
)
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from blocks.notifications import AppriseChannel
from tests.support.attacks import attack
from tests.support.channel_sending import send_now, store_block
from tests.support.http_sink import HttpSink

# apprise imports a module that Python 3.13 drops; it brings a replacement there.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def block(monkeypatch):
    """Store a channel of this address under the name ``team``."""

    def store(url: str) -> None:
        block = AppriseChannel(url=SecretStr(url))
        store_block(monkeypatch, block)

    return store


KEY = "c" * 32
FILES = ["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:{port}/key"]
OPENING_PARAMETERS = [
    "fcm://project/device?mode=oauth2&keyfile={what}",
    "vapid://ann@example.com/target?keyfile={what}",
    "vapid://ann@example.com/target?subfile={what}",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general?template={what}",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template={what}",
    "tgram://123456789:abcdefg_hijklmnop/lead2gold/?template={what}",
    "workflows://127.0.0.1:{port}/643e69f83canary/signature?template={what}",
    "https://discord.com/api/webhooks/4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template={what}",
    "guilded://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template={what}",
]


def spelled(url: str, what: str, port: int) -> str:
    return url.format(what=what.format(port=port), port=port)


@attack(
    by="API caller",
    what="keyfile=, subfile= or template= in an apprise address: a file of the worker, or an inside URL",
    answer="Refused by the name of the parameter",
)
@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("url", OPENING_PARAMETERS)
def test_a_parameter_that_names_something_to_open_is_refused(url, what, http_sink):
    address = spelled(url, what, http_sink.port)
    for spelling in (
        address,
        address.replace("file=", "FIL%65 =").replace("template=", "Template="),
    ):
        with pytest.raises(PermanentError, match="names a file or an address to open"):
            service_name(SecretStr(spelling))
    assert http_sink.connections == 0


@attack(
    by="API caller",
    what="The same past the names: a parameter that a later apprise calls otherwise",
    answer="apprise's attachments are off, and its connections are guarded: nothing is opened",
)
@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("url", OPENING_PARAMETERS)
def test_nothing_is_opened_even_if_no_parameter_is_refused(
    url, what, http_sink, monkeypatch, block
):
    monkeypatch.setattr(apprise_plugin, "_check_parameters", lambda *_: None)
    monkeypatch.setattr("socket.getaddrinfo", local_names_only(socket.getaddrinfo))
    block(spelled(url, what, http_sink.port))
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    with suppress(PermanentError):  # some services can't be used without the file
        assert send_now("team").status != "sent"
    assert http_sink.connections == 0


def local_names_only(real):
    """Names of vendors are not resolved in tests, so no packet is sent."""

    def lookup(host, *arguments, **options):
        if str(host) in {"127.0.0.1", "localhost"}:
            return real(host, *arguments, **options)
        raise socket.gaierror(f"{host} is not looked up in tests")

    return lookup


@attack(
    by="API caller",
    what="mailto://…?smtp=127.0.0.1, or mailto:// at any host",
    answer="Refused: an Email Channel has the checks",
)
@pytest.mark.parametrize(
    "url",
    [
        "mailto://user:canary@gmail.com?smtp=127.0.0.1",
        "mailtos://user:canary@example.com?smtp=169.254.169.254&mode=ssl",
        "mailto://user:canary@127.0.0.1",
    ],
)
def test_apprise_s_mailto_is_refused(url):
    with pytest.raises(PermanentError, match="use an Email Channel") as refused:
        service_name(SecretStr(url))
    assert "canary" not in str(refused.value)


@attack(
    by="API caller",
    what="syslog://, dbus://, gnome://, windows:// and others that act on the worker's machine",
    answer="Refused",
)
@pytest.mark.parametrize("schema", sorted(LOCAL_SCHEMAS))
def test_services_that_act_on_the_worker_s_machine_are_refused(schema):
    with pytest.raises(PermanentError, match="worker's machine"):
        service_name(SecretStr(f"{schema}://"))


@attack(
    by="API caller",
    what="A service that a later apprise adds and that is not listed",
    answer="Refused until it is listed",
)
def test_a_service_that_is_not_listed_is_refused():
    with pytest.raises(PermanentError, match="not one of the services"):
        apprise_plugin._check_service("brandnew")


def test_every_service_of_the_installed_apprise_is_classified():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from apprise.manager_plugins import NotificationManager  # noqa: PLC0415

        installed = set(NotificationManager().schemas(include_disabled=True))
    assert (
        installed
        == VENDOR_SCHEMAS | HOSTED_SCHEMAS | WEBHOOK_SCHEMAS | EMAIL_SCHEMAS | LOCAL_SCHEMAS
    )
    assert not VENDOR_SCHEMAS & HOSTED_SCHEMAS


@attack(
    by="network",
    what="A listed apprise host that redirects to an address inside the network",
    answer="Not followed, and the second connection would be refused; the message is not repeated there",
)
def test_a_redirect_of_a_listed_host_is_not_followed(http_sink, monkeypatch, block):
    inside = HttpSink()
    inside.host = "127.0.0.2"
    inside.start()
    http_sink.answer(307, Location=f"http://127.0.0.2:{inside.port}/")
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    block(f"gotify://127.0.0.1:{http_sink.port}/canarytoken1234")
    outcome = send_now("team")
    inside.stop()
    assert (outcome.status, inside.connections) == ("temporary", 0)
    assert "127.0.0.2" not in outcome.detail


@attack(
    by="API caller",
    what="A vendor's service whose name resolves into the network, or that takes a domain (Zulip)",
    answer="Refused as the kernel is about to connect",
)
def test_a_vendor_s_name_that_resolves_inside_the_network_is_refused(http_sink, monkeypatch, block):
    real = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo",
        lambda _host, _port, *a, **k: real("127.0.0.1", http_sink.port, *a, **k),
    )
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    block(f"zulip://bot@org.internal.example/{KEY}/general")
    outcome = send_now("team")
    assert (outcome.status, http_sink.connections) == ("not_configured", 0)
    assert "inside the network" in outcome.detail


def test_a_proxy_of_the_environment_is_the_operator_s_choice(http_sink, monkeypatch, block):
    """The proxy decides about the request, here http://gotify.example.com."""
    monkeypatch.setenv("http_proxy", http_sink.url)
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "gotify.example.com")
    monkeypatch.setattr("socket.getaddrinfo", local_names_only(socket.getaddrinfo))
    settings.cache_clear()
    http_sink.answer(200)
    block("gotify://gotify.example.com/canarytoken1234")
    assert send_now("team").status == "sent"
    assert http_sink.requests[0].path.startswith("http://gotify.example.com/message")
