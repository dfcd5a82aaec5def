"""Silence a rule, or the alerts that match a rule, an owner, a severity and keys, for a while.

Writes ops.alert_silences. Safe to repeat: the last silence counts. Alert states are
still updated, so that alerts still firing when the silence ends are notified then.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.errors import PermanentError
from analytics_worker.text import value_line
from flows.alerts.rules.model import Severity

MAX_SHOWN_KEYS = 10


@dataclass(frozen=True)
class Matcher:
    """Which alerts a silence concerns: those that match all fields that are set."""

    rule: str | None = None
    owner: str | None = None
    severity: Severity | None = None
    keys: tuple[str, ...] = ()
    """Values that the key has, each in any of its columns."""

    @property
    def label(self) -> str:
        """What it concerns, as a list of the fields that are set."""
        return ", ".join(filter(None, (self.rule, self.owner, self.severity, *self.keys)))

    @property
    def is_of_rule(self) -> bool:
        """Whether it concerns whole rules, and so also the notifications of their owners."""
        return self.severity is None and not self.keys

    def sorted(self) -> "Matcher":
        """Return the matcher as it is stored: each key once, in order."""
        return replace(self, keys=tuple(sorted(set(self.keys))))

    def matches_rule(self, names: Collection[str], owner: str | None) -> bool:
        """Return whether it concerns alerts of a rule with these names and this owner."""
        return self.rule in (None, *names) and self.owner in (None, owner)

    def matches_alert(self, key: str, severity: Severity | None) -> bool:
        """Return whether it concerns the alert of a key, of a rule that it matches."""
        values = json.loads(key) if key else []
        return self.severity in (None, severity) and set(self.keys) <= set(values)


class ActiveSilence(NamedTuple):
    """A silence that has not ended."""

    matcher: Matcher
    until: datetime


class SilenceResult(NamedTuple):
    """What a change of the silences did."""

    until: datetime
    has_ended: bool
    """Whether a silence of the same alerts was active, which this one replaced or ended."""
    others: Sequence[ActiveSilence]
    """Silences that concern some of the same rules and remain."""
    missing_keys: str | None
    """Why no alert matches now, and which keys there are; None if one does."""


def silence(matcher: Matcher, duration: timedelta, reason: str) -> SilenceResult:
    """Silence what matches; a duration of 0 ends it.

    Raises:
        PermanentError: no rule of that name or with that owner is stored.
    """
    until, matcher = datetime.now(UTC) + duration, matcher.sorted()
    with warehouse() as connection:
        _check(connection, "rule", matcher.rule, "alerts/rule_names", "name")
        _check(connection, "owner", matcher.owner, "alerts/rule_owners", "owner")
        others = [each for each in _overlapping(connection, matcher) if each.matcher != matcher]
        has_ended = _replace(connection, matcher, until if duration else None, reason)
        return SilenceResult(until, has_ended, others, _missing_keys(connection, matcher))


def _overlapping(connection: Connection, matcher: Matcher) -> list[ActiveSilence]:
    rows = run_sql(
        connection,
        "alerts/overlapping_silences",
        rule_name=matcher.rule,
        owner=matcher.owner,
        severity=matcher.severity,
    )
    return [
        ActiveSilence(
            Matcher(row["rule"], row["owner"], row["severity"], tuple(row["keys"])), row["until"]
        )
        for row in rows
    ]


def _missing_keys(connection: Connection, matcher: Matcher) -> str | None:
    if not matcher.keys:
        return None
    (row,) = run_sql(
        connection,
        "alerts/known_keys",
        rule_name=matcher.rule,
        owner=matcher.owner,
        keys=list(matcher.keys),
    )
    if row["is_matched"]:
        return None
    rules = ", ".join(filter(None, (matcher.rule, matcher.owner)))
    start = f"{rules} has no state" if rules else "no rule has a state"
    noun = "key" if len(matcher.keys) == 1 else "keys"
    return f"{start} with {noun} {', '.join(matcher.keys)}; {_known(row['names'])}"


def _known(names: Sequence[str]) -> str:
    if not names:
        return "no keys are known yet"
    more = len(names) - MAX_SHOWN_KEYS
    shown = ", ".join(map(value_line, names[:MAX_SHOWN_KEYS]))
    return f"known keys: {shown}{f' and {more} more' if more > 0 else ''}"


def _check(connection: Connection, field: str, value: str | None, query: str, column: str) -> None:
    if value is None:
        return
    known = [row[column] for row in run_sql(connection, query)]
    if value not in known:
        raise PermanentError(
            f"No {field} {value!r} found in the database{did_you_mean(value, known)}"
        )


def _replace(connection: Connection, matcher: Matcher, until: datetime | None, reason: str) -> bool:
    """Replace the silence of the same alerts; return whether one was active."""
    columns = {
        "rule_name": matcher.rule,
        "owner": matcher.owner,
        "severity": matcher.severity,
        "keys": list(matcher.keys),
    }
    ended = run_sql(connection, "alerts/end_silence", **columns)
    if until is not None:
        run_sql(connection, "alerts/add_silence", **columns, until=until, reason=reason or None)
    return any(row["was_active"] for row in ended)
