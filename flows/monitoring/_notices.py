"""Sends what is written down about failing and recovered deployments, one message at a time.

Reads and settles ``ops.deployment_notices``; sends mail, web hooks and Slack messages through the
toolkit. A message is sent while its row is locked and settled in the same transaction: a sender that is
killed leaves it to the next one, which sends it with the same Message-ID or Idempotency-Key.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.settings import get_current_settings

from toolkit.database import run_sql, warehouse
from toolkit.delivery import Outcome, one_line
from toolkit.errors import PermanentError
from toolkit.mail import Mail, mail_server, parse_address, smtp_session
from toolkit.settings import settings
from toolkit.webhook import webhook_session

SENDING_SECONDS = 20.0
"""How long one run of the flow goes on sending; what is left is for the next minute."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 900.0


@dataclass(frozen=True)
class Sent:
    """How many messages went out, and how many could not."""

    sent: int
    problems: list[str]


def send_notices() -> Sent:
    """Send what is due, oldest first."""
    deadline = time.monotonic() + SENDING_SECONDS
    tried: list[UUID] = []
    problems: list[str] = []
    while time.monotonic() < deadline:
        with warehouse() as connection:
            due = run_sql(connection, "monitoring/claim_notice", tried=[str(one) for one in tried])
            if not due:
                break
            notice = dict(due[0])
            tried.append(notice["id"])
            outcome = _send(notice)
            verdict = _settlement(notice, outcome)
            run_sql(connection, "monitoring/settle_notice", **verdict)
        if outcome.status != "sent":
            problems.append(f"{notice['channel']}: {outcome.detail}")
    with warehouse() as connection:
        run_sql(connection, "monitoring/prune_notices", days=settings().run_retention_days)
    return Sent(len(tried) - len(problems), problems)


def _settlement(notice: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    age = datetime.now(UTC) - notice["created_at"]
    over = age > timedelta(hours=settings().alert_delivery_max_hours)
    final = outcome.status == "permanent" or over
    pause = min(FIRST_PAUSE_SECONDS * 2 ** notice["attempts"], LONGEST_PAUSE_SECONDS)
    return {
        "id": notice["id"],
        "status": "sent" if outcome.status == "sent" else "failed" if final else "pending",
        "pause_seconds": max(pause, outcome.retry_after_seconds),
        "error": outcome.detail or None,
    }


def _send(notice: Mapping[str, Any]) -> Outcome:
    key, chosen = str(notice["id"]), settings()
    try:
        if notice["channel"] == "email":
            return _mail(notice, key)
        slack = notice["channel"] == "slack"
        url = chosen.alert_slack_url if slack else chosen.alert_webhook_url
        if url is None:
            return Outcome("permanent", f"{notice['channel']} is not configured any more")
        body = {"text": text(notice)} if slack else content(notice)
        secret = None if slack else chosen.alert_webhook_secret
        with webhook_session(url, secret, connections=1) as session:
            return session.post(body, key)
    except PermanentError as error:
        return Outcome("permanent", one_line(str(error)))


def _mail(notice: Mapping[str, Any], key: str) -> Outcome:
    sender = settings().alert_email_from or settings().alert_email_user
    if sender is None:
        return Outcome("permanent", "mails have no sender: set ALERT_EMAIL_FROM")
    mail = Mail(
        message_id=f"<{key}@{parse_address(sender).domain}>",
        sender=sender,
        to=(notice["recipient"],),
        subject=subject(notice),
        text=text(notice),
    )
    with smtp_session(mail_server()) as session:
        return session.send(mail, notice["recipient"])


def subject(notice: Mapping[str, Any]) -> str:
    """The message in one line."""
    details, deployment = notice["details"], notice["deployment"]
    if notice["kind"] == "failing":
        return one_line(f"[failing] {deployment}: {details['state']}")
    return one_line(f"[recovered] {deployment} works again")


def text(notice: Mapping[str, Any]) -> str:
    """The message for people."""
    details = notice["details"]
    lines = [f"{subject(notice)}", ""]
    if notice["kind"] == "failing":
        lines += [f"The run that ended {details['ended_at'][:16]} UTC is {details['state']}:"]
        lines += [
            f"  {details['message']}",
            "",
            "You hear again when it works; not of each failure.",
        ]
    else:
        runs = "1 run" if details["failures"] == 1 else f"{details['failures']} runs in a row"
        lines += [f"{runs} had failed since {details['since'][:16]} UTC. Now: {details['message']}"]
    return "\n".join([*lines, "", run_url(details["run_id"])]).strip() + "\n"


def content(notice: Mapping[str, Any]) -> dict[str, Any]:
    """The message for programs."""
    details = dict(notice["details"])
    return {
        "event": f"deployment_{notice['kind']}",
        "deployment": notice["deployment"],
        **details,
        "run_url": run_url(details["run_id"]),
        "text": text(notice),
    }


def run_url(run_id: str) -> str:
    """Where the UI shows the run; empty without a UI."""
    ui = get_current_settings().ui_url
    return f"{ui}/runs/flow-run/{run_id}" if ui else ""
