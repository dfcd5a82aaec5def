"""Silence a rule for a while.

Writes ops.alert_rules. Safe to repeat: the last one counts. States move on in the meantime, so that what
is still true when the silence ends is told then.
"""

from datetime import UTC, datetime, timedelta

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError


def silence(name: str, length: timedelta, reason: str) -> datetime:
    """Silence the rules of that name; when it ends.

    Raises:
        PermanentError: no rule has that name.
    """
    until = datetime.now(UTC) + length
    with warehouse() as connection:
        rows = run_sql(
            connection, "alerts/silence", rule_name=name, until=until, reason=reason or None
        )
        if not rows:
            names = [row["name"] for row in run_sql(connection, "alerts/rule_names")]
            raise PermanentError(
                f"There is no rule {name!r} in the database{did_you_mean(name, names)}"
            )
    return until
