"""When a rule is due, and which earlier time it compares with, in its time zone.

Reads the settings, and definitions/calendar.yml if the rule depends on working days; writes nothing.
"""

from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from analytics_worker.calendars.due_times import DueTimes, instant_of
from analytics_worker.calendars.weekdays import Weekday, WorkingDay
from analytics_worker.calendars.working_days import WorkingDays, load_working_days
from analytics_worker.settings import settings
from flows.alerts.rules.model import Rule
from flows.alerts.rules.model_times import RuleTimes

DAY = timedelta(days=1)
WEEK_DAYS = 7
MAX_BASELINE_DAYS = 60
"""How far before the usual day a working day is searched for, for a baseline."""
_INSTANT = timedelta(microseconds=1)


def rule_timezone(rule: RuleTimes) -> str:
    """Return the time zone of the rule, else the one of ALERT_TIMEZONE."""
    return rule.timezone or settings().alert_timezone


def due_times(rule: RuleTimes) -> DueTimes | None:
    """Return when a rule is due at times of its own; None if it is due every period.

    Raises:
        DefinitionError: it depends on working days, and the calendar is not valid.
    """
    if not rule.has_own_times:
        return None
    return DueTimes(
        timezone=rule_timezone(rule),
        times=tuple(rule.at),
        cron=rule.cron,
        days=_days(rule),
        working_days=load_working_days() if rule.uses_calendar else WorkingDays(),
    )


def _days(rule: RuleTimes) -> WorkingDay | tuple[Weekday, ...] | None:
    if rule.weekdays is None:
        return "working" if rule.calendar else None
    return rule.weekdays if isinstance(rule.weekdays, str) else tuple(rule.weekdays)


def due_slot(rule: RuleTimes, now: datetime, period: datetime) -> datetime | None:
    """Return the last time until now at which a rule was due.

    Args:
        rule: A rule with times of its own, or with a calendar.
        now: The current time.
        period: Start of the current period, for a rule that is due every period.
    """
    times = due_times(rule)
    if times is not None:
        return next(islice(times.before(now + _INSTANT), 1), None)
    is_working_day = now.astimezone(ZoneInfo(rule_timezone(rule))).date() in load_working_days()
    return period if is_working_day else None


def baseline_time(rule: Rule, slot: datetime) -> datetime:
    """Return the time that an evaluation compares with: ``compare_to`` earlier.

    Whole days are counted in the time zone of the rule, so that clock changes do not move them. Of a rule that
    depends on working days, the baseline is of a working day: of the same day of the week if
    ``compare_to`` is in whole weeks, else of the one before.
    """
    period = rule.compare_to
    if not isinstance(period, timedelta):
        return slot
    days, rest = divmod(period, DAY)
    if rest or not days:
        return slot - period
    zone = ZoneInfo(rule_timezone(rule))
    local = slot.astimezone(zone)
    day = local.date() - days * DAY
    if rule.uses_calendar:
        step = WEEK_DAYS if days % WEEK_DAYS == 0 else 1
        working_days = load_working_days()
        candidates = (day - number * DAY for number in range(0, MAX_BASELINE_DAYS, step))
        day = next((each for each in candidates if each in working_days), day)
    return instant_of(datetime.combine(day, local.time(), zone))
