"""Receive the messages of the stack's alerts on a mail server and a webhook, and make rules fire."""

import json
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun

from analytics_worker.prefect_support.runs import submit
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.stack import RunningStack
from tests.support.wait_until import wait_until
from tests.support.warehouse_fixtures import query

TOKEN = "canary-of-the-hook"  # part of its address
NEXT_PERIOD = """
    update ops.alert_rules set evaluated_slot = evaluated_slot - interval '1 hour';
    update ops.alert_evaluations
    set slot = slot - interval '1 hour' - extract(microsecond from now()) * interval '1 microsecond'
"""  # no two evaluations of a rule meet while they are moved
ERASURES_DONE = "update raw.erasure_requests set completed_at = now() where completed_at is null"
ERASURES_LATE = """
    insert into raw.erasure_requests
        (erasure_request_id, account_id, requested_at, due_on, updated_at)
    select 900000 + account_id, account_id, now() - interval '60 days', current_date - 30, now()
    from raw.accounts order by account_id limit 3
"""


class Receivers:
    """A mail server and a webhook that a stack's default channels lead to."""

    def __init__(self, mail: SmtpSink, hook: HttpSink) -> None:
        self.mail, self.hook = mail, hook

    @property
    def variables(self) -> dict[str, str]:
        return {
            "ALERT_EMAIL_HOST": self.mail.host,
            "ALERT_EMAIL_PORT": str(self.mail.port),
            "ALERT_EMAIL_TLS": "none",
            "ALERT_EMAIL_FROM": "worker@example.com",
            "ALERT_EMAIL_TO": "team@example.com",
            "ALERT_WEBHOOK_URL": f"{self.hook.url}/{TOKEN}",
            "OUTBOUND_ALLOWED_HOSTS": "127.0.0.1",
        }

    def posted(self, rule: str) -> list[str]:
        """What the webhook received about a rule, in order."""
        return [post.json["kind"] for post in self.hook.requests if post.json.get("rule") == rule]

    def mailed(self, rule: str) -> list[tuple[str, str]]:
        """Recipient and label of the mails about a rule, alone or among others, in order."""
        lines = [(m.recipients[0], line) for m in self.mail.messages for line in _alerts(m.mail)]
        return [(to, line.split()[0]) for to, line in lines if rule in line]


def _alerts(mail: EmailMessage) -> list[str]:
    """The subject of each alert of a mail: its own, or the lines of a list."""
    body = mail.get_body(("plain",))
    lines = str(body.get_content()).splitlines() if body else []
    listed = [line.removeprefix("- ") for line in lines if line.startswith("- [")]
    return listed or [str(mail["Subject"])]


@contextmanager
def receivers() -> Generator[Receivers]:
    mail, hook = SmtpSink(), HttpSink()
    mail.start()
    hook.start()
    try:
        yield Receivers(mail, hook)
    finally:
        mail.stop()
        hook.stop()


def set_kpi(stack: RunningStack, view: str, change: str) -> None:
    """Change the sources of a view and refresh it, as its flow does."""
    query(stack, change)
    assert submit("refresh-materialized-views", view_names=[view]).get(timeout=120)


def evaluate_until(stack: RunningStack, done: Callable[[], bool]) -> None:
    """Let period after period begin, and be evaluated."""

    def evaluated() -> bool:
        query(stack, NEXT_PERIOD)
        run = submit("process-pending-alerts")
        wait_until(run.ready, 120)
        return done()

    wait_until(evaluated, 120)


def emit(stack: RunningStack, event: str, payload: dict[str, Any]) -> None:
    """An event, from a process that knows nothing of the worker."""
    prefect = str(Path(sys.executable).parent / "prefect")
    command = [prefect, "event", "emit", event, "--resource-id", "an-app"]
    environment = stack.environment | stack.api
    subprocess.run(
        [*command, "--payload", json.dumps(payload)], env=environment, check=True, timeout=120
    )


def run_of(flow: str) -> FlowRun:
    """The only run of a flow, when it has ended."""
    found: list[FlowRun] = []

    def ended() -> bool:
        with get_client(sync_client=True) as client:
            named = FlowFilter(name=FlowFilterName(any_=[flow]))
            found[:] = client.read_flow_runs(flow_filter=named)
        return bool(found) and all(run.state and run.state.is_final() for run in found)

    wait_until(ended, 120)
    (run,) = found
    return run
