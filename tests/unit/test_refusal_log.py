"""What the log and an answer say of a refused request: short, printable, once a minute."""

from http import HTTPStatus

import pytest

from analytics_worker.host_port import PROBE_HOST
from analytics_worker.server.request_guard import RefusalLog
from analytics_worker.server.request_rules import Refusal, Request, Rules, shown


def test_what_a_refusal_quotes_is_short_and_printable():
    text = shown(["\x1b]0;owned\x07\r\nSet-Cookie: a=b" + "ü" * 500, "b", "c", "d"])
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 400
    assert shown([]) == "(missing)"


def test_refusals_of_a_kind_are_logged_once_a_minute(caplog: pytest.LogCaptureFixture):
    now = 0.0
    log = RefusalLog(lambda: now)
    first = Refusal("foreign Host", HTTPStatus.MISDIRECTED_REQUEST, "one")
    other = Refusal("foreign site", HTTPStatus.FORBIDDEN, "two")
    for refusal in (first, first, first, other):
        log(refusal)
    now = 61.0
    log(first)
    messages = [record.message for record in caplog.records]
    assert messages == [
        "Refused a request, foreign Host: one",
        "Refused a request, foreign site: two",
        "Refused a request, foreign Host (2 more since the last such line): one",
    ]


def test_the_request_of_doctor_is_refused_like_any_foreign_host_and_is_no_warning(
    caplog: pytest.LogCaptureFixture,
):
    rules, log = Rules.of("127.0.0.1", 4200, []), RefusalLog()
    for host in (PROBE_HOST, f"{PROBE_HOST.upper()}:4200", f"x.{PROBE_HOST}"):
        headers = [(b"host", host.encode())]
        refusal = rules.refusal(Request({"type": "http", "path": "/health", "headers": headers}))
        assert refusal
        assert refusal.status is HTTPStatus.MISDIRECTED_REQUEST
        log(refusal)
    (line,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert f"'x.{PROBE_HOST}'" in line
