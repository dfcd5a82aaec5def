"""The steps that all four flows have: evaluate, deliver, show.

Reads and writes the alert tables, sends notices, and writes the artifact ``alert-states``. Each step
is safe to repeat: a period is evaluated once, a notice is sent once.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

from prefect.artifacts import create_table_artifact

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import deliver_due, delivery_statuses
from analytics_worker.delivery import prune as prune_messages
from analytics_worker.delivery.counts import DeliveryCounts
from analytics_worker.settings import settings
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.results import Evaluated, OwnNotices, Sending, Verdict, verdict
from flows.alerts.evaluation.runner import evaluate_due, evaluate_event
from flows.alerts.evaluation.samples import label
from flows.alerts.evaluation.transition import Given
from flows.alerts.rules.model import Kind, Rule

SHOWN_STATES = 200
SIX_DIGITS = 100_000
BUDGET = timedelta(seconds=60)
"""How long a run goes on starting messages; what is left is due for the next run."""
OTHERS_BUDGET = timedelta(seconds=30)


def evaluate(kinds: Sequence[Kind]) -> Evaluated:
    """Evaluate the rules of some kinds that are due."""
    done = evaluate_due(kinds)
    return Evaluated(summary=done.summary(), messages=[str(each) for each in done.messages])


def evaluate_one(identity: str, rule: Rule, given: Given | None = None) -> Verdict:
    """Evaluate the rule that came with an event, or take the verdict that it brought."""
    return verdict(rule.name, evaluate_event(identity, rule, given))


def deliver(messages: Sequence[str]) -> Sending:
    """Send the notices that are due, also those that earlier runs left; count the run's own."""
    counts = deliver_due("alerts", budget=BUDGET)
    with warehouse() as connection:
        found = delivery_statuses(connection, [UUID(each) for each in messages])
    own = OwnNotices(
        sent=found.get("sent", 0) + found.get("digested", 0),
        waiting=found.get("pending", 0) + found.get("sending", 0),
        failed=found.get("failed", 0),
    )
    return Sending(own=own, delivery=counts)


def deliver_others() -> DeliveryCounts:
    """Send what waits in any domain, so that reports need no run to send them."""
    return deliver_due(budget=OTHERS_BUDGET)


def prune() -> None:
    """Delete history that is older than its retention, some thousand rows at a time."""
    days = settings().alert_history_retention_days
    with warehouse() as connection:
        prune_messages(connection, "alerts", timedelta(days=days))
        run_sql(connection, "alerts/prune", days=days)


def show_states() -> None:
    """Show all alert states as a table, the urgent ones first."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/shown_states", most=SHOWN_STATES)
    total = rows[0]["total"] if rows else 0
    shown = f"{total} states" if total <= SHOWN_STATES else f"{SHOWN_STATES} of {total} states"
    create_table_artifact(
        key="alert-states",
        table=_filled([_shown(row) for row in rows]),
        description=f"{shown}, the urgent ones first. The view ops.alert_status has all of them.",
    )


def _shown(row: Mapping[Any, Any]) -> dict[str, str]:
    return {
        "rule": row["name"],
        "key": label(row["key"] or ""),
        "state": row["status"] + (" (silenced)" if row["silenced"] else ""),
        "severity": row["severity"] or "",
        "value": "" if row["value"] is None else _short(row["value"]),
        "since (UTC)": f"{row['since'].astimezone(UTC):%Y-%m-%d %H:%M:%S}" if row["since"] else "",
        "told": " ".join(filter(None, [row["told"], "untold" if row["untold"] else None])),
        "owner": row["owner"] or "",
        "error": row["error"] or "",
    }


def _short(value: float) -> str:
    """Six significant digits, but all of a whole number."""
    whole = math.isfinite(value) and abs(value) >= SIX_DIGITS
    return number_text(round(value) if whole else float(f"{value:.6g}"))


def _filled(rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Without the columns that are empty in every row."""
    used = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    return [{name: row[name] for name in used} for row in rows]
