"""Which messages follow from a unit that fails and works in any rhythm."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.delivery import Recipient
from analytics_worker.lineage.graph import Node
from flows.monitoring.incidents.causes import Problem, Severity
from flows.monitoring.incidents.notices import calm_time, due_messages
from flows.monitoring.incidents.reach import NO_REACH
from flows.monitoring.incidents.reconcile import Incident
from flows.monitoring.incidents.store import IncidentRecord, Thread

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNIT = Node("rule", "r")
MOST = 4
"""Messages within the calm time: it opens, ends, is flapping, and is another incident or over."""


def opened(now: datetime) -> IncidentRecord:
    """Return an incident that recipients were notified of."""
    units = frozenset({UNIT})
    incident = Incident(UUID(int=1), UNIT, Severity.CRITICAL, now, units, units)
    problems = {UNIT: [Problem(UNIT, Severity.CRITICAL, now)]}
    thread = Thread(UUID(int=2), "r", "k", (Recipient("webhook", "webhook"),))
    return IncidentRecord(
        incident,
        problems,
        now,
        threads=[thread],
        told_severity=Severity.CRITICAL,
        told_at=now,
        told_units={UNIT},
    )


def story(minutes: list[bool]) -> Iterator[tuple[int, str]]:
    """Yield the minute and kind of each message, as `update_incidents` asks for them."""
    record: IncidentRecord | None = None
    for minute, fails in enumerate(minutes):
        now = START + minute * MINUTE
        if record is None or _is_over(record, now):
            record = opened(now) if fails else None
            yield from [(minute, "opened")] if fails else []
            continue
        _change(record, now, fails=fails)
        if record.resolved_at in {None, now} or record.flapping_since:
            for message in due_messages(record, now, lambda _: NO_REACH):
                yield minute, message.kind.removeprefix("incident_")


def _is_over(record: IncidentRecord, now: datetime) -> bool:
    ended = record.resolved_at
    return bool(ended and not record.flapping_since and now - ended >= calm_time())


def _change(record: IncidentRecord, now: datetime, *, fails: bool) -> None:
    if fails and record.resolved_at:
        record.reopen(now)
    elif not fails and not record.resolved_at:
        record.resolved_at = now


rhythms = st.lists(st.integers(1, 45), max_size=14).map(
    lambda lengths: [n % 2 == 1 for n, length in enumerate(lengths) for _ in range(length)]
)


@given(rhythms)
def test_recipients_know_how_it_is_after_the_calm_time(minutes: list[bool]) -> None:
    calm = int(calm_time() / MINUTE)
    for fails in (True, False):
        told = list(story([*minutes, *[fails] * (calm + 1)]))
        if told:
            assert (told[-1][1] != "resolved") is fails


@given(rhythms)
def test_few_messages_come_within_the_calm_time(minutes: list[bool]) -> None:
    told = [minute for minute, _ in story(minutes)]
    calm = int(calm_time() / MINUTE)
    assert all(sum(0 <= each - first < calm for each in told) <= MOST for first in told)


@given(rhythms)
def test_nothing_is_notified_twice(minutes: list[bool]) -> None:
    kinds = [kind for _, kind in story(minutes)]
    assert all(len(list(same)) == 1 for _, same in groupby(kinds))


def test_a_rhythm_of_five_minutes() -> None:
    minutes = [n // 5 % 2 == 0 for n in range(65)] + [False] * 40
    assert list(story(minutes)) == [
        (0, "opened"),
        (5, "resolved"),
        (10, "flapping"),
        (95, "resolved"),
    ]
