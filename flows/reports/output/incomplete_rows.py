"""Find the rows of a chart or table that are of a time for which data is missing.

Reads nothing, writes nothing. The first column says which time a row is of, if its values are dates or timestamps:
the hour, day, week, month or year that begins there.
"""

from collections.abc import Sequence
from datetime import MAXYEAR, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from flows.reports.formats import FetchedRows
from flows.reports.formats.query.columns import DAYS

MONTHS = 12
_MIN_MONTH = timedelta(days=28)


def incomplete_rows(
    fetched: FetchedRows, since: datetime, period_end: datetime, timezone: str
) -> frozenset[int] | None:
    """Return the positions of the rows whose time ends after an instant; None if their times are not known.

    Args:
        fetched: The rows.
        since: Until when the data is there.
        period_end: The end of the period that the rows are of.
        timezone: The time zone of the report, in which its dates are.
    """
    zone = ZoneInfo(timezone)
    starts = _starts(fetched, zone)
    if not starts:
        return None
    ends = _ends(sorted(set(starts)), _local(period_end, zone))
    local = _local(since, zone)
    return frozenset(number for number, start in enumerate(starts) if ends[start] > local)


def _starts(fetched: FetchedRows, zone: ZoneInfo) -> list[datetime]:
    """Return the local time of each row; none if one is not known."""
    if not fetched.columns or fetched.columns[0].kind not in DAYS:
        return []
    try:
        found = [datetime.fromisoformat(row[0] or "") for row in fetched.rows]
        return [_local(each, zone) if each.tzinfo else each for each in found]
    except (ValueError, OverflowError):  # null, infinity, or a year that Python does not have
        return []


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _ends(starts: Sequence[datetime], period_end: datetime) -> dict[datetime, datetime]:
    """Return when the time that begins at each start ends: all are as long as the shortest step between two.

    A single one ends with the period.
    """
    if len(starts) == 1:
        return {starts[0]: max(period_end, starts[0])}
    step = min(later - earlier for earlier, later in pairwise(starts))
    if step < _MIN_MONTH or any(each != _first_of_month(each) for each in starts):
        return {start: _later(start, step) for start in starts}
    months = min(_month(later) - _month(earlier) for earlier, later in pairwise(starts))
    return {start: _in_month(_month(start) + months) for start in starts}


def _later(start: datetime, step: timedelta) -> datetime:
    last = datetime.max  # noqa: DTZ901  # local times
    return start + step if start < last - step else last


def _first_of_month(at: datetime) -> datetime:
    return datetime(at.year, at.month, 1)  # noqa: DTZ001  # local times


def _month(at: datetime) -> int:
    return at.year * MONTHS + at.month - 1


def _in_month(number: int) -> datetime:
    """Return the start of a month by its number."""
    year, month = divmod(number, MONTHS)
    return datetime(year, month + 1, 1) if year <= MAXYEAR else datetime.max  # noqa: DTZ001, DTZ901  # local times
