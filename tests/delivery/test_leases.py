"""Messages of a running sender are not claimed; a sender without its lease writes and sends nothing more."""

from collections import Counter

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due, dispatcher
from analytics_worker.delivery.leases import Leases
from analytics_worker.delivery.retry import NextStep
from analytics_worker.delivery.store import delivery_store
from tests.support.deliveries import sender, webhook_recipient
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.timeout(240)


def take_over(deliveries, status="sending"):
    """Recover rows as another sender does after the lease has ended."""
    deliveries.run(
        "update ops.deliveries set status = :status, lease_owner = 'elsewhere/1/abc',"
        " lease_until = now() + interval '1 hour' where status = 'sending'",
        status=status,
    )


def claim(store, batch=5):
    return store.claim("webhook", batch=batch)


def test_a_settlement_without_the_lease_is_refused_and_the_other_claims_are_not_sent(
    deliveries, http_sink, delivery_context
):
    for number in range(3):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        take_over(deliveries)
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert http_sink.keys() == ["k0"], "the others are another sender's now"
    assert deliveries.statuses() == ["sending"] * 3
    assert {row["lease_owner"] for row in deliveries.rows()} == {"elsewhere/1/abc"}


def test_a_message_sent_without_the_lease_is_not_resent(deliveries, http_sink, delivery_context):
    """The other sender fails to send it: that must not set it back to unsent."""
    deliveries.add(webhook_recipient(), key="k")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        take_over(deliveries)
        http_sink.release()
        process.join(timeout=60)
    with delivery_store(None) as store:
        deliveries.run("update ops.deliveries set lease_owner = :owner", owner=store.owner)
        (row,) = store.run(
            "settle",
            id=deliveries.row("k")["id"],
            owner=store.owner,
            channel="webhook",
            status="pending",
            attempts=1,
            error="no answer",
            delay_seconds=0,
            receipt="{}",
        )
    assert row["recorded"]
    assert deliver_due()["sent"] == 0
    assert (http_sink.keys(), deliveries.status("k")) == (["k"], "sent")


def test_a_message_sent_and_recovered_meanwhile_counts_as_sent(
    deliveries, http_sink, delivery_context
):
    deliveries.add(webhook_recipient(), key="k")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        take_over(deliveries, status="pending")
        http_sink.release()
        process.join(timeout=60)
    assert deliver_due()["sent"] == 0
    assert (http_sink.keys(), deliveries.status("k")) == (["k"], "sent")


def test_messages_of_a_running_sender_are_not_claimed(deliveries, http_sink, delivery_context):
    for number in range(3):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        assert deliver_due()["sent"] == 0
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode == 0
    assert http_sink.keys() == ["k0", "k1", "k2"]


def test_two_senders_share_the_work(deliveries, http_sink, delivery_context):
    for number in range(120):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    with sender(delivery_context) as first, sender(delivery_context) as second:
        for process in (first, second):
            process.join(timeout=90)
            assert process.exitcode == 0
    assert Counter(http_sink.keys()) == Counter(f"k{n}" for n in range(120))


def test_the_lease_of_a_lost_host_ends(deliveries):
    """Its connection may look open for hours; the lease ends."""
    deliveries.add(webhook_recipient(), key="k")
    with delivery_store(None) as vanished:
        assert len(claim(vanished)) == 1
        assert deliver_due()["sent"] == 0
        deliveries.run("update ops.deliveries set lease_until = now()")
        assert deliver_due()["sent"] == 1
        (claimed_id,) = [deliveries.row("k")["id"]]
        assert deliveries.run("select 1 from ops.deliveries where id = :id", id=claimed_id)


def test_a_waiting_lock_does_not_keep_a_sender_alive(deliveries):
    """Waiting for the lock of a sender, which any role may do, does not keep it alive."""
    deliveries.add(webhook_recipient(), key="k")
    with delivery_store(None) as store:
        claim(store)
        owner = store.owner
        assert deliveries.run("select ops.sender_is_alive(:owner) as lives", owner=owner)[0][
            "lives"
        ]
    assert not deliveries.run("select ops.sender_is_alive(:owner) as lives", owner=owner)[0][
        "lives"
    ]
    assert deliver_due()["sent"] == 1


def test_leases_are_renewed_while_sending(deliveries, http_sink, monkeypatch):
    monkeypatch.setattr(dispatcher, "RENEW_SECONDS", 0.05)
    deliveries.add(webhook_recipient(), key="k")
    observed = []

    def before_answer(_posted):
        def renewed():
            observed.append(deliveries.row("k")["lease_until"])
            return len(set(observed)) > 2

        wait_until(renewed, timeout=30)

    http_sink.before_answer = before_answer
    assert deliver_due()["sent"] == 1


def test_a_lost_connection_stops_the_sender_and_its_results_are_recorded(
    deliveries, http_sink, delivery_context
):
    for number in range(3):
        deliveries.add(webhook_recipient(), key=f"k{number}")
    with http_sink.pausing_answer(to=1) as held, sender(delivery_context) as process:
        wait_until(held.is_set, timeout=90)
        with warehouse() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                    " and database = (select oid from pg_database"
                    " where datname = current_database())"
                )
            )
        http_sink.release()
        process.join(timeout=60)
        assert process.exitcode not in {0, None}
    assert http_sink.keys() == ["k0"]
    assert deliveries.status("k0") == "sent"
    assert deliver_due()["sent"] == 2
    assert http_sink.keys() == ["k0", "k1", "k2"]


def test_no_transaction_is_open_and_no_row_locked_while_sending(deliveries, http_sink):
    deliveries.add(webhook_recipient(), key="k")
    observed = []

    def before_answer(_posted):
        observed.extend(
            deliveries.run(
                "select state from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and state like 'idle in transaction%'"
            )
        )
        deliveries.run("select 1 from ops.deliveries for update nowait")

    http_sink.before_answer = before_answer
    assert (deliver_due()["sent"], observed) == (1, [])


def test_settling_twice_changes_nothing(deliveries):
    deliveries.add(webhook_recipient(), key="k")
    with delivery_store(None) as store:
        (claimed,) = claim(store)
        assert store.settle("webhook", claimed, NextStep("sent"), "{}").recorded
        assert not store.settle("webhook", claimed, NextStep("failed", 1, "x"), "{}").recorded
    assert deliveries.status("k") == "sent"


def test_leases_end_in_time(deliveries):
    deliveries.add(webhook_recipient())
    with delivery_store(None) as store:
        (claimed,) = claim(store)
        assert store.holds(claimed)
        leases = Leases()
        leases.add([claimed.id], since=0)
        assert not leases.cover(claimed.id), "this host slept"
