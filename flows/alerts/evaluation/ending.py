"""End the alerts of rules that are not evaluated any more, or no longer with the same keys.

Deletes rows of ops.alert_states and writes events and messages, in the transaction of the caller. Those
who were notified that an alert fires are notified once that it ended, even during a silence.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql
from flows.alerts.evaluation.locking import claim_of, load_states
from flows.alerts.evaluation.store import WriteBatch
from flows.alerts.evaluation.transition import end_notifications


def end_alerts(connection: Connection, reasons: Mapping[int, str]) -> None:
    """End the alerts of these rules, each for a reason, as of the definition that is stored now."""
    if not reasons:
        return
    claims = [
        claim_of(row) for row in run_sql(connection, "alerts/lock_rules", rule_ids=list(reasons))
    ]
    states = load_states(connection, claims)
    writes = WriteBatch()
    for claim in claims:
        for ended in end_notifications(claim.rule, states[claim.id], {}, reasons[claim.id]):
            writes.add_notification(claim, ended)
    run_sql(connection, "alerts/delete_states", rule_ids=list(reasons))
    writes.write_notifications(connection)
