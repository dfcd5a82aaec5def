"""Rules for tests, and queries of their state in the database."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from analytics_worker.database.connections import run_sql, warehouse
from flows.alerts.evaluation.runner import EvaluationCounts, evaluate_due
from flows.alerts.rules.model import Kind, Rule
from flows.alerts.rules.sync import sync
from tests.support.sql import execute, query

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(minutes=2)


def rule(name: str = "r", sql: str = "select 11 as value", **fields: Any) -> Rule:
    bound = {} if "warning" in fields else {"threshold": 10}
    return Rule.model_validate(
        {
            "name": name,
            "sql": sql,
            "operator": ">",
            "channels": ["webhook"],
            "owner": "owner@example.com",
            **bound,
            **fields,
        }
    )


def store(*rules: Rule, kind: Kind = "alert") -> None:
    sync({(kind, each.name): each for each in rules})


def store_events(*rules: Rule) -> None:
    """Store the rules as those of events, which notify their owners of errors; the schedule evaluates them."""
    store(*rules, kind="event")


def incident_rules() -> list[str]:
    """Return the rules of the files whose errors open incidents."""
    with warehouse() as connection:
        rows = run_sql(connection, "monitoring/problems_rules")
    return sorted(row["name"] for row in rows if not row["is_silenced"])


def watch() -> None:
    """Let the schedule evaluate the rules of events again, although their alerts have ended."""
    execute("update ops.alert_rules set watched = true")


def tick(number: int, kinds: Sequence[Kind] = ("alert", "event")) -> EvaluationCounts:
    return evaluate_due(kinds, now=START + number * TICK)


def set_metric(value: float | None) -> None:
    """Set the value that `METRIC` reads."""
    execute("create table if not exists analytics.metric (value double precision)")
    execute("grant select on analytics.metric to analytics_reader")
    execute("delete from analytics.metric")
    execute("insert into analytics.metric values (:value)", value=value)


METRIC = "select value from analytics.metric"


def deliveries() -> list[tuple[str, str]]:
    """Return kind and recipient of each delivery, in order."""
    return query(
        "select message.kind, delivery.recipient from ops.messages as message"
        " join ops.deliveries as delivery on delivery.message_id = message.id"
        " order by message.position"
    )


def last_content() -> dict[str, Any]:
    """Return the content of the last message."""
    (content,) = query("select content::text from ops.messages order by position desc limit 1")
    return json.loads(content)
