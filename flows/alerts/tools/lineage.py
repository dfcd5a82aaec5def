"""Add the rules, the relations that they read, and their recipients.

Reads ops.alert_rules and plans each rule's SQL as its reader; reads no rows and writes nothing.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.reader_sessions import ReaderSession, reader_sessions
from analytics_worker.errors import PermanentError
from analytics_worker.lineage.graph import Lineage, Node
from analytics_worker.lineage.recipients import add_recipients
from analytics_worker.lineage.relations import relation_of
from analytics_worker.text import one_line
from flows.alerts.notifications.recipients import resolve_recipients
from flows.alerts.rules.model import Rule
from flows.alerts.rules.validation import NOW


def add_rules(lineage: Lineage) -> None:
    """Add all stored rules; one whose SQL can't be planned is a problem of the graph."""
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/all_rules")
    with reader_sessions() as session_for:
        for row in rows:
            node = Node("rule", row["name"])
            lineage.descriptions[node] = "rule"
            try:
                rule = Rule.model_validate_json(row["definition"])
                lineage.add_reads(node, _relations(rule, session_for))
                add_recipients(lineage, node, resolve_recipients(rule, "readers"))
            except (PermanentError, ValidationError) as error:
                lineage.problems.append(f"rule {row['name']}: {one_line(str(error))}")


def _relations(rule: Rule, session_for: Callable[[str | None], ReaderSession]) -> Iterator[Node]:
    if rule.sql is None:
        return
    values = {**rule.parameters, NOW: datetime.now(UTC)}
    for name in session_for(rule.reader).relations(rule.sql, values):
        yield relation_of(name)
