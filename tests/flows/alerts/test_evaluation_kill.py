"""Runs killed before and after the commit: nothing is lost, and nothing is notified twice.

Killed senders are tested in tests/delivery/test_kill.py.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from flows.alerts.evaluation.runner import evaluate_due
from tests.flows.alerts.rules import query, rule, store
from tests.support.wait_until import wait_until


@pytest.fixture(autouse=True)
def _rule(default_channels):  # noqa: ARG001  # its channels
    store(rule(channels=["webhook", {"email": ["ann@example.com"]}]))


def evaluate() -> None:
    evaluate_due(["alert"])


def evaluate_and_kill() -> None:
    evaluate_due(["alert"])
    os.kill(os.getpid(), signal.SIGKILL)


def start(function: Callable[[], None]):
    process = multiprocessing.get_context("fork").Process(target=function)
    process.start()
    return process


def evaluated() -> bool:
    """Evaluate again; succeeds once PostgreSQL has released the locks of the killed run."""
    evaluate()
    return query("select count(*) from ops.alert_evaluations") != [0]


def is_waiting_for_lock() -> bool:
    return bool(
        query(
            "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            " and query like '%insert into ops.alert_events%' and datname = current_database()"
        )
    )


def test_a_run_killed_before_its_commit_is_rolled_back(smtp_sink, http_sink):
    """States and history are written but not committed when the run is killed."""
    with warehouse() as connection:
        connection.execute(text("lock table ops.alert_events in share mode"))
        process = start(evaluate)
        wait_until(is_waiting_for_lock, timeout=60)
        process.kill()
        process.join()
    assert query("select count(*) from ops.alert_evaluations") == [0]
    wait_until(evaluated, timeout=30)
    assert deliver_due()["sent"] == 2
    assert (len(smtp_sink.messages), len(http_sink.requests)) == (1, 1)
    assert query("select kind from ops.alert_events") == ["firing"]


def test_a_later_run_sends_the_notifications_of_a_run_killed_after_its_commit(smtp_sink, http_sink):
    """The later run uses the stored ids."""
    process = start(evaluate_and_kill)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    ids = set(query("select idempotency_key from ops.deliveries where status = 'pending'"))
    evaluate()
    assert deliver_due()["sent"] == 2
    assert deliver_due()["sent"] == 0
    (message_id,), (key,) = smtp_sink.ids(), http_sink.keys()
    assert {message_id.strip("<>").removesuffix("@example.com"), key} == ids
