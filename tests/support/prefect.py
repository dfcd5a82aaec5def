"""A real Prefect server for the tests of a session."""

import pytest
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_API_URL, PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_api():
    """A temporary Prefect server with its own database; flows that are called run against it."""
    # Without heartbeats: a sync flow would wait a second for their thread at its end.
    with (
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
    ):
        yield


@pytest.fixture(autouse=True)
def events_of_this_server(request: pytest.FixtureRequest) -> None:
    """Let Prefect's events worker start anew if it belongs to the server of an earlier test.

    It asks the server of its first event about the runs of all later ones, and drops those that this
    server does not know.
    """
    if "prefect_api" not in request.fixturenames:
        return
    request.getfixturevalue("prefect_api")
    ours = f"{PREFECT_API_URL.value()}/"
    clients = [vars(each).get("_orchestration_client") for each in EventsWorker._instances.values()]
    if any(client is not None and str(client.api_url) != ours for client in clients):
        EventsWorker.drain_all()
