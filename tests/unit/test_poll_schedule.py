"""When the exporter polls: what is announced is shown an interval later, at most, and rarely polled twice."""

from hypothesis import given
from hypothesis import strategies as st

from analytics_worker.exporter.poll_schedule import QUIET_FACTOR, STORED_SECONDS, PollSchedule

EVERY = 5.0


def test_it_polls_at_once_and_then_rarely_while_it_is_quiet():
    schedule = PollSchedule(EVERY)
    assert schedule.due_at(is_quiet=True) < 0
    schedule.begin(100)
    assert schedule.due_at(is_quiet=True) == 100 + QUIET_FACTOR * EVERY
    assert schedule.due_at(is_quiet=False) == 100 + EVERY


def test_a_burst_of_events_is_polled_once():
    schedule = PollSchedule(EVERY)
    schedule.begin(100)
    for at in (110, 110.5, 112):
        schedule.announce(at)
        assert schedule.due_at(is_quiet=True) == 110 + EVERY
    schedule.begin(115)
    assert schedule.due_at(is_quiet=True) == 115 + QUIET_FACTOR * EVERY


def test_what_may_not_have_been_stored_is_polled_again():
    schedule = PollSchedule(EVERY)
    schedule.begin(100)
    schedule.announce(110)
    schedule.announce(115 - STORED_SECONDS / 2)
    schedule.begin(115)
    assert schedule.due_at(is_quiet=True) == 115 + EVERY


@given(st.lists(st.floats(0, 100), min_size=1).map(sorted))
def test_every_announcement_is_polled_after_it_was_stored_and_within_two_intervals(announced):
    schedule = PollSchedule(EVERY)
    schedule.begin(-1)
    polls: list[float] = []
    for at in announced:
        while (due := schedule.due_at(is_quiet=True)) < at:
            schedule.begin(due)
            polls.append(due)
        schedule.announce(at)
    while not polls or polls[-1] < announced[-1] + STORED_SECONDS:
        schedule.begin(due := schedule.due_at(is_quiet=True))
        polls.append(due)
    for at in announced:
        assert any(at + STORED_SECONDS <= poll <= at + 2 * EVERY for poll in polls)
