"""Add the rules, the relations that they read, and their recipients.

Reads ops.alert_rules and plans each rule's SQL as its reader; reads no rows and writes nothing.
"""

from collections.abc import Callable, Container, Iterator
from datetime import UTC, datetime

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.problems import problems_of
from analytics_worker.lineage.recipients import add_recipients
from analytics_worker.lineage.relations import relation_of
from flows.alerts.notifications.recipients import resolve_recipients
from flows.alerts.rules.model import Rule
from flows.alerts.rules.periods import sql_values


def add_rules(lineage: Lineage) -> None:
    """Add all stored rules; one whose SQL can't be planned is a problem of the graph."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/all_rules")
    with reader_sessions() as session_for:
        for row in rows:
            node = Node("rule", row["name"])
            lineage.descriptions[node] = "rule"
            with problems_of(lineage, f"rule {row['name']}"):
                rule = Rule.model_validate_json(row["definition"])
                lineage.add_reads(node, _relations(rule, session_for))
                add_recipients(lineage, node, resolve_recipients(rule, "readers"))


def add_rule_recipients(lineage: Lineage, names: Container[str]) -> None:
    """Add who receives the alerts of the rules of these names."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/all_rules")
    for row in rows:
        if row["name"] in names:
            with problems_of(lineage, f"rule {row['name']}"):
                rule = Rule.model_validate_json(row["definition"])
                node = Node("rule", row["name"])
                add_recipients(lineage, node, resolve_recipients(rule, "readers"))


def _relations(rule: Rule, session_for: Callable[[str | None], ReaderSession]) -> Iterator[Node]:
    if rule.sql is None:
        return
    values = sql_values(rule, datetime.now(UTC))
    for name in session_for(rule.reader).relations(rule.sql, values):
        yield relation_of(name)
