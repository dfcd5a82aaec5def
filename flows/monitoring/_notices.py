"""Sends what is written down about failing and recovered deployments, one message at a time.

Reads and settles ``ops.deployment_notices``. A message is sent while its row is locked and settled in
the same transaction: a sender that is killed leaves it to the next one, which sends it with the same
Message-ID or Idempotency-Key.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.send_result import SendResult
from analytics_worker.settings import settings
from flows.monitoring._notification_text import deliver, of_deployment

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
            channel, recipient = notice["channel"], notice["recipient"]
            outcome = deliver(of_deployment(notice), channel, recipient, str(notice["id"]))
            verdict = _settlement(notice, outcome)
            run_sql(connection, "monitoring/settle_notice", **verdict)
        if outcome.status != "sent":
            problems.append(f"{channel}: {outcome.detail}")
    with warehouse() as connection:
        run_sql(connection, "monitoring/prune_notices", days=settings().run_retention_days)
    return Sent(len(tried) - len(problems), problems)


def _settlement(notice: Mapping[str, Any], outcome: SendResult) -> dict[str, Any]:
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
