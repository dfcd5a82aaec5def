"""Read the samples of earlier days at the same local time, and compute what is expected of each key.

Reads ops.alert_evaluations and definitions/calendar.yml; writes nothing. One statement reads the samples of all
rules, at most one of each day. What can't be computed for a rule is raised when the rule is evaluated, so that it
is a failure of that rule only.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from analytics_worker.calendars.due_times import DAY, instant_of
from analytics_worker.calendars.working_days import load_working_days
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.due_slots import CALENDAR_ERROR
from flows.alerts.evaluation.samples import NO_KEY, Samples
from flows.alerts.expected.baseline import Learning, compute_baseline
from flows.alerts.expected.days import Calendar, DaySample
from flows.alerts.expected.ranges import ExpectedRange, bounded_rule, expected_range
from flows.alerts.rules.missing_keys import missing_key_status
from flows.alerts.rules.model import Rule
from flows.alerts.rules.model_expected import Season
from flows.alerts.rules.times import due_slot, rule_timezone

MAX_DAYS: Mapping[Season, int] = {"week": 63, "month": 220, "auto": 220}
"""How many earlier days are read: nine of each day of the week, seven of each day of the month."""
HOUR = timedelta(hours=1)

PastDays = Sequence[tuple[date, Samples]]
"""Earlier days that have samples, and these by key, the earliest day first."""


@dataclass
class Expectations:
    """What is expected of the keys of a rule in one evaluation."""

    rule: Rule
    slot: datetime
    past: PastDays
    calendar: Callable[[], Calendar]
    _found: dict[str, ExpectedRange | Learning] = field(
        default_factory=dict[str, ExpectedRange | Learning]
    )

    def of(self, key: str) -> ExpectedRange | Learning:
        """Return the expected range of a key, or how far it is from being learned."""
        if key not in self._found:
            self._found[key] = self._compute(key)
        return self._found[key]

    @property
    def is_learning(self) -> bool:
        """Whether nothing is expected of any of the keys that were asked for."""
        found = self._found.values()
        return bool(found) and all(isinstance(each, Learning) for each in found)

    def range_of(self, key: str) -> ExpectedRange | None:
        """Return the expected range of a key; None while it is learned."""
        found = self.of(key)
        return None if isinstance(found, Learning) else found

    def bounded_rule(self, key: str) -> Rule:
        """Return the rule with the bounds of a key."""
        return bounded_rule(self.rule, self.range_of(key))

    def _compute(self, key: str) -> ExpectedRange | Learning:
        expected = self.rule.expected
        if expected is None:
            raise TypeError("the rule has no expected")
        local = self.slot.astimezone(ZoneInfo(rule_timezone(self.rule)))
        samples = list(_series(self.rule, self.past, key))
        found = compute_baseline(samples, local.date(), expected.season, self.calendar())
        if isinstance(found, Learning):
            return found
        return expected_range(self.rule, expected, found, local)


def _series(rule: Rule, past: PastDays, key: str) -> Iterable[DaySample]:
    """Yield the samples of a key; of a count of rows, a key without one is 0 from its first sample on."""
    is_zero = rule.is_count and missing_key_status(rule) is None
    was_seen = False
    for day, by_key in past:
        value = by_key.get(key, Decimal(0) if is_zero and was_seen else None)
        if value is not None:
            was_seen = True
            yield DaySample(day, value)


def calendar_of() -> Callable[[], Calendar]:
    """Return a function that returns the calendar, which it reads once.

    Raises:
        PermanentError: the calendar is not valid; each call raises it.
    """
    try:
        calendar = Calendar(load_working_days())
    except DefinitionError as error:
        message = f"{CALENDAR_ERROR}{error.problems[0]}"

        def fail() -> Calendar:
            raise PermanentError(message)

        return fail
    return lambda: calendar


@lru_cache(maxsize=64)
def past_times(timezone: str, slot: datetime, days: int) -> tuple[tuple[date, datetime], ...]:
    """Return the same local time of earlier days, the earliest first."""
    zone = ZoneInfo(timezone)
    local = slot.astimezone(zone)
    earlier = (local.date() - number * DAY for number in range(days, 0, -1))
    return tuple((day, instant_of(datetime.combine(day, local.time(), zone))) for day in earlier)


def times_of(rule: Rule, slot: datetime) -> tuple[tuple[date, datetime], ...]:
    """Return the times of earlier days that an evaluation is compared with."""
    season = rule.expected.season if rule.expected else "week"
    return past_times(rule_timezone(rule), slot, MAX_DAYS[season])


def tolerance(rule: Rule) -> timedelta:
    """Return how much earlier than the same local time a sample may be."""
    return HOUR if rule.has_own_times else min(max(rule.every, HOUR), DAY)


def load_expectations(
    connection: Connection, rules: Mapping[int, tuple[Rule, datetime]]
) -> dict[int, Expectations]:
    """Return what is expected of rules with ``expected``, by their ids.

    Args:
        connection: Reads the samples.
        rules: Rules and the slots of their evaluations, by id.
    """
    wanted = {rule_id: each for rule_id, each in rules.items() if each[0].expected}
    if not wanted:
        return {}
    calendar, past = calendar_of(), _load(connection, wanted)
    return {
        rule_id: Expectations(rule, slot, past[rule_id], calendar)
        for rule_id, (rule, slot) in wanted.items()
    }


def load_expectations_of(rule: Rule, now: datetime) -> Expectations | None:
    """Return what is expected of a rule of the files, by the samples of the stored rule of that name."""
    if rule.expected is None:
        return None
    with warehouse() as connection:
        rows = run_sql(connection, "alerts/rule_id", rule_name=rule.name)
        rule_id = rows[0]["id"] if rows else 0
        return load_expectations_at(connection, {rule_id: rule}, now)[rule_id]


def load_expectations_at(
    connection: Connection, rules: Mapping[int, Rule], now: datetime
) -> dict[int, Expectations]:
    """Return what would be expected of stored rules by an evaluation now, by their ids."""
    return load_expectations(
        connection, {rule_id: (rule, _slot(rule, now)) for rule_id, rule in rules.items()}
    )


def _slot(rule: Rule, now: datetime) -> datetime:
    return (due_slot(rule, now, now) if rule.has_own_times else None) or now


def _load(
    connection: Connection, rules: Mapping[int, tuple[Rule, datetime]]
) -> dict[int, PastDays]:
    groups: dict[tuple[tuple[tuple[date, datetime], ...], timedelta], list[int]] = {}
    for rule_id, (rule, slot) in rules.items():
        groups.setdefault((times_of(rule, slot), tolerance(rule)), []).append(rule_id)
    parameters = [
        {
            "rules": [{"id": rule_id, "sql_hash": _sql_hash(rules[rule_id][0])} for rule_id in ids],
            "times": [at.isoformat() for _, at in times],
            "tolerance": f"{allowed.total_seconds()} seconds",
        }
        for (times, allowed), ids in groups.items()
    ]
    days = {rule_id: times for (times, _), ids in groups.items() for rule_id in ids}
    past: dict[int, PastDays] = dict.fromkeys(rules, ())
    for row in run_sql(connection, "alerts/load_past_days", groups=json.dumps(parameters)):
        rule_id = row["rule_id"]
        found = [days[rule_id][number - 1][0] for number in row["numbers"]]
        samples = _samples(rules[rule_id][0], row["samples"], row["keyed_samples"])
        past[rule_id] = list(zip(found, samples, strict=False))
    return past


def _sql_hash(rule: Rule) -> str:
    return hashlib.sha256((rule.sql or "").encode()).hexdigest()


def _samples(
    rule: Rule, samples: Sequence[Decimal | None], keyed: Sequence[Mapping[str, Any] | None] | None
) -> list[Samples]:
    """Return the samples of each day by key; of a day before the rule had the keys that it has, none."""
    if not rule.key_columns:
        return [{NO_KEY: each} for each in samples]
    return [
        {key: None if v is None else Decimal(str(v)) for key, v in (by_key or {}).items()}
        for by_key in keyed or ()
    ]
