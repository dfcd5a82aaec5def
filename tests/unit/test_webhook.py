"""Webhooks are signed and identified, use kept connections, and have results without secrets."""

import base64
import hmac
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from analytics_worker.errors import PermanentError
from analytics_worker.send_result import SENT
from analytics_worker.transport import tls
from analytics_worker.transport.webhook import parse_url, webhook_session
from tests.support.attacks import attack
from tests.support.banners import BANNERS, banner_server
from tests.support.http_sink import HttpSink

TOKEN = "canary-77aa"


def post(sink: HttpSink, path="hook", secret=None, key="k-1", body=None, **options):
    url = SecretStr(f"http://{sink.host}:{sink.port}/{path}")
    with webhook_session(url, secret and SecretStr(secret), **options) as session:
        return session.post(body or {"a": "ä"}, key)


def genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Verify a signature as the module's docstring describes."""
    age = abs(time.time() - int(headers["webhook-timestamp"]))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, "sha256")).decode()
    return age < 300 and hmac.compare_digest(expected, headers["webhook-signature"])


def test_a_message_arrives_signed_and_named(http_sink):
    assert post(http_sink, secret="s3cret", body={"text": "fällt"}) == SENT
    (posted,) = http_sink.requests
    assert (posted.path, posted.json) == ("/hook", {"text": "fällt"})
    assert posted.headers["content-type"].startswith("application/json")
    assert posted.headers["idempotency-key"] == posted.headers["webhook-id"] == "k-1"
    assert genuine("s3cret", posted.headers, posted.body)
    assert not genuine("other", posted.headers, posted.body)
    assert not genuine("s3cret", posted.headers, posted.body + b" ")


def test_a_signature_of_the_published_example():
    """The test vector of standardwebhooks.com."""
    from analytics_worker.transport.webhook import sign  # noqa: PLC0415

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


def test_without_a_secret_nothing_is_signed(http_sink):
    post(http_sink)
    assert "webhook-signature" not in http_sink.requests[0].headers


def test_a_login_in_the_address_is_a_header(http_sink):
    url = SecretStr(f"http://ann:p%40ss@127.0.0.1:{http_sink.port}/hook")
    with webhook_session(url) as session:
        assert session.post({}, "k") == SENT
    expected = base64.b64encode(b"ann:p@ss").decode()
    assert http_sink.requests[0].headers["authorization"] == f"Basic {expected}"


def test_four_posters_share_four_connections(http_sink):
    together = threading.Barrier(4)
    http_sink.before_answer = lambda _: together.wait(timeout=30)
    url = SecretStr(http_sink.url)
    with webhook_session(url, connections=4) as session, ThreadPoolExecutor(4) as threads:
        outcomes = threads.map(lambda n: session.post({}, f"k{n}"), range(40))
        assert list(outcomes) == [SENT] * 40
    assert http_sink.connections == 4
    assert sorted(http_sink.keys()) == sorted(f"k{n}" for n in range(40))


@pytest.mark.parametrize(
    ("code", "status", "outage"),
    [
        (200, "sent", False),
        (302, "permanent", False),
        (400, "permanent", False),
        (404, "permanent", False),
        (408, "temporary", False),
        (429, "temporary", False),
        (500, "temporary", True),
        (503, "temporary", True),
    ],
)
def test_results(http_sink, code, status, outage):
    http_sink.answer(code, b"no_service")
    outcome = post(http_sink)
    assert (outcome.status, outcome.outage) == (status, outage)
    if status != "sent":
        assert outcome.code == code
        assert f"http://127.0.0.1 answered {code}: no_service" in outcome.detail


def test_a_receiver_may_request_a_pause(http_sink):
    http_sink.answer(429, Retry_After="120")
    assert post(http_sink).retry_after_seconds == 120
    http_sink.answer(503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")
    assert post(http_sink).retry_after_seconds == 3600
    http_sink.answer(503, Retry_After="soon")
    assert post(http_sink).retry_after_seconds == 0


@attack(by="network", what="An endless response to a webhook", answer="64 KiB of it are read")
def test_an_endless_answer_is_not_read(http_sink):
    http_sink.answer(500, b"x" * 10_000_000)
    assert post(http_sink).detail == "http://127.0.0.1 answered 500"


def test_an_unavailable_receiver_is_unreachable(http_sink):
    http_sink.stop()
    outcome = post(http_sink)
    assert (outcome.status, outcome.outage) == ("unreachable", True)
    assert "Connection refused" in outcome.detail


def test_a_receiver_that_never_answers_is_a_temporary_failure(http_sink):
    released = threading.Event()
    http_sink.before_answer = lambda _: released.wait(timeout=60)
    outcome = post(http_sink, timeout_seconds=0.3)
    released.set()
    assert (outcome.status, outcome.outage) == ("temporary", True)
    assert outcome.detail == "http://127.0.0.1: no answer in time"


@attack(
    by="API caller",
    what="A webhook to SSH, FTP, Redis or SMTP, to read its greeting in the error",
    answer="The response is not HTTP: nothing of it is quoted",
)
@pytest.mark.parametrize("banner", BANNERS)
def test_the_greeting_of_another_service_is_not_repeated(banner, monkeypatch):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    with (
        banner_server(banner + b"\r\n\r\n") as port,
        webhook_session(SecretStr(f"http://127.0.0.1:{port}/")) as session,
    ):
        outcome = session.post({}, "k")
    assert (outcome.status, "canary" in outcome.detail) == ("temporary", False)
    assert outcome.detail == "http://127.0.0.1: the answer is not HTTP"


@attack(
    by="network",
    what="A receiver that repeats the token of its address in its response",
    answer="Errors show scheme and host only",
)
@pytest.mark.parametrize("code", [302, 400, 500])
def test_no_result_contains_more_than_scheme_and_host(http_sink, code):
    http_sink.answer(code, f"bad token {TOKEN}".encode())
    outcome = post(http_sink, path=f"services/{TOKEN}?key={TOKEN}")
    assert TOKEN not in repr(outcome)
    http_sink.stop()
    assert TOKEN not in repr(post(http_sink, path=f"services/{TOKEN}?key={TOKEN}"))


@attack(
    by="API caller",
    what="A webhook address with another scheme, a backslash, a line break or no host",
    answer="Refused; the address is not repeated",
)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "ftp://h/canary-77aa",
        "file:///etc/canary-77aa",
        "http:///canary-77aa",
        "http://h:x/canary-77aa",
        "http://[::1/canary-77aa",
        "http://h/canary-77aa\r\nX: y",
        "http://h\\@evil/canary-77aa",
        "gopher://h/canary-77aa",
    ],
)
def test_an_invalid_url_is_refused_without_repeating_it(url):
    with pytest.raises(PermanentError) as refused:
        parse_url(url)
    assert TOKEN not in str(refused.value)


@attack(
    by="network",
    what="A server with a valid certificate of another name in place of the receiver",
    answer="TLS verifies the name although the address is connected to",
)
def test_tls_verifies_the_name_although_the_address_is_connected_to(certificate, monkeypatch):
    sink = HttpSink(certificate.context())
    sink.start()
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.0/8")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    tls.default_ssl_context.cache_clear()
    try:
        with webhook_session(SecretStr(sink.url)) as session:
            assert session.post({}, "k") == SENT  # the certificate names 127.0.0.1
        with webhook_session(SecretStr(f"https://localhost:{sink.port}/")) as session:
            outcome = session.post({}, "k")  # the same server, by a name that it does not name
    finally:
        tls.default_ssl_context.cache_clear()
        sink.stop()
    assert (outcome.status, len(sink.requests)) == ("unreachable", 1)
    assert "certificate verify failed" in outcome.detail.lower()
