"""The period that a rule reads, and the values that its SQL may use by name.

Reads the settings; writes nothing. A period starts when the one before ends, also across clock changes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from analytics_worker.calendars.schedules import PERIOD_KINDS, first_of, midnight
from flows.alerts.rules.model import Rule
from flows.alerts.rules.times import rule_timezone

NOW = "now"
"""Placeholder that every rule may use: the time of the evaluation."""

PERIOD_PARAMETERS = frozenset({"period_start", "period_end"})
"""Placeholders of a rule with ``period``: the start and the exclusive end of its period."""

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class RulePeriod(NamedTuple):
    """The period that an evaluation reads: from `start` to `end` exclusively."""

    start: datetime
    end: datetime


def rule_period(rule: Rule, slot: datetime) -> RulePeriod | None:
    """Return the last period of a rule that was over when it was due; None for a rule without ``period``."""
    if rule.period is None:
        return None
    timezone = rule_timezone(rule)
    local = slot.astimezone(ZoneInfo(timezone))
    if rule.period == "hour":
        end = local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        return RulePeriod(end - _HOUR, end)
    kind = PERIOD_KINDS[rule.period]
    first = first_of(kind, local.date())
    return RulePeriod(midnight(first_of(kind, first - _DAY), timezone), midnight(first, timezone))


def sql_values(rule: Rule, now: datetime, slot: datetime | None = None) -> dict[str, Any]:
    """Return the values that the SQL of a rule may use by name.

    Start and end of the period are texts in the time zone of the rule: cast to a date, they are days of that time
    zone, independent of the time zone of the session.

    Args:
        rule: The rule.
        now: The time of the evaluation.
        slot: When the rule was due, which decides its period; now by default.
    """
    values = {**rule.parameters, NOW: now}
    period = rule_period(rule, slot or now)
    if period is None:
        return values
    zone = ZoneInfo(rule_timezone(rule))
    start, end = (each.astimezone(zone).isoformat(" ") for each in period)
    return {**values, "period_start": start, "period_end": end}
