"""The steps that all four flows have: evaluate, deliver, show; and what they report.

Reads and writes the alert tables, sends notices, and writes the artifact ``alert-states``. Each step
is safe to repeat: a period is evaluated once, a notice is sent once.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, TypedDict

from prefect.artifacts import create_table_artifact

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.prefect_support.results import FlowResult, Status, outcome
from analytics_worker.settings import settings
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.runner import evaluate_due, evaluate_event
from flows.alerts.evaluation.samples import label
from flows.alerts.evaluation.transition import Failure, Given
from flows.alerts.notifications.outbox import DeliveryCounts, deliver_due
from flows.alerts.rules.model import Kind, Rule

SHOWN_STATES = 200
SIX_DIGITS = 100_000


class Processing(FlowResult):
    """What the two scheduled flows report."""

    summary: dict[str, int]
    """Rules evaluated, with errors, firing; notices written; deliveries put into the outbox."""
    delivery: DeliveryCounts


class Verdict(TypedDict):
    """What one alert came to."""

    alert: str
    state: str
    severity: str | None
    value: float | None
    notices: int
    deliveries: int
    error: str | None


class EventResult(FlowResult):
    """What the two event-driven flows report."""

    triggered: bool
    """Whether the alert is firing now."""
    alert: Verdict
    delivery: DeliveryCounts


def evaluate(kinds: Sequence[Kind]) -> dict[str, int]:
    """Evaluate the rules of some kinds that are due."""
    return evaluate_due(kinds).summary()


def evaluate_one(identity: str, rule: Rule, given: Given | None = None) -> Verdict:
    """Evaluate the rule that came with an event, or take the verdict that it brought."""
    done = evaluate_event(identity, rule, given)
    value = done.after.value
    return Verdict(
        alert=rule.name,
        state=done.after.status,
        severity=done.after.severity,
        value=value if value is None or math.isfinite(value) else None,
        notices=len(done.after.notices),
        deliveries=done.deliveries,
        error=done.found.message if isinstance(done.found, Failure) else None,
    )


def event_result(verdict: Verdict, delivery: DeliveryCounts) -> EventResult:
    """Failed if the alert could not be evaluated; partial if a notice was given up."""
    shown = f"{verdict['alert']} is {verdict['state']}"
    if verdict["value"] is not None:
        shown += f" at {number_text(verdict['value'])}"
    message = verdict["error"] or f"{shown}; {delivered(delivery)}"
    failed = "failed" if verdict["error"] else "partial" if delivery["failed"] else "success"
    return EventResult(
        **outcome(failed, message, error=verdict["error"]),
        triggered=verdict["state"] == "firing",
        alert=verdict,
        delivery=delivery,
    )


def deliver() -> DeliveryCounts:
    """Send what the outbox holds, also what earlier runs left there."""
    return deliver_due()


def prune() -> None:
    """Delete history that is older than its retention, some thousand rows at a time."""
    with warehouse() as connection:
        run_sql(connection, "alerts/prune", days=settings().alert_history_retention_days)


def show_states() -> None:
    """All alert states as a table, the urgent ones first."""
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
        "told": row["told"] or "",
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


def status(summary: Mapping[str, int], delivery: DeliveryCounts) -> Status:
    """Not green if a rule could not be evaluated or a notice was given up."""
    if summary["errors"] or delivery["failed"]:
        return "failed" if summary["errors"] == summary["evaluated"] > 0 else "partial"
    return "success"


def sentence(summary: Mapping[str, int], delivery: DeliveryCounts) -> str:
    """The run in one line."""
    parts = [f"{summary['evaluated']} rules evaluated", f"{summary['firing']} firing"]
    parts += [f"{summary['errors']} can't be evaluated"] if summary["errors"] else []
    parts += [f"{summary['postponed']} left for the next run"] if summary["postponed"] else []
    return ", ".join([*parts, delivered(delivery)])


def delivered(delivery: DeliveryCounts) -> str:
    """What became of the outbox, in some words."""
    words = {"failed": "given up", "retrying": "to be tried again", "skipped_open": "held back"}
    others = [f"{delivery[name]} {word}" for name, word in words.items() if delivery[name]]
    return ", ".join([f"{delivery['sent']} notices sent", *others])
