"""Stuck runs are ended with the reason; runs whose process exists never are."""

import os
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Paused, Pending, Running, Scheduled

from analytics_worker.prefect_support.heartbeat_timeout import HEARTBEAT_EVENT
from analytics_worker.process_identity import RUN_RECORDS, ProcessIdentity
from analytics_worker.settings import settings
from flows.monitoring.runs.stuck_runs import end_stuck, final_state, find_stuck
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment")

MINUTE = timedelta(minutes=1)
LONG = 10 * MINUTE
NAME = "dbt-docs-generate/dbt"


@pytest.mark.parametrize(
    ("state", "age", "heartbeat_age", "end"),
    [
        (Pending(), LONG, LONG, "Crashed"),
        (Pending(name="Submitting"), LONG, LONG, "Crashed"),
        (Pending(), MINUTE, MINUTE, None),  # its process may still start
        (Cancelling(), LONG, None, "Cancelled"),
        (Cancelling(), LONG, LONG, "Cancelled"),
        (Cancelling(), LONG, MINUTE / 2, None),  # it is cleaning up
        (Cancelling(), MINUTE, LONG, None),
        (Running(), 600 * MINUTE, MINUTE / 2, None),  # long, with heartbeats
        (Running(), LONG, LONG, "Crashed"),
        (Running(), LONG, None, None),  # it does not send heartbeats
        (Scheduled(), 600 * MINUTE, LONG, None),  # a long queue, a retry to come
        (Paused(), 600 * MINUTE, LONG, None),
    ],
)
def test_which_runs_are_ended(
    state: State[Any], age: timedelta, heartbeat_age: timedelta | None, end: str | None
):
    final = final_state(state, age, heartbeat_age, server_available=True)
    assert (final.name if final else None) == end
    assert final is None or final.message


def test_missing_heartbeats_while_the_server_was_unavailable_end_nothing():
    assert final_state(Running(), LONG, LONG, server_available=False) is None


def test_a_run_that_was_claimed_and_never_started_is_crashed(client: SyncPrefectClient, run):
    pending = run(Pending())
    now = datetime.now(UTC)
    assert end_stuck(client, [pending], now + MINUTE, server_available=True) == []
    (line,) = end_stuck(client, [pending], now + LONG, server_available=True)
    ended = client.read_flow_run(pending.id)
    assert ended.state_name == "Crashed"
    assert "Claimed 10 min ago (Pending) and never started" in line
    assert ended.state is not None
    assert str(ended.state.message) in line


def test_a_run_that_changed_state_meanwhile_continues(client: SyncPrefectClient, run):
    pending = run(Pending())
    client.set_flow_run_state(pending.id, Running(), force=True)
    assert end_stuck(client, [pending], datetime.now(UTC) + LONG, server_available=True) == []
    assert client.read_flow_run(pending.id).state_name == "Running"


def send_heartbeat(client: SyncPrefectClient, run: Any) -> None:
    event = {
        "id": str(uuid4()),
        "event": HEARTBEAT_EVENT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
    }
    client._client.post("/events", json=[event]).raise_for_status()


def test_a_run_without_heartbeats_is_crashed_unless_its_process_exists(
    client: SyncPrefectClient, run
):
    running = run(Running())
    send_heartbeat(client, running)
    now = datetime.now(UTC)
    wait_until(
        lambda: list(find_stuck(client, [running], now + LONG, server_available=True)), interval=0.2
    )
    record = settings().state_dir / RUN_RECORDS / str(running.id)
    record.parent.mkdir(parents=True)
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    me.write(record)
    assert end_stuck(client, [running], now + LONG, server_available=True) == []
    record.unlink()
    # Processes that only the API names may be those of another host of this name.
    for pid in (str(os.getpid()), f"{socket.gethostname()}:{os.getpid()}"):
        client.update_flow_run(running.id, infrastructure_pid=pid)
    named = client.read_flow_run(running.id)
    assert len(end_stuck(client, [named], now + LONG, server_available=True)) == 1
    assert client.read_flow_run(running.id).state_name == "Crashed"


def test_a_run_that_ended_before_its_first_heartbeat_is_crashed(client: SyncPrefectClient, run):
    running = run(Running())
    now = datetime.now(UTC)
    assert end_stuck(client, [running], now + MINUTE, server_available=True) == []
    assert end_stuck(client, [running], now + LONG, server_available=False) == []
    (line,) = end_stuck(client, [running], now + LONG, server_available=True)
    assert "No heartbeat for 6" in line
