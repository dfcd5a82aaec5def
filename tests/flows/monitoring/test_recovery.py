"""Stuck runs are ended with the reason, living ones never."""

import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Paused, Pending, Running, Scheduled

from analytics_worker.prefect_support.heartbeat_settings import EVENT
from flows.monitoring._reaper import find_stuck, judge, reap
from tests.support.wait_until import wait_until

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
