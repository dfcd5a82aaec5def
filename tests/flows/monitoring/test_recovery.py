"""Stuck runs are ended with the reason, living ones never; streaks are told once, whoever dies."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling, Completed, Failed, Paused, Pending, Running, Scheduled

from analytics_worker.delivery import deliver_due
from analytics_worker.deployment.deploy import deploy, desired
from analytics_worker.prefect_support.heartbeat_settings import EVENT
from flows.monitoring import collect_worker_metrics
from flows.monitoring._reaper import find_stuck, judge, reap
from tests.support.http_sink import HttpSink
from tests.support.smtp_sink import SmtpSink
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("environment")

MINUTE = timedelta(minutes=1)
LONG = 10 * MINUTE
NAME = "dbt-docs-generate/dbt"


@pytest.mark.parametrize(
    ("state", "age", "silence", "end"),
    [
        (Pending(), LONG, LONG, "Crashed"),
        (Pending(name="Submitting"), LONG, LONG, "Crashed"),
        (Pending(), MINUTE, MINUTE, None),  # its process may still be coming
        (Cancelling(), LONG, None, "Cancelled"),
        (Cancelling(), LONG, LONG, "Cancelled"),
        (Cancelling(), LONG, MINUTE / 2, None),  # it is cleaning up
        (Cancelling(), MINUTE, LONG, None),
        (Running(), 600 * MINUTE, MINUTE / 2, None),  # long, and alive
        (Running(), LONG, LONG, "Crashed"),
        (Running(), LONG, None, None),  # it does not send heartbeats
        (Scheduled(), 600 * MINUTE, LONG, None),  # a long queue, a retry to come
        (Paused(), 600 * MINUTE, LONG, None),
    ],
)
def test_what_is_ended_and_what_is_left_alone(
    state: State[Any], age: timedelta, silence: timedelta | None, end: str | None
):
    verdict = judge(state, age, silence, heard=True)
    assert (verdict.name if verdict else None) == end
    assert verdict is None or verdict.message


def test_silence_of_a_server_that_was_away_ends_nothing():
    assert judge(Running(), LONG, LONG, heard=False) is None


@pytest.fixture
def client(request: pytest.FixtureRequest):
    request.getfixturevalue("prefect_api")
    with get_client(sync_client=True) as opened:
        deploy(desired(), opened)
        yield opened


@pytest.fixture
def run(client: SyncPrefectClient):
    """Make a run of one of our deployments in a state; gone after the test."""
    made: list[Any] = []

    def make(state: State[Any]) -> Any:
        deployment = client.read_deployment_by_name(NAME)
        found = client.create_flow_run_from_deployment(deployment.id)
        client.set_flow_run_state(found.id, state, force=True)
        made.append(found.id)
        return client.read_flow_run(found.id)

    yield make
    for one in made:
        client.delete_flow_run(one)


def test_a_run_that_was_claimed_and_never_started_is_crashed(client: SyncPrefectClient, run):
    pending = run(Pending())
    now = datetime.now(UTC)
    assert reap(client, [pending], now + MINUTE, heard=True) == []
    (told,) = reap(client, [pending], now + LONG, heard=True)
    ended = client.read_flow_run(pending.id)
    assert ended.state_name == "Crashed"
    assert "Claimed 10 min ago (Pending) and never started" in told
    assert ended.state is not None
    assert str(ended.state.message) in told


def test_a_run_that_moved_on_meanwhile_is_left_alone(client: SyncPrefectClient, run):
    pending = run(Pending())
    client.set_flow_run_state(pending.id, Running(), force=True)
    assert reap(client, [pending], datetime.now(UTC) + LONG, heard=True) == []
    assert client.read_flow_run(pending.id).state_name == "Running"


def beat(client: SyncPrefectClient, run: Any) -> None:
    event = {
        "id": str(uuid4()),
        "event": EVENT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
    }
    client._client.post("/events", json=[event]).raise_for_status()


def test_a_silent_run_is_crashed_unless_its_process_lives(client: SyncPrefectClient, run):
    running = run(Running())
    beat(client, running)
    now = datetime.now(UTC)
    wait_until(lambda: list(find_stuck(client, [running], now + LONG, heard=True)), interval=0.2)
    mine = f"{socket.gethostname()}:{os.getpid()}"
    client.update_flow_run(running.id, infrastructure_pid=mine)
    assert reap(client, [client.read_flow_run(running.id)], now + LONG, heard=True) == []
    client.update_flow_run(running.id, infrastructure_pid=f"{socket.gethostname()}:999999999")
    assert len(reap(client, [client.read_flow_run(running.id)], now + LONG, heard=True)) == 1
    assert client.read_flow_run(running.id).state_name == "Crashed"


def test_a_run_that_died_before_its_first_heartbeat_is_crashed(client: SyncPrefectClient, run):
    running = run(Running())
    now = datetime.now(UTC)
    assert reap(client, [running], now + MINUTE, heard=True) == []
    assert reap(client, [running], now + LONG, heard=False) == []
    (told,) = reap(client, [running], now + LONG, heard=True)
    assert "No heartbeat for 6" in told


@pytest.fixture
def told(variables, http_sink: HttpSink, run) -> Callable[[], list[str]]:  # noqa: ARG001  # deploys
    """What the web hook was told since the last look, for our deployment."""
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # judges what other tests left
    http_sink.requests.clear()

    def look() -> list[str]:
        collect_worker_metrics()
        events = [posted.json["event"] for posted in http_sink.requests]
        http_sink.requests.clear()
        return events

    return look


def test_a_streak_is_told_once_and_so_is_the_recovery(run, told):
    run(Completed())
    assert told() == []
    run(Failed(message="the disk is full"))
    assert told() == ["deployment_failing"]
    run(Failed(message="the disk is full"))
    assert told() == []
    run(Completed(name="Skipped"))
    assert told() == []
    run(Completed(message="4 pages"))
    assert told() == ["deployment_recovered"]
    assert told() == []


def test_mail_and_web_hook_say_what_failed(
    run, told, variables, http_sink: HttpSink, smtp_sink: SmtpSink, sql
):
    assert told() == []
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
    assert posted.json["deployment"] == NAME
    assert posted.json["message"] == "the disk is full"
    assert posted.json["run_id"] == str(failed.id)
    subjects = [str(mail.mail["Subject"]) for mail in smtp_sink.messages]
    assert subjects == [f"[failing] {NAME}: Failed"] * 2
    assert sql("select status, count(*) from ops.deployment_notices group by 1") == [("sent", 3)]


def test_a_notice_waits_for_its_receiver(run, told, http_sink: HttpSink, sql):
    http_sink.stop()
    run(Failed())
    result = collect_worker_metrics()
    assert "notices not sent" in result["message"]
    ((status, error),) = sql("select status, last_error from ops.deployment_notices")
    assert (status, "127.0.0.1" in error) == ("pending", True)
    http_sink.start()
    sql("update ops.deployment_notices set next_attempt_at = now()")
    assert told() == ["deployment_failing"]


def test_a_killed_sender_leaves_its_notice_to_the_next_with_the_same_key(
    run, told, http_sink: HttpSink, variables
):
    variables(alert_webhook_url="")
    run(Completed())
    collect_worker_metrics()
    variables(alert_webhook_url=http_sink.url)
    run(Failed())
    code = "from flows.monitoring import collect_worker_metrics; collect_worker_metrics()"
    environment = {**os.environ, "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    with http_sink.holding_answer(to=1) as held:
        child = subprocess.Popen([sys.executable, "-c", code], env=environment)
        assert held.wait(60)
        child.send_signal(signal.SIGKILL)
        child.wait()
    (first,) = http_sink.requests
    wait_until(lambda: send_notices().sent == 1, timeout=20, interval=0.2)
    assert http_sink.keys() == [first.key, first.key]
    http_sink.requests.clear()
    assert told() == []
