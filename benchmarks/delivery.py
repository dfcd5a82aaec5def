"""Messages to many: the worker on kept connections, and one connection for each message.

200 emails with an attachment of 100 kB against smtplib as its documentation shows it; 100 webhooks by
four posters against a connection each. Both servers are processes of their own; the sides take turns
in every round and the median round counts. Writes nothing; every round checks what arrived.
"""

import multiprocessing
import os
import smtplib
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from statistics import median
from typing import Any, NamedTuple

import requests
from pydantic import SecretStr

from analytics_worker.send_result import SENT
from analytics_worker.transport.address_filter import parse_allow_list
from analytics_worker.transport.email import Email
from analytics_worker.transport.email_content import Attachment
from analytics_worker.transport.smtp import MailServer
from analytics_worker.transport.smtp_session import smtp_session
from analytics_worker.transport.webhook import WebhookSession, parse_url
from benchmarks._fast_smtp_server import FastSmtpServer
from benchmarks._table import Row, render
from tests.support.http_sink import HttpSink

ROUNDS = 5
EMAILS = 200
WEBHOOKS = 100
POSTERS = 4
DATA = os.urandom(100_000)
BODY = {"rule": "pipeline", "status": "firing", "value": 12.5, "text": "x" * 400}


class Sinks(NamedTuple):
    """The servers, in another process."""

    smtp_port: int
    http_url: str
    counted: Any

    def arrived(self) -> tuple[int, int]:
        """Mails and posts since the last question."""
        self.counted.send("count")
        return self.counted.recv()


def measure() -> list[Row]:
    """Seconds for all messages."""
    with _sinks() as sinks:
        emails = _in_turns(
            sinks, (EMAILS, 0), lambda: _send_emails(sinks), lambda: _send_emails_plainly(sinks)
        )
        webhooks = _in_turns(
            sinks,
            (0, WEBHOOKS),
            lambda: _post_webhooks(sinks),
            lambda: _post_webhooks_plainly(sinks),
        )
    return [
        Row(
            f"{EMAILS} emails of 100 kB",
            emails[0],
            "s",
            "smtplib, a connection each",
            emails[1],
            "≤ 0.5x",
        ),
        Row(
            f"{WEBHOOKS} webhooks",
            webhooks[0],
            "s",
            "requests.post, a connection each",
            webhooks[1],
            "",
        ),
    ]


def _in_turns(
    sinks: Sinks, expected: tuple[int, int], ours: Callable[[], None], other: Callable[[], None]
) -> tuple[float, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for side, send in enumerate((ours, other)):
            started = time.perf_counter()
            send()
            seconds[side].append(time.perf_counter() - started)
            arrived = sinks.arrived()
            assert arrived == expected, f"{arrived} of {expected} arrived"
    return median(seconds[0]), median(seconds[1])


def _send_emails(sinks: Sinks) -> None:
    file = (Attachment("report.csv", DATA, "text/csv"),)
    server = MailServer("127.0.0.1", sinks.smtp_port, "none")
    with smtp_session(server) as session:
        for number in range(EMAILS):
            to = f"r{number}@example.com"
            key = f"<{number}@bench>"
            email = Email(key, "a@example.com", (to,), "Report", "Here it is.", attachments=file)
            assert session.send(email, to) == SENT


def _send_emails_plainly(sinks: Sinks) -> None:
    for number in range(EMAILS):
        message = EmailMessage()
        message["From"], message["To"] = "a@example.com", f"r{number}@example.com"
        message["Subject"] = "Report"
        message.set_content("Here it is.")
        message.add_attachment(DATA, maintype="text", subtype="csv", filename="report.csv")
        with smtplib.SMTP("127.0.0.1", sinks.smtp_port, "localhost") as server:
            server.send_message(message)


def _post_webhooks(sinks: Sinks) -> None:
    target, allowed = parse_url(sinks.http_url), parse_allow_list(["127.0.0.1"])
    with (
        WebhookSession(target, SecretStr("secret"), allowed, POSTERS, 10) as session,
        ThreadPoolExecutor(POSTERS) as threads,
    ):
        results = [threads.submit(session.post, BODY, f"k{n}") for n in range(WEBHOOKS)]
        assert all(outcome.result() == SENT for outcome in results)


def _post_webhooks_plainly(sinks: Sinks) -> None:
    for number in range(WEBHOOKS):
        headers = {"Idempotency-Key": f"k{number}"}
        assert requests.post(sinks.http_url, json=BODY, headers=headers, timeout=10).ok


@contextmanager
def _sinks() -> Generator[Sinks]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,))
    process.start()
    try:
        port, url = here.recv()
        yield Sinks(port, url, here)
    finally:
        here.send("stop")
        process.join()


def _receive(pipe: Any) -> None:
    """Run both sinks in the other process, and send how much they got."""
    smtp, http = FastSmtpServer(), HttpSink()
    http.start()
    pipe.send((smtp.port, http.url))
    while pipe.recv() == "count":
        complete = [size for size in smtp.sizes if size > len(DATA) * 4 / 3]
        arrived = (len(complete), len(http.requests))
        smtp.sizes.clear()
        http.requests.clear()
        pipe.send(arrived)  # last: the next round starts when it is read
    smtp.stop()
    http.stop()


if __name__ == "__main__":
    print(render(measure()))
