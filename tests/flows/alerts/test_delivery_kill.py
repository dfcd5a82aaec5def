"""A sender that is killed loses nothing; at most one message of each channel is repeated, as itself."""

from collections import Counter

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from flows.alerts.notifications.outbox import deliver_due
from tests.support.outbox import sender
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)


class Rig:
    """One kind of channel with three messages due: how to hold its server, and what arrived."""

    def __init__(self, kind, outbox, smtp_sink, http_sink) -> None:
        self.sink = smtp_sink if kind == "email" else http_sink
        self.keys = [f"<{n}@test>" if kind == "email" else f"k{n}" for n in range(3)]
        self.on_its_way = 0 if kind == "email" else 1
        self.arrived = smtp_sink.ids if kind == "email" else http_sink.keys
        (outbox.mails if kind == "email" else outbox.hooks)(3)


@pytest.fixture(params=["email", "webhook"])
def rig(request, outbox, smtp_sink, http_sink) -> Rig:
    return Rig(request.param, outbox, smtp_sink, http_sink)


def finish(outbox, rig) -> Counter[str]:
    """Deliver in later runs; how often each message arrived, over all runs.

    PostgreSQL takes a moment to see that a killed sender is gone; until then its messages are left alone.
    """

    def all_sent() -> bool:
        deliver_due()
        return outbox.statuses() == ["sent"] * 3

    wait_until(all_sent, timeout=30)
    return Counter(rig.arrived())


def test_killed_before_sending(rig, outbox, sender_context):
    """Claimed and connected; a web hook's request may be on its way already, a mail is not."""
    with rig.sink.holding_connections() as held, sender(sender_context) as process:
        wait_until(held.is_set, timeout=90)
        assert outbox.statuses() == ["sending"] * 3
        process.kill()
        process.join()
    arrived = finish(outbox, rig)
    assert set(arrived) == set(rig.keys)
    assert arrived.total() <= 3 + rig.on_its_way


def test_killed_while_sending(rig, outbox, sender_context):
    """The server has the second message and hasn't said so: that one is repeated, no other."""
    with rig.sink.holding_answer(to=2) as held, sender(sender_context) as process:
        wait_until(held.is_set, timeout=90)
        (in_doubt,) = rig.arrived()[1:]
        process.kill()
        process.join()
    assert finish(outbox, rig) == Counter([*rig.keys, in_doubt])


def test_killed_after_sending(rig, outbox, sender_context):
    """The server has said yes, but the sender couldn't write it down any more."""
    with (
        warehouse() as connection,
        rig.sink.holding_answer(to=2) as held,
        sender(sender_context) as process,
    ):
        wait_until(held.is_set, timeout=90)
        connection.execute(text("lock table ops.alert_deliveries in share mode"))
        rig.sink.release()
        wait_until(lambda: is_waiting(outbox), timeout=30)
        process.kill()
        process.join()
    arrived = finish(outbox, rig)
    assert set(arrived) == set(rig.keys)
    assert arrived.total() <= 4


def is_waiting(outbox) -> bool:
    """Whether a sender waits for the lock with what it has to write down."""
    waiting = outbox.run(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
        " and query like '%alert_deliveries%' and datname = current_database()"
    )
    return bool(waiting)


def test_killed_between_two_messages_repeats_nothing(rig, outbox, sender_context):
    """Sent and written down: a kill right after costs nothing."""
    with sender(sender_context) as process:
        wait_until(lambda: "sent" in outbox.statuses(), timeout=90)
        process.kill()
        process.join()
    arrived = finish(outbox, rig)
    assert set(arrived) == set(rig.keys)
    assert arrived.total() <= 4
    assert arrived[rig.arrived()[0]] == 1


def test_a_living_sender_s_messages_are_left_alone(rig, outbox, sender_context):
    with rig.sink.holding_answer(to=1) as held, sender(sender_context) as process:
        wait_until(held.is_set, timeout=90)
        assert deliver_due()["sent"] == 0
        rig.sink.release()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert finish(outbox, rig) == Counter(rig.keys)


def test_two_senders_share_the_work(outbox, http_sink, sender_context):
    outbox.hooks(120)
    with sender(sender_context) as first, sender(sender_context) as second:
        for process in (first, second):
            process.join(timeout=60)
            assert process.exitcode == 0
    assert Counter(http_sink.keys()) == Counter(f"k{n}" for n in range(120))


def test_a_host_that_vanished_loses_its_lease(outbox):
    """Its connection may look alive for hours; the lease ends."""
    outbox.mails(1)
    with warehouse(autocommit=True) as connection:
        owner = {"owner": "elsewhere/1/abc"}
        lock = "pg_advisory_lock(hashtext('ops.alert_deliveries'), hashtext(:owner))"
        connection.execute(text(f"select {lock}"), owner)  # fixed text
        outbox.run(
            "update ops.alert_deliveries set status = 'sending', lease_owner = :owner,"
            " lease_until = now() + interval '1 minute'",
            **owner,
        )
        assert deliver_due()["sent"] == 0
        outbox.run("update ops.alert_deliveries set lease_until = now()")
        assert deliver_due()["sent"] == 1
        connection.execute(text("select pg_advisory_unlock_all()"))
