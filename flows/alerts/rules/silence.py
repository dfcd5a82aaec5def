"""Silence a rule for a while.

Writes ops.alert_rules. Safe to repeat: the last silence counts. Alert states are still updated, so
that alerts still firing when the silence ends are notified then.
"""

from datetime import UTC, datetime, timedelta

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError


def silence(name: str, duration: timedelta, reason: str) -> datetime:
    """Silence the rules of that name and return the end of the silence.

    Raises:
        PermanentError: no rule of that name is stored.
    """
    until = datetime.now(UTC) + duration
    with warehouse() as connection:
        rows = run_sql(
            connection, "alerts/silence", rule_name=name, until=until, reason=reason or None
        )
        if not rows:
            names = [row["name"] for row in run_sql(connection, "alerts/rule_names")]
            raise PermanentError(
                f"No rule {name!r} found in the database{did_you_mean(name, names)}"
            )
    return until
