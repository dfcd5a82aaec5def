"""Send a report of 100 kB to 200 recipients: from the outbox, and with a connection for each email.

The server is a process of its own that counts what arrives. Our side claims and settles each email in
the database, so that a killed sender repeats at most one; the other side keeps no record.
"""

import multiprocessing
import os
import smtplib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from benchmarks._fast_smtp_server import FastSmtpServer
from benchmarks._table import Row
from flows.reports.definitions.model import Report
from flows.reports.runs.manual import run_now

ROUNDS = 5
RECIPIENTS = [f"r{number}@example.com" for number in range(200)]
QUERY = "select n, md5(n::text) as value from generate_series(1, 2700) as n"
MIN_BYTES = 100_000


def measure_emails(folder: Path) -> Row:
    """Return the seconds for all emails of one report, in a migrated warehouse."""
    ours: list[float] = []
    other: list[float] = []
    with _server() as (port, arrived):
        _configure(folder, port)
        for number in range(ROUNDS):
            data = _performance_page(f"report-{number}")
            ours.append(_seconds(lambda: deliver_due("reports"), arrived))
            other.append(_seconds(lambda: _one_by_one(data, port), arrived))  # noqa: B023  # called here
    name = f"a report of 100 kB to {len(RECIPIENTS)}"
    return Row(name, median(ours), "s", "smtplib, a connection each", median(other), goal="≤ 0.5x")


def _configure(folder: Path, port: int) -> None:
    os.environ |= {
        "REPORT_OUTPUT_DIR": str(folder),
        "ALERT_EMAIL_HOST": "127.0.0.1",
        "ALERT_EMAIL_PORT": str(port),
        "ALERT_EMAIL_TLS": "none",
        "ALERT_EMAIL_FROM": "reports@example.com",
    }
    settings.cache_clear()


def _performance_page(name: str) -> bytes:
    """Generate a report whose emails wait; return its file."""
    fields = {"name": name, "sql": QUERY, "recipients": RECIPIENTS, "schedule": "daily"}
    (run,) = run_now(Report.model_validate(fields), None)
    assert run["status"] == "ready", run
    data = Path(run.get("files", [])[0]).read_bytes()
    assert len(data) >= MIN_BYTES
    return data


def _seconds(send: Callable[[], object], arrived: Callable[[], int]) -> float:
    started = perf_counter()
    send()
    seconds = perf_counter() - started
    count = arrived()
    assert count == len(RECIPIENTS), f"{count} of {len(RECIPIENTS)} emails arrived"
    return seconds


def _one_by_one(data: bytes, port: int) -> None:
    for recipient in RECIPIENTS:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = "a@example.com", recipient, "Report"
        message.set_content("Here it is.")
        message.add_attachment(data, maintype="text", subtype="csv", filename="report.csv")
        with smtplib.SMTP("127.0.0.1", port, "localhost") as server:
            server.send_message(message)


@contextmanager
def _server() -> Generator[tuple[int, Callable[[], int]]]:
    """Run a server; yield its port and a function that returns how many emails have arrived since its last call."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,))
    process.start()

    def arrived() -> int:
        here.send("count")
        return here.recv()

    try:
        yield here.recv(), arrived
    finally:
        here.send("stop")
        process.join()


def _receive(pipe: Any) -> None:
    server = FastSmtpServer()
    pipe.send(server.port)
    while pipe.recv() == "count":
        complete = sum(size > MIN_BYTES * 4 / 3 for size in server.sizes)
        server.sizes.clear()
        pipe.send(complete)
    server.stop()
