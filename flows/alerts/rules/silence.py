"""Silence a rule, or the alerts that match a rule, an owner, a severity and keys, for a while.

Writes ops.alert_silences. Safe to repeat: the last silence counts. Alert states are
still updated, so that alerts still firing when the silence ends are notified then.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from flows.alerts.rules.model import Severity


@dataclass(frozen=True)
class Matcher:
    """Which alerts a silence concerns: those that match all fields that are set."""

    rule: str | None = None
    owner: str | None = None
    severity: Severity | None = None
    keys: tuple[str, ...] = ()
    """Values that the key has, each in any of its columns."""

    @property
    def is_of_rule(self) -> bool:
        """Whether it concerns whole rules, and so also the notifications of their owners."""
        return self.severity is None and not self.keys

    def matches_rule(self, names: Collection[str], owner: str | None) -> bool:
        """Return whether it concerns alerts of a rule with these names and this owner."""
        return self.rule in (None, *names) and self.owner in (None, owner)

    def matches_alert(self, key: str, severity: Severity | None) -> bool:
        """Return whether it concerns the alert of a key, of a rule that it matches."""
        values = json.loads(key) if key else []
        return self.severity in (None, severity) and set(self.keys) <= set(values)


def silence(matcher: Matcher, duration: timedelta, reason: str) -> datetime:
    """Silence what matches and return the end of the silence; a duration of 0 ends it.

    Raises:
        PermanentError: no rule of that name or with that owner is stored.
    """
    until = datetime.now(UTC) + duration
    with warehouse() as connection:
        _check(connection, "rule", matcher.rule, "alerts/rule_names", "name")
        _check(connection, "owner", matcher.owner, "alerts/rule_owners", "owner")
        _replace(connection, matcher, until if duration else None, reason)
    return until


def _check(connection: Connection, field: str, value: str | None, query: str, column: str) -> None:
    if value is None:
        return
    known = [row[column] for row in run_sql(connection, query)]
    if value not in known:
        raise PermanentError(
            f"No {field} {value!r} found in the database{did_you_mean(value, known)}"
        )


def _replace(connection: Connection, matcher: Matcher, until: datetime | None, reason: str) -> None:
    columns = {
        "rule_name": matcher.rule,
        "owner": matcher.owner,
        "severity": matcher.severity,
        "keys": sorted(set(matcher.keys)),
    }
    run_sql(connection, "alerts/end_silence", **columns)
    if until is not None:
        run_sql(connection, "alerts/add_silence", **columns, until=until, reason=reason or None)
