"""Failing deployments and their recoveries are notified once, in order, also when a sender is killed."""

import os
import signal
import subprocess
import sys

import pytest
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Failed

from analytics_worker.delivery import deliver_due
from flows.monitoring import collect_worker_metrics
from tests.flows.monitoring.conftest import DEPLOYMENT, collect
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment")


def test_consecutive_failures_are_notified_once_and_so_is_the_recovery(run, notified_events):
    run(Completed())
    assert notified_events() == []
    run(Failed(message="the disk is full"))
    assert notified_events() == ["incident_opened"]
    run(Failed(message="the disk is full"))
    assert notified_events() == []
    run(Completed(name="Skipped"))
    assert notified_events() == []
    run(Completed(message="4 pages"))
    assert notified_events() == ["incident_resolved"]
    assert notified_events() == []


def test_email_and_webhook_name_the_failure(
    run, notified_events, variables, http_sink: HttpSink, smtp_sink: SmtpSink, sql
):
    assert notified_events() == []
    variables(
        alert_email_host="127.0.0.1",
        alert_email_port=smtp_sink.port,
        alert_email_tls="none",
        alert_email_from="worker@example.com",
        alert_email_to="ann@example.com,bob@example.com",
    )
    failed = run(Failed(message="the disk is full"))
    collect_worker_metrics()
    (posted,) = http_sink.requests
    assert posted.json["cause"] == {"kind": "deployment", "name": DEPLOYMENT}
    assert posted.json["message"] == "the disk is full"
    assert posted.json["run_id"] == str(failed.id)
    subjects = [str(email.mail["Subject"]) for email in smtp_sink.messages]
    assert subjects == [f"[critical] {DEPLOYMENT}: Failed"] * 2
    assert sql("select status, count(*) from ops.deliveries group by 1") == [("sent", 3)]
    assert sql("select status, count(*) from ops.deployment_notices group by 1") == [("sent", 3)]


def test_a_message_waits_for_its_receiver(run, notified_events, http_sink: HttpSink, sql):
    http_sink.stop()
    run(Failed())
    result = collect_worker_metrics()
    assert "messages: 1 will be retried" in result["message"]
    assert result["status"] == "success"
    (reason,) = result["failed_notifications"]
    assert reason == "webhook: http://127.0.0.1: [Errno 111] Connection refused"
    ((status, error),) = sql("select status, last_error from ops.deliveries")
    assert (status, "127.0.0.1" in error) == ("pending", True)
    http_sink.start()
    sql("update ops.deliveries set next_attempt_at = now()")
    assert notified_events() == ["incident_opened"]


def test_a_message_of_a_killed_sender_is_sent_by_the_next_with_the_same_key(
    run, notified_events, http_sink: HttpSink, variables
):
    variables(alert_webhook_url="")
    run(Completed())
    collect_worker_metrics()
    variables(alert_webhook_url=http_sink.url)
    run(Failed())
    code = "from flows.monitoring import collect_worker_metrics; collect_worker_metrics()"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with http_sink.pausing_answer(to=1) as answer:
        child = subprocess.Popen([sys.executable, "-c", code], env=environment)
        assert answer.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (first,) = http_sink.requests
    wait_until(lambda: deliver_due("monitoring")["sent"] == 1, timeout=20, interval=0.2)
    assert http_sink.keys() == [first.key, first.key]
    http_sink.requests.clear()
    assert notified_events() == []


def test_a_failure_and_its_recovery_within_one_minute_are_notified_in_order(
    run, notified_events, http_sink: HttpSink
):
    run(Failed())
    run(Completed())
    assert notified_events() == ["incident_opened", "incident_resolved"]
    assert http_sink.requests == []


def test_old_messages_are_deleted_and_waiting_ones_stay(
    run, notified_events, http_sink: HttpSink, sql
):
    run(Failed())
    assert notified_events() == ["incident_opened"]
    http_sink.stop()
    run(Completed())
    collect()
    sql("update ops.messages set created_at = now() - interval '31 days'")
    collect()
    assert sql("select kind from ops.messages") == [("incident_resolved",)]
    http_sink.start()
