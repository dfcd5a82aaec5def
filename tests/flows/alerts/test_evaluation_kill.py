"""A run that is killed after it evaluated, or after it committed, loses nothing and says nothing twice.

What happens to a sender that is killed: tests/delivery/test_kill.py.
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


def evaluate_and_die() -> None:
    evaluate_due(["alert"])
    os.kill(os.getpid(), signal.SIGKILL)


def run(work: Callable[[], None]):
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def evaluated() -> bool:
    """Another run has done it, once PostgreSQL has seen that the killed one is gone."""
    evaluate()
    return query("select count(*) from ops.alert_evaluations") != [0]


def waits_to_write() -> bool:
    return bool(
        query(
            "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            " and query like '%insert into ops.alert_events%' and datname = current_database()"
        )
    )


def test_killed_after_evaluation(smtp_sink, http_sink):
    """The SQL was run, states and history are written, and nothing is committed yet."""
    with warehouse() as connection:
        connection.execute(text("lock table ops.alert_events in share mode"))
        process = run(evaluate)
        wait_until(waits_to_write, timeout=60)
        process.kill()
        process.join()
    assert query("select count(*) from ops.alert_evaluations") == [0]
    wait_until(evaluated, timeout=30)
    assert deliver_due()["sent"] == 2
    assert (len(smtp_sink.messages), len(http_sink.requests)) == (1, 1)
    assert query("select kind from ops.alert_events") == ["firing"]


def test_killed_after_the_commit(smtp_sink, http_sink):
    """State, event and deliveries are there; any later run sends them, with the ids of then."""
    process = run(evaluate_and_die)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    ids = set(query("select idempotency_key from ops.deliveries where status = 'pending'"))
    evaluate()
    assert deliver_due()["sent"] == 2
    assert deliver_due()["sent"] == 0
    (mail,), (hook,) = smtp_sink.ids(), http_sink.keys()
    assert {mail.strip("<>").removesuffix("@example.com"), hook} == ids
